"""Fills a store with runs: real runs of the city are the models, their rows are copied in bulk.

`python -m tests.benchmarks.journeys.seeding --folder F --succeeded N --waiting N`
"""

import argparse
import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from foundations.public_works.adapters.sqlite_driver import sqlite_driver
from foundations.public_works.data_folder import DataFolder
from realms.journey.api import JourneyRun, Journeys, RunStatus
from tests.benchmarks.journeys.measured_city import VALUES, one_run, open_city, user
from tests.benchmarks.journeys.meter import tell
from utilities.ids import TimeSortableIds

_AT_A_TIME = 20_000
_WAITING = ("benchmark_timer", "benchmark_signal")
"""Half of those that wait do so for a timer that is due in a month, half for a signal."""


def seed(folder: Path, *, succeeded: int, waiting: int) -> None:
    """Put so many runs that have succeeded, and that wait, into the store of a data folder."""
    store, models = asyncio.run(_models(folder, succeeded=succeeded, waiting=waiting))
    connection = sqlite_driver().connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-262144")
    ids = TimeSortableIds()
    for model, share in models.items():
        fresh = (ids.new() for _ in range(share - 1))
        while some := list(islice(fresh, _AT_A_TIME)):
            _copy(connection, model, some)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def _models(folder: Path, *, succeeded: int, waiting: int) -> tuple[Path, dict[str, int]]:
    """Where the store is, and real runs in it: how many of each are wanted, by id."""
    models: dict[str, int] = {}
    async with open_city(folder) as city:
        journeys = city.registry.get(Journeys)
        if succeeded:
            models[(await one_run(journeys)).run_id] = succeeded
        for number, template in enumerate(_WAITING):
            if share := waiting // 2 + (number < waiting % 2):
                models[(await _waiting_run(journeys, template)).run_id] = share
        return city.registry.get(DataFolder).database, models


async def _waiting_run(journeys: Journeys, template: str) -> JourneyRun:
    with user():
        run = await journeys.start(template, VALUES)
        while run.status is not RunStatus.WAITING:
            await asyncio.sleep(0.001)  # a timer announces itself to nobody
            run = await journeys.get(run.run_id)
    return run


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--succeeded", type=int, default=0)
    parser.add_argument("--waiting", type=int, default=0)
    given = parser.parse_args()
    seed(given.folder, succeeded=given.succeeded, waiting=given.waiting)
    tell({"runs": given.succeeded + given.waiting})


if __name__ == "__main__":
    main()
