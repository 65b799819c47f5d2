"""Writes of transactional services: once, with the checkpoint of their milestone, or never."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from foundations.public_works.database import Database
from realms.journey.api import RunStatus
from realms.journey.engine.journal import Journal
from realms.journey.records import DatabaseJournal
from tests.support.journals import PowerCutJournal, any_database
from tests.support.journeys import USER, JourneyCity
from tests.support.workshop import SOON, Busy, Unfit, Workshop, at, made, step
from utilities.context import bound, current

pytestmark = pytest.mark.anyio

KEPT = "  - {milestone_id: k, service: WorkService, api: keep, with: {name: k}%s}\n"


class Books:
    """A city over a database whose `keep` adds a line to a table."""

    def __init__(self, database: Database, city: JourneyCity) -> None:
        self.database = database.across_tenants()
        self.city = city
        self.shop = Workshop(city)

    async def lines(self) -> list[str]:
        select = "SELECT line FROM books ORDER BY line"
        return await self.database.read(
            lambda connection: list(connection.exec_driver_sql(select).scalars())
        )

    def keeps(self, name: str = "k", *, sql: str = "INSERT INTO books VALUES (?)") -> None:
        async def keep(arguments: Any) -> Any:
            line = current().idempotency_key

            def write(connection: Connection) -> None:
                connection.exec_driver_sql(sql, (line,))

            await self.database.write_with_checkpoint(write)
            return made(arguments)

        self.shop.does[name] = keep


@pytest.fixture(params=["sqlite", "postgres"])
async def books(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Books]:
    async with any_database(request, tmp_path) as database:
        create = "CREATE TABLE books (line TEXT PRIMARY KEY)"
        await database.write(lambda connection: connection.exec_driver_sql(create) and None)
        async with JourneyCity(DatabaseJournal(database=database)) as city:
            with bound(USER):
                opened = Books(database, city)
                opened.keeps()
                yield opened


async def test_writes_are_committed_with_the_checkpoint(books: Books) -> None:
    books.shop.write("flow", KEPT % "" + step("b"))

    run = await books.shop.run()

    assert run.status is RunStatus.SUCCEEDED
    assert await books.lines() == [f"{run.run_id}:k:0:1"]


async def test_nothing_is_written_when_the_attempt_fails(books: Books) -> None:
    books.shop.write("flow", KEPT % ", retry: none")
    keep = books.shop.does["k"]

    async def fails(arguments: Any) -> Any:
        await keep(arguments)
        raise Unfit("not of this")

    books.shop.does["k"] = fails
    run = await books.shop.run()

    assert run.status is RunStatus.FAILED
    assert await books.lines() == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_writes_are_made_once_over_a_power_cut_at_the_checkpoint(
    books: Books, when: str
) -> None:
    journal: Journal = PowerCutJournal(books.city.journal, commit=2, when=when)
    books.city.journal = journal
    await books.city.reboot()
    books.shop.write("flow", KEPT % "" + step("b"))

    cut = await books.shop.run()
    before = await books.lines()
    await books.city.reboot()
    run = await books.shop.settled(cut.run_id)

    assert len(before) == (1 if when == "after" else 0)
    assert run.status is RunStatus.SUCCEEDED
    assert await books.lines() == [f"{run.run_id}:k:0:1"]
    assert books.shop.called.count("keep k") == (1 if when == "after" else 2)


@pytest.mark.parametrize(
    "sql", ["INSERT INTO books SELECT 'taken' WHERE ? <> ''", "INSERT INTO no_such VALUES (?)"]
)
async def test_writes_that_cannot_be_made_fail_their_attempt_and_no_other_run(
    books: Books, sql: str
) -> None:
    insert = "INSERT INTO books VALUES ('taken')"
    await books.database.write(lambda connection: connection.exec_driver_sql(insert) and None)
    books.shop.write("flow", KEPT % ", retry: {attempts: 2}" + step("b"))
    books.shop.write("sound", KEPT.replace("name: k", "name: sound") % "" + step("b"))
    books.keeps("sound")
    books.keeps(sql=sql)

    ids = [(await books.city.engine.start(name, {})).run_id for name in ("flow", "sound", "sound")]
    await books.city.dispatch.settle(until=SOON)
    runs = [await books.city.engine.get(run_id) for run_id in ids]

    assert [run.status for run in runs] == [
        RunStatus.FAILED,
        RunStatus.SUCCEEDED,
        RunStatus.SUCCEEDED,
    ]
    failed = at(runs[0], "k")
    assert (failed.attempts, failed.failures, failed.crashes) == (2, 2, 0)
    assert failed.error is not None
    assert failed.error.code == "writes_refused"
    assert books.shop.called.count("b") == 2
    assert len(await books.lines()) == 3


async def test_siblings_of_an_attempt_whose_writes_failed_are_made_again_and_did_not_crash(
    books: Books,
) -> None:
    books.shop.write(
        "flow",
        step("a")
        + KEPT % ", needs: [a], retry: {attempts: 2, delays: [1s]}"
        + step("beside", "needs: [a]")
        + step("b", "needs: [k, beside]"),
    )
    books.keeps(sql="INSERT INTO no_such VALUES (?)")
    keep, go = books.shop.does["k"], asyncio.Event()
    left = [1]

    async def once(arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            books.keeps()
            return await books.shop.does["k"](arguments)
        return await keep(arguments)

    async def slowly(arguments: Any) -> Any:
        await go.wait()
        return made(arguments)

    books.shop.does.update({"k": once, "beside": slowly})
    half = await books.shop.run()
    go.set()
    run = await books.shop.settled(half.run_id)

    assert run.status is RunStatus.SUCCEEDED
    assert [m.crashes for m in run.milestones] == [0] * 4
    assert await books.lines() == [f"{run.run_id}:k:0:1"]


async def test_a_service_that_is_busy_after_it_wrote_writes_once(books: Books) -> None:
    books.shop.write("flow", KEPT % "" + step("b"))
    keep, left = books.shop.does["k"], [2]

    async def busy(arguments: Any) -> Any:
        given = await keep(arguments)
        left[0] -= 1
        if left[0] >= 0:
            raise Busy("not now")
        return given

    books.shop.does["k"] = busy
    run = await books.shop.run()

    assert (run.status, at(run, "k").failures) == (RunStatus.SUCCEEDED, 2)
    assert await books.lines() == [f"{run.run_id}:k:0:1"]
