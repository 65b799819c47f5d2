"""What every journal promises; one suite for all of them."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import (
    Entry,
    Journal,
    Memo,
    RunFilter,
    RunRow,
    StaleWriter,
    TextLost,
    VersionTaken,
    WritesRefused,
)
from realms.journey.records import DatabaseJournal
from tests.support.journals import any_journal, open_server_database
from tests.support.journeys import BEGAN
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    async with any_journal(request, tmp_path) as opened:
        yield opened


@pytest.fixture
async def me(journal: Journal) -> int:
    return await journal.take_hold(at=BEGAN, until=None)


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
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # a test's own shorthand


def first(run_id: str = "run-1", data: bytes = b"one", **changes: Any) -> Entry:
    return Entry(run_id, 0, data, row(run_id, **changes))


async def write(journal: Journal, *entries: Entry, holder: int) -> list[Any]:
    """What became of each: None, or the name of what it was refused with."""
    outcomes = await journal.write(entries, holder=holder)
    return [None if error is None else type(error).__name__ for error in outcomes]


async def entries_of(journal: Journal, run_id: str = "run-1") -> tuple[bytes, ...]:
    stored = (await journal.load([run_id])).get(run_id)
    return () if stored is None else stored.entries


async def row_of(journal: Journal, run_id: str = "run-1") -> RunRow:
    return (await journal.load([run_id]))[run_id].row


# writing


async def test_nothing_of_a_write_is_left_to_the_collector(journal: Journal, me: int) -> None:
    def writes(_connection: Any) -> None:
        """What a service writes, which here is nothing."""

    written = weakref.ref(writes)
    gc.disable()
    try:
        await write(journal, first()._replace(along=(writes,)), holder=me)
        del writes
        async with asyncio.timeout(5):
            while written() is not None:  # noqa: ASYNC110 - a thread lets go of it in a moment
                await asyncio.sleep(0)
    finally:
        gc.enable()


async def test_a_run_is_read_as_it_was_written(journal: Journal, me: int) -> None:
    late = BEGAN + timedelta(seconds=1, microseconds=7)
    whole = row(
        alias="mine",
        reason=Reason.RETRY,
        status=RunStatus.WAITING,
        wake_at=late,
        holder=me,
        lane="north/x",
        parent="run-0",
        settled=False,
    )
    await write(journal, Entry("run-1", 0, b"one", whole), holder=me)

    stored = (await journal.load(["run-1"]))["run-1"]
    assert (stored.row, stored.entries) == (whole, (b"one",))


async def test_a_row_that_is_not_given_stays_as_it_is(journal: Journal, me: int) -> None:
    await write(journal, first(), holder=me)
    ended = row(status=RunStatus.SUCCEEDED, wake_at=None, updated_at=BEGAN + HOUR)

    await write(journal, Entry("run-1", 1, b"two"), holder=me)
    before = await row_of(journal)
    await write(journal, Entry("run-1", 2, b"three", ended), holder=me)

    assert before == row()
    assert await row_of(journal) == ended
    assert await entries_of(journal) == (b"one", b"two", b"three")


async def test_runs_that_are_not_there_are_left_out(journal: Journal, me: int) -> None:
    await write(journal, first(), holder=me)

    assert list(await journal.load(["run-9", "run-1", "run-8"])) == ["run-1"]
    assert await journal.load([]) == {}
    assert await journal.find("north", "run-9") is None


async def test_many_runs_are_loaded_at_once_each_with_its_own_entries(
    journal: Journal, me: int
) -> None:
    names = [f"run-{number:04}" for number in range(1_200)]
    await write(journal, *(first(n, n.encode()) for n in names), holder=me)
    await write(journal, *(Entry(n, 1, b"2") for n in names), holder=me)

    found = await journal.load(names)

    assert {n: s.entries for n, s in found.items()} == {n: (n.encode(), b"2") for n in names}


async def test_a_place_is_taken_once(journal: Journal, me: int) -> None:
    await write(journal, first(), Entry("run-1", 1, b"two"), holder=me)

    assert await write(journal, Entry("run-1", 1, b"other"), holder=me) == ["StaleWriter"]
    assert await write(journal, first(data=b"other"), holder=me) == ["StaleWriter"]
    assert await entries_of(journal) == (b"one", b"two")


async def test_what_is_refused_changes_nothing_of_its_row(journal: Journal, me: int) -> None:
    await write(journal, first(), Entry("run-1", 1, b"two"), holder=me)
    late = Entry("run-1", 1, b"x", row(status=RunStatus.FAILED), rings=("run-1",))

    await write(journal, late, holder=me)

    assert await row_of(journal) == row()


async def test_entries_of_one_run_are_written_in_their_order_in_one_commit(
    journal: Journal, me: int
) -> None:
    done = await write(
        journal,
        first(),
        Entry("run-1", 1, b"two"),
        first("run-2"),
        Entry("run-1", 2, b"three", row(status=RunStatus.FAILED)),
        holder=me,
    )

    assert done == [None] * 4
    assert await entries_of(journal) == (b"one", b"two", b"three")
    assert (await row_of(journal)).status is RunStatus.FAILED


async def test_one_that_is_refused_stops_no_other(journal: Journal, me: int) -> None:
    await write(journal, first(), Entry("run-1", 1, b"two"), first("run-2"), holder=me)

    done = await write(
        journal,
        Entry("run-2", 1, b"good"),
        Entry("run-1", 1, b"late", row(status=RunStatus.FAILED)),
        first("run-3"),
        first("run-2"),
        Entry("run-3", 1, b"more"),
        holder=me,
    )

    assert done == [None, "StaleWriter", None, "StaleWriter", None]
    assert await entries_of(journal, "run-2") == (b"one", b"good")
    assert await entries_of(journal, "run-3") == (b"one", b"more")
    assert await row_of(journal) == row()


async def test_what_follows_a_refused_entry_of_its_run_is_refused_too(
    journal: Journal, me: int
) -> None:
    await write(journal, first(), Entry("run-1", 1, b"of another"), holder=me)

    done = await write(
        journal, Entry("run-1", 1, b"late"), Entry("run-1", 2, b"on top of it"), holder=me
    )

    assert done == ["StaleWriter"] * 2
    assert await entries_of(journal) == (b"one", b"of another")


async def test_nothing_is_written_for_an_empty_list(journal: Journal, me: int) -> None:
    assert await write(journal, holder=me) == []


# aliases


async def test_an_alias_is_unique_within_a_tenant_only(journal: Journal, me: int) -> None:
    await write(journal, first(alias="mine"), holder=me)

    done = await write(
        journal,
        first("run-2", alias="mine", tenant="south"),
        first("run-3"),
        first("run-4", alias="mine"),
        first("run-5"),
        holder=me,
    )

    assert done == [None, None, "AliasTaken", None]
    north, south = await journal.find("north", "mine"), await journal.find("south", "mine")
    assert (north and north.run_id, south and south.run_id) == ("run-1", "run-2")
    assert list(await journal.load(["run-4"])) == []


async def test_of_two_that_ask_for_an_alias_in_one_commit_the_first_has_it(
    journal: Journal, me: int
) -> None:
    done = await write(journal, first(alias="x"), first("run-2", alias="x"), holder=me)

    assert done == [None, "AliasTaken"]


async def test_another_tenants_run_is_not_found_by_its_id(journal: Journal, me: int) -> None:
    await write(journal, first(), holder=me)

    assert await journal.find("south", "run-1") is None
    assert await journal.find("north", "run-1") == row()


async def test_a_run_without_an_alias_is_not_found_by_an_empty_one(
    journal: Journal, me: int
) -> None:
    await write(journal, first(), holder=me)

    assert await journal.find("north", "") is None


# holders


async def test_each_holder_is_larger_than_all_before(journal: Journal) -> None:
    holders = [await journal.take_hold(at=BEGAN, until=None) for _ in range(3)]

    assert holders == sorted(set(holders))
    assert holders[0] > 0


async def test_a_late_writer_changes_zero_rows(journal: Journal, me: int) -> None:
    await write(journal, first(holder=me), first("run-2"), holder=me)
    new = await journal.take_hold(at=BEGAN, until=None)
    await journal.dismiss(at=BEGAN, survivor=new)
    before = await journal.load(["run-1", "run-2", "run-3"])

    late = row(status=RunStatus.FAILED)
    done = await write(
        journal,
        Entry("run-1", 1, b"late"),
        Entry("run-2", 1, b"late", replace(late, run_id="run-2"), rings=("run-1",)),
        first("run-3"),
        holder=me,
    )

    assert done == ["StaleWriter"] * 3
    assert await journal.load(["run-1", "run-2", "run-3"]) == before
    with pytest.raises(StaleWriter):
        await journal.condemn("run-1", at=BEGAN, holder=me)
    assert await journal.load(["run-1", "run-2", "run-3"]) == before


async def test_dismissal_frees_the_runs_of_those_whose_lease_is_over(journal: Journal) -> None:
    endless = await journal.take_hold(at=BEGAN, until=None)
    over = await journal.take_hold(at=BEGAN, until=BEGAN + HOUR)
    living = await journal.take_hold(at=BEGAN, until=BEGAN + 3 * HOUR)
    mine = await journal.take_hold(at=BEGAN, until=None)
    for number, holder in enumerate([endless, over, living, mine, over]):
        await write(journal, first(f"run-{number}", holder=holder), holder=holder)

    freed = await journal.dismiss(at=BEGAN + HOUR, survivor=mine)

    stored = await journal.load([f"run-{number}" for number in range(5)])
    assert freed == 3
    assert [stored[f"run-{n}"].row.holder for n in range(5)] == [0, 0, living, mine, 0]
    assert await journal.dismiss(at=BEGAN + HOUR, survivor=mine) == 0
    assert await write(journal, Entry("run-2", 1, b"two"), holder=living) == [None]
    assert await write(journal, Entry("run-1", 1, b"two"), holder=over) == ["StaleWriter"]


async def test_one_that_was_dismissed_dismisses_nobody(journal: Journal, me: int) -> None:
    new = await journal.take_hold(at=BEGAN, until=None)
    await journal.dismiss(at=BEGAN, survivor=new)
    await write(journal, first(holder=new), holder=new)

    assert await journal.dismiss(at=BEGAN, survivor=me) == 0

    assert await write(journal, Entry("run-1", 1, b"two"), holder=new) == [None]
    assert (await row_of(journal)).holder == new


async def test_a_lease_is_prolonged_until_it_was_taken_away(journal: Journal) -> None:
    holder = await journal.take_hold(at=BEGAN, until=BEGAN + HOUR)
    other = await journal.take_hold(at=BEGAN, until=None)

    prolonged = await journal.renew(holder, until=BEGAN + 3 * HOUR)
    await journal.dismiss(at=BEGAN + 2 * HOUR, survivor=other)
    again = await journal.renew(holder, until=BEGAN + 3 * HOUR)
    await journal.dismiss(at=BEGAN + 3 * HOUR, survivor=other)

    assert (prolonged, again) == (True, True)
    assert not await journal.renew(holder, until=BEGAN + 9 * HOUR)
    assert await write(journal, first(), holder=holder) == ["StaleWriter"]


async def test_one_who_leaves_writes_nothing_more_and_frees_his_runs(
    journal: Journal, me: int
) -> None:
    other = await journal.take_hold(at=BEGAN, until=None)
    await write(journal, first(holder=me), first("run-2", holder=me), holder=me)
    await write(journal, first("run-3", holder=other), holder=other)

    await journal.let_go(me)

    assert [(await row_of(journal, f"run-{n}")).holder for n in (1, 2, 3)] == [0, 0, other]
    assert await write(journal, Entry("run-1", 1, b"late"), holder=me) == ["StaleWriter"]
    assert await journal.renew(me, until=BEGAN + HOUR) is False


async def test_a_run_that_another_holds_is_not_taken_from_him(journal: Journal, me: int) -> None:
    other = await journal.take_hold(at=BEGAN, until=None)
    await write(journal, first(holder=me), first("run-2"), holder=me)

    held = Entry("run-1", 1, b"x", row(holder=other))
    free = Entry("run-2", 1, b"y", row("run-2", holder=other))

    assert await write(journal, held, free, holder=other) == ["StaleWriter", None]
    assert (await row_of(journal)).holder == me
    assert (await row_of(journal, "run-2")).holder == other
    with pytest.raises(StaleWriter):
        await journal.condemn("run-2", at=BEGAN, holder=me)


async def test_writers_that_never_were_are_refused(journal: Journal) -> None:
    assert await write(journal, first(), holder=99) == ["StaleWriter"]


# what is written besides


async def test_a_run_that_waits_is_rung_when_another_ends(journal: Journal, me: int) -> None:
    late = BEGAN + HOUR
    waits: dict[str, Any] = {"status": RunStatus.WAITING, "wake_at": None}
    await write(
        journal,
        first("run-1", **waits),
        first("run-2", holder=me),
        first("run-3", status=RunStatus.PAUSED, wake_at=None),
        first("run-4", status=RunStatus.SUCCEEDED, wake_at=None),
        first("run-9"),
        holder=me,
    )
    ended = row("run-9", status=RunStatus.SUCCEEDED, wake_at=None, updated_at=late)
    rings = ("run-1", "run-2", "run-3", "run-4", "run-77")
    await write(journal, Entry("run-9", 1, b"end", ended, rings), holder=me)

    wakes = [(await row_of(journal, f"run-{number}")).wake_at for number in range(1, 5)]
    assert wakes == [late, BEGAN, None, None]
    assert [r.run_id for r in await journal.due(late)] == ["run-1"]


async def test_memos_are_kept_with_their_entry_and_by_tenant(journal: Journal, me: int) -> None:
    memo = Memo("north", "key", b"{}", BEGAN)
    await write(journal, Entry("run-1", 0, b"one", row(), memos=(memo,)), holder=me)

    assert await journal.memo("north", "key", since=None) == b"{}"
    assert await journal.memo("north", "key", since=BEGAN) == b"{}"
    assert await journal.memo("north", "key", since=BEGAN + timedelta(microseconds=1)) is None
    assert await journal.memo("south", "key", since=None) is None
    assert await journal.memo("north", "other", since=None) is None


async def test_a_newer_memo_takes_the_place_of_the_older(journal: Journal, me: int) -> None:
    old, new = Memo("north", "k", b"old", BEGAN), Memo("north", "k", b"new", BEGAN + HOUR)
    await write(journal, Entry("run-1", 0, b"one", row(), memos=(old,)), holder=me)
    await write(journal, Entry("run-1", 1, b"two", memos=(new,)), holder=me)

    assert await journal.memo("north", "k", since=BEGAN + HOUR) == b"new"


async def test_a_refused_entry_keeps_no_memo(journal: Journal, me: int) -> None:
    await write(journal, first(), holder=me)
    memo = Memo("north", "k", b"{}", BEGAN)

    await write(journal, Entry("run-1", 0, b"x", row(), memos=(memo,)), holder=me)

    assert await journal.memo("north", "k", since=None) is None


async def test_writes_along_are_made_once_with_their_entry(journal: Journal, me: int) -> None:
    made: list[str] = []
    along = (lambda _: made.append("a"), lambda _: made.append("b"))

    done = await write(
        journal, Entry("run-1", 0, b"one", row(), along=along), first("run-2"), holder=me
    )

    assert done == [None, None]
    assert made == ["a", "b"]


async def test_writes_along_that_fail_spoil_their_own_entry_only(journal: Journal, me: int) -> None:
    def spoilt(_: Any) -> None:
        raise ValueError("this service cannot write")

    await write(journal, first(), first("run-2"), first("run-3"), holder=me)

    done = await write(
        journal,
        Entry("run-1", 1, b"two", row(status=RunStatus.SUCCEEDED)),
        Entry("run-2", 1, b"two", row("run-2", status=RunStatus.FAILED), along=(spoilt,)),
        Entry("run-2", 2, b"three"),
        Entry("run-3", 1, b"two"),
        holder=me,
    )

    assert done == [None, "WritesRefused", "StaleWriter", None]
    assert await entries_of(journal, "run-2") == (b"one",)
    assert await row_of(journal, "run-2") == row("run-2")
    assert (await row_of(journal)).status is RunStatus.SUCCEEDED
    assert await entries_of(journal, "run-3") == (b"one", b"two")


async def test_writes_along_that_fail_say_whose_they_are_and_hide_their_words(
    journal: Journal, me: int
) -> None:
    def spoilt(_: Any) -> None:
        raise ValueError("password of the store")

    (error,) = await journal.write([Entry("run-1", 0, b"", row(), along=(spoilt,))], holder=me)

    assert isinstance(error, WritesRefused)
    assert "ValueError" in error.detail
    assert "password" not in error.detail


async def test_the_writes_of_a_refused_entry_are_not_made(journal: Journal, me: int) -> None:
    made: list[str] = []
    await write(journal, first(), holder=me)

    def note(connection: Any) -> None:
        if connection is None:  # in memory nothing can be rolled back
            made.append("a")

    late = Entry("run-1", 0, b"x", row(), along=(note,))

    assert await write(journal, late, first("run-2"), holder=me) == ["StaleWriter", None]
    assert made == []


# what is due


async def test_due_are_free_runs_of_all_tenants_the_most_overdue_first(
    journal: Journal, me: int
) -> None:
    await write(
        journal,
        first("run-1", wake_at=BEGAN + HOUR),
        first("run-2", wake_at=BEGAN, tenant="south"),
        first("run-3", wake_at=None),
        first("run-4", wake_at=BEGAN, holder=me),
        first("run-5", wake_at=BEGAN - HOUR),
        first("run-6", wake_at=BEGAN + 2 * HOUR),
        holder=me,
    )

    due = [r.run_id for r in await journal.due(BEGAN + HOUR)]
    assert due == ["run-5", "run-2", "run-1"]
    page = await journal.due(BEGAN + HOUR, limit=2)
    rest = await journal.due(BEGAN + HOUR, after=page[-1])
    assert [r.run_id for r in (*page, *rest)] == due
    assert await journal.due(BEGAN + HOUR, after=rest[-1]) == []
    assert await journal.ready(BEGAN + HOUR, most=10) == 3
    assert await journal.ready(BEGAN + HOUR, most=2) == 2
    assert await journal.ready(BEGAN - 2 * HOUR, most=10) == 0


async def test_those_at_rest_are_told_unless_they_are_known(journal: Journal, me: int) -> None:
    await write(
        journal,
        first("run-1", status=RunStatus.SUCCEEDED),
        first("run-2", status=RunStatus.RUNNING),
        first("run-3", status=RunStatus.WAITING),
        first("run-4", status=RunStatus.FAILED),
        holder=me,
    )

    found = await journal.at_rest(dict.fromkeys(["run-1", "run-2", "run-3", "run-9"]))
    written = {run_id: one.row.updated_at for run_id, one in found.items()}
    known = await journal.at_rest({"run-1": written["run-1"], "run-3": written["run-3"] - HOUR})

    assert found == await journal.load(["run-1", "run-3"])
    assert list(known) == ["run-3"]
    assert await journal.at_rest({}) == {}


async def test_pages_of_what_is_due_meet_where_many_wait_for_one_moment(
    journal: Journal, me: int
) -> None:
    await write(journal, *(first(f"run-{n}") for n in range(7)), holder=me)

    one = await journal.due(BEGAN, limit=3)
    two = await journal.due(BEGAN, limit=3, after=one[-1])
    three = await journal.due(BEGAN, limit=3, after=two[-1])

    assert [r.run_id for r in (*one, *two, *three)] == [f"run-{n}" for n in range(7)]


async def test_the_next_wake_is_told_beyond_what_is_due_already(journal: Journal, me: int) -> None:
    await write(
        journal,
        first("run-1", wake_at=BEGAN - HOUR),
        first("run-2", wake_at=BEGAN),
        first("run-3", wake_at=BEGAN + 2 * HOUR),
        first("run-4", wake_at=BEGAN + HOUR),
        first("run-5", wake_at=BEGAN + timedelta(minutes=1), holder=me),
        holder=me,
    )

    assert await journal.next_wake(after=BEGAN - 2 * HOUR) == BEGAN - HOUR
    assert await journal.next_wake(after=BEGAN) == BEGAN + HOUR
    assert await journal.next_wake(after=BEGAN + 2 * HOUR) is None


async def test_nothing_is_due_where_nobody_waits_for_a_time(journal: Journal, me: int) -> None:
    await write(journal, first(wake_at=None), first("run-2", holder=me), holder=me)

    assert await journal.due(BEGAN + HOUR) == []
    assert await journal.next_wake(after=BEGAN - HOUR) is None


async def test_a_condemned_run_has_failed_and_keeps_its_entries(journal: Journal, me: int) -> None:
    await write(journal, first(data=b"{broken", holder=me), holder=me)

    await journal.condemn("run-1", at=BEGAN + HOUR, holder=me)

    shown = await row_of(journal)
    assert (shown.status, shown.reason) == (RunStatus.FAILED, Reason.CORRUPT_STATE)
    assert (shown.holder, shown.wake_at, shown.updated_at) == (0, None, BEGAN + HOUR)
    assert await entries_of(journal) == (b"{broken",)
    assert await journal.due(BEGAN + 2 * HOUR) == []


# lists


async def test_pages_go_from_new_to_old_and_meet_without_gap_or_overlap(
    journal: Journal, me: int
) -> None:
    await write(journal, *(first(f"run-{n}") for n in range(5)), holder=me)
    await write(journal, first("run-9", tenant="south"), holder=me)
    north = RunFilter("north")

    one = await journal.page(north, limit=2)
    two = await journal.page(north, before=one[-1].run_id, limit=2)
    three = await journal.page(north, before=two[-1].run_id, limit=2)

    assert [r.run_id for r in (*one, *two, *three)] == [f"run-{n}" for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RunFilter("north"), ["6", "5", "4", "3", "2", "1"]),
        (RunFilter("south"), ["7"]),
        (RunFilter("north", status=RunStatus.FAILED), ["3", "2", "1"]),
        (RunFilter("north", status=RunStatus.WAITING), ["5", "4"]),
        (RunFilter("north", status=RunStatus.WAITING, reason=Reason.PERSON), ["5"]),
        (RunFilter("north", reason=Reason.ERROR), ["2", "1"]),
        (RunFilter("north", template="other"), ["6"]),
        (RunFilter("north", dead=True), ["3", "1"]),
        (RunFilter("north", dead=True, reason=Reason.ERROR), ["1"]),
        (RunFilter("north", dead=True, status=RunStatus.WAITING), []),
        (RunFilter("north", dead=True, template="other"), []),
    ],
)
async def test_a_page_can_be_narrowed(
    journal: Journal, me: int, wanted: RunFilter, found: list[str]
) -> None:
    failed: dict[str, Any] = {"status": RunStatus.FAILED}
    waiting: dict[str, Any] = {"status": RunStatus.WAITING}
    await write(
        journal,
        first("1", reason=Reason.ERROR, **failed),
        first("2", reason=Reason.ERROR, settled=True, **failed),
        first("3", reason=Reason.POISON, **failed),
        first("4", reason=Reason.TIMER, **waiting),
        first("5", reason=Reason.PERSON, **waiting),
        first("6", template="other"),
        first("7", tenant="south", **failed),
        holder=me,
    )

    assert [r.run_id for r in await journal.page(wanted)] == found


async def test_a_dead_letter_that_was_settled_is_none_any_more(journal: Journal, me: int) -> None:
    await write(journal, first(status=RunStatus.FAILED), holder=me)
    before = await journal.page(RunFilter("north", dead=True))
    settled = row(status=RunStatus.FAILED, settled=True)
    await write(journal, Entry("run-1", 1, b"settled", settled), holder=me)

    assert [r.run_id for r in before] == ["run-1"]
    assert await journal.page(RunFilter("north", dead=True)) == []


async def test_a_lane_is_told_from_the_oldest_without_those_that_ended(
    journal: Journal, me: int
) -> None:
    queued: dict[str, Any] = {"status": RunStatus.QUEUED, "lane": "a"}
    await write(
        journal,
        first("run-3", **queued),
        first("run-1", lane="a"),
        first("run-2", lane="b", status=RunStatus.QUEUED),
        first("run-4", lane="a", status=RunStatus.SUCCEEDED),
        first("run-5", lane="a", tenant="south"),
        first("run-6", lane="a", status=RunStatus.PAUSED),
        first("run-7", status=RunStatus.QUEUED),
        first("run-8", **queued),
        holder=me,
    )

    assert [r.run_id for r in await journal.lane("north", "a")] == [
        "run-1",
        "run-3",
        "run-6",
        "run-8",
    ]
    assert await journal.lane("north", "") == []
    assert sorted(await journal.queued_lanes()) == [("north", "a"), ("north", "b")]


async def test_unfinished_runs_that_name_a_thing_are_told(journal: Journal, me: int) -> None:
    naming = b'{"file_id": "01abc"}'
    await write(
        journal,
        first("run-1", naming),
        first("run-2", naming, status=RunStatus.WAITING),
        first("run-3", naming, status=RunStatus.FAILED),
        first("run-4", naming, tenant="south"),
        first("run-5", b'{"file_id": "01abd"}'),
        holder=me,
    )

    found = await journal.unfinished_naming("north", "01abc", limit=9)
    assert [r.run_id for r in found] == ["run-1", "run-2"]
    assert len(await journal.unfinished_naming("north", "01abc", limit=1)) == 1


async def test_finished_runs_are_told_page_by_page_and_dead_letters_are_none(
    journal: Journal, me: int
) -> None:
    def ended(run_id: str, hours: int, **more: Any) -> Entry:
        status = more.pop("status", RunStatus.SUCCEEDED)
        return first(run_id, status=status, updated_at=BEGAN + hours * HOUR, **more)

    await write(
        journal,
        ended("run-1", 3),
        ended("run-2", 1, status=RunStatus.CANCELLED),
        ended("run-3", 2, status=RunStatus.FAILED),
        ended("run-4", 2, status=RunStatus.FAILED, settled=True),
        ended("run-5", 4),
        ended("run-6", 0, template="other"),
        ended("run-7", 0, status=RunStatus.COMPENSATED, tenant="south"),
        ended("run-8", 0, status=RunStatus.WAITING),
        holder=me,
    )

    found = await journal.finished("data_mash_flow", before=BEGAN + 4 * HOUR)
    assert [r.run_id for r in found] == ["run-1", "run-2", "run-4", "run-7"]
    few = await journal.finished("data_mash_flow", before=BEGAN + 4 * HOUR, after="run-1", limit=2)
    assert [r.run_id for r in few] == ["run-2", "run-4"]


async def test_removed_runs_are_gone_and_their_alias_is_free(journal: Journal, me: int) -> None:
    await write(journal, first(alias="mine"), first("run-2"), holder=me)

    await journal.remove(["run-1", "run-77"])
    await journal.remove([])

    assert list(await journal.load(["run-1", "run-2"])) == ["run-2"]
    assert await journal.find("north", "mine") is None
    assert await write(journal, first("run-3", alias="mine"), holder=me) == [None]
    assert await entries_of(journal, "run-1") == ()


# texts


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
    await journal.pin_text("h3", "text three", name="other", version="1")

    with pytest.raises(VersionTaken):
        await journal.pin_text("h2", "text two", name="flow", version="1")
    with pytest.raises(TextLost):
        await journal.pinned_text("h2")


async def test_templates_are_those_whose_texts_are_kept(journal: Journal, me: int) -> None:
    for name in ("flow", "data_mash_flow", "flow"):
        await journal.pin_text(f"hash of {name}", "text", name=name, version="")
    await write(journal, first(), first("run-2", template="flow"), holder=me)

    assert await journal.templates() == ["data_mash_flow", "flow"]


# claims


SOON = BEGAN + timedelta(minutes=1)


async def claimed(journal: Journal, *run_ids: str, holder: int, at: Any = BEGAN) -> list[str]:
    return sorted(await journal.claim(run_ids, holder=holder, at=at))


async def test_a_free_run_that_moves_is_claimed_once(journal: Journal, me: int) -> None:
    other = await journal.take_hold(at=BEGAN, until=None)
    await write(journal, first(), first("run-2"), holder=me)

    stored = (await journal.claim(["run-1", "run-9"], holder=other, at=BEGAN - HOUR))["run-1"]

    assert (stored.row, stored.entries) == (row(holder=other), (b"one",))
    assert await row_of(journal) == row(holder=other)
    assert await claimed(journal, "run-1", "run-2", holder=me) == ["run-2"]
    assert await claimed(journal, "run-1", "run-2", holder=me) == []
    assert await claimed(journal, holder=me) == []


async def test_only_runs_that_are_ready_are_claimed(journal: Journal, me: int) -> None:
    waiting: dict[str, Any] = {
        "status": RunStatus.WAITING,
        "reason": Reason.TIMER,
        "wake_at": SOON,
    }
    await write(
        journal,
        first("timer", **waiting),
        first("person", **waiting | {"wake_at": None}),
        first("paused", status=RunStatus.PAUSED, wake_at=None),
        first("ended", status=RunStatus.SUCCEEDED),
        first("pending", status=RunStatus.PENDING, wake_at=SOON),
        holder=me,
    )
    all_of_them = ("timer", "person", "paused", "ended", "pending")

    assert await claimed(journal, *all_of_them, holder=me) == ["pending"]
    assert await claimed(journal, *all_of_them, holder=me, at=SOON) == ["timer"]


async def test_whoever_has_claimed_a_run_is_the_only_one_who_writes_it(
    journal: Journal, me: int
) -> None:
    other = await journal.take_hold(at=BEGAN, until=None)
    await write(journal, first(), holder=me)
    await journal.claim(["run-1"], holder=other, at=BEGAN)
    begun = Entry("run-1", 1, b"two", row(holder=me))

    assert await write(journal, begun, holder=me) == ["StaleWriter"]
    assert await write(journal, begun._replace(row=row(holder=other)), holder=other) == [None]


async def test_what_a_dead_process_had_claimed_is_free_again(journal: Journal, me: int) -> None:
    brief = await journal.take_hold(at=BEGAN, until=BEGAN + HOUR)
    gone = await journal.take_hold(at=BEGAN, until=None)
    waiting: dict[str, Any] = {"status": RunStatus.WAITING, "reason": Reason.TIMER}
    await write(journal, first("a", **waiting), first("b", status=RunStatus.PENDING), holder=me)
    await journal.claim(["a"], holder=brief, at=BEGAN)
    await journal.claim(["b"], holder=gone, at=BEGAN)

    await journal.let_go(gone)
    assert (await row_of(journal, "b")).holder == 0
    assert await journal.dismiss(at=BEGAN + HOUR, survivor=me) == 1
    assert await claimed(journal, "a", "b", holder=brief) == []


async def test_a_claim_that_is_given_back_leaves_the_run_as_it_was(
    journal: Journal, me: int
) -> None:
    await write(journal, first(), first("run-2"), first("run-3"), holder=me)
    await journal.claim(["run-1", "run-2"], holder=me, at=BEGAN)

    await journal.release([], holder=me)
    await journal.release(["run-1", "run-3"], holder=me)
    await journal.release(["run-2"], holder=me, wake_at=SOON, reason=Reason.TEMPLATE)
    await journal.release(["run-1"], holder=me + 1, wake_at=SOON)

    assert await row_of(journal) == row()
    assert await row_of(journal, "run-2") == row("run-2", wake_at=SOON, reason=Reason.TEMPLATE)
    assert await row_of(journal, "run-3") == row("run-3")


async def test_what_a_holder_has_is_told(journal: Journal, me: int) -> None:
    ended = first("run-3", status=RunStatus.SUCCEEDED, holder=me)
    await write(journal, first(), first("run-2", holder=me), ended, holder=me)
    await journal.claim(["run-1"], holder=me, at=BEGAN)

    assert sorted(await journal.held(me)) == ["run-1", "run-2"]
    assert await journal.held(me + 1) == []
    assert await journal.held(0) == []


# turns


async def test_one_at_a_time_has_its_turn(journal: Journal) -> None:
    one, other = [await journal.take_hold(at=BEGAN, until=BEGAN + 9 * HOUR) for _ in range(2)]

    async def turn(holder: int, at: Any = BEGAN) -> bool:
        return await journal.take_turn("x", holder=holder, at=at, until=at + HOUR)

    assert [await turn(one), await turn(other), await turn(one)] == [True, False, True]
    assert await journal.take_turn("y", holder=other, at=BEGAN, until=BEGAN + HOUR)
    await journal.end_turn("x", holder=other)
    assert not await turn(other)
    assert await turn(other, BEGAN + HOUR)
    assert not await turn(one, BEGAN + HOUR)
    await journal.end_turn("x", holder=other)
    assert await turn(one)
    await journal.let_go(one)
    assert await turn(other)
    assert not await turn(one)


async def test_slots_keep_their_distance(journal: Journal) -> None:
    async def slot(name: str, earliest: Any) -> Any:
        return await journal.next_slot(name, earliest=earliest, spacing=HOUR)

    assert [await slot("x", BEGAN) for _ in range(3)] == [BEGAN + n * HOUR for n in range(3)]
    assert await slot("y", BEGAN) == BEGAN
    assert await slot("x", BEGAN + 9 * HOUR) == BEGAN + 9 * HOUR


@pytest.fixture
async def shared_journal(postgres_server: PostgresServer) -> AsyncIterator[Journal]:
    with postgres_server.database() as url:
        async with open_server_database(url) as database:
            yield DatabaseJournal(database=database)


async def test_a_ring_for_a_run_that_another_process_holds_is_heard_when_it_lets_go(
    shared_journal: Journal,
) -> None:
    journal = shared_journal
    mine, its = [await journal.take_hold(at=BEGAN, until=BEGAN + HOUR) for _ in range(2)]
    waits: dict[str, Any] = {"status": RunStatus.WAITING, "reason": Reason.JOURNEY, "wake_at": None}
    await write(journal, first("parent"), first("child", parent="parent"), holder=mine)
    await journal.claim(["parent"], holder=its, at=BEGAN)
    ended = row("child", status=RunStatus.SUCCEEDED, wake_at=None, parent="parent")

    await write(journal, Entry("child", 1, b"ended", ended, ("parent",)), holder=mine)
    held = await row_of(journal, "parent")
    await write(journal, Entry("parent", 1, b"rests", row("parent", **waits)), holder=its)
    let_go = await row_of(journal, "parent")
    await journal.claim(["parent"], holder=its, at=BEGAN)
    await write(journal, Entry("parent", 2, b"again", row("parent", **waits)), holder=its)

    assert (held.holder, held.wake_at) == (its, BEGAN)
    assert (let_go.holder, let_go.wake_at) == (0, BEGAN)
    assert (await row_of(journal, "parent")).wake_at is None
