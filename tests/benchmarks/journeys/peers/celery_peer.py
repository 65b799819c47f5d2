"""Celery: a chain of four tasks, results in SQLite, one worker process beside the one that asks."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.journeys import meter
from tests.benchmarks.journeys.peers.brokers import Broker, broker

_APP = "tests.benchmarks.journeys.peers.celery_app"
_LOOK_EVERY = 0.005
_PATIENCE = 30
_AT_A_TIME = 500
_PROCESSES = os.cpu_count() or 1


async def measured(asked: meter.Asked, answering: Broker, worker: int) -> dict[str, Any]:
    from tests.benchmarks.journeys.peers.celery_app import STORE, step

    counted = meter.Meter(asked.in_flight, asked.seconds, cpu=lambda: _cpu(worker))
    first = step.s({"n": 0, "text": meter.TEXT}).apply_async()
    await asyncio.to_thread(first.get, timeout=_PATIENCE)  # the worker is up, the tables are there
    finals = _Finals(STORE)
    watching = asyncio.create_task(finals.watch())

    async def one(number: int) -> None:
        chain = step.s({"n": 0, "text": meter.TEXT})
        for _ in range(meter.MILESTONES - 1):
            chain |= step.s()
        await finals.ended(chain.apply_async().id)
        counted.durable += meter.MILESTONES - 1  # nobody hears of the milestones between

    figures = await counted.drive(one)
    watching.cancel()
    with sqlite3.connect(STORE) as connection:
        done = "SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'"
        stored = connection.execute(done).fetchone()[0] - 1
        journal_mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    meter.check_stored(stored, counted.runs * meter.MILESTONES)
    figures["settings"] = {
        "version": version("celery"),
        "broker": answering.name,
        "worker": f"one, pool prefork, concurrency {_PROCESSES}, acks_late",
        "sqlite": sqlite3.sqlite_version,
        "driver": "sqlite3",
        "journal_mode": journal_mode,
        "synchronous": "full",
        "fsync": True,
        "loop": meter.loop_name(),
        "note": "Celery sends the next task before it stores the result: what is durable in "
        "between is the message; CPU is that of worker and asker, without the broker's",
    }
    return figures


class _Finals:
    """Wakes those who wait for the last task of a chain: one question for all, each 5 ms."""

    def __init__(self, store: Path) -> None:
        self._connection = sqlite3.connect(store, isolation_level=None)
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def ended(self, task_id: str) -> None:
        future = self._waiting[task_id] = asyncio.get_running_loop().create_future()
        await future

    async def watch(self) -> None:
        while True:
            waiting = list(self._waiting)
            for begin in range(0, len(waiting), _AT_A_TIME):
                self._wake(waiting[begin : begin + _AT_A_TIME])
            await asyncio.sleep(_LOOK_EVERY)

    def _wake(self, task_ids: list[str]) -> None:
        marks = ", ".join("?" * len(task_ids))
        done = (
            f"SELECT task_id FROM celery_taskmeta WHERE status = 'SUCCESS' AND task_id IN ({marks})"
        )
        for (task_id,) in self._connection.execute(done, task_ids):
            self._waiting.pop(task_id).set_result(None)


@contextmanager
def _worker(folder: Path) -> Iterator[int]:
    options = ("--pool", "prefork", "--concurrency", str(_PROCESSES), "--loglevel", "ERROR")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", _APP, "worker", *options, *quiet],
            stdout=log,
            stderr=log,
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _cpu(worker: int) -> float:
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    return time.process_time() + sum(map(meter.process_cpu, [worker, *map(int, children)]))


def main() -> None:
    asked = meter.Asked.from_command_line()
    with broker(asked.folder) as answering:
        os.environ["BENCHMARK_FOLDER"] = str(asked.folder)
        os.environ["BENCHMARK_BROKER"] = answering.url
        with _worker(asked.folder) as worker:
            meter.run(measured(asked, answering, worker))


if __name__ == "__main__":
    main()
