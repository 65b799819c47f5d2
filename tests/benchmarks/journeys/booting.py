"""How long a boot takes with a million waiting runs, and with none."""

import argparse
import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.journeys.children import PACKAGE, Children, Figures
from tests.benchmarks.journeys.measured_city import open_city
from tests.benchmarks.journeys.meter import tell
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.rounds import interleaved, medians
from tests.benchmarks.journeys.stores import fill
from utilities.long_lived import loop_factory


def measure_boot(plan: Plan, children: Children, say: Callable[[str], None]) -> Figures:
    """Seconds until the city works, by how many runs wait in it, and what they add."""
    with ExitStack() as stack:
        folders = {}
        for waiting in (0, plan.waiting):
            say(f"filling a store with {waiting:,} waiting runs")
            folders[waiting] = stack.enter_context(children.scratch())
            fill(children, folders[waiting], waiting=waiting)

        def measure(waiting: int, number: int) -> Figures:
            figures = children.run(f"{PACKAGE}.booting", folders[waiting])
            say(f"round {number}, {waiting:,} runs wait: open in {figures['boot_s']:.2f} s")
            return figures

        found = interleaved((0, plan.waiting), plan.rounds, measure)
    seconds = {waiting: medians(rounds, ["boot_s"])["boot_s"] for waiting, rounds in found.items()}
    return {
        "results": [{"waiting_runs": key, "boot_s": value} for key, value in seconds.items()],
        "added_s": round(seconds[plan.waiting] - seconds[0], 2),
    }


async def booted(folder: Path) -> Figures:
    """Boot once."""
    begun = time.perf_counter()
    async with open_city(folder):
        return {"boot_s": time.perf_counter() - begun}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        tell(runner.run(booted(parser.parse_args().folder)))


if __name__ == "__main__":
    main()
