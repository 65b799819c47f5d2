"""How long ten thousand runs that were in flight at a kill -9 take to end after the restart."""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from realms.journey.api import Journeys, RunStatus
from realms.journey.runs import JourneyRunsService
from tests.benchmarks.journeys import meter
from tests.benchmarks.journeys.children import PACKAGE, Children, Figures, MeasurementFailed
from tests.benchmarks.journeys.measured_city import (
    TEMPLATE,
    VALUES,
    open_city,
    stored_runs,
    user,
)
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.rounds import interleaved, medians
from tests.benchmarks.journeys.work import WORK
from tests.support.processes import ROOT, clean_environment
from utilities.long_lived import loop_factory

_AT_ONCE = 500
_STILL = 0.5
_LOOK_EVERY = 0.03
_UNFINISHED = (RunStatus.PENDING, RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)


def measure_recovery(plan: Plan, children: Children, say: Callable[[str], None]) -> Figures:
    """Seconds from the start of the new process to the city's being open, and to all runs' end."""

    def measure(runs: int, number: int) -> Figures:
        with children.scratch() as folder:
            held = _killed_with(folder, runs)
            begun = time.time()
            options = ("--do", "recover", "--runs", runs, "--begun", begun)
            figures = held | children.run(f"{PACKAGE}.recovery", folder, *options)
        say(f"round {number}: {runs:,} runs done {figures['done_s']:.2f} s after the restart")
        return figures

    (rounds,) = interleaved((plan.held,), plan.rounds, measure).values()
    return {"runs": plan.held, **medians(rounds, ["milestones_begun", "open_s", "done_s"])}


def _killed_with(folder: Path, runs: int) -> Figures:
    """Let a city hold `runs` runs in flight, and kill it."""
    options = ("--folder", str(folder), "--do", "hold", "--runs", str(runs))
    with subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGE}.recovery", *options],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.kill()
    if not line:
        raise MeasurementFailed("the city that was to be killed ended by itself")
    figures: Figures = json.loads(line)
    return figures


async def hold(folder: Path, runs: int) -> None:
    """Have so many runs in flight, a quarter of them stopped in each of the four steps."""
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


async def recover(folder: Path, runs: int, begun: float) -> Figures:
    """Boot, and wait until no run is left."""
    async with open_city(folder) as city:
        opened = time.time()
        listing = city.registry.get(JourneyRunsService)
        with user():
            for status in _UNFINISHED:
                while (await listing.list_runs(status, TEMPLATE, 1)).runs:  # noqa: ASYNC110 - looked at as from outside
                    await asyncio.sleep(_LOOK_EVERY)
        done = time.time()
        meter.check_stored(await stored_runs(city), runs)
    return {"open_s": opened - begun, "done_s": done - begun}


def main() -> None:
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
            meter.tell(runner.run(recover(given.folder, given.runs, given.begun)))


if __name__ == "__main__":
    main()
