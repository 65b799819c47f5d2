"""Stages: entered in order, timed, left in reverse, also after a failure half-way."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest

from foundations.boot import Book, Boot, BootReport, Stage, StageStatus
from foundations.curator.discovery import ENTRY_POINT_GROUP, realms, roles
from foundations.curator.registry import Registry
from foundations.rooms import Room

pytestmark = pytest.mark.anyio


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three stages `one`, `two`, `bad` as modules, and what happened to them."""
    happened: list[str] = []
    for name in ("one", "two", "bad"):
        module = ModuleType(f"stage_{name}")
        vars(module)["open_stage"] = stage_of(name, happened)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return happened


def stage_of(name: str, happened: list[str]):  # type: ignore[no-untyped-def]  # a stage, as boot.py types it
    @asynccontextmanager
    async def open_stage(book: Book) -> AsyncIterator[None]:
        happened.append(f"{name} opens")
        if name == "bad":
            raise OSError("no disk")
        try:
            yield
        finally:
            happened.append(f"{name} closes")

    return open_stage


def boot(*names: str) -> Boot:
    stages = tuple(Stage(name, f"stage_{name}") for name in names)
    return Boot(stages, Registry(), BootReport())


async def test_stages_open_in_order_and_close_in_reverse(order: list[str]) -> None:
    city = boot("one", "two")
    async with AsyncExitStack() as stack:
        await city.run(stack)
        assert city.report.ready
        assert all(stage.seconds > 0 for stage in city.report.stages)

    assert order == ["one opens", "two opens", "two closes", "one closes"]


async def test_failure_half_way_closes_what_was_open(order: list[str]) -> None:
    city = boot("one", "bad", "two")

    with pytest.raises(OSError, match="no disk"):
        async with AsyncExitStack() as stack:
            await city.run(stack)

    assert order == ["one opens", "bad opens", "one closes"]
    assert [stage.status for stage in city.report.stages] == [
        StageStatus.OPEN,
        StageStatus.FAILED,
        StageStatus.PENDING,
    ]
    assert not city.report.ready


def test_roles_and_realms_are_found_by_their_folders() -> None:
    found, faults = realms()

    assert {room.realm for room in found} >= {"business_enablement", "journey", "solution"}
    assert {room.realm for room in roles()} == {"smart_city"}
    assert faults == []


def test_realm_of_an_installed_package_is_found_and_a_broken_one_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "billing_realm").mkdir()
    (tmp_path / "billing_realm" / "__init__.py").write_text("")
    (tmp_path / "plain.py").write_text("")
    info = tmp_path / "billing_realm-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: billing-realm\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[{ENTRY_POINT_GROUP}]\nbilling = billing_realm\ngone = no.such_package\nflat = plain\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    found, faults = realms()

    assert Room("billing_realm", "billing") in found
    assert [fault.subject for fault in faults] == ["entry point flat", "entry point gone"]


def test_room_knows_its_folder_its_tables_and_its_modules() -> None:
    room = Room("foundations.curator", "curator")

    assert room.folder.name == "curator"
    assert room.name == "foundations_curator"  # rooms of one last name have histories of their own
    assert room.migrations is None
    assert room.module("container") is not None
    assert room.module("routes") is None
