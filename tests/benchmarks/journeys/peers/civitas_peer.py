"""Civitas: the real city, asked as its users ask it, with everything on that they have on."""

import sys
from typing import Any

from realms.journey.api import Journeys
from tests.benchmarks.journeys import meter
from tests.benchmarks.journeys.measured_city import (
    check_results,
    one_run,
    open_city,
    settings_of,
    stored_runs,
)
from tests.benchmarks.journeys.profiling import profiled
from tests.benchmarks.journeys.slow_disk import slow_commits
from tests.benchmarks.journeys.work import WORK


async def measured(asked: meter.Asked) -> dict[str, Any]:
    counted = meter.Meter(asked.in_flight, asked.seconds)
    WORK.begun, WORK.longest_wait = counted.begun, asked.wait_ms / 1000
    async with open_city(asked.folder) as city:
        journeys = city.registry.get(Journeys)
        before = await stored_runs(city) if asked.count else 0
        with profiled(sys.stderr if asked.profile else None):
            figures = await counted.drive(lambda _number: one_run(journeys))
        figures["looked_at"] = await check_results(city)
        if asked.count:
            meter.check_stored(await stored_runs(city) - before, counted.runs)
        figures["settings"] = await settings_of(city) | {
            "note": "typed input and output validated, contracts checked, call context bound, "
            "events published; the accept is durable too",
        }
    return figures


if __name__ == "__main__":
    given = meter.Asked.from_command_line()
    with slow_commits(given.slow_ms / 1000):
        meter.run(measured(given))
