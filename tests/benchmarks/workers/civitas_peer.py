"""Civitas on PostgreSQL: this process accepts runs and waits for them, workers do them.

Without workers this process does them itself.
"""

import asyncio
import cProfile
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from foundations.public_works.adapters import celery_dispatch
from main import Platform
from realms.journey.api import Journeys
from realms.journey.engine.codec import decode
from realms.journey.engine.facts import MilestoneBegan, RunStarted
from tests.benchmarks.journeys import meter
from tests.benchmarks.journeys.measured_city import (
    FAN,
    TEMPLATE,
    check_results,
    one_fan,
    one_run,
    open_city,
    settings_of,
    stored_runs,
)
from tests.benchmarks.workers import cpu
from tests.benchmarks.workers.asked import Asked
from tests.support.cluster import Cluster
from utilities.long_lived import calm_collector
from utilities.observability.logs import configure_logs

_REALM = Path(__file__).parents[1] / "journeys" / "city"
_LOOKED_AT = 4_000


@asynccontextmanager
async def _city(asked: Asked) -> AsyncIterator[tuple[Platform, list[int]]]:
    """The city, and the processes of its workers."""
    if not asked.workers:
        here = {"cloud_ready_mode": "hybrid", "database_url": asked.database}
        async with open_city(asked.folder, **here) as city:
            yield city, []
        return
    patient = {"journey_lease_seconds": 15, "log_level": "WARNING"}
    cluster = Cluster(
        asked.folder, asked.database, asked.broker, realms=(_REALM,), settings=patient
    )
    try:
        await asyncio.to_thread(cluster.scheduler().until_said, "at work")
        workers = [cluster.worker() for _ in range(asked.workers)]
        configure_logs(level="WARNING")
        async with cluster.accepting() as city:
            calm_collector()
            await one_run(city.registry.get(Journeys))
            yield city, [worker.pid for worker in workers]
    finally:
        cluster.down()


async def measured(asked: Asked) -> dict[str, Any]:
    counted = meter.Meter(asked.in_flight, asked.seconds)
    if asked.per_message:
        setattr(celery_dispatch, "_TOGETHER", asked.per_message)  # noqa: B010 - of this process
    async with _city(asked) as (city, workers):
        journeys = city.registry.get(Journeys)
        template, steps = (FAN, asked.fan) if asked.fan else (TEMPLATE, meter.MILESTONES)
        before = await stored_runs(city, template=template)
        everyone = [*workers, asked.database_pid, asked.broker_pid]
        used = [cpu.of_tree(pid) for pid in everyone]

        async def one(_number: int) -> None:
            await (one_fan(journeys, asked.fan) if asked.fan else one_run(journeys))
            counted.durable += steps - 1  # those before the last

        profile = cProfile.Profile(time.process_time)
        if asked.profile:
            profile.enable()
        figures = await counted.drive(one)
        if asked.profile:
            profile.disable()
            profile.dump_stats(asked.profile)
        milestones = max(1, counted.runs * steps)
        used = [cpu.of_tree(pid) - was for pid, was in zip(everyone, used, strict=True)]
        *by_workers, by_database, by_broker = used
        figures["workers_cpu_s"] = [round(seconds, 2) for seconds in by_workers]
        for name, seconds in (
            ("workers", sum(by_workers)),
            ("database", by_database),
            ("broker", by_broker),
        ):
            figures[f"{name}_cpu_us_per_milestone"] = seconds * 1e6 / milestones
        figures["looked_at"] = await check_results(city)
        stored = await stored_runs(city, template=template)
        meter.check_stored(stored - before, counted.runs)
        figures["start_p95_ms"] = await asyncio.to_thread(_started, asked.database)
        figures["settings"] = await settings_of(city) | {"workers": asked.workers}
    return figures


def _started(database: str) -> float:
    """How long runs waited from their acceptance to their first call, at the 95th percentile."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT run_id, data FROM journey_facts WHERE run_id IN (SELECT run_id "
            "FROM journey_runs ORDER BY run_id DESC LIMIT %s) AND seq < 2 ORDER BY run_id, seq",
            (_LOOKED_AT,),
        ).fetchall()
    accepted: dict[str, datetime] = {}
    waited: dict[str, float] = {}
    for run_id, data in rows:
        for fact in decode(bytes(data)):
            if isinstance(fact, RunStarted):
                accepted[run_id] = fact.at
            elif isinstance(fact, MilestoneBegan):
                waited.setdefault(run_id, (fact.at - accepted[run_id]).total_seconds() * 1000)
    return meter.percentile(sorted(waited.values()), 95)


if __name__ == "__main__":
    given = Asked.from_command_line()
    os.environ["BENCHMARK_CPU_MS"] = str(given.cpu_ms)  # workers are forked from a child of ours
    meter.run(measured(given))
