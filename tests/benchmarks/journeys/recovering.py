"""A city that is killed with many runs in flight, and the one after it: processes of a trial.

What a city consists of is imported as `main.py` does it: inside functions, after the collector was
told to look rarely.
"""

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from utilities.long_lived import collect_rarely, loop_factory

_AT_ONCE = 500
_STILL = 0.5
_LOOK_EVERY = 0.03


async def hold(folder: Path, runs: int) -> None:
    """Have so many runs in flight, a quarter of them stopped in each of the four steps."""
    from realms.journey.api import Journeys
    from tests.benchmarks.journeys import meter
    from tests.benchmarks.journeys.measured_city import TEMPLATE, VALUES, open_city, user
    from tests.benchmarks.journeys.work import WORK

    begun = 0

    def note(_number: int) -> None:
        nonlocal begun
        begun += 1

    WORK.begun = note
    limit = asyncio.Semaphore(_AT_ONCE)
    async with open_city(folder, journey_attempts=runs) as city:  # so that all are begun
        journeys = city.registry.get(Journeys)

        async def start() -> None:
            async with limit:
                with user():
                    await journeys.start(TEMPLATE, VALUES)

        for step in range(meter.MILESTONES):
            WORK.stops_at = step
            share = runs // meter.MILESTONES + (step < runs % meter.MILESTONES)
            await asyncio.gather(*(start() for _ in range(share)))
            seen = -1
            while seen != begun:
                seen = begun
                await asyncio.sleep(_STILL)
        meter.tell({"milestones_begun": begun})
        await asyncio.Event().wait()


async def recover(folder: Path, runs: int, begun: float) -> dict[str, Any]:
    """Boot, and wait until no run is left."""
    from realms.journey.api import RunStatus
    from realms.journey.runs import JourneyRunsService
    from tests.benchmarks.journeys import meter
    from tests.benchmarks.journeys.measured_city import TEMPLATE, open_city, stored_runs, user

    unfinished = (RunStatus.PENDING, RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)
    async with open_city(folder) as city:
        opened = time.time()
        listing = city.registry.get(JourneyRunsService)
        with user():
            for status in unfinished:
                while (await listing.list_runs(status, TEMPLATE, 1)).runs:  # noqa: ASYNC110 - looked at as from outside
                    await asyncio.sleep(_LOOK_EVERY)
        done = time.time()
        meter.check_stored(await stored_runs(city), runs)
    return {"open_s": opened - begun, "done_s": done - begun}


def main() -> None:
    collect_rarely()
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--do", choices=["hold", "recover"], required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--begun", type=float, default=0)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        if given.do == "hold":
            runner.run(hold(given.folder, given.runs))
        else:
            from tests.benchmarks.journeys import meter

            meter.tell(runner.run(recover(given.folder, given.runs, given.begun)))


if __name__ == "__main__":
    main()
