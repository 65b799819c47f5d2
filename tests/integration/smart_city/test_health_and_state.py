"""The nurse finds what ails; the city manager tells how the city stands."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from foundations.boot import StageStatus
from foundations.curator.health import Health, HealthStatus, TellsHealth
from foundations.curator.registry import Registry
from foundations.declarations import agent, service
from foundations.public_works.database import Database, StorageFull
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.scanner import Finding, Scanner, ScanReport
from foundations.rooms import Room
from smart_city.city_manager import state
from smart_city.city_manager.api import CityManager
from smart_city.nurse import rounds
from smart_city.nurse.api import CityHealth, ComponentHealth, Nurse
from tests.support.role_city import RoleCity

pytestmark = pytest.mark.anyio


@service
class PatientService(TellsHealth):
    """Answers as it is told to."""

    def __init__(self, answer: Callable[[], Awaitable[Health]]) -> None:
        self._answer = answer

    async def health(self) -> Health:
        return await self._answer()


def one(health: CityHealth, name: str) -> ComponentHealth:
    (found,) = [component for component in health.components if component.name == name]
    return found


async def test_city_that_stands_is_healthy_and_left_as_it_was(city: RoleCity) -> None:
    health = await city.get(Nurse).check_health()

    assert health.status is HealthStatus.HEALTHY
    names = {component.name for component in health.components}
    assert {"database", "object_store", "disk", "scanner"} <= names
    assert (city.objects(), city.staged()) == ([], [])


async def degraded() -> Health:
    return Health(status=HealthStatus.DEGRADED, detail="a little slow")


async def full() -> Health:
    raise StorageFull("no room on /secret/path")


async def broken_pipe() -> Health:
    raise BrokenPipeError(32, "Broken pipe")


async def never() -> Health:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("answer", "status", "detail"),
    [
        (degraded, HealthStatus.DEGRADED, "a little slow"),
        (full, HealthStatus.UNHEALTHY, "The disk has no room left."),
        (broken_pipe, HealthStatus.UNHEALTHY, "Broken pipe"),
        (never, HealthStatus.UNHEALTHY, "did not answer within 0 seconds"),
    ],
)
async def test_worst_component_comes_first_and_decides(
    city: RoleCity,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[], Awaitable[Health]],
    status: HealthStatus,
    detail: str,
) -> None:
    if answer is never:
        monkeypatch.setattr(rounds, "PATIENCE", 0.3)
    city.get(Registry).register(PatientService(answer), Room("realms.patient", "patient"))

    health = await city.get(Nurse).check_health()

    assert health.status is status
    worst = health.components[0]
    assert (worst.name, worst.status, worst.detail) == ("PatientService", status, detail)
    assert one(health, "database").status is HealthStatus.HEALTHY


async def forgets(_key: str) -> bytes:
    return b"something else"


async def cries_wolf(_path: object) -> ScanReport:
    return ScanReport(findings=(Finding(rule="wolf", title="a wolf"),))


async def fails(_work: object) -> None:
    raise OperationalError("SELECT 1", None, Exception("malformed"))


@pytest.mark.parametrize(
    ("port", "method", "behaviour", "component", "detail"),
    [
        (ObjectStore, "get", forgets, "object_store", "gives back other bytes"),
        (Scanner, "scan", cries_wolf, "scanner", "finds harm where there is none"),
        (Database, "write", fails, "database", "The database does not answer as it should."),
    ],
)
async def test_round_trip_that_goes_wrong_is_unhealthy(
    city: RoleCity,
    monkeypatch: pytest.MonkeyPatch,
    port: type[Any],
    method: str,
    behaviour: Any,
    component: str,
    detail: str,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(city.get(port), method, behaviour)
        health = await city.get(Nurse).check_health()

    assert health.status is HealthStatus.UNHEALTHY
    assert one(health, component).detail == detail
    assert (city.objects(), city.staged()) == ([], [])


@pytest.mark.parametrize(
    ("free", "status"),
    [
        (rounds.FULL_DISK - 1, HealthStatus.UNHEALTHY),
        (rounds.LOW_DISK - 1, HealthStatus.DEGRADED),
        (rounds.LOW_DISK, HealthStatus.HEALTHY),
    ],
)
async def test_disk_is_judged_by_what_is_free(
    city: RoleCity, monkeypatch: pytest.MonkeyPatch, free: int, status: HealthStatus
) -> None:
    usage = type(shutil.disk_usage(city.folder.path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(free, 0, free))

    health = await city.get(Nurse).check_health()

    assert one(health, "disk").status is status


@agent(instructions="Help.")
class HelpingAgent:
    """An agent of a realm."""


async def test_state_counts_what_there_is(city: RoleCity) -> None:
    city.get(Registry).register(HelpingAgent(), Room("realms.helping", "helping"))
    city.clock.move(timedelta(minutes=5))

    told = await city.get(CityManager).get_city_state()

    assert told.mode == "disabled"
    assert told.data_folder == str(city.folder.path)
    assert told.uptime_seconds == 300
    assert told.version
    assert told.roles == len(city.gateway.roles())
    assert (told.agents, told.realms) == (1, ("helping",))
    assert told.services == len(city.registry.entries())
    assert told.apis == sum(len(entry.apis) for entry in city.registry.entries())


async def test_boot_is_told_stage_by_stage(city: RoleCity) -> None:
    boot = await city.get(CityManager).get_boot()

    assert boot.ready
    (stage,) = boot.stages
    assert (stage.name, stage.status, stage.seconds) == ("public_works", StageStatus.OPEN, 0.25)
    assert boot.seconds == 0.25
    assert (await city.get(CityManager).get_city_state()).boot == boot


async def test_version_of_a_checkout_that_was_never_installed_is_source(
    city: RoleCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(state, "version", not_installed)

    assert (await city.get(CityManager).get_city_state()).version == "source"
