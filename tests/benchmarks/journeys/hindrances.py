"""The city at 100 in flight where something else is slow: its services, or the disk."""

from collections.abc import Callable

from tests.benchmarks.journeys.children import CIVITAS, Children, Figures
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.rounds import interleaved, medians

_IN_FLIGHT = 100
_WAIT_MS = 4
_SLOW_MS = 2


def measure_waits(plan: Plan, children: Children, say: Callable[[str], None]) -> Figures:
    """With services that really wait, 0 to 4 ms each."""
    how = f"each call waits 0 to {_WAIT_MS} ms"
    return _measured(plan, children, say, how, "--wait-ms", _WAIT_MS)


def measure_slow_disk(plan: Plan, children: Children, say: Callable[[str], None]) -> Figures:
    """With each commit 2 ms slower."""
    how = f"the driver is wrapped: each commit sleeps {_SLOW_MS} ms first, without the interpreter"
    return _measured(plan, children, say, how, "--slow-ms", _SLOW_MS)


def _measured(
    plan: Plan,
    children: Children,
    say: Callable[[str], None],
    how: str,
    *options: str | float,
) -> Figures:
    def measure(in_flight: int, number: int) -> Figures:
        given = ("--in-flight", in_flight, "--seconds", plan.seconds, *options)
        figures = children.measure(CIVITAS, *given)
        say(f"round {number}, {how}: {figures['milestones_per_s']:,.0f} milestones/s")
        return figures

    (rounds,) = interleaved((_IN_FLIGHT,), plan.rounds, measure).values()
    settings = rounds[-1]["settings"] | {"hindrance": how}
    return {"in_flight": _IN_FLIGHT, **medians(rounds), "settings": settings}
