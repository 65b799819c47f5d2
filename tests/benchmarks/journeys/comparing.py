"""The same work by every system, side by side."""

from collections.abc import Callable

from tests.benchmarks.journeys.children import CIVITAS, PEERS, Children, Figures, System
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.rounds import interleaved, medians, ratio
from tests.benchmarks.journeys.syncs import syncs_per_run

MOST_UNDER_STRACE = 100


def compare(plan: Plan, children: Children, say: Callable[[str], None]) -> Figures:
    """`results` and `ratios`; p50 and p99 are those of whole runs.

    Raises:
        PeerMissing: a peer is not installed.
        MeasurementFailed: a system gave no figures.
    """
    systems = [CIVITAS, *(PEERS[name] for name in plan.compare)]
    children.check_installed(systems)

    def measure(key: tuple[int, System], number: int) -> Figures:
        in_flight, system = key
        profile = ("--profile",) if plan.profile and system is CIVITAS else ()
        options = ("--in-flight", in_flight, "--seconds", plan.seconds, *profile)
        figures = children.measure(system, *options)
        speed = figures["milestones_per_s"]
        say(f"round {number}, {in_flight} in flight: {system.name} {speed:,.0f} milestones/s")
        return figures

    keys = [(in_flight, system) for in_flight in plan.in_flight for system in systems]
    found = interleaved(keys, plan.rounds, measure)
    results = [_result(plan, children, key, rounds) for key, rounds in found.items()]
    return {"results": results, "ratios": _ratios(results)}


def _result(
    plan: Plan, children: Children, key: tuple[int, System], rounds: list[Figures]
) -> Figures:
    in_flight, system = key
    counted = plan.syncs and in_flight <= MOST_UNDER_STRACE
    return {
        "system": system.name,
        "in_flight": in_flight,
        **medians(rounds),
        "syncs_per_run": syncs_per_run(children, system, in_flight) if counted else None,
        "rounds": [round(figures["milestones_per_s"], 1) for figures in rounds],
        "runs_stored": sum(figures["runs"] for figures in rounds),
        "settings": rounds[-1]["settings"],
    }


def _ratios(results: list[Figures]) -> dict[str, float]:
    """Ours to each other's at the same number in flight, and ours to ours at another."""
    ours = {r["in_flight"]: r["milestones_per_s"] for r in results if r["system"] == CIVITAS.name}
    ratios = {
        f"{CIVITAS.name}/{r['system']}@{r['in_flight']}": ratio(
            ours[r["in_flight"]], r["milestones_per_s"]
        )
        for r in results
        if r["system"] != CIVITAS.name
    }
    if 100 in ours and 1000 in ours:
        ratios[f"{CIVITAS.name}@1000/{CIVITAS.name}@100"] = ratio(ours[1000], ours[100])
    return ratios
