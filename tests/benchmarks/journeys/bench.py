"""The whole benchmark: what the plan asks for, as one document, and as tables."""

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.journeys.booting import measure_boot
from tests.benchmarks.journeys.children import Children, Figures
from tests.benchmarks.journeys.comparing import compare
from tests.benchmarks.journeys.hindrances import measure_slow_disk, measure_waits
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.recovery import measure_recovery
from tests.benchmarks.journeys.stores import measure_stores

_PARTS = {
    "waits": measure_waits,
    "slow-disk": measure_slow_disk,
    "stores": measure_stores,
    "boot": measure_boot,
    "recovery": measure_recovery,
}
_COLUMNS = {
    "system": "system",
    "in_flight": "in flight",
    "milestones_per_s": "milestones/s",
    "p50_ms": "p50 ms of a run",
    "p99_ms": "p99 ms of a run",
    "cpu_us_per_milestone": "CPU us/milestone",
    "syncs_per_run": "syncs/run",
}
Table = tuple[list[str], list[list[str]]]


def measure(plan: Plan, say: Callable[[str], None]) -> Figures:
    """Measure all that the plan asks for; `say` is told of the way.

    Raises:
        PeerMissing: a system to compare with is not installed.
        MeasurementFailed: a measured process ended without figures.
    """
    children = Children(plan.peers_python, plan.folder)
    found: Figures = {"results": [], "ratios": {}}
    if "compare" in plan.only:
        found |= compare(plan, children, say)
    for part in plan.only:
        if part in _PARTS:
            found[part.replace("-", "_")] = _PARTS[part](plan, children, say)
    found["machine"] = _machine(plan.folder or Path(tempfile.gettempdir()))
    return found


def tables(found: Figures) -> Iterator[Table]:
    """The same for people."""
    if found["results"]:
        rows = [[_shown(result[key]) for key in _COLUMNS] for result in found["results"]]
        yield list(_COLUMNS.values()), rows
        yield ["ratio", "milestones/s"], [[k, str(v)] for k, v in found["ratios"].items()]
        yield (
            ["system", "settings"],
            [[system, _listed(settings)] for system, settings in _settings(found).items()],
        )
    for part in _PARTS:
        if figures := found.get(part.replace("-", "_")):
            yield [part, "figure"], list(_flat(figures))
    yield ["machine", ""], [[key, str(value)] for key, value in found["machine"].items()]


def _settings(found: Figures) -> dict[str, Figures]:
    return {result["system"]: result["settings"] for result in found["results"]}


def _listed(settings: Figures) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _flat(figures: Figures) -> Iterator[list[str]]:
    for key, value in figures.items():
        if key == "results":
            for result in value:
                label, *rest = result.items()
                yield [f"{label[0]} {label[1]:,}", _listed(dict(rest))]
        else:
            yield [key, _listed(value) if isinstance(value, dict) else _shown(value)]


def _shown(value: Any) -> str:
    if value is None:
        return "not counted"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _machine(folder: Path) -> dict[str, Any]:
    """What the figures depend on; a store in memory (tmpfs) syncs nothing."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "file_system": _file_system(folder.resolve()),
    }


def _file_system(folder: Path) -> str:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    found = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    inside = [(at, kind) for at, kind in found if folder.is_relative_to(at)]
    return max(inside, key=lambda mount: len(mount[0]))[1] if inside else "unknown"
