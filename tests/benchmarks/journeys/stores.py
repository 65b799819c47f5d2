"""What a milestone costs with a thousand and with a million runs in the store."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.journeys.children import CIVITAS, PACKAGE, Children, Figures
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.rounds import MEDIANS, interleaved, medians, ratio

_WAITING_SHARE = 10
_IN_FLIGHT = 100


def measure_stores(plan: Plan, children: Children, say: Callable[[str], None]) -> Figures:
    """Figures by size of the store, nine runs in ten ended and one waiting."""
    with ExitStack() as stack:
        folders = {}
        for size in plan.store_sizes:
            say(f"filling a store with {size:,} runs")
            folders[size] = stack.enter_context(children.scratch())
            waiting = size // _WAITING_SHARE
            fill(children, folders[size], succeeded=size - waiting, waiting=waiting)

        def measure(size: int, number: int) -> Figures:
            options = ("--in-flight", _IN_FLIGHT, "--seconds", plan.seconds, "--no-count")
            module = f"{PACKAGE}.peers.{CIVITAS.module}"
            figures = children.run(module, folders[size], *options)
            speed = figures["milestones_per_s"]
            say(f"round {number}, {size:,} runs in the store: {speed:,.0f} milestones/s")
            return figures

        found = interleaved(plan.store_sizes, plan.rounds, measure)
    results = [
        {"runs_in_store": size, "in_flight": _IN_FLIGHT, **medians(rounds, MEDIANS)}
        for size, rounds in found.items()
    ]
    first, last = results[0], results[-1]
    ratios = {
        "time": ratio(first["milestones_per_s"], last["milestones_per_s"]),
        "cpu": ratio(last["cpu_us_per_milestone"], first["cpu_us_per_milestone"]),
    }
    of = f"{last['runs_in_store']}/{first['runs_in_store']}"
    return {"results": results, "ratios": {f"{name} {of}": value for name, value in ratios.items()}}


def fill(children: Children, folder: Path, *, succeeded: int = 0, waiting: int = 0) -> None:
    """Seed a data folder in a process of its own; it is made in any case."""
    options = ("--succeeded", succeeded, "--waiting", waiting)
    children.run(f"{PACKAGE}.seeding", folder, *options)
