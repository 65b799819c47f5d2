"""Celery: a chain of four tasks, results in PostgreSQL, workers beside the process that asks."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import psycopg

from tests.benchmarks.journeys import meter
from tests.benchmarks.workers.asked import Asked

_APP = "tests.benchmarks.workers.celery_app"
_LOOK_EVERY = 0.005
_PATIENCE = 30


async def measured(asked: Asked) -> dict[str, Any]:
    from tests.benchmarks.workers.celery_app import step

    counted = meter.Meter(asked.in_flight, asked.seconds)
    first = step.s({"n": 0, "text": meter.TEXT}).apply_async()
    await asyncio.to_thread(first.get, timeout=_PATIENCE)  # workers are up, the tables are there
    waiting: dict[str, asyncio.Future[None]] = {}

    async def watch(connection: Any) -> None:
        """Wake those who wait for the last task of a chain: one question for all, each 5 ms."""
        done = "SELECT task_id FROM celery_taskmeta WHERE status = 'SUCCESS' AND task_id = ANY(%s)"
        while True:
            for (task_id,) in connection.execute(done, (list(waiting),)).fetchall():
                waiting.pop(task_id).set_result(None)
            await asyncio.sleep(_LOOK_EVERY)

    async def one(_number: int) -> None:
        chain = step.s({"n": 0, "text": meter.TEXT})
        for _ in range(meter.MILESTONES - 1):
            chain |= step.s()
        task_id = chain.apply_async().id
        waiting[task_id] = asyncio.get_running_loop().create_future()
        await waiting[task_id]
        counted.durable += meter.MILESTONES - 1

    with psycopg.connect(asked.database, autocommit=True) as connection:
        watching = asyncio.create_task(watch(connection))
        figures = await counted.drive(one)
        watching.cancel()
        stored = connection.execute(
            "SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'"
        ).fetchone()
    meter.check_stored(stored[0] - 1 if stored else 0, counted.runs * meter.MILESTONES)
    figures["settings"] = {
        "version": version("celery"),
        "workers": f"{asked.workers}, pool prefork, concurrency 1 each, acks_late",
        "results": "PostgreSQL, fsync on",
    }
    return figures


@contextmanager
def _workers(asked: Asked) -> Iterator[None]:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR")
    processes = []
    with (asked.folder / "workers.log").open("wb") as log:
        for number in range(asked.workers):
            words = ("--pool", "prefork", "--concurrency", "1", "-n", f"w{number}@here", *quiet)
            command = [sys.executable, "-m", "celery", "-A", _APP, "worker", *words]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(_PATIENCE)


def main() -> None:
    asked = Asked.from_command_line()
    os.environ["BENCHMARK_DATABASE"] = asked.database
    os.environ["BENCHMARK_BROKER"] = asked.broker
    with _workers(asked):
        meter.run(measured(asked))


if __name__ == "__main__":
    main()
