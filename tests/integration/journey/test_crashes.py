"""What the engine promises across crashes, closings and damage, over both journals."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.settings import Settings
from realms.journey.api import JourneyRun, Reason, RunStatus
from realms.journey.control.reopening import NotOpenForResult
from realms.journey.control.verbs import NotAllowed
from realms.journey.engine import core, group_commit, keeper
from realms.journey.engine.codec import decode, encode
from realms.journey.engine.facts import (
    MilestoneBegan,
    MilestoneSucceeded,
    RunSucceeded,
)
from realms.journey.engine.journal import Journal, RunFilter, StaleWriter
from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.engine.ports import NotOpen
from realms.journey.engine.reading import PinnedPlans
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan
from tests.integration.journey.test_running import APIS, hangs, make_guarded
from tests.support.journals import (
    DiskFull,
    FullJournal,
    OtherJournal,
    PowerCutJournal,
    any_journal,
)
from tests.support.journeys import BEGAN, DATA_MASH, USER, JourneyCity
from utilities.context import bound

pytestmark = pytest.mark.anyio

SOON = timedelta(minutes=10)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def inner(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    async with any_journal(request, tmp_path) as journal:
        with bound(USER):
            yield journal


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("checkpoint", range(1, 5))
async def test_run_survives_a_power_cut_at_every_checkpoint(
    inner: Journal, checkpoint: int, when: str
) -> None:
    journal = PowerCutJournal(inner, commit=checkpoint + 1, when=when)
    async with JourneyCity(journal) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle()
        checkpointed = await finished(city, accepted)
        before_the_cut = Counter(city.services.called)
        assert journal.dead

        await city.reboot()
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert [m.status for m in run.milestones] == [RunStatus.SUCCEEDED] * 4
        after_the_cut = Counter(city.services.called) - before_the_cut
        assert not after_the_cut.keys() & checkpointed
        assert set(APIS) - checkpointed == after_the_cut.keys()


async def finished(city: JourneyCity, accepted: JourneyRun) -> set[str]:
    """The APIs of milestones whose checkpoint is durable."""
    run = await city.engine.get(accepted.run_id)
    return {m.api for m in run.milestones if m.status is RunStatus.SUCCEEDED}


async def begin(city: JourneyCity, **more: Any) -> "asyncio.Task[JourneyRun]":
    """Ask for a run, and hear of it only if the power stays."""
    start = asyncio.ensure_future(city.engine.start("data_mash_flow", {"file_id": "f1"}, **more))
    assert isinstance(city.journal, PowerCutJournal)
    while not (start.done() or city.journal.dead):  # noqa: ASYNC110 - power cuts tell nobody
        await asyncio.sleep(0.001)
    await city.dispatch.quiet()
    return start


async def test_a_run_that_was_never_accepted_leaves_nothing(inner: Journal) -> None:
    async with JourneyCity(PowerCutJournal(inner, commit=1, when="before")) as city:
        start = await begin(city, alias="mine")
        await city.reboot()
        await city.dispatch.settle()

        assert not await told(start)
        assert await inner.find("north", "mine") is None


async def told(start: "asyncio.Task[JourneyRun]") -> bool:
    """Whether the caller was told that his run is accepted."""
    (outcome,) = await asyncio.gather(start, return_exceptions=True)
    return isinstance(outcome, JourneyRun)


async def test_a_run_accepted_at_the_last_moment_is_run(inner: Journal) -> None:
    async with JourneyCity(PowerCutJournal(inner, commit=1, when="after")) as city:
        start = await begin(city, alias="mine")
        await city.reboot()
        await city.dispatch.settle()

        assert not await told(start)
        assert (await city.engine.get("mine")).status is RunStatus.SUCCEEDED


async def test_every_unfinished_run_is_resumed_page_by_page(
    inner: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_PAGE", 3)
    async with JourneyCity(inner) as city:
        dies(city, "process_client_file", times=8)
        ids = [
            (await city.engine.start("data_mash_flow", {"file_id": f"f{n}"})).run_id
            for n in range(8)
        ]
        await city.dispatch.settle()
        await city.reboot()
        await city.dispatch.settle()

        runs = [await city.engine.get(run_id) for run_id in ids]
        assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
        assert {run.milestones[0].crashes for run in runs} == {1}


async def test_between_two_sweeps_of_what_is_due_no_time_is_lost(
    inner: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_PAGE", 3)
    monkeypatch.setattr(keeper, "_AHEAD", 3)
    async with JourneyCity(inner) as city:
        ids = [await left_under_way(city, f"f{n}") for n in range(8)]
        await city.reboot()
        await city.dispatch.settle(until=city.clock.time - BEGAN)

        runs = [await city.engine.get(run_id) for run_id in ids]
        assert {run.status for run in runs} == {RunStatus.SUCCEEDED}


async def test_runs_that_are_still_being_read_put_off_the_next_page(
    inner: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_PAGE", 3)
    monkeypatch.setattr(keeper, "_FEW", 0)
    monkeypatch.setattr(keeper, "_LOOKS", 1_000)
    async with JourneyCity(inner) as city:
        ids = [await left_under_way(city, f"f{n}") for n in range(8)]
        await city.reboot()
        read, away = PinnedPlans.of, asyncio.Event()

        async def of(plans: PinnedPlans, run: RunState) -> Plan:
            await away.wait()
            return await read(plans, run)

        monkeypatch.setattr(PinnedPlans, "of", of)
        sweep = asyncio.create_task(city.keeper.sweep())
        while not city.driver.moving:  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        meanwhile = city.driver.moving
        away.set()
        await sweep
        await city.dispatch.settle()

        runs = [await city.engine.get(run_id) for run_id in ids]
        assert meanwhile == 3
        assert {run.status for run in runs} == {RunStatus.SUCCEEDED}


async def left_under_way(city: JourneyCity, file_id: str) -> str:
    """A run whose process will have died in its first call."""
    dies(city, "process_client_file", times=1, file_id=file_id)
    run = await city.engine.start("data_mash_flow", {"file_id": file_id})
    await city.dispatch.quiet()
    return run.run_id


async def test_an_attempt_that_died_with_its_process_is_made_again_under_its_key(
    inner: Journal,
) -> None:
    async with JourneyCity(inner) as city:
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle()
        await city.reboot()
        await city.dispatch.settle()

        parsed = (await city.engine.get(accepted.run_id)).milestones[1]
        assert (parsed.status, parsed.attempts) == (RunStatus.SUCCEEDED, 2)
        assert (parsed.crashes, parsed.failures) == (1, 0)
        assert len({c.key for c in city.services.calls if c.api == "parse_file"}) == 1


def dies(city: JourneyCity, api: str, *, times: int, file_id: str = "") -> None:
    """Have the process die in the first calls of an API: it hears nothing of them any more."""
    answer, left = city.services.answers[api], [times]

    def die(arguments: Any) -> Any:
        if file_id and arguments.get("file_id") != file_id:
            return answer(arguments)
        left[0] -= 1
        return asyncio.Event().wait() if left[0] >= 0 else answer(arguments)

    city.services.answers[api] = die


async def test_poison_ends_and_those_who_shared_its_process_do_not(inner: Journal) -> None:
    async with JourneyCity(inner) as city:
        dies(city, "parse_file", times=99, file_id="bad")
        bad = await city.engine.start("data_mash_flow", {"file_id": "bad"})
        for n in range(3):
            dies(city, "process_client_file", times=2, file_id=f"f{n}")
        others = [
            (await city.engine.start("data_mash_flow", {"file_id": f"f{n}"})).run_id
            for n in range(3)
        ]
        for _ in range(4):
            await city.dispatch.settle(until=SOON)
            await city.reboot()
        await city.dispatch.settle(until=SOON)

        dead = await city.engine.get(bad.run_id)
        assert (dead.status, dead.reason) == (RunStatus.FAILED, Reason.POISON)
        assert dead.milestones[1].crashes == 3
        innocent = [await city.engine.get(run_id) for run_id in others]
        assert {run.status for run in innocent} == {RunStatus.SUCCEEDED}
        assert {run.milestones[0].crashes for run in innocent} <= {2, 3}  # once in the queue
        calls = Counter(c.arguments["file_id"] for c in city.services.calls)
        assert calls["bad"] == 4  # its upload, twice among others, once alone


async def test_a_suspect_that_ends_lets_the_others_go_on(inner: Journal) -> None:
    async with JourneyCity(inner) as city:
        dies(city, "parse_file", times=2, file_id="bad")
        bad = await city.engine.start("data_mash_flow", {"file_id": "bad"})
        for _ in range(2):
            await city.dispatch.settle(until=SOON)
            await city.reboot()
        other = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)

        runs = [await city.engine.get(run.run_id) for run in (bad, other)]
        assert [run.status for run in runs] == [RunStatus.SUCCEEDED] * 2
        assert runs[0].milestones[1].crashes == 2


async def test_a_guarded_call_that_crashed_is_neither_repeated_nor_skipped(
    inner: Journal,
) -> None:
    async with JourneyCity(inner) as city:
        make_guarded(city, "parse_file")
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)
        for _ in range(2):
            await city.reboot()
            await city.dispatch.settle(until=SOON)

        run = await city.engine.get(accepted.run_id)
        assert (run.status, run.reason) == (RunStatus.WAITING, Reason.AMBIGUOUS)
        assert city.services.called.count("parse_file") == 1
        result: dict[str, Any] = {"parse_result": {}, "semantic_result": {}}
        await city.engine.supply(run.run_id, "file_parsed", result)
        await city.dispatch.settle()
        assert (await city.engine.get(run.run_id)).status is RunStatus.SUCCEEDED


async def test_a_wait_for_the_next_attempt_outlives_the_process(inner: Journal) -> None:
    async with JourneyCity(inner) as city:
        answer, busy = city.services.answers["parse_file"], [True]

        def once_busy(arguments: Any) -> Any:
            if busy[0]:
                busy[0] = False
                raise DiskFull("no room to parse")
            return answer(arguments)

        city.services.answers["parse_file"] = once_busy
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=timedelta(0))
        due = (await city.engine.get(accepted.run_id)).wake_at
        await city.reboot()
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert due is not None
        assert due <= city.clock.now() < due + timedelta(seconds=1)
        assert run.milestones[1].crashes == 0


async def test_a_run_goes_on_with_the_text_it_began_with(inner: Journal) -> None:
    async with JourneyCity(inner) as city:
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)
        first, last = DATA_MASH.split("  - milestone_id: insights_generated")
        shorter = first.replace("next_milestone: insights_generated", "next_milestone: complete")
        contracts = last[
            last.index("handoff_contracts") : last.index("  semantic_layer_to_insights")
        ]
        city.texts["data_mash_flow"] = shorter + contracts
        await city.reboot()
        await city.dispatch.settle()

        old = await city.engine.get(accepted.run_id)
        new = await city.engine.start("data_mash_flow", {"file_id": "f2"})
        assert (old.status, len(old.milestones)) == (RunStatus.SUCCEEDED, 4)
        assert len(new.milestones) == 3


async def test_a_run_whose_services_are_gone_waits_and_goes_on_when_they_are_back(
    inner: Journal,
) -> None:
    async with JourneyCity(inner) as city:
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)
        gone = city.services.known.pop(("InsightsOrchestrator", "analyze_content_for_insights"))
        for _ in range(2):
            await city.reboot()
            await city.dispatch.settle(until=SOON)

        held = await city.engine.get(accepted.run_id)
        assert (held.status, held.reason) == (RunStatus.WAITING, Reason.TEMPLATE)
        assert held.error is not None
        assert "InsightsOrchestrator" in held.error.detail
        city.services.known[gone.service, gone.api] = gone
        await city.reboot()
        await city.dispatch.settle(until=SOON)
        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED


NOON = datetime.fromisoformat("2026-01-01T00:00:00Z")
DAMAGE = [
    b"not json",
    b"",
    b"[]",
    b'{"v": 1}',
    b'{"v": 2, "facts": []}',
    b'{"v": 2, "facts": {}}',
    b'{"v": 1, "fact": {"kind": "no_such_fact"}}',
    b'{"v": 2, "facts": [{"kind": "run_succeeded", "at": "noon"}]}',
    b'{"v": 2, "facts": [{"__reduce__": ["os.system", "true"], "kind": "milestone_began"}]}',
    encode([RunSucceeded(at=NOON)]),
]
LATER_DAMAGE = [
    b"not json",
    encode([MilestoneBegan(at=NOON, path="file_uploaded[3]", attempt=1)]),
    encode([MilestoneBegan(at=NOON, path="no_such_milestone", attempt=1)]),
    encode([MilestoneSucceeded(at=NOON, path="file_parsed", output={}, signal="never")]),
    encode([MilestoneSucceeded(at=NOON, path="file_parsed~undo", output={})]),
]


@pytest.mark.parametrize(
    ("place", "damage"), [*((0, d) for d in DAMAGE), *((2, d) for d in LATER_DAMAGE)]
)
async def test_a_corrupt_run_fails_alone(place: int, damage: bytes) -> None:
    journal = MemoryJournal()
    async with JourneyCity(journal) as city:
        with bound(USER):
            dies(city, "parse_file", times=2)
            broken = await city.engine.start("data_mash_flow", {"file_id": "f1"})
            sound = await city.engine.start("data_mash_flow", {"file_id": "f2"})
            await city.dispatch.settle(until=SOON)
            journal._entries[broken.run_id][place:] = [damage]
            await city.reboot()
            await city.dispatch.settle(until=SOON)

            shown = await city.engine.get(broken.run_id)
            assert (shown.status, shown.reason) == (RunStatus.FAILED, Reason.CORRUPT_STATE)
            assert shown.error is not None
            assert journal._entries[broken.run_id][place] == damage
            assert (await city.engine.get(sound.run_id)).status is RunStatus.SUCCEEDED


async def test_data_that_was_damaged_in_the_journal_is_not_handed_over() -> None:
    journal = MemoryJournal()
    async with JourneyCity(journal) as city:
        with bound(USER):
            dies(city, "parse_file", times=1)
            accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
            await city.dispatch.settle(until=SOON)
            entries = journal._entries[accepted.run_id]
            damaged = {"validation_status": "valid", "storage_location": "files/f1"}
            done = [f for f in decode(entries[1]) if isinstance(f, MilestoneSucceeded)]
            entries[1] = encode([replace(done[0], output=damaged)])
            await city.reboot()
            await city.dispatch.settle(until=SOON)

            run = await city.engine.get(accepted.run_id)
            assert (run.status, run.reason) == (RunStatus.FAILED, Reason.CONTRACT)
            assert city.services.called.count("parse_file") == 1


async def test_an_engine_that_was_taken_over_writes_nothing_more(inner: Journal) -> None:
    async with JourneyCity(inner) as old:
        go = hangs(old, "parse_file")
        accepted = await old.engine.start("data_mash_flow", {"file_id": "f1"})
        await old.dispatch.settle(until=SOON)
        async with JourneyCity(inner, clock=old.clock, ids=old.ids) as new:
            await new.dispatch.settle(until=SOON)
            before = await inner.load([accepted.run_id])
            go.set()
            await old.dispatch.settle(until=SOON)

            assert (await new.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED
            assert new.services.called == APIS[1:]
            assert old.services.called == APIS[:2]
            with pytest.raises(StaleWriter):
                await old.engine.start("data_mash_flow", {"file_id": "f2"})
            assert await inner.load([accepted.run_id]) == before
            late = await new.engine.start("data_mash_flow", {"file_id": "f3"})
            await new.dispatch.settle(until=SOON)
            assert (await new.engine.get(late.run_id)).status is RunStatus.SUCCEEDED


# a full disk


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(group_commit, "_AGAIN_AT_THE_END_SECONDS", 0.01)


@pytest.mark.usefixtures("quickly")
async def test_on_a_full_disk_nothing_is_lost_or_repeated(inner: Journal) -> None:
    journal = FullJournal(inner)
    async with JourneyCity(journal) as city:
        go = hangs(city, "parse_file")
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)
        journal.full = True
        go.set()
        await city.dispatch.settle(until=SOON)
        with pytest.raises(DiskFull):
            await city.engine.start("data_mash_flow", {"file_id": "f2"})
        parsed = city.services.called.count("parse_file")
        meanwhile = await city.engine.get(accepted.run_id)
        journal.full = False
        await asyncio.sleep(0.03)
        await city.dispatch.settle(until=SOON)

        assert (parsed, meanwhile.milestones[1].status) == (1, RunStatus.RUNNING)
        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED
        assert city.services.called == APIS
        assert len(await page(inner)) == 1


async def page(journal: Journal) -> list[Any]:
    return await journal.page(RunFilter("north"))


@pytest.mark.usefixtures("quickly")
async def test_a_result_that_found_no_room_is_written_by_a_stop_when_there_is_room(
    inner: Journal,
) -> None:
    journal = FullJournal(inner)
    async with JourneyCity(journal) as city:
        go = hangs(city, "parse_file")
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)
        journal.full = True
        go.set()
        await city.dispatch.quiet()
        closing = asyncio.create_task(city.close())
        await asyncio.sleep(0.1)
        journal.full = False
        await closing
        await city.boot()
        await city.dispatch.settle(until=SOON)

        run = await city.engine.get(accepted.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert city.services.called == APIS
        assert [m.crashes for m in run.milestones] == [0] * 4


@pytest.mark.usefixtures("quickly")
async def test_a_stop_with_a_full_disk_comes_to_an_end_and_the_run_is_taken_up_again(
    inner: Journal,
) -> None:
    journal = FullJournal(inner)
    async with JourneyCity(journal) as city:
        go = hangs(city, "parse_file")
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)
        journal.full = True
        go.set()
        await city.dispatch.quiet()
        async with asyncio.timeout(5):
            await city.close()
        journal.full = False
        await city.boot()
        await city.dispatch.settle(until=SOON)

        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED


async def test_a_store_that_cannot_be_read_is_asked_again(inner: Journal) -> None:
    class Unread(OtherJournal):
        left = 0

        async def due(self, *a: Any, **k: Any) -> Any:
            if self.left:
                self.left -= 1
                raise DiskFull("the disk is full")
            return await super().due(*a, **k)

        async def load(self, *a: Any) -> Any:
            if self.left:
                self.left -= 1
                raise DiskFull("the disk is full")
            return await super().load(*a)

    journal = Unread(inner)
    async with JourneyCity(journal, settings=BEATS) as city:
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=timedelta(0))
        journal.left = 2
        await city.reboot()
        await city.dispatch.settle(until=SOON)

        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED


BEATS = Settings(drain_seconds=0.05, journey_beat_seconds=30)


# closing


async def test_closing_lets_the_attempt_end_and_leaves_the_rest_without_a_crash(
    inner: Journal,
) -> None:
    async with JourneyCity(inner) as city:
        go = hangs(city, "process_client_file")
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.quiet()
        closing = asyncio.create_task(city.close())
        await asyncio.sleep(0)
        go.set()
        await closing
        called = list(city.services.called)
        await city.boot()
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert called == APIS[:1]
        assert run.status is RunStatus.SUCCEEDED
        assert [m.crashes for m in run.milestones] == [0] * 4
        assert city.services.called == APIS


@pytest.mark.parametrize("guarded", [False, True])
async def test_an_attempt_cut_by_closing_is_no_crash_but_may_be_ambiguous(
    inner: Journal, *, guarded: bool
) -> None:
    async with JourneyCity(inner) as city:
        if guarded:
            make_guarded(city, "process_client_file")
        dies(city, "process_client_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.quiet()
        await city.close()
        await city.boot()
        await city.dispatch.settle(until=SOON)

        run = await city.engine.get(accepted.run_id)
        assert run.milestones[0].crashes == 0
        assert run.status is (RunStatus.WAITING if guarded else RunStatus.SUCCEEDED)


async def test_attempts_that_wait_for_their_turn_at_closing_are_no_crash(inner: Journal) -> None:
    settings = Settings(drain_seconds=0.02, journey_beat_seconds=200_000, journey_attempts=1)
    async with JourneyCity(inner, settings=settings) as city:
        make_guarded(city, "process_client_file")
        dies(city, "process_client_file", times=1)
        cut = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.quiet()
        waits = await city.engine.start("data_mash_flow", {"file_id": "f2"})
        await city.dispatch.quiet()
        await city.close()
        await city.boot()
        await city.dispatch.settle(until=SOON)

        assert (await city.engine.get(cut.run_id)).reason is Reason.AMBIGUOUS
        run = await city.engine.get(waits.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert (run.milestones[0].crashes, run.milestones[0].attempts) == (0, 2)


async def test_a_closed_city_takes_no_result(inner: Journal) -> None:
    async with JourneyCity(inner) as city:
        make_guarded(city, "parse_file")
        answer = city.services.answers["parse_file"]
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=SOON)
        await city.reboot()
        await city.dispatch.settle(until=SOON)
        await city.close()
        with pytest.raises(NotOpen):
            await city.engine.supply(accepted.run_id, "file_parsed", answer({}))
        await city.boot()
        await city.engine.supply(accepted.run_id, "file_parsed", answer({}))
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert [m.crashes for m in run.milestones] == [0, 1, 0, 0]


async def test_a_run_that_is_being_driven_is_not_driven_twice(inner: Journal) -> None:
    async with JourneyCity(inner) as city:
        go = hangs(city, "process_client_file")
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.quiet()
        await asyncio.gather(*(city.driver.advance(accepted.run_id) for _ in range(3)))
        with pytest.raises(NotOpenForResult, match="running"):
            await city.engine.supply(accepted.run_id, "file_uploaded", {})
        go.set()
        await city.dispatch.settle()

        assert city.services.called == APIS


async def test_a_supplied_result_and_the_next_attempt_do_not_cross(inner: Journal) -> None:
    """The timer of the retry and the person come at once: one of them has it."""
    async with JourneyCity(inner) as city:
        answer, busy = city.services.answers["parse_file"], [1]

        def once_busy(arguments: Any) -> Any:
            busy[0] -= 1
            if busy[0] >= 0:
                raise DiskFull("no room to parse")
            return answer(arguments)

        city.services.answers["parse_file"] = once_busy
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle(until=timedelta(0))
        due = (await city.engine.get(accepted.run_id)).wake_at
        assert due is not None
        city.clock.time = due
        outcomes = await asyncio.gather(
            city.engine.supply(accepted.run_id, "file_parsed", answer({})),
            city.driver.advance(accepted.run_id),
            return_exceptions=True,
        )
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        supplied = not isinstance(outcomes[0], (NotOpenForResult, NotAllowed))
        assert run.status is RunStatus.SUCCEEDED
        assert city.services.called.count("parse_file") == (1 if supplied else 2)
        assert bool(run.milestones[1].supplied_by) is supplied


async def test_two_starts_at_once_with_one_alias_and_other_input_are_told_apart(
    inner: Journal,
) -> None:
    async with JourneyCity(inner) as city:
        answers = await asyncio.gather(
            *(city.engine.start("data_mash_flow", {"file_id": f}, alias="x") for f in ("a", "b")),
            return_exceptions=True,
        )

    assert sorted(type(answer).__name__ for answer in answers) == ["AliasTaken", "JourneyRun"]


async def test_start_whose_caller_gives_up_is_driven_all_the_same(inner: Journal) -> None:
    async with JourneyCity(inner) as city:
        start = asyncio.ensure_future(
            city.engine.start("data_mash_flow", {"file_id": "a"}, alias="x")
        )
        while not city.driver.works:  # noqa: ASYNC110 - the engine tells nobody of this moment
            await asyncio.sleep(0)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        await city.dispatch.settle()

        assert (await city.engine.get("x")).status is RunStatus.SUCCEEDED


async def test_a_run_over_which_the_engine_itself_fails_comes_to_the_dead_letters(
    city: JourneyCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = core.step

    def failing(plan: Any, run: Any, now: Any, *, first: Any = ()) -> Any:
        if any(isinstance(fact, MilestoneSucceeded) for fact in first):
            raise RuntimeError("a fault of the engine")
        return decide(plan, run, now, first=first)

    monkeypatch.setattr(core, "step", failing)
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
    await city.dispatch.settle()
    run = await city.engine.get(accepted.run_id)

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.POISON)
