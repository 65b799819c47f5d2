"""DBOS on PostgreSQL: asyncio workflows and steps, so many in flight in one process."""

import asyncio
from importlib.metadata import version
from typing import Any

import psycopg
from dbos import DBOS, DBOSConfig

from tests.benchmarks.journeys import meter
from tests.benchmarks.workers.asked import Asked


@DBOS.step()
async def step(given: dict[str, Any]) -> dict[str, Any]:
    return {"n": given["n"] + 1, "text": given["text"]}


@DBOS.workflow()
async def four(given: dict[str, Any]) -> dict[str, Any]:
    for _ in range(meter.MILESTONES):
        given = await step(given)
    return given


async def measured(asked: Asked) -> dict[str, Any]:
    counted = meter.Meter(asked.in_flight, asked.seconds)
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": asked.database,
        "log_level": "ERROR",
        "console_log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()

    async def one(_number: int) -> None:
        result = await four({"n": 0, "text": meter.TEXT})
        assert result["n"] == meter.MILESTONES
        counted.durable += meter.MILESTONES - 1

    figures = await counted.drive(one)
    await asyncio.to_thread(DBOS.destroy)
    with psycopg.connect(asked.database) as connection:
        stored = connection.execute(
            "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
        ).fetchone()
    meter.check_stored(stored[0] if stored else 0, counted.runs)
    figures["settings"] = {"version": version("dbos"), "store": "PostgreSQL, fsync on"}
    return figures


if __name__ == "__main__":
    meter.run(measured(Asked.from_command_line()))
