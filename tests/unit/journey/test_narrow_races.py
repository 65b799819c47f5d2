"""What happens in the moments between: a refusal nobody heard yet, two who admit the same run."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.group_commit import GroupCommit
from realms.journey.engine.journal import Entry, RunRow, StaleWriter, WritesRefused
from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.records import DatabaseJournal
from tests.support.journals import open_database
from tests.support.journeys import BEGAN, TEXT, USER, Answer, FakeServices, JourneyCity, signature
from utilities.context import bound
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

ONE = """
journey_template: one
input: {key: string}
milestones:
  - {milestone_id: read, service: Reader, api: read, with: {key: "${input.key}"}}
"""
LANE = """
journey_template: lane
input: {key: string}
concurrency: {key: "${input.key}", limit: 1, when_full: queue}
milestones:
  - {milestone_id: read, service: Reader, api: read, with: {key: "${input.key}"}}
"""


RATE = LANE.replace("milestones:", "rate_limit: {limit: 1, per: 1m}\nmilestones:")


class UnreadableName(PlatformError):
    """A file's name is no text."""

    kind = ErrorKind.INVALID


def city(answer: Answer) -> JourneyCity:
    reader = signature("Reader.read", {"key": TEXT}, {"out": TEXT})
    services = FakeServices(reader, answers={"read": answer})
    return JourneyCity(services=services, texts={"one": ONE, "lane": LANE, "rate": RATE})


def row() -> RunRow:
    return RunRow(
        run_id="run-1",
        tenant="north",
        alias="",
        template="one",
        template_hash="hash",
        status=RunStatus.RUNNING,
        reason=Reason.NONE,
        wake_at=BEGAN,
        created_at=BEGAN,
        updated_at=BEGAN,
    )


def broken(_connection: object) -> None:
    raise ValueError


async def test_nothing_is_written_after_a_refusal_that_its_writer_has_yet_to_hear(
    tmp_path: Path,
) -> None:
    async with open_database(tmp_path) as database:
        journal = DatabaseJournal(database=database)
        me = await journal.take_hold(at=BEGAN, until=None)
        await journal.write([Entry("run-1", 0, b"0", row())], holder=me)
        group = GroupCommit(journal=journal)
        group.begin(me)
        refused = group.add(Entry("run-1", 1, b"1", along=(broken,)))
        while not refused.done():  # what is added in the turn of the refusal comes too late
            await asyncio.sleep(0)
            if group.pending == 0:
                late = group.add(Entry("run-1", 2, b"2"))
        with pytest.raises(WritesRefused):
            await refused
        with pytest.raises(StaleWriter):
            await late

        assert (await journal.load(["run-1"]))["run-1"].entries == (b"0",)


async def test_writer_that_was_cut_hears_that_its_entry_was_refused() -> None:
    journal = MemoryJournal()
    me = await journal.take_hold(at=BEGAN, until=None)
    await journal.write([Entry("run-1", 0, b"0", row())], holder=me)
    group = GroupCommit(journal=journal)
    group.begin(me)
    entry = Entry("run-1", 7, b"7")
    group.add(entry).cancel()
    while group.pending:  # noqa: ASYNC110 - it is written in a turn or two
        await asyncio.sleep(0)

    again = group.renewed(entry)

    assert again is not None
    with pytest.raises(StaleWriter):
        await again


async def test_error_that_holds_no_unicode_fails_its_milestone_and_hangs_no_run() -> None:
    def unreadable(_: Mapping[str, Any]) -> Any:
        raise UnreadableName("no \udcff file")

    async with city(unreadable) as opened:
        with bound(USER):
            run = await opened.engine.start("one", {"key": "a"})
            await opened.dispatch.settle()
            ended = await opened.engine.get(run.run_id)

    assert ended.status is RunStatus.FAILED
    assert ended.error is not None
    assert ended.error.detail == "no ? file"


async def test_service_that_cancels_itself_has_failed_and_is_not_called_for_ever() -> None:
    async def gives_up(_: Mapping[str, Any]) -> Any:
        raise asyncio.CancelledError

    async with city(gives_up) as opened:
        with bound(USER):
            run = await opened.engine.start("one", {"key": "a"})
            await opened.dispatch.settle()
            ended = await opened.engine.get(run.run_id)

    assert (ended.status, len(opened.services.calls)) == (RunStatus.FAILED, 3)


async def test_watcher_leaves_after_others_have_come() -> None:
    async with city(lambda _: {"out": "x"}) as opened:
        early = opened.driver.watch("run-0001")
        with bound(USER):
            await opened.engine.start("one", {"key": "a"})
            await opened.dispatch.settle()
            late = opened.driver.watch("run-0001")
            opened.driver.unwatch("run-0001", early)
            opened.driver.unwatch("run-0001", late)

    assert early.done()
    assert not late.done()


async def test_two_who_look_at_a_lane_let_a_run_in_once_and_a_paused_one_not_at_all() -> None:
    hold = asyncio.Event()

    async def waits(_: Mapping[str, Any]) -> Any:
        await hold.wait()
        return {"out": "x"}

    async with city(waits) as opened:
        lanes = opened.driver.lanes
        assert lanes is not None
        with bound(USER):
            first = await opened.engine.start("lane", {"key": "a"})
            second = await opened.engine.start("lane", {"key": "a"})
            third = await opened.engine.start("lane", {"key": "a"})
            await opened.operators.cancel(first.run_id)
            async with opened.driver.holding(second.run_id) as hand:
                await asyncio.gather(lanes.look(hand), lanes.look(hand))
                begun = hand.run.status
            await opened.operators.pause(third.run_id)
            hold.set()
            await opened.dispatch.settle()
            await opened.driver.advance(third.run_id)
            paused = await opened.engine.get(third.run_id)

    assert begun is RunStatus.RUNNING
    assert (paused.status, len(opened.services.calls)) == (RunStatus.PAUSED, 2)


async def test_run_that_was_paused_before_its_turn_keeps_no_place_in_its_lane() -> None:
    async def makes(_: Mapping[str, Any]) -> Any:
        return {"out": "x"}

    async with city(makes) as opened:
        with bound(USER):
            runs = [await opened.engine.start("lane", {"key": "a"}) for _ in range(3)]
            await opened.operators.pause(runs[1].run_id)
            await opened.dispatch.settle(until=timedelta(minutes=1))
            met = [(await opened.engine.get(run.run_id)).status for run in runs]
            late = await opened.engine.start("lane", {"key": "a"})
            await opened.operators.resume(runs[1].run_id)
            await opened.dispatch.settle(until=timedelta(minutes=2))
            end = [(await opened.engine.get(run.run_id)).status for run in (*runs, late)]

    assert met == [RunStatus.SUCCEEDED, RunStatus.PAUSED, RunStatus.SUCCEEDED]
    assert end == [RunStatus.SUCCEEDED] * 4


async def test_run_that_queued_for_its_lane_keeps_to_the_rate_too() -> None:
    begun: list[datetime] = []

    def notes(_: Mapping[str, Any]) -> Any:
        begun.append(opened.clock.now())
        return {"out": "x"}

    async with city(notes) as opened:
        with bound(USER):
            await asyncio.gather(*(opened.engine.start("rate", {"key": "a"}) for _ in range(3)))
            await opened.dispatch.settle()

    assert [later - first for first, later in pairwise(begun)] == [timedelta(minutes=1)] * 2


async def test_queued_run_that_cannot_be_read_holds_up_nobody_behind_it() -> None:
    hold = asyncio.Event()

    async def waits(_: Mapping[str, Any]) -> Any:
        await hold.wait()
        return {"out": "x"}

    async with city(waits) as opened:
        with bound(USER):
            await opened.engine.start("lane", {"key": "a"})
            spoilt = await opened.engine.start("lane", {"key": "a"})
            behind = await opened.engine.start("lane", {"key": "a"})
            journal = opened.journal
            assert isinstance(journal, MemoryJournal)
            journal._entries[spoilt.run_id] = [b"torn"]  # a disk did that
            hold.set()
            await opened.dispatch.settle()
            ended = await opened.engine.get(behind.run_id)

    assert ended.status is RunStatus.SUCCEEDED
