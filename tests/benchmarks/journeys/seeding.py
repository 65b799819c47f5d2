"""Fills a store with runs: a real run of the city is the model, its rows are copied in bulk.

`python -m tests.benchmarks.journeys.seeding --folder F --runs N --status succeeded|waiting`
"""

import argparse
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from foundations.public_works.adapters.sqlite_driver import sqlite_driver
from foundations.public_works.data_folder import DataFolder
from realms.journey.api import Journeys, RunStatus
from tests.benchmarks.journeys.measured_city import TEMPLATE, VALUES, one_run, open_city, user
from tests.benchmarks.journeys.meter import tell
from tests.benchmarks.journeys.work import WORK
from utilities.ids import TimeSortableIds

_AT_A_TIME = 20_000
_LATER = timedelta(days=30)


def seed(folder: Path, runs: int, status: RunStatus) -> None:
    """Put `runs` runs that have succeeded, or wait, into the store of a data folder."""
    store, model = asyncio.run(_model(folder, status))
    connection = sqlite_driver().connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    ids = TimeSortableIds()
    fresh = (ids.new() for _ in range(runs - 1))
    while some := list(islice(fresh, _AT_A_TIME)):
        _copy(connection, model, some)
    if status is RunStatus.WAITING:
        _put_off(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def _model(folder: Path, status: RunStatus) -> tuple[Path, str]:
    """Where the store is, and the id of a real run in it that has the status."""
    waits = status is RunStatus.WAITING
    WORK.puts_off = 1 if waits else -1
    async with open_city(folder) as city:
        journeys = city.registry.get(Journeys)
        store = city.registry.get(DataFolder).database
        if not waits:
            return store, (await one_run(journeys)).run_id
        with user():
            run = await journeys.start(TEMPLATE, VALUES)
            while (run := await journeys.get(run.run_id)).status is not RunStatus.WAITING:  # noqa: ASYNC110 - a retry announces itself to nobody
                await asyncio.sleep(0.001)
        return store, run.run_id


def _copy(connection: Any, model: str, run_ids: list[str]) -> None:
    """Copy every row of the model run under each new id."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS fresh (run_id TEXT PRIMARY KEY)")
    connection.execute("DELETE FROM fresh")
    connection.executemany("INSERT INTO fresh VALUES (?)", [(run_id,) for run_id in run_ids])
    for table, columns in _tables(connection):
        others = ", ".join(columns)
        connection.execute(
            f"INSERT INTO {table} (run_id, {others}) SELECT fresh.run_id, {others} "
            f"FROM fresh CROSS JOIN {table} AS model WHERE model.run_id = ?",
            (model,),
        )
    connection.execute("COMMIT")


def _tables(connection: Any) -> Iterator[tuple[str, list[str]]]:
    """Tables that keep something of runs, and their columns but for the run's id."""
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'journey%'"
    for (table,) in connection.execute(names).fetchall():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        if "run_id" in columns:
            yield table, [f"{column}" for column in columns if column != "run_id"]


def _put_off(connection: Any) -> None:
    """Let runs that wait wake one after the other from a month on."""
    first = int((datetime.now(UTC) + _LATER).timestamp() * 1_000_000)
    connection.execute(
        "UPDATE journey_runs SET wake_at = ? + abs(random() % 1000000000) "
        "WHERE wake_at IS NOT NULL",
        (first,),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--status", type=RunStatus, required=True)
    given = parser.parse_args()
    if given.runs:
        seed(given.folder, given.runs, given.status)
    tell({"runs": given.runs})


if __name__ == "__main__":
    main()
