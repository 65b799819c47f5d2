"""How many syncs of the disk a run costs, counted from outside by strace where there is one."""

import re
import shutil
import tempfile
from pathlib import Path

from tests.benchmarks.journeys.children import Children, System
from tests.benchmarks.journeys.meter import MILESTONES

_SYNC = re.compile(r"^\d+ +(\d+\.\d+) (?:fsync|fdatasync)\(")


def syncs_per_run(
    children: Children, system: System, in_flight: int, *, seconds: float = 2
) -> float | None:
    """Syncs for each run of four milestones; None where strace is missing or not allowed."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "syncs"
        traced = ("-e", "trace=fsync,fdatasync", "-e", "signal=none")
        under = [strace, "-f", "--seccomp-bpf", "-qq", "-ttt", *traced, "-o", str(log)]
        options = ("--in-flight", in_flight, "--seconds", seconds)
        figures = children.measure(system, *options, under=under)
        opened, closed = figures["window"]
        times = [
            float(found[1]) for line in log.read_text().splitlines() if (found := _SYNC.match(line))
        ]
    inside: int = sum(opened <= at <= closed for at in times)
    milestones: int = max(1, figures["milestones"])
    return round(inside * MILESTONES / milestones, 2)
