"""Interleaved rounds (A B C A B C ...), medians over them, and ratios of the medians."""

import statistics
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from tests.benchmarks.journeys.children import Figures

K = TypeVar("K", bound=Hashable)

MEDIANS = ("milestones_per_s", "p50_ms", "p99_ms", "cpu_us_per_milestone")


def interleaved(
    keys: Sequence[K], rounds: int, measure: Callable[[K, int], Figures]
) -> dict[K, list[Figures]]:
    """Measure each key once a round, so that what else the machine does falls on all alike."""
    found: dict[K, list[Figures]] = {key: [] for key in keys}
    for number in range(1, rounds + 1):
        for key in keys:
            found[key].append(measure(key, number))
    return found


def medians(rounds: Sequence[Figures], names: Iterable[str] = MEDIANS) -> Figures:
    """The median of each named figure."""
    return {
        name: round(statistics.median(figures[name] for figures in rounds), 2) for name in names
    }


def ratio(above: float, below: float) -> float:
    """A ratio with three digits."""
    return float(f"{above / below:.3g}")
