"""A store that is lost in the very moment of a commit: nothing is written twice, and none lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from foundations.public_works.adapters.postgres import PostgresDatabase
from foundations.public_works.database import OutcomeUnknown, Writes
from foundations.public_works.settings import Settings
from realms.journey.engine.journal import Entry
from realms.journey.records import DatabaseJournal
from tests.contract.test_journals import first, row
from tests.support.journals import MIGRATIONS
from tests.support.journeys import BEGAN

pytestmark = pytest.mark.anyio


class LosingDatabase(PostgresDatabase):
    """Loses the server at the next commit, just before it is made or just after."""

    losing = ""

    def commit(self, work: Any, *, along: Sequence[Writes] = ()) -> "asyncio.Future[Any]":
        return self._lost(lambda: super(LosingDatabase, self).commit(work, along=along))

    def commit_statement(self, sql: str, parameters: Sequence[Any]) -> "asyncio.Future[Any]":
        return self._lost(lambda: super(LosingDatabase, self).commit_statement(sql, parameters))

    def _lost(self, commit: Any) -> "asyncio.Future[Any]":
        when, self.losing = self.losing, ""
        if not when:
            return commit()  # type: ignore[no-any-return]  # a future

        async def lose() -> None:
            if when == "after":
                await commit()
            raise OutcomeUnknown("lost")

        return asyncio.ensure_future(lose())


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[LosingDatabase]:
    settings = Settings(database_url=postgres_url, database_connections=5)  # type: ignore[arg-type]  # read as a secret
    async with LosingDatabase(settings=settings) as store:
        await store.migrate("journey", MIGRATIONS)
        await store.commit_statement("CREATE TABLE books (line text)", ())
        yield store


@pytest.mark.parametrize("along", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_is_tried_again_is_written_once(
    database: LosingDatabase, tmp_path: Path, when: str, along: bool
) -> None:
    def keep(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO books VALUES ('one')")

    journal = DatabaseJournal(database=database)
    me = await journal.take_hold(at=BEGAN, until=None)
    await journal.write([first(), first("run-2")], holder=me)
    again = [
        Entry("run-1", 1, b"two", row(holder=me), along=(keep,) if along else ()),
        Entry("run-2", 1, b"zwei"),
    ]

    database.losing = when
    entries = again[:1] if along else again
    with pytest.raises(OutcomeUnknown):
        await journal.write(entries, holder=me)
    outcomes = await journal.write([*again, Entry("run-1", 2, b"three")], holder=me)

    stored = await journal.load(["run-1", "run-2"])
    assert list(outcomes) == [None] * 3
    assert stored["run-1"].entries == (b"one", b"two", b"three")
    assert stored["run-2"].entries == (b"one", b"zwei")
    lines = await database.read(lambda c: c.exec_driver_sql("SELECT line FROM books").all())
    assert len(lines) == along


async def test_place_that_somebody_else_took_meanwhile_stays_his(
    database: LosingDatabase,
) -> None:
    journal, other = DatabaseJournal(database=database), DatabaseJournal(database=database)
    me = await journal.take_hold(at=BEGAN, until=None)
    him = await other.take_hold(at=BEGAN, until=None)
    await journal.write([first()], holder=me)

    database.losing = "before"
    with pytest.raises(OutcomeUnknown):
        await journal.write([Entry("run-1", 1, b"mine")], holder=me)
    await other.write([Entry("run-1", 1, b"his", row(holder=him))], holder=him)
    (outcome,) = await journal.write([Entry("run-1", 1, b"mine")], holder=me)

    assert type(outcome).__name__ == "StaleWriter"
    assert (await journal.load(["run-1"]))["run-1"].entries == (b"one", b"his")


async def test_two_processes_that_write_at_once_take_a_place_once(
    database: LosingDatabase, postgres_url: str
) -> None:
    settings = Settings(database_url=postgres_url, database_connections=5)  # type: ignore[arg-type]  # read as a secret
    async with PostgresDatabase(settings=settings) as elsewhere:
        journals = [DatabaseJournal(database=store) for store in (database, elsewhere)]
        holders = [await j.take_hold(at=BEGAN, until=None) for j in journals]
        await journals[0].write([first(f"run-{n}") for n in range(40)], holder=holders[0])

        async def claim(journal: DatabaseJournal, holder: int) -> int:
            won = 0
            for start in range(0, 40, 4):
                entries = [
                    Entry(f"run-{n}", 1, str(holder).encode(), row(f"run-{n}", holder=holder))
                    for n in range(start, start + 4)
                ]
                won += (await journal.write(entries, holder=holder)).count(None)
            return won

        won = await asyncio.gather(*map(claim, journals, holders))
        stored = await journals[1].load([f"run-{n}" for n in range(40)])

    assert sum(won) == 40
    assert all(int(s.entries[1]) == s.row.holder for s in stored.values())
    assert all(len(s.entries) == 2 for s in stored.values())


async def test_leases_go_by_the_clock_of_the_database(database: LosingDatabase) -> None:
    journal = DatabaseJournal(database=database)

    there = await journal.now(BEGAN)

    ((asked,),) = await database.commit_statement("SELECT now()", ())
    assert abs((asked - there).total_seconds()) < 60
    assert there != BEGAN
