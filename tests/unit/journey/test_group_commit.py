"""The one who writes: in order, together, and again when the store takes nothing."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from realms.journey.engine import group_commit
from realms.journey.engine.group_commit import GroupCommit, JournalUnusable
from realms.journey.engine.journal import Entry, Journal, StaleWriter
from realms.journey.engine.memory_journal import MemoryJournal
from tests.contract.test_journals import first
from tests.support.journals import CountingJournal, DiskFull, FullJournal, OtherJournal
from tests.support.journeys import BEGAN

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(group_commit, "_AGAIN_AT_THE_END_SECONDS", 0.01)


async def opened(journal: Journal) -> GroupCommit:
    group = GroupCommit(journal=journal)
    group.begin(await journal.take_hold(at=BEGAN, until=None))
    return group


def after(seq: int, run_id: str = "run-1") -> Entry:
    return Entry(run_id, seq, str(seq).encode())


async def test_what_is_added_in_one_tick_is_one_commit() -> None:
    journal = CountingJournal(MemoryJournal())
    group = await opened(journal)

    await asyncio.gather(*(group.add(first(f"run-{n}")) for n in range(5)))
    await asyncio.gather(group.add(after(1)), group.add(after(2)))

    assert [len(commit) for commit in journal.commits] == [5, 2]
    assert (group.commits, group.written, group.pending) == (2, 7, 0)


async def test_so_many_are_written_at_once_and_the_rest_right_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "_MOST", 3)
    journal = CountingJournal(MemoryJournal())
    group = await opened(journal)

    await asyncio.gather(*(group.add(first(f"run-{n}")) for n in range(8)))

    assert [len(commit) for commit in journal.commits] == [3, 3, 2]


async def test_what_waits_behind_a_refused_entry_of_its_run_is_refused() -> None:
    class Slow(OtherJournal):
        slow = False

        def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
            done = super().write(entries, holder=holder)
            return _later(done) if self.slow else done

    journal = Slow(MemoryJournal())
    group = await opened(journal)
    await group.add(first())
    await group.add(first("run-2"))
    await journal.inner.write([after(1)], holder=group._holder)
    journal.slow = True
    refused = group.add(after(1))
    await asyncio.sleep(0)
    behind, beside = group.add(after(2)), group.add(after(1, "run-2"))
    outcomes = await asyncio.gather(refused, behind, beside, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [StaleWriter, StaleWriter, type(None)]
    assert len((await journal.load(["run-1"]))["run-1"].entries) == 2


def _later(done: "asyncio.Future[Any]") -> "asyncio.Future[Any]":
    loop = asyncio.get_running_loop()
    late: asyncio.Future[Any] = loop.create_future()
    loop.call_later(0.005, lambda: late.set_result(done.result()))
    return late


async def test_on_a_full_disk_entries_wait_in_their_order_and_new_runs_are_refused() -> None:
    journal = FullJournal(MemoryJournal())
    group = await opened(journal)
    await group.add(first())
    journal.full = True
    kept = [group.add(after(1)), group.add(after(2))]
    new = group.add(first("run-2"))
    with pytest.raises(DiskFull):
        await new
    with pytest.raises(DiskFull):
        await group.add(first("run-3"))
    trouble = group.trouble
    journal.full = False
    await asyncio.gather(*kept)

    assert isinstance(trouble, DiskFull)
    assert group.trouble is None
    assert (await journal.load(["run-1"]))["run-1"].entries == (b"one", b"1", b"2")
    await group.add(first("run-3"))


async def test_what_the_store_could_not_write_of_a_commit_is_tried_again() -> None:
    class Half(OtherJournal):
        full = True

        def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
            if not self.full or len(entries) < 2:
                return super().write(entries, holder=holder)
            self.full = False
            done = super().write(entries[:1], holder=holder)
            late: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            rest = [DiskFull("full")] * (len(entries) - 1)
            late.set_result([*done.result(), *rest])
            return late

    journal = Half(MemoryJournal())
    group = await opened(journal)
    await group.add(first())
    await asyncio.gather(*(group.add(after(seq)) for seq in (1, 2, 3)))

    assert (await journal.load(["run-1"]))["run-1"].entries == (b"one", b"1", b"2", b"3")


async def test_a_store_that_fails_in_a_way_it_does_not_know_is_tried_again() -> None:
    class Odd(OtherJournal):
        left = 1

        def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
            self.left -= 1
            if self.left < 0 or not entries[0].seq:
                return super().write(entries, holder=holder)
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            failed.set_exception(ValueError("nobody knows"))
            return failed

    journal = Odd(MemoryJournal())
    journal.left = 2
    group = await opened(journal)
    await group.add(first())

    await group.add(after(1))

    assert (await journal.load(["run-1"]))["run-1"].entries == (b"one", b"1")


async def test_an_entry_is_written_though_nobody_waits_for_it_any_more() -> None:
    journal = MemoryJournal()
    group = await opened(journal)
    await group.add(first())
    entry = after(1)
    group.add(entry).cancel()

    again = group.renewed(entry)
    assert again is not None
    await again

    assert group.renewed(entry) is None
    assert (await journal.load(["run-1"]))["run-1"].entries == (b"one", b"1")


async def test_draining_waits_for_room_but_not_for_ever() -> None:
    journal = FullJournal(MemoryJournal())
    group = await opened(journal)
    await group.add(first())
    journal.full = True
    kept = group.add(after(1))
    await asyncio.sleep(0.02)

    assert not await group.drained(seconds=0.03)
    journal.full = False
    assert await group.drained(seconds=1)
    assert kept.done()
    group.stop()
    assert await group.drained(seconds=1)


async def test_nothing_is_written_after_the_stop() -> None:
    class Held(OtherJournal):
        answer: "asyncio.Future[Any] | None" = None
        asked = 0

        def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
            self.asked += 1
            return self.answer or super().write(entries, holder=holder)

    journal = Held(MemoryJournal())
    group = await opened(journal)
    await group.add(first())
    journal.answer = asyncio.get_running_loop().create_future()
    under_way = group.add(after(1))
    await asyncio.sleep(0)
    group.stop()

    journal.answer.set_exception(DiskFull("the disk is full"))
    late = group.add(after(2))
    await asyncio.sleep(0.05)

    assert under_way.cancelled()
    assert late.cancelled()
    assert journal.asked == 2


async def test_a_journal_that_raises_what_it_may_not_is_asked_again() -> None:
    class Broken(OtherJournal):
        left = 1

        def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
            if self.left:
                self.left -= 1
                raise RuntimeError("nobody expected this")
            return super().write(entries, holder=holder)

    journal = MemoryJournal()
    group = await opened(journal)
    await group.add(first("run-1"))
    broken = GroupCommit(journal=Broken(journal))
    broken.begin(1)
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))

    await asyncio.wait_for(broken.add(after(1)), timeout=5)

    assert told == ["nobody expected this"]
    assert len((await journal.load(["run-1"]))["run-1"].entries) == 2


class Dear(OtherJournal):
    """Each commit takes so long that company is worth waiting for."""

    def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
        time.sleep(group_commit._WORTH_IT)
        return self.inner.write(entries, holder=holder)


@pytest.fixture
def patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_LINGERS_AT_MOST", 0.05)
    monkeypatch.setattr(group_commit, "_LINGERS", 1000)


@pytest.mark.usefixtures("patiently")
async def test_a_commit_close_on_another_waits_for_those_under_way() -> None:
    journal, under_way = CountingJournal(Dear(MemoryJournal())), [1]
    group = GroupCommit(journal=journal, under_way=lambda: under_way[0])
    group.begin(await journal.take_hold(at=BEGAN, until=None))

    await group.add(first("run-1"))
    early = group.add(first("run-2"))
    await asyncio.sleep(0.005)
    assert not early.done()
    await asyncio.gather(early, group.add(first("run-3")))
    under_way[0] = 0
    await group.add(first("run-4"))

    assert [len(commit) for commit in journal.commits] == [1, 2, 1]


async def test_entries_of_the_next_few_ticks_are_written_along() -> None:
    journal = CountingJournal(MemoryJournal())
    group = await opened(journal)
    began: list[asyncio.Future[None]] = []

    def begin_two(ticks: int) -> None:
        began.extend(group.add(first(f"run-{ticks}-{n}")) for n in range(2))
        if ticks:
            asyncio.get_running_loop().call_soon(begin_two, ticks - 1)

    begin_two(group_commit._TICKS - 1)
    for _ in range(group_commit._TICKS):
        await asyncio.sleep(0)
    await asyncio.gather(*began)
    await asyncio.gather(group.add(first("alone")))

    assert [len(commit) for commit in journal.commits] == [2 * group_commit._TICKS, 1]


async def test_entries_that_keep_coming_hold_up_no_commit() -> None:
    journal = CountingJournal(MemoryJournal())
    group = await opened(journal)
    earliest = [group.add(first(f"run-{n}")) for n in range(2)]

    for tick in range(group_commit._TICKS + 1):
        assert not earliest[0].done()
        group.add(first(f"run-{tick + 2}"))
        await asyncio.sleep(0)

    assert earliest[0].done()
    assert len(journal.commits[0]) == group_commit._TICKS + 3


async def test_one_entry_alone_waits_for_no_tick() -> None:
    group = await opened(MemoryJournal())
    alone = group.add(first())
    await asyncio.sleep(0)
    assert alone.done()


# where the store works apart


class Elsewhere(CountingJournal):
    """Writes take their time; while one is under way, the process is free."""

    works_apart = True

    def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
        return _later(super().write(entries, holder=holder))


async def test_half_goes_on_while_the_other_half_is_written() -> None:
    journal = Elsewhere(MemoryJournal())
    group = await opened(journal)
    begun: list[int] = []

    async def run(number: int) -> None:
        await group.add(first(f"run-{number}"))
        for seq in range(1, 4):
            begun.append(len(journal.commits))
            await group.add(after(seq, f"run-{number}"))

    await asyncio.gather(*(run(number) for number in range(40)))

    assert [len(commit) for commit in journal.commits] == [40, 20, 20, 20, 20, 20, 20]
    assert begun == [n for n in range(1, 7) for _ in range(20)]
    stored = await journal.load([f"run-{number}" for number in range(40)])
    assert {one.entries for one in stored.values()} == {(b"one", b"1", b"2", b"3")}


async def test_where_a_thread_of_ours_writes_all_go_on_together() -> None:
    class Thread(Elsewhere):
        works_apart = False

    journal = Thread(MemoryJournal())
    group = await opened(journal)

    async def run(number: int) -> None:
        await group.add(first(f"run-{number}"))
        await group.add(after(1, f"run-{number}"))

    await asyncio.gather(*(run(number) for number in range(40)))

    assert [len(commit) for commit in journal.commits] == [40, 40]


async def test_a_store_that_works_apart_begins_at_once() -> None:
    journal = Elsewhere(MemoryJournal())
    group = await opened(journal)

    earliest = [group.add(first(f"run-{n}")) for n in range(2)]
    await asyncio.sleep(0)
    later = group.add(first("run-2"))
    await asyncio.gather(*earliest, later)

    assert [len(commit) for commit in journal.commits] == [2, 1]


async def test_few_are_not_worth_two_commits() -> None:
    journal = Elsewhere(MemoryJournal())
    group = await opened(journal)

    async def run(number: int) -> None:
        await group.add(first(f"run-{number}"))
        await group.add(after(1, f"run-{number}"))

    await asyncio.gather(*(run(number) for number in range(15)))

    assert [len(commit) for commit in journal.commits] == [15, 15]


async def test_who_is_told_behind_a_flush_hears_of_it_also_where_that_fails() -> None:
    class Failing(Elsewhere):
        fails = False

        def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
            if self.fails:
                self.fails = False
                raise ZeroDivisionError
            return super().write(entries, holder=holder)

    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    journal = Failing(MemoryJournal())
    group = await opened(journal)
    made = group.add(first())
    await asyncio.sleep(0)
    later = group.add(first("run-2")), group.add(after(1))
    journal.fails = True
    await made

    with pytest.raises(JournalUnusable):
        await later[0]
    await later[1]  # what must be written is tried again
    assert (await journal.load(["run-1"]))["run-1"].entries == (b"one", b"1")
