"""What every journal promises; one suite for all of them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import (
    AliasTaken,
    Journal,
    RunRow,
    StaleWriter,
    TextLost,
    VersionTaken,
)
from tests.support.journals import open_journal
from tests.support.journeys import BEGAN

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    async with open_journal(request.param, tmp_path) as opened:
        yield opened


def row(run_id: str = "run-1", **changes: object) -> RunRow:
    whole = RunRow(
        run_id=run_id,
        tenant="north",
        alias="",
        template="data_mash_flow",
        template_hash="hash",
        status=RunStatus.RUNNING,
        reason=Reason.NONE,
        wake_at=BEGAN,
        created_at=BEGAN,
        updated_at=BEGAN,
        next_seq=1,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # a test's own shorthand


async def test_a_run_is_read_as_it_was_written(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    late = BEGAN + timedelta(seconds=1, microseconds=7)

    await journal.create(row(alias="mine", next_seq=2), (b"one", b"two"), epoch=epoch)
    ended = row(alias="mine", next_seq=3, status=RunStatus.SUCCEEDED, wake_at=None, updated_at=late)
    await journal.append(ended, (b"three",), expected=2, epoch=epoch)

    stored = await journal.load("run-1")
    assert stored is not None
    assert stored.row == ended
    assert stored.facts == (b"one", b"two", b"three")


async def test_a_run_that_is_not_there_is_not_found(journal: Journal) -> None:
    assert await journal.load("run-9") is None
    assert await journal.find("north", "run-9") is None


async def test_a_fact_is_written_once_or_not_at_all(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    await journal.create(row(), (b"one",), epoch=epoch)
    await journal.append(row(next_seq=2), (b"two",), expected=1, epoch=epoch)

    with pytest.raises(StaleWriter):
        await journal.append(row(next_seq=2), (b"other",), expected=1, epoch=epoch)

    stored = await journal.load("run-1")
    assert stored is not None
    assert stored.facts == (b"one", b"two")


async def test_a_run_is_created_once(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    await journal.create(row(), (b"one",), epoch=epoch)

    with pytest.raises(StaleWriter):
        await journal.create(row(), (b"other",), epoch=epoch)


async def test_a_writer_of_an_earlier_epoch_changes_nothing(journal: Journal) -> None:
    old = await journal.take_epoch()
    await journal.create(row(), (b"one",), epoch=old)
    new = await journal.take_epoch()

    with pytest.raises(StaleWriter):
        await journal.append(row(next_seq=2), (b"late",), expected=1, epoch=old)
    with pytest.raises(StaleWriter):
        await journal.create(row("run-2"), (b"late",), epoch=old)
    with pytest.raises(StaleWriter):
        await journal.condemn("run-1", at=BEGAN, epoch=old)

    stored = await journal.load("run-1")
    assert new > old
    assert stored is not None
    assert (stored.row, stored.facts) == (row(), (b"one",))
    assert await journal.load("run-2") is None


async def test_an_alias_is_unique_within_a_tenant_only(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    await journal.create(row(alias="mine"), (b"one",), epoch=epoch)
    await journal.create(row("run-2", alias="mine", tenant="south"), (b"one",), epoch=epoch)
    await journal.create(row("run-3"), (b"one",), epoch=epoch)
    await journal.create(row("run-4"), (b"one",), epoch=epoch)

    with pytest.raises(AliasTaken):
        await journal.create(row("run-5", alias="mine"), (b"one",), epoch=epoch)

    north, south = await journal.find("north", "mine"), await journal.find("south", "mine")
    assert north is not None
    assert south is not None
    assert (north.run_id, south.run_id) == ("run-1", "run-2")


async def test_another_tenants_run_is_not_found_by_its_id(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    await journal.create(row(), (b"one",), epoch=epoch)

    assert await journal.find("south", "run-1") is None
    assert await journal.find("north", "run-1") == row()


async def test_pages_go_from_new_to_old_and_meet_without_gap_or_overlap(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    for number in range(5):
        await journal.create(row(f"run-{number}"), (b"one",), epoch=epoch)
    await journal.create(row("run-9", tenant="south"), (b"one",), epoch=epoch)

    first = await journal.page("north", limit=2)
    second = await journal.page("north", before=first[-1].run_id, limit=2)
    third = await journal.page("north", before=second[-1].run_id, limit=2)

    assert [r.run_id for r in (*first, *second, *third)] == [f"run-{n}" for n in (4, 3, 2, 1, 0)]


async def test_a_page_can_be_narrowed_by_state_and_template(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    await journal.create(row("run-1", status=RunStatus.FAILED), (b"one",), epoch=epoch)
    await journal.create(row("run-2", template="other"), (b"one",), epoch=epoch)
    await journal.create(row("run-3"), (b"one",), epoch=epoch)

    failed = await journal.page("north", status=RunStatus.FAILED)
    other = await journal.page("north", template="other")
    both = await journal.page("north", template="other", status=RunStatus.FAILED)

    assert [r.run_id for r in failed] == ["run-1"]
    assert [r.run_id for r in other] == ["run-2"]
    assert both == []


async def test_due_are_those_that_go_on_by_themselves(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    await journal.create(row("run-1"), (b"one",), epoch=epoch)
    await journal.create(row("run-2", wake_at=None), (b"one",), epoch=epoch)
    later = row("run-3", wake_at=BEGAN + timedelta(hours=1), tenant="south")
    await journal.create(later, (b"one",), epoch=epoch)

    assert await journal.due(limit=1) == [row("run-1")]
    assert await journal.due(after="run-1") == [later]


async def test_a_condemned_run_has_failed_and_keeps_its_facts(journal: Journal) -> None:
    epoch = await journal.take_epoch()
    await journal.create(row(), (b"{broken",), epoch=epoch)

    await journal.condemn("run-1", at=BEGAN, epoch=epoch)

    stored = await journal.load("run-1")
    assert stored is not None
    assert (stored.row.status, stored.row.reason) == (RunStatus.FAILED, Reason.CORRUPT_STATE)
    assert stored.facts == (b"{broken",)
    assert await journal.due() == []


async def test_a_pinned_text_stays_and_a_lost_one_is_said_to_be(journal: Journal) -> None:
    await journal.pin_text("h1", "text one", name="flow", version="")
    await journal.pin_text("h2", "text two", name="flow", version="")
    await journal.pin_text("h1", "text one", name="flow", version="")

    assert await journal.pinned_text("h1") == "text one"
    with pytest.raises(TextLost):
        await journal.pinned_text("h3")


async def test_a_stated_version_keeps_its_text(journal: Journal) -> None:
    await journal.pin_text("h1", "text one", name="flow", version="1")
    await journal.pin_text("h1", "text one", name="flow", version="1")

    with pytest.raises(VersionTaken):
        await journal.pin_text("h2", "text two", name="flow", version="1")
