"""What the engine promises across crashes, closings and damage, over both journals."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from realms.journey.api import JourneyRun, Reason, RunStatus
from realms.journey.engine.engine import NotOpenForResult
from realms.journey.engine.facts import (
    MilestoneBegan,
    MilestoneSucceeded,
    RunSucceeded,
    decode,
    encode,
)
from realms.journey.engine.journal import StaleWriter, Stored
from realms.journey.engine.memory_journal import MemoryJournal
from tests.integration.journey.test_running import APIS, make_guarded
from tests.support.journals import PowerCut, PowerCutJournal, open_journal
from tests.support.journeys import DATA_MASH, USER, JourneyCity
from utilities.context import bound
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio


class DiskFull(PlatformError):
    """The disk is full."""

    kind = ErrorKind.STORAGE_FULL


@pytest.fixture(params=["memory", "sqlite"])
async def inner(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_journal(request.param, tmp_path) as journal:
        with bound(USER):
            yield journal


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("checkpoint", range(1, 5))
async def test_run_survives_a_power_cut_at_every_checkpoint(
    inner: Any, checkpoint: int, when: str
) -> None:
    async with JourneyCity(PowerCutJournal(checkpoint + 1, when, inner)) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        with pytest.raises(PowerCut):
            await city.dispatch.settle()
        checkpointed = await finished(city, accepted)
        before_the_cut = Counter(city.services.called)

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


async def test_a_run_that_was_never_accepted_leaves_nothing(inner: Any) -> None:
    async with JourneyCity(PowerCutJournal(1, "before", inner)) as city:
        with pytest.raises(PowerCut):
            await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.reboot()

        assert await inner.page("north") == []


async def test_a_run_accepted_at_the_last_moment_is_run(inner: Any) -> None:
    async with JourneyCity(PowerCutJournal(1, "after", inner)) as city:
        with pytest.raises(PowerCut):
            await city.engine.start("data_mash_flow", {"file_id": "f1"}, alias="mine")
        await city.reboot()
        await city.dispatch.settle()

        assert (await city.engine.get("mine")).status is RunStatus.SUCCEEDED


async def test_every_unfinished_run_is_resumed_page_by_page(
    inner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realms.journey.engine.driver._PAGE", 3)
    async with JourneyCity(inner) as city:
        ids = [
            (await city.engine.start("data_mash_flow", {"file_id": f"f{n}"})).run_id
            for n in range(8)
        ]
        await city.reboot()
        await city.dispatch.settle()

        runs = [await city.engine.get(run_id) for run_id in ids]
        assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
        assert {run.milestones[0].crashes for run in runs} == {1}


async def test_an_attempt_that_died_with_its_process_is_made_again_under_its_key(
    inner: Any,
) -> None:
    async with JourneyCity(inner) as city:
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        with pytest.raises(PowerCut):
            await city.dispatch.settle()
        await city.reboot()
        await city.dispatch.settle()

        parsed = (await city.engine.get(accepted.run_id)).milestones[1]
        assert (parsed.status, parsed.attempts) == (RunStatus.SUCCEEDED, 2)
        assert (parsed.crashes, parsed.failures) == (1, 0)
        assert len({c.key for c in city.services.calls if c.api == "parse_file"}) == 1


def dies(city: JourneyCity, api: str, *, times: int) -> None:
    answer, left = city.services.answers[api], [times]

    def die(arguments: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise PowerCut
        return answer(arguments)

    city.services.answers[api] = die


async def test_a_milestone_that_kills_its_process_three_times_ends_as_poison(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        dies(city, "parse_file", times=99)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        for _ in range(3):
            with pytest.raises(PowerCut):
                await city.dispatch.settle()
            await city.reboot()
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert (run.status, run.reason) == (RunStatus.FAILED, Reason.POISON)
        assert run.milestones[1].crashes == 3
        assert city.services.called.count("parse_file") == 3


async def test_a_guarded_call_that_crashed_is_neither_repeated_nor_skipped(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        make_guarded(city, "parse_file")
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        with pytest.raises(PowerCut):
            await city.dispatch.settle()
        for _ in range(2):
            await city.reboot()
            await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert (run.status, run.reason) == (RunStatus.WAITING, Reason.AMBIGUOUS)
        assert city.services.called.count("parse_file") == 1
        result: dict[str, Any] = {"parse_result": {}, "semantic_result": {}}
        await city.engine.supply(run.run_id, "file_parsed", result)
        await city.dispatch.settle()
        assert (await city.engine.get(run.run_id)).status is RunStatus.SUCCEEDED


async def test_a_wait_for_the_next_attempt_outlives_the_process(inner: Any) -> None:
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
        assert city.clock.now() == due
        assert run.milestones[1].crashes == 0


async def test_a_run_goes_on_with_the_text_it_began_with(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
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
    inner: Any,
) -> None:
    async with JourneyCity(inner) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        gone = city.services.known.pop(("InsightsOrchestrator", "analyze_content_for_insights"))
        for _ in range(2):
            await city.reboot()
            await city.dispatch.settle()

        held = await city.engine.get(accepted.run_id)
        assert (held.status, held.reason) == (RunStatus.WAITING, Reason.TEMPLATE)
        assert held.error is not None
        assert "InsightsOrchestrator" in held.error.detail
        city.services.known[gone.service, gone.api] = gone
        await city.reboot()
        await city.dispatch.settle()
        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED


@pytest.mark.parametrize(
    "damage",
    [
        b"not json",
        b'{"v": 1}',
        b'{"v": 99, "fact": {}}',
        b'{"v": 1, "fact": {"kind": "no_such_fact"}}',
        b'{"v": 1, "fact": {"kind": "run_succeeded", "at": "noon"}}',
        b'{"v": 1, "fact": {"__reduce__": ["os.system", "true"], "kind": "milestone_began"}}',
        encode(RunSucceeded(at=datetime.fromisoformat("2026-01-01T00:00:00Z"))),
    ],
)
async def test_a_corrupt_run_fails_alone(damage: bytes) -> None:
    journal = MemoryJournal()
    async with JourneyCity(journal) as city:
        with bound(USER):
            broken = await city.engine.start("data_mash_flow", {"file_id": "f1"})
            sound = await city.engine.start("data_mash_flow", {"file_id": "f2"})
            journal._facts[broken.run_id][0] = damage
            await city.reboot()
            await city.dispatch.settle()

            shown = await city.engine.get(broken.run_id)
            assert (shown.status, shown.reason) == (RunStatus.FAILED, Reason.CORRUPT_STATE)
            assert shown.error is not None
            assert (await city.engine.get(sound.run_id)).status is RunStatus.SUCCEEDED


async def test_data_that_was_damaged_in_the_journal_is_not_handed_over() -> None:
    journal = MemoryJournal()
    async with JourneyCity(journal) as city:
        with bound(USER):
            dies(city, "parse_file", times=1)
            accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
            with pytest.raises(PowerCut):
                await city.dispatch.settle()
            facts = journal._facts[accepted.run_id]
            damaged = {"validation_status": "valid", "storage_location": "files/f1"}
            for index, fact in enumerate(map(decode, facts)):
                if isinstance(fact, MilestoneSucceeded):
                    facts[index] = encode(replace(fact, output=damaged))
                if isinstance(fact, MilestoneBegan) and fact.path == "file_parsed":
                    del facts[index:]
            row = journal._rows[accepted.run_id]
            journal._rows[accepted.run_id] = replace(row, next_seq=len(facts))
            await city.reboot()
            await city.dispatch.settle()

            run = await city.engine.get(accepted.run_id)
            assert (run.status, run.reason) == (RunStatus.FAILED, Reason.CONTRACT)
            assert city.services.called.count("parse_file") == 1


async def test_an_engine_that_was_taken_over_writes_nothing_more(inner: Any) -> None:
    async with JourneyCity(inner) as old:
        accepted = await old.engine.start("data_mash_flow", {"file_id": "f1"})
        async with JourneyCity(inner, clock=old.clock) as new:
            await new.dispatch.settle()
            calls_of_the_new = len(new.services.calls)
            await old.dispatch.settle()

            run = await new.engine.get(accepted.run_id)
            assert run.status is RunStatus.SUCCEEDED
            assert calls_of_the_new == 4
            assert old.services.called == ["process_client_file"]  # before its checkpoint, at most
            with pytest.raises(StaleWriter):
                await old.engine.start("data_mash_flow", {"file_id": "f2"})


async def test_a_store_that_refuses_for_a_while_loses_and_repeats_nothing(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        append, full = inner.append, [3]

        async def full_for_a_while(*a: Any, **k: Any) -> None:
            if full[0]:
                full[0] -= 1
                raise DiskFull("the disk is full")
            await append(*a, **k)

        inner.append = full_for_a_while
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.dispatch.settle()

        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED
        assert city.services.called == APIS


async def test_a_store_that_cannot_be_read_is_asked_again(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.reboot()
        load, full = inner.load, [2]

        async def busy_for_a_while(run_id: str) -> Stored | None:
            if full[0]:
                full[0] -= 1
                raise DiskFull("the disk is full")
            found: Stored | None = await load(run_id)
            return found

        inner.load = busy_for_a_while
        await city.dispatch.settle()

        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED


async def test_closing_lets_the_attempt_end_and_leaves_the_rest_without_a_crash(
    inner: Any,
) -> None:
    async with JourneyCity(inner) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        called, go = asyncio.Event(), asyncio.Event()
        slowly(city, called, go)
        driving = asyncio.create_task(city.dispatch.settle())
        await called.wait()
        closing = asyncio.create_task(city.close())
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(driving, closing)

        left = await city.engine.get(accepted.run_id)
        assert left.milestones[0].status is RunStatus.SUCCEEDED
        assert city.services.called == ["process_client_file"]
        await city.boot()
        await city.dispatch.settle()
        run = await city.engine.get(accepted.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert [m.crashes for m in run.milestones] == [0, 0, 0, 0]
        assert city.services.called == APIS


def slowly(city: JourneyCity, called: asyncio.Event, go: asyncio.Event) -> None:
    """Make the first call wait for `go`."""
    call = city.services.call

    async def slow(*a: Any) -> dict[str, Any]:
        if not called.is_set():
            called.set()
            await go.wait()
        return await call(*a)

    city.services.call = slow  # type: ignore[method-assign, assignment]  # slow once


@pytest.mark.parametrize("guarded", [False, True])
async def test_an_attempt_cut_by_closing_is_no_crash_but_may_be_ambiguous(
    inner: Any, *, guarded: bool
) -> None:
    async with JourneyCity(inner) as city:
        if guarded:
            make_guarded(city, "process_client_file")
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        called = asyncio.Event()
        slowly(city, called, asyncio.Event())
        driving = asyncio.create_task(city.dispatch.settle())
        await called.wait()
        await city.close()
        await asyncio.gather(driving, return_exceptions=True)
        await city.boot()
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert run.milestones[0].crashes == 0
        assert run.status is (RunStatus.WAITING if guarded else RunStatus.SUCCEEDED)


async def test_a_run_accepted_but_not_begun_at_closing_is_no_crash(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        make_guarded(city, "process_client_file")
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        await city.close()
        await city.boot()
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert (run.milestones[0].crashes, run.milestones[0].attempts) == (0, 2)


async def test_a_result_supplied_while_the_city_closes_is_kept_for_the_next_boot(
    inner: Any,
) -> None:
    async with JourneyCity(inner) as city:
        make_guarded(city, "parse_file")
        answer = city.services.answers["parse_file"]
        dies(city, "parse_file", times=1)
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        with pytest.raises(PowerCut):
            await city.dispatch.settle()
        await city.reboot()
        await city.dispatch.settle()
        await city.close()
        await city.engine.supply(accepted.run_id, "file_parsed", answer({}))
        await city.boot()
        await city.dispatch.settle()

        run = await city.engine.get(accepted.run_id)
        assert run.status is RunStatus.SUCCEEDED
        assert [m.crashes for m in run.milestones] == [0, 1, 0, 0]


async def test_a_run_that_cannot_be_laid_down_is_taken_up_all_the_same(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        append = inner.append

        async def full(*_: Any, **__: Any) -> None:
            raise DiskFull("the disk is full")

        inner.append = full
        await city.close()
        inner.append = append
        await city.boot()
        await city.dispatch.settle()

        assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED


async def test_a_run_that_is_being_driven_is_not_driven_twice(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
        called, go = asyncio.Event(), asyncio.Event()
        slowly(city, called, go)
        driving = asyncio.create_task(city.dispatch.settle())
        await called.wait()
        await city.driver.advance(accepted.run_id)
        with pytest.raises(NotOpenForResult, match="at this moment"):
            await city.engine.supply(accepted.run_id, "file_uploaded", {})
        go.set()
        await driving

        assert city.services.called == APIS


async def test_two_starts_at_once_with_one_alias_and_other_input_are_told_apart(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        answers = await asyncio.gather(
            *(city.engine.start("data_mash_flow", {"file_id": f}, alias="x") for f in ("a", "b")),
            return_exceptions=True,
        )

    assert sorted(type(answer).__name__ for answer in answers) == ["AliasTaken", "JourneyRun"]


async def test_start_whose_caller_gives_up_is_driven_all_the_same(inner: Any) -> None:
    async with JourneyCity(inner) as city:
        start = asyncio.ensure_future(
            city.engine.start("data_mash_flow", {"file_id": "a"}, alias="x")
        )
        while not city.driver._moving:  # noqa: ASYNC110 - the engine tells nobody of this moment
            await asyncio.sleep(0)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        await asyncio.gather(*city.driver._moving)
        await city.dispatch.settle()

        assert (await city.engine.get("x")).status is RunStatus.SUCCEEDED
