"""Runs are refused while workers are behind, and accepted again when they have caught up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from realms.journey.api import Journeys
from realms.journey.engine.backlog import WorkersBehind
from tests.chaos.clients import values
from tests.support.brokers import Broker, place_at
from tests.support.cluster import Cluster
from tests.support.postgres import PostgresServer
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

USER = CallContext("trace", UserContext(tenant="trial", principal="ada", roles=("owner",)))


async def test_no_more_runs_are_accepted_than_may_wait_for_workers(
    postgres_server: PostgresServer, redis_server: Broker, tmp_path: Path
) -> None:
    with postgres_server.database() as database, place_at(redis_server) as url:
        cluster = Cluster(tmp_path, database, url, settings={"journey_backlog": 5})
        try:
            async with cluster.accepting() as city:
                with bound(USER):
                    journeys = city.registry.get(Journeys)

                    async def start(order: str) -> str:
                        run = await journeys.start("trial_line", values("trial_line", order))
                        return run.run_id

                    first = [await start(f"first-{n}") for n in range(5)]
                    with pytest.raises(WorkersBehind, match="5 runs wait for a worker") as refused:
                        await start("one more")
                    await asyncio.sleep(0.6)  # another count comes to the same
                    with pytest.raises(WorkersBehind):
                        await start("one more")
                    await asyncio.to_thread(cluster.worker().until_said, "is ready")
                    for run_id in first:
                        assert (await journeys.wait(run_id, seconds=20)).status.ended
                    again = await begun_soon(start)
                    done = await journeys.wait(again, seconds=20)
        finally:
            cluster.down()

    assert refused.value.kind is ErrorKind.TOO_MANY
    assert refused.value.retry_after == 1.0
    assert done.status.ended


async def begun_soon(start: Callable[[str], Awaitable[str]]) -> str:
    """A run that is accepted when the next count is due."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return await start("afterwards")
        except WorkersBehind:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
