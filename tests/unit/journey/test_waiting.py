"""Those who wait for runs of other processes are told by one question for all of them."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.control.waiting import Waiting
from realms.journey.engine.journal import RunRow, Stored
from realms.journey.engine.memory_journal import MemoryJournal
from tests.support.plays import BEGAN
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio


class Away(PlatformError):
    """The store cannot be reached."""

    kind = ErrorKind.UNAVAILABLE


class Rows(MemoryJournal):
    """Rows that a test sets; it notes what is asked for, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[set[str]] = []
        self.away = False

    def put(self, run_id: str, status: RunStatus, *, minute: int = 0) -> None:
        at = BEGAN + timedelta(minutes=minute)
        self._rows[run_id] = RunRow(
            run_id, "north", "", "flow", "hash", status, Reason.NONE, None, BEGAN, at
        )
        self._entries[run_id] = []

    async def at_rest(self, seen: Mapping[str, datetime | None]) -> Mapping[str, Stored]:
        self.asked.append(set(seen))
        if self.away:
            raise Away("away", hint="wait")
        return await super().at_rest(seen)


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def waiting(rows: Rows) -> Waiting:
    return Waiting(journal=rows)


async def test_each_run_is_told_when_it_rests(rows: Rows, waiting: Waiting) -> None:
    names = [f"run-{n}" for n in range(30)]
    for name in names:
        rows.put(name, RunStatus.RUNNING)
    waits = [asyncio.ensure_future(waiting.next_rest(n, seen=None, seconds=5)) for n in names]
    await asyncio.sleep(0.02)
    assert not any(wait.done() for wait in waits)

    for name in names:
        rows.put(name, RunStatus.SUCCEEDED)

    told = [await wait for wait in waits]
    assert [one.row.run_id for one in told if one is not None] == names
    assert set(names) in rows.asked  # all of them by one question


async def test_a_state_that_is_known_is_not_told_again(rows: Rows, waiting: Waiting) -> None:
    rows.put("run-1", RunStatus.WAITING)
    first = await waiting.next_rest("run-1", seen=None, seconds=5)
    assert first is not None
    knows = asyncio.ensure_future(waiting.next_rest("run-1", seen=first.row.updated_at, seconds=5))
    asks = await waiting.next_rest("run-1", seen=None, seconds=5)  # who does not know it, is told
    assert asks is not None
    await asyncio.sleep(0.02)
    assert not knows.done()

    rows.put("run-1", RunStatus.SUCCEEDED, minute=1)

    told = await knows
    assert told is not None
    assert told.row.status is RunStatus.SUCCEEDED


async def test_patience_ends_and_nothing_is_asked_any_more(rows: Rows, waiting: Waiting) -> None:
    rows.put("run-1", RunStatus.RUNNING)

    assert await waiting.next_rest("run-1", seen=None, seconds=0.02) is None

    await asyncio.sleep(0.12)
    asked = len(rows.asked)
    await asyncio.sleep(0.12)
    assert len(rows.asked) == asked


async def test_looks_are_rarer_the_longer_nothing_rests(rows: Rows, waiting: Waiting) -> None:
    rows.put("run-1", RunStatus.RUNNING)

    await waiting.next_rest("run-1", seen=None, seconds=0.5)

    assert 5 < len(rows.asked) < 25


async def test_a_store_that_is_away_is_asked_again(rows: Rows, waiting: Waiting) -> None:
    rows.put("run-1", RunStatus.SUCCEEDED)
    rows.away = True
    wait = asyncio.ensure_future(waiting.next_rest("run-1", seen=None, seconds=5))
    await asyncio.sleep(0.03)
    assert not wait.done()

    rows.away = False

    assert await wait is not None
