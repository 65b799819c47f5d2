"""Runs that begin by themselves: over the SQLite journal, with a clock that is moved."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.database import StorageFull
from realms.journey.api import JourneyRun, Journeys, RunStatus
from realms.journey.engine.journal import RunFilter
from realms.journey.engine.records import ScheduleRecords
from realms.journey.engine.schedules import InForce, ScheduledTemplates, Schedules
from realms.journey.plans.plan import Overlap, Plan, Schedule
from realms.journey.records import DatabaseJournal
from tests.support.journals import open_database
from tests.support.journeys import BEGAN, JourneyCity
from utilities.context import current

pytestmark = pytest.mark.anyio

QUICK = """\
journey_template: quick
input: {file_id: string}
milestones:
  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}
"""
SLOW = QUICK.replace("quick", "slow") + "  - {milestone_id: rest, wait: 25m}\n"
HOURLY = Schedule(cron="0 * * * *", values={"file_id": "f1"})


class Timetable(ScheduledTemplates):
    """Templates of a city with schedules that a test sets."""

    def __init__(self) -> None:
        self.plans: dict[str, Plan | None] = {}
        self.tenants: dict[str, str] = {}

    async def in_force(self) -> Sequence[InForce]:
        return [InForce(self.tenants.get(n, "local"), n, plan) for n, plan in self.plans.items()]


class Refusing(Journeys):
    """Lets nothing begin while it is `full`."""

    def __init__(self, journeys: Journeys) -> None:
        self._journeys = journeys
        self.full = False
        self.asked = 0
        self.users: list[str] = []

    async def start(self, template: str, values: Any, **more: Any) -> JourneyRun:
        self.asked += 1
        self.users.append(f"{current().tenant}/{current().user.principal}")
        if self.full:
            raise StorageFull("the disk is full")
        return await self._journeys.start(template, values, **more)

    async def wait(self, run_id: str, *, seconds: float) -> JourneyRun:
        return await self._journeys.wait(run_id, seconds=seconds)

    async def get(self, run_id: str) -> JourneyRun:
        return await self._journeys.get(run_id)

    async def unfinished_naming(self, word: str) -> tuple[str, ...]:
        return await self._journeys.unfinished_naming(word)


@dataclass
class World:
    """A city, its schedules, and a way to let them begin anew over the same records."""

    city: JourneyCity
    records: ScheduleRecords
    timetable: Timetable = field(default_factory=Timetable)
    journeys: Refusing = field(init=False)
    schedules: Schedules = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def begin(self) -> None:
        await self._stack.aclose()
        self.journeys = Refusing(self.city.engine)
        self.schedules = Schedules(
            templates=self.timetable,
            records=self.records,
            journeys=self.journeys,
            journal=self.city.journal,
            leadership=self.city.leadership,
            dispatch=self.city.dispatch,
            clock=self.city.clock,
            settings=self.city.settings,
        )
        await self._stack.enter_async_context(self.schedules.working())

    async def end(self) -> None:
        await self._stack.aclose()

    async def set(self, name: str, schedule: Schedule | None, **changes: Any) -> None:
        plan = (await self.city.templates.current(name)).plan
        self.timetable.plans[name] = replace(plan, schedule=schedule)

    async def until(self, **after: float) -> None:
        """Let time go on to so long after the beginning."""
        await self.city.dispatch.settle(until=timedelta(**after))
        self.city.clock.time = max(self.city.clock.time, BEGAN + timedelta(**after))

    async def crash(self) -> None:
        """The process is gone, and comes again when the clock stands later."""
        self._stack.pop_all()
        await self.city.reboot()

    async def runs(self, tenant: str = "local") -> list[tuple[str, RunStatus]]:
        """Each run's time and status, the oldest first."""
        rows = await self.city.journal.page(RunFilter(tenant))
        return [(row.alias.partition(":")[2].partition(":")[2], row.status) for row in rows[::-1]]

    async def times(self) -> list[str]:
        return [f"{datetime.fromisoformat(time):%d %H:%M}" for time, _ in await self.runs()]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[World]:
    texts = {"quick": QUICK, "slow": SLOW}
    async with open_database(folder) as database:
        journal = DatabaseJournal(database=database)
        async with JourneyCity(journal, texts=texts) as city:
            city.settings = city.settings.model_copy(update={"journey_beat_seconds": 3600.0})
            world = World(city, ScheduleRecords(database=database))
            await world.begin()
            yield world
            await world.end()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


async def test_runs_begin_at_their_times_and_are_the_local_owners(world: World) -> None:
    await world.set("quick", HOURLY)
    await world.until(hours=3, minutes=30)

    assert await world.times() == ["01 01:00", "01 02:00", "01 03:00"]
    assert {status for _, status in await world.runs()} == {RunStatus.SUCCEEDED}
    assert set(world.journeys.users) == {"local/local"}
    (planned,) = await world.schedules.planned("local")
    assert planned.next_at == datetime(2026, 1, 1, 4, tzinfo=UTC)
    assert planned.last == "schedule:quick:2026-01-01T03:00:00+00:00"


async def test_runs_of_a_tenants_template_are_the_tenants(world: World) -> None:
    world.timetable.tenants["quick"] = "north"
    await world.set("quick", HOURLY)
    await world.until(hours=1, minutes=1)

    assert world.journeys.users == ["north/local"]
    assert len(await world.runs("north")) == 1
    assert await world.schedules.planned("local") == []


async def test_every_so_often_begins_when_it_is_first_seen(world: World) -> None:
    await world.set("quick", replace(HOURLY, cron="", every=timedelta(minutes=20)))
    await world.until(hours=1, minutes=5)

    assert await world.times() == ["01 00:20", "01 00:40", "01 01:00"]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-28", ["28 01:30", "29 01:00", "30 00:30"]),
        ("2026-10-24", ["24 00:30", "25 00:30", "26 01:30"]),
    ],
)
async def test_a_time_of_day_comes_once_where_the_clocks_change(
    world: World, day: str, expected: list[str]
) -> None:
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    world.city.clock.time = begin
    await world.set("quick", replace(HOURLY, cron="30 2 * * *", timezone="Europe/Vienna"))
    await world.until(days=(begin - BEGAN).days + 2.5)

    assert await world.times() == expected


async def test_a_restart_goes_on_where_the_schedule_was(world: World) -> None:
    await world.set("quick", replace(HOURLY, cron="", every=timedelta(minutes=25)))
    await world.until(minutes=30)
    await world.crash()
    await world.begin()
    await world.until(minutes=60)

    assert await world.times() == ["01 00:25", "01 00:50"]


async def test_a_doubled_ring_begins_one_run(world: World) -> None:
    await world.set("quick", HOURLY)
    await world.until(minutes=59)
    (kept,) = await world.records.all()
    await world.until(hours=1, minutes=1)

    await world.records.keep(kept)  # as if the process had died between the run and the record
    world.schedules.look_soon()
    await world.until(hours=1, minutes=1, seconds=1)

    assert world.journeys.asked == 2
    assert await world.times() == ["01 01:00"]


async def test_missed_times_are_let_go_without_catch_up(world: World) -> None:
    await world.set("quick", HOURLY)
    await world.until(minutes=1)
    await world.crash()
    world.city.clock.time = BEGAN + timedelta(hours=5, minutes=30)
    await world.begin()
    await world.until(hours=6, minutes=1)

    assert await world.times() == ["01 06:00"]


async def test_missed_times_are_made_up_for_as_far_back_as_stated(world: World) -> None:
    await world.set("quick", replace(HOURLY, catch_up=timedelta(hours=2), overlap=Overlap.ALLOW))
    await world.until(minutes=1)
    await world.crash()
    world.city.clock.time = BEGAN + timedelta(hours=5, minutes=30)
    await world.begin()
    await world.until(hours=6, minutes=1)

    assert await world.times() == ["01 04:00", "01 05:00", "01 06:00"]


EVERY_TEN = Schedule(every=timedelta(minutes=10), values={"file_id": "f1"})


@pytest.mark.parametrize(
    ("overlap", "begun"),
    [
        (Overlap.SKIP, {"01 00:10": "00:10", "01 00:40": "00:40"}),
        (Overlap.QUEUE, {"01 00:10": "00:10", "01 00:20": "00:35", "01 00:30": "01:00"}),
        (
            Overlap.ALLOW,
            {f"01 {h:02}:{m:02}": f"{h:02}:{m:02}" for h, m in [(0, t) for t in range(10, 60, 10)]},
        ),
    ],
)
async def test_while_the_run_before_is_not_done(
    world: World, overlap: Overlap, begun: dict[str, str]
) -> None:
    await world.set("slow", replace(EVERY_TEN, overlap=overlap))
    await world.until(hours=1, seconds=-1)
    if overlap is Overlap.QUEUE:
        await world.until(hours=1, minutes=1)

    rows = (await world.city.journal.page(RunFilter("local")))[::-1]
    times = await world.times()
    found = {t: r.created_at for t, r in zip(times, rows, strict=True)}
    assert list(found) == list(begun)
    for time, at in begun.items():
        late = found[time] - datetime.fromisoformat(f"2026-01-01T{at}:00+00:00")
        assert timedelta(0) <= late < timedelta(minutes=1), (time, at)


async def test_times_that_wait_for_the_run_before_survive_a_restart(world: World) -> None:
    await world.set("slow", replace(EVERY_TEN, overlap=Overlap.QUEUE))
    await world.until(minutes=31)
    (planned,) = await world.schedules.planned("local")
    await world.crash()
    await world.begin()
    await world.until(hours=1, minutes=2)

    assert planned.waiting == 2
    assert await world.times() == ["01 00:10", "01 00:20", "01 00:30"]


async def test_a_run_that_cannot_be_accepted_now_is_begun_later(world: World) -> None:
    await world.set("quick", HOURLY)
    await world.until(minutes=59)
    world.journeys.full = True
    await world.until(hours=1, minutes=10)
    before = await world.times()
    world.journeys.full = False
    await world.until(hours=1, minutes=11)

    assert (before, await world.times()) == ([], ["01 01:00"])


async def test_input_that_does_not_fit_stops_no_later_time(world: World) -> None:
    await world.set("quick", replace(HOURLY, values={}))
    await world.set("slow", HOURLY)
    await world.until(hours=1, minutes=1)
    await world.set("quick", HOURLY)
    await world.until(hours=2, minutes=1)

    names = [row.template for row in await world.city.journal.page(RunFilter("local"))]
    assert sorted(names) == ["quick", "slow", "slow"]


async def test_a_changed_schedule_takes_effect_and_a_removed_one_stops(world: World) -> None:
    await world.set("quick", HOURLY)
    await world.until(hours=1, minutes=10)
    await world.set("quick", replace(HOURLY, cron="30 * * * *"))
    world.schedules.look_soon()
    await world.until(hours=1, minutes=45)
    await world.set("quick", None)
    world.schedules.look_soon()
    await world.until(hours=5)

    assert await world.times() == ["01 01:00", "01 01:30"]
    assert await world.records.all() == []


async def test_a_template_with_faults_keeps_its_place(world: World) -> None:
    await world.set("quick", replace(HOURLY, catch_up=timedelta(hours=3)))
    await world.until(minutes=1)
    sound = world.timetable.plans["quick"]
    world.timetable.plans["quick"] = None
    await world.until(hours=1, minutes=30)
    before = await world.times()
    world.timetable.plans["quick"] = sound
    world.schedules.look_soon()
    await world.until(hours=1, minutes=31)

    assert (before, await world.times()) == ([], ["01 01:00"])


async def test_rings_do_not_multiply(world: World) -> None:
    await world.set("quick", HOURLY)
    for _ in range(50):
        world.schedules.look_soon()
    await world.until(minutes=30)

    assert len(world.city.dispatch._wakes) < 60
    await world.until(hours=2, minutes=30)
    assert len([w for w in world.city.dispatch._wakes if w[2] == "journey-schedules"]) == 1
