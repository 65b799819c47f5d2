"""B7: the database crashes while runs are committed, and while they are taken up again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

import realms
from main import Platform
from realms.journey.api import Journeys, RunStatus
from realms.journey.engine.codec import decode
from realms.journey.engine.facts import MilestoneBegan, MilestoneSucceeded
from tests.benchmarks.journeys.measured_city import TEMPLATE, VALUES, open_city, user
from tests.support.postgres import PostgresServer, own_server
from utilities.errors import PlatformError

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

T = TypeVar("T")
RUNS = 80
CRASHES = 2


@pytest.fixture(autouse=True)
def _realms_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realms, "__path__", [*realms.__path__])


@asynccontextmanager
async def city_on(server: PostgresServer, folder: Path) -> AsyncIterator[Platform]:
    url = server.url("postgres")
    settings = {
        "cloud_ready_mode": "hybrid",
        "cloud_ready_events": False,
        "database_url": url,
        "drain_seconds": 0.05,
        "journey_lease_seconds": 3,  # of a claim whose answer was lost
    }
    async with open_city(folder, **settings) as city:
        yield city


async def until_taken(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask as a client does that was told to try again."""
    for _ in range(200):
        try:
            return await ask()
        except PlatformError:
            await asyncio.sleep(0.1)
    raise AssertionError("nothing was taken any more")


async def begin(journeys: Journeys, number: int) -> str:
    """A run under an alias, so that asking twice begins one."""

    async def start() -> str:
        with user():
            return (await journeys.start(TEMPLATE, VALUES, alias=f"order-{number}")).run_id

    return await until_taken(start)


async def crash(server: PostgresServer) -> None:
    await asyncio.to_thread(server.stop, "immediate")
    await asyncio.to_thread(server.start)


async def test_b7_what_is_committed_while_the_database_crashes_is_there_once(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with own_server() as server:
        async with city_on(server, tmp_path) as city:
            journeys = city.registry.get(Journeys)
            beginning = [asyncio.create_task(begin(journeys, n)) for n in range(RUNS // 2)]
            for number in range(CRASHES):
                await crash(server)
                for n in range(RUNS // 2, RUNS)[number::CRASHES]:
                    beginning.append(asyncio.create_task(begin(journeys, n)))
                    await asyncio.sleep(0.01)
            run_ids = await asyncio.gather(*beginning)

        async with city_on(server, tmp_path) as city:  # what was cut is taken up
            await crash(server)
            journeys = city.registry.get(Journeys)
            for run_id in run_ids:
                with user():
                    run = await until_taken(partial(journeys.wait, run_id, seconds=60))
                assert run.status is RunStatus.SUCCEEDED, (run.status, run.reason)
        check_journals(server, len(run_ids))


def check_journals(server: PostgresServer, runs: int) -> None:
    """Each milestone has one checkpoint and no attempt after it; no entry is missing."""
    with psycopg.connect(server.url("postgres")) as connection:
        rows = connection.execute(
            "SELECT run_id, seq, data FROM journey_facts ORDER BY run_id, seq"
        ).fetchall()
    assert len({run_id for run_id, _, _ in rows}) == runs == RUNS
    following: Counter[str] = Counter()
    done: Counter[tuple[str, str]] = Counter()
    for run_id, seq, data in rows:
        assert seq == following[run_id]
        following[run_id] += 1
        for fact in decode(bytes(data)):
            if isinstance(fact, MilestoneBegan):
                assert not done[run_id, fact.path]
            elif isinstance(fact, MilestoneSucceeded):
                done[run_id, fact.path] += 1
    assert set(done.values()) == {1}
    assert len(done) == 4 * runs
