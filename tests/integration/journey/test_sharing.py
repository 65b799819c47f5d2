"""Several processes over one journal, in virtual time: who accepts, who drives, who rings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from foundations.boot import Duty
from foundations.curator.health import HealthStatus
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.database import DatabaseBusy
from foundations.public_works.dispatch import Arrived, Handler, Road
from foundations.public_works.settings import Settings
from realms.journey.api import Reason, RunStatus
from realms.journey.engine.driver import QUEUE
from realms.journey.engine.journal import Entry
from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.engine.sharing import road_of
from realms.journey.language.template_faults import FaultyTemplate
from tests.support.journeys import (
    BEGAN,
    USER,
    CountingIds,
    FakeServices,
    JourneyCity,
    VirtualClock,
    VirtualDispatch,
)
from utilities.context import bound

pytestmark = pytest.mark.anyio

INPUT = {"file_id": "f1"}
MILLISECOND = timedelta(milliseconds=1)
SETTINGS = Settings(drain_seconds=0.05, journey_lease_seconds=60, worker_runs=2)


class Between(VirtualDispatch):
    """Hands what this process does not handle to the broker."""

    def __init__(self, clock: VirtualClock, broker: list[tuple[str, str]]) -> None:
        super().__init__(clock)
        self.broker = broker
        self.arrived: dict[str, Arrived] = {}

    def handle(self, queue: str, handler: Handler, *, arrived: Arrived | None = None) -> None:
        super().handle(queue, handler)
        if arrived is not None:
            self.arrived[queue] = arrived

    def wake(
        self, queue: str, key: str, *, at: datetime | None = None, road: Road | None = None
    ) -> None:
        if queue in self._handlers:
            super().wake(queue, key, at=at)
        elif road is not None:
            self.broker.append((queue, key))

    def hand_on(self, queue: str, key: str, *, at: datetime) -> None:
        self.broker.append((queue, f"{key} in {(at - self._clock.now()) / MILLISECOND:.0f} ms"))


@dataclass(slots=True)
class Process(JourneyCity):
    """One process of a city, with what it shares with the others."""

    broker: list[tuple[str, str]] = field(default_factory=list)

    def _dispatch(self) -> VirtualDispatch:
        return Between(self.clock, self.broker)

    async def hear(self, run_ids: Sequence[str]) -> None:
        """What the broker says arrives here, and goes on as far as it can."""
        assert isinstance(self.dispatch, Between)
        await self.dispatch.arrived[QUEUE](run_ids)
        await self.on(seconds=0.5)

    async def on(self, *, seconds: float) -> None:
        await self.dispatch.settle(until=self.clock.now() - BEGAN + timedelta(seconds=seconds))


Make = Callable[..., Awaitable[Process]]


@pytest.fixture
async def process() -> AsyncIterator[Make]:
    """Makes processes that share a journal, a clock and a broker."""
    shared: dict[str, Any] = {
        "journal": MemoryJournal(),
        "services": FakeServices(),
        "clock": VirtualClock(),
        "ids": CountingIds(),
        "events": InProcessEvents(),
        "broker": [],
    }
    async with AsyncExitStack() as stack:

        async def make(duty: Duty) -> Process:
            made = Process(settings=SETTINGS, duty=duty, **shared)
            return await stack.enter_async_context(made)

        with bound(USER):
            yield make


async def test_who_accepts_leaves_the_run_to_whoever_hears_of_it(process: Make) -> None:
    server, worker = await process(Duty.ACCEPT), await process(Duty.WORK)

    run = await server.engine.start("data_mash_flow", INPUT)
    await server.on(seconds=0.5)
    free = (await server.journal.load([run.run_id]))[run.run_id].row
    assert (free.holder, free.status, server.services.calls) == (0, RunStatus.RUNNING, [])
    assert server.broker == [(QUEUE, run.run_id)]
    assert not server.driver.has(run.run_id)

    await worker.hear([run.run_id])
    assert (await server.engine.get(run.run_id)).status is RunStatus.SUCCEEDED
    assert [call.api for call in server.services.calls] == list(server.services.answers)[:4]


async def test_a_run_of_which_two_hear_is_driven_by_one(process: Make) -> None:
    server, one, other = [await process(d) for d in (Duty.ACCEPT, Duty.WORK, Duty.WORK)]
    run = await server.engine.start("data_mash_flow", INPUT)

    await asyncio.gather(one.hear([run.run_id] * 2), other.hear([run.run_id]))
    await one.hear([run.run_id, "run-gone"])

    assert (await server.engine.get(run.run_id)).status is RunStatus.SUCCEEDED
    assert len(server.services.calls) == 4


async def test_a_scheduler_rings_for_what_nobody_has_claimed(process: Make) -> None:
    server, scheduler = await process(Duty.ACCEPT), await process(Duty.SCHEDULE)
    standby = await process(Duty.SCHEDULE)
    run = await server.engine.start("data_mash_flow", INPUT)
    server.broker.clear()

    rung = []
    for _ in range(13):
        await scheduler.on(seconds=1)
        rung.append(len(server.broker))
    assert rung[0] <= 1
    assert set(server.broker) == {(QUEUE, run.run_id)}
    assert rung[-1] == 2
    await standby.keeper.sweep()
    assert len(server.broker) == 2
    assert server.services.calls == []


async def test_a_scheduler_rings_at_once_for_what_the_dead_have_held(process: Make) -> None:
    server, scheduler = await process(Duty.ACCEPT), await process(Duty.SCHEDULE)
    run = await server.engine.start("data_mash_flow", INPUT)

    for _ in range(3):
        now = server.clock.now()
        dying = await server.journal.take_hold(at=now, until=now + timedelta(seconds=2))
        assert await server.journal.claim([run.run_id], holder=dying, at=now)
        server.broker.clear()
        await scheduler.on(seconds=3.5)
        assert server.broker == [(QUEUE, run.run_id)]


@pytest.mark.parametrize("duty", [Duty.WORK, Duty.ACCEPT])
async def test_who_frees_runs_of_the_dead_at_its_boot_rings_for_them_at_once(
    process: Make, duty: Duty
) -> None:
    server, scheduler = await process(Duty.ACCEPT), await process(Duty.SCHEDULE)
    run = await server.engine.start("data_mash_flow", INPUT)
    await scheduler.on(seconds=1.5)  # which has told of it, and would not so soon again
    now = server.clock.now()
    dying = await server.journal.take_hold(at=now, until=now + timedelta(seconds=2))
    assert await server.journal.claim([run.run_id], holder=dying, at=now)
    server.clock.time += timedelta(seconds=3)
    server.broker.clear()

    await process(duty)

    assert server.broker == [(QUEUE, f"{run.run_id} in 0 ms")]
    server.broker.clear()
    await process(duty)
    assert server.broker == []


async def test_a_worker_takes_no_more_than_it_may_have(process: Make) -> None:
    server, worker = await process(Duty.ACCEPT), await process(Duty.WORK)
    gate = asyncio.Event()

    async def waits(arguments: Any) -> dict[str, Any]:
        await gate.wait()
        return {"file_id": "f1", "validation_status": "valid", "storage_location": "x"}

    server.services.answers["process_client_file"] = waits
    runs = [(await server.engine.start("data_mash_flow", INPUT)).run_id for _ in range(3)]
    await worker.hear(runs[:2])
    third = asyncio.ensure_future(worker.hear(runs[2:]))
    await asyncio.sleep(0.05)

    assert worker.driver.moving == 2
    assert (await server.journal.load(runs[2:]))[runs[2]].row.holder == 0
    gate.set()
    await third
    assert {(await server.engine.get(run)).status for run in runs} == {RunStatus.SUCCEEDED}


async def test_a_run_that_does_not_fit_a_worker_is_left_to_others(
    process: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, older, newer = [await process(d) for d in (Duty.ACCEPT, Duty.WORK, Duty.WORK)]

    async def unknown(text: str) -> Any:
        raise FaultyTemplate([], file="old.yaml")

    monkeypatch.setattr(older.templates, "compiled", unknown)
    run = await server.engine.start("data_mash_flow", INPUT)
    server.broker.clear()
    await older.hear([run.run_id])
    left = (await server.journal.load([run.run_id]))[run.run_id]
    server.clock.time += 20 * MILLISECOND
    await older.hear([run.run_id])
    await older.hear([run.run_id])  # it is offered already: nobody is rung twice for one ring

    assert (left.row.holder, left.row.reason, len(left.entries)) == (0, Reason.TEMPLATE, 1)
    assert left.row.wake_at == BEGAN  # whoever hears of it may take it at once
    assert [key.partition(" ")[2] for _, key in server.broker] == ["in 20 ms", "in 40 ms"]
    await newer.hear([run.run_id])
    assert (await server.engine.get(run.run_id)).status is RunStatus.SUCCEEDED


async def test_a_run_that_a_newer_version_wrote_is_taken_once_and_then_left_to_others(
    process: Make,
) -> None:
    server, older = await process(Duty.ACCEPT), await process(Duty.WORK)
    run = await server.engine.start("data_mash_flow", INPUT)
    holder = await server.journal.take_hold(at=BEGAN, until=BEGAN + timedelta(hours=1))
    taken = await server.journal.claim([run.run_id], holder=holder, at=BEGAN)
    newer = Entry(run.run_id, 1, b'{"v": 99, "facts": []}', taken[run.run_id].row)
    assert list(await server.journal.write([newer], holder=holder)) == [None]
    await server.journal.release([run.run_id], holder=holder)
    claims = []
    claim = server.journal.claim

    async def counted(run_ids: Sequence[str], **others: Any) -> Any:
        claims.append(list(run_ids))
        return await claim(run_ids, **others)

    server.journal.claim = counted  # type: ignore[method-assign]  # counts what is asked
    for _ in range(3):
        await older.hear([run.run_id])
        await older.driver.take_up([run.run_id])
        await older.on(seconds=1)

    after = (await server.journal.load([run.run_id]))[run.run_id]
    assert claims == [[run.run_id]]
    assert (after.row.holder, len(after.entries)) == (0, 2)
    told = await older.driver.health()
    assert told.status is HealthStatus.DEGRADED
    assert told.detail == "runs that a newer version wrote to wait for it: 1"
    assert (await server.driver.health()).status is HealthStatus.HEALTHY


async def test_who_lost_its_lease_drops_what_it_held_and_goes_on_as_another(process: Make) -> None:
    server, sleeper, other = [await process(d) for d in (Duty.ACCEPT, Duty.WORK, Duty.WORK)]
    gate = asyncio.Event()
    quick = server.services.answers["process_client_file"]

    async def waits(arguments: Any) -> Any:
        await gate.wait()
        return quick(arguments)

    server.services.answers["process_client_file"] = waits
    run = await server.engine.start("data_mash_flow", INPUT)
    await sleeper.hear([run.run_id])
    lost = sleeper.driver.holder
    await server.journal.let_go(lost)  # as a scheduler does when the lease is over
    server.services.answers["process_client_file"] = quick
    await other.hear([run.run_id])
    assert await sleeper.keeper._held_anew(lost)
    gate.set()
    await sleeper.on(seconds=0.5)

    assert sleeper.driver.holder > lost
    assert not sleeper.driver.has(run.run_id)
    facts = (await server.engine.get(run.run_id)).milestones
    assert [milestone.status for milestone in facts] == [RunStatus.SUCCEEDED] * 4
    again = await server.engine.start("data_mash_flow", INPUT)
    await sleeper.hear([again.run_id])
    assert (await server.engine.get(again.run_id)).status is RunStatus.SUCCEEDED


async def test_what_is_held_and_not_in_hand_is_given_back(process: Make) -> None:
    server, worker = await process(Duty.ACCEPT), await process(Duty.WORK)
    run = await server.engine.start("data_mash_flow", INPUT)
    await server.journal.claim([run.run_id], holder=worker.driver.holder, at=server.clock.now())

    await worker.driver.look_after()
    first = (await server.journal.load([run.run_id]))[run.run_id].row.holder
    await worker.driver.look_after()

    assert first == worker.driver.holder
    assert (await server.journal.load([run.run_id]))[run.run_id].row.holder == 0


async def test_what_the_store_does_not_free_at_once_is_freed_a_little_later(
    process: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, worker = await process(Duty.ACCEPT), await process(Duty.WORK)
    run = await server.engine.start("data_mash_flow", INPUT)
    await server.journal.claim([run.run_id], holder=worker.driver.holder, at=server.clock.now())
    free, refusals = server.journal.release, [DatabaseBusy("locked"), DatabaseBusy("locked")]

    async def release(run_ids: Sequence[str], **given: Any) -> None:
        if refusals:
            raise refusals.pop()
        await free(run_ids, **given)

    monkeypatch.setattr(server.journal, "release", release)
    monkeypatch.setattr(worker.driver.group, "_again", 0.001)
    await worker.driver._released([run.run_id])

    assert refusals == []
    assert (await server.journal.load([run.run_id]))[run.run_id].row.holder == 0


@pytest.mark.parametrize("duty", [Duty.ALL, Duty.WORK])
async def test_who_drives_looks_once_in_a_beat_for_what_it_holds_in_vain(
    process: Make, duty: Duty
) -> None:
    server, driver = await process(Duty.ACCEPT), await process(duty)
    run = await server.engine.start("data_mash_flow", INPUT)
    await server.journal.claim([run.run_id], holder=driver.driver.holder, at=server.clock.now())

    await driver.on(seconds=100)

    assert (await server.engine.get(run.run_id)).status is RunStatus.SUCCEEDED or (
        await server.journal.load([run.run_id])
    )[run.run_id].row.holder == 0


@pytest.mark.parametrize("duty", [Duty.ALL, Duty.WORK])
async def test_where_a_store_is_away_nothing_is_held_against_the_run(
    process: Make, duty: Duty, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, driver = await process(Duty.ACCEPT), await process(duty)
    run = await server.engine.start("data_mash_flow", INPUT)
    text, away = server.journal.pinned_text, [DatabaseBusy("away"), DatabaseBusy("away")]

    async def pinned_text(text_hash: str) -> str:
        if away:
            raise away.pop()
        return await text(text_hash)

    monkeypatch.setattr(server.journal, "pinned_text", pinned_text)
    for _ in range(3):
        await driver.driver.take_up([run.run_id])
        await driver.on(seconds=0.5)

    stored = (await server.journal.load([run.run_id]))[run.run_id]
    assert away == []
    assert stored.row.status is RunStatus.SUCCEEDED
    assert b"run_held" not in b"".join(stored.entries)


async def test_who_waits_elsewhere_hears_of_the_end(process: Make) -> None:
    server, worker = await process(Duty.ACCEPT), await process(Duty.WORK)
    run = await server.engine.start("data_mash_flow", INPUT)
    waiting = asyncio.ensure_future(server.engine.wait(run.run_id, seconds=20))
    await asyncio.sleep(0.01)
    await worker.hear([run.run_id])

    assert (await waiting).status is RunStatus.SUCCEEDED
    other = await server.engine.start("data_mash_flow", INPUT)
    assert (await server.engine.wait(other.run_id, seconds=0.05)).status is RunStatus.RUNNING


async def test_the_road_of_a_run_is_that_of_its_template(process: Make) -> None:
    server = await process(Duty.ACCEPT)
    plan = (await server.templates.current("data_mash_flow")).plan

    assert road_of(plan) == Road("", plan.priority)
