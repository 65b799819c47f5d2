"""How long ten thousand runs that were in flight at a kill -9 take to end after the restart."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.journeys.children import PACKAGE, Children, Figures, MeasurementFailed
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.rounds import interleaved, medians
from tests.support.processes import ROOT, clean_environment

_CHILD = f"{PACKAGE}.recovering"


def measure_recovery(plan: Plan, children: Children, say: Callable[[str], None]) -> Figures:
    """Seconds from the start of the new process to the city's being open, and to all runs' end."""

    def measure(runs: int, number: int) -> Figures:
        with children.scratch() as folder:
            held = _killed_with(folder, runs)
            begun = time.time()
            options = ("--do", "recover", "--runs", runs, "--begun", begun)
            figures = held | children.run(_CHILD, folder, *options)
        say(f"round {number}: {runs:,} runs done {figures['done_s']:.2f} s after the restart")
        return figures

    (rounds,) = interleaved((plan.held,), plan.rounds, measure).values()
    return {"runs": plan.held, **medians(rounds, ["milestones_begun", "open_s", "done_s"])}


def _killed_with(folder: Path, runs: int) -> Figures:
    """Let a city hold `runs` runs in flight, and kill it."""
    options = ("--folder", str(folder), "--do", "hold", "--runs", str(runs))
    with subprocess.Popen(
        [sys.executable, "-m", _CHILD, *options],
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
