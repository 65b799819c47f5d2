"""DBOS on SQLite at its best setting: WAL, asyncio workflows, so many in flight at once."""

import asyncio
import sqlite3
from importlib.metadata import version
from typing import Any

from dbos import DBOS, DBOSConfig

from tests.benchmarks.journeys import meter

_THREADS = 1
"""More threads only fight for the one write lock and the interpreter: measured with 1, 2, 4, 16."""

COUNTED = meter.Meter(1, 1)


@DBOS.step()
async def step(number: int, given: dict[str, Any]) -> dict[str, Any]:
    COUNTED.begun(number)
    return {"n": given["n"] + 1, "text": given["text"]}


@DBOS.workflow()
async def four(given: dict[str, Any]) -> dict[str, Any]:
    for number in range(meter.MILESTONES):
        given = await step(number, given)
    return given


async def measured(asked: meter.Asked) -> dict[str, Any]:
    COUNTED.in_flight, COUNTED.seconds = asked.in_flight, asked.seconds
    store = asked.folder / "dbos.sqlite3"
    with sqlite3.connect(store) as connection:
        journal_mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": f"sqlite:///{store}",
        "log_level": "ERROR",
        "console_log_level": "ERROR",
        "max_executor_threads": _THREADS,
    }
    DBOS(config=config)
    DBOS.launch()

    async def one(number: int) -> None:
        result = await four({"n": 0, "text": meter.TEXT})
        assert result["n"] == meter.MILESTONES

    figures = await COUNTED.drive(one)
    await asyncio.to_thread(DBOS.destroy)
    meter.check_stored(_stored(store), COUNTED.runs)
    figures["settings"] = {
        "version": version("dbos"),
        "sqlite": sqlite3.sqlite_version,
        "driver": "sqlite3",
        "journal_mode": journal_mode,
        "synchronous": {1: "normal", 2: "full", 3: "extra"}[synchronous],
        "fsync": True,
        "loop": meter.loop_name(),
        "note": "asyncio workflows and steps; WAL, where its default is a rollback journal; "
        f"{_THREADS} executor thread, the fastest number",
    }
    return figures


def _stored(store: Any) -> int:
    """Workflows that succeeded with the outputs of four steps."""
    with sqlite3.connect(store) as connection:
        return int(
            connection.execute(
                "SELECT count(*) FROM (SELECT s.workflow_uuid FROM workflow_status s "
                "JOIN operation_outputs o ON o.workflow_uuid = s.workflow_uuid "
                "WHERE s.status = 'SUCCESS' GROUP BY s.workflow_uuid HAVING count(*) = ?)",
                (meter.MILESTONES,),
            ).fetchone()[0]
        )


if __name__ == "__main__":
    meter.run(measured(meter.Asked.from_command_line()))
