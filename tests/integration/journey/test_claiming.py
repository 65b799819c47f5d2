"""A claim on PostgreSQL takes rows and entries by one question, and never entries of before."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import Entry
from realms.journey.records import DatabaseJournal
from tests.contract.test_journals import first, row
from tests.support.journals import open_server_database
from tests.support.journeys import BEGAN

pytestmark = pytest.mark.anyio

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


async def test_a_run_let_go_while_it_was_being_claimed_is_read_anew(postgres_url: str) -> None:
    waits: dict[str, Any] = {"status": RunStatus.WAITING, "reason": Reason.TIMER}
    later = BEGAN + timedelta(minutes=1)
    async with (
        asyncio.timeout(20),
        open_server_database(postgres_url) as mine,
        open_server_database(postgres_url) as others,
        await psycopg.AsyncConnection.connect(postgres_url) as hindrance,
    ):
        me, other = DatabaseJournal(database=mine), DatabaseJournal(database=others)
        my_hold = await me.take_hold(at=BEGAN, until=None)
        other_hold = await other.take_hold(at=BEGAN, until=None)
        await me.write([first(**waits)], holder=my_hold)
        await hindrance.execute(
            "UPDATE journey_holders SET until = until WHERE holder = %s", (my_hold,)
        )
        claim = asyncio.ensure_future(me.claim(["run-1"], holder=my_hold, at=BEGAN))
        while await others.light_statement(_BLOCKED, ()) == [(0,)]:  # noqa: ASYNC110 - the server tells, not the loop  # noqa: ASYNC110 - the server tells
            await asyncio.sleep(0.01)

        await other.claim(["run-1"], holder=other_hold, at=BEGAN)
        await other.write(
            [Entry("run-1", 1, b"two", row(updated_at=later, **waits))], holder=other_hold
        )
        await hindrance.rollback()
        claimed = await claim

    assert {run: one.entries for run, one in claimed.items()} == {"run-1": (b"one", b"two")}
