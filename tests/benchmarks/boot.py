"""How long the city takes to be there: help, imports, stages, readiness; cold and warm.

Run it by `python -m tests.benchmarks.boot [--json] [--times N]`. Cold has no bytecode at all, of
the libraries neither; warm is the median of N starts after it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from tests.support.processes import ROOT, clean_environment, serving

Figures = dict[str, Any]

BOOT = """
import asyncio, json, sys, tempfile, time
begun = time.perf_counter()
import main
from importlib import import_module
from foundations.boot import BootReport
from foundations.public_works.settings import Settings
imports = {}
for stage in main.STAGES:
    before = time.perf_counter()
    import_module(stage.module)
    imports[stage.name] = time.perf_counter() - before
async def boot():
    with tempfile.TemporaryDirectory() as folder:
        async with main.Platform(Settings(data_dir=folder)) as city:
            report = city.registry.get(BootReport)
            return {stage.name: stage.seconds for stage in report.stages}
stages = asyncio.run(boot())
json.dump({"imports": imports, "stages": stages}, sys.stdout)
"""


def measure(times: int) -> Figures:
    """Seconds: `help`, `imports` and `stages` by stage, `ready`; each cold and warm."""
    figures: Figures = {}
    for name, one in (("help", help_seconds), ("boot", boot_seconds), ("ready", ready_seconds)):
        with tempfile.TemporaryDirectory(prefix="civitas-bytecode-") as bytecode:
            environment = clean_environment() | {"PYTHONPYCACHEPREFIX": bytecode}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            cold = one(environment)
            figures[name] = {
                "cold": cold,
                "warm": _median([one(environment) for _ in range(times)]),
            }
    return figures


def help_seconds(environment: dict[str, str]) -> float:
    """From the start of `--help` to its end."""
    return _timed(lambda: _python(["main.py", "--help"], environment))


def boot_seconds(environment: dict[str, str]) -> Figures:
    """Imports before and stages of a boot, on an empty data folder."""
    figures: Figures = json.loads(_python(["-c", BOOT], environment))
    return figures


def ready_seconds(environment: dict[str, str]) -> float:
    """From the start of `serve` to the first good answer of /readyz."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        with serving(Path(folder), environment=environment) as server:
            answer = httpx2.get(f"{server.url}/readyz")
            seconds = time.perf_counter() - begun
            server.stop()
    assert answer.status_code == 200, answer.text
    return seconds


def readable(figures: Figures) -> str:
    """The figures as a table in milliseconds."""
    rows = [("python main.py --help", figures["help"]["cold"], figures["help"]["warm"])]
    for part in ("imports", "stages"):
        cold, warm = figures["boot"]["cold"][part], figures["boot"]["warm"][part]
        rows += [(f"{part}: {name}", cold[name], warm[name]) for name in cold]
        rows.append((f"{part}: all", sum(cold.values()), sum(warm.values())))
    rows.append(("serve until /readyz", figures["ready"]["cold"], figures["ready"]["warm"]))
    lines = [f"{'milliseconds':<28}{'cold':>8}{'warm':>8}"]
    lines += [f"{name:<28}{cold * 1000:>8.0f}{warm * 1000:>8.0f}" for name, cold, warm in rows]
    return "\n".join(lines)


def _python(arguments: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _median(samples: list[Any]) -> Any:
    """The median of numbers, or of each number in equal nested dictionaries."""
    if isinstance(samples[0], dict):
        return {key: _median([sample[key] for sample in samples]) for key in samples[0]}
    return statistics.median(samples)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--times", type=int, default=5, help="warm starts to take the median of")
    given = parser.parse_args()
    found = measure(given.times)
    print(json.dumps(found, indent=2) if given.json else readable(found))  # noqa: T201 - its result
