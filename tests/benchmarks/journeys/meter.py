"""Keeps so many runs in flight for so many seconds, and says how that went.

Every measured system uses it, in the interpreter where that system is installed, so it stands on
the standard library alone.
"""

import argparse
import asyncio
import json
import math
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utilities.long_lived import loop_factory

MILESTONES = 4
TEXT = "four milestones, each durable before the next begins"
_PATIENCE = 60
_LOOK_EVERY = 0.01


class NothingEnded(Exception):
    """No run ended in the time that was given."""


class NotStored(Exception):
    """The store does not hold what was measured."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a child is told: `--in-flight`, `--seconds`, `--folder`, and the rest it may take."""

    in_flight: int
    seconds: float
    folder: Path
    wait_ms: float = 0
    slow_ms: float = 0
    profile: bool = False
    count: bool = True

    @classmethod
    def from_command_line(cls) -> "Asked":
        parser = argparse.ArgumentParser()
        parser.add_argument("--in-flight", type=int, default=100)
        parser.add_argument("--seconds", type=float, default=5)
        parser.add_argument("--folder", type=Path, required=True)
        parser.add_argument("--wait-ms", type=float, default=0, help="longest wait of a service")
        parser.add_argument("--slow-ms", type=float, default=0, help="what each commit takes more")
        parser.add_argument("--profile", action="store_true")
        parser.add_argument("--no-count", dest="count", action="store_false")
        return cls(**vars(parser.parse_args()))


@dataclass(slots=True)
class Meter:
    """Counts durable milestones and ended runs; a window in time says which of them count."""

    in_flight: int
    seconds: float
    durable: int = 0
    """Milestones of which it is known that they are durable: the next began, or the run ended."""
    runs: int = 0
    taken: list[tuple[float, float]] = field(default_factory=list)
    """When each run ended, and how long it had taken."""
    cpu: Callable[[], float] = time.process_time

    def begun(self, number: int) -> None:
        """Milestone `number` was called, so the one before it is durable."""
        if number:
            self.durable += 1

    def ended(self, began: float) -> None:
        """A run ended that began at `began`."""
        now = time.perf_counter()
        self.durable += 1
        self.runs += 1
        self.taken.append((now, now - began))

    async def drive(self, one_run: Callable[[int], Awaitable[object]]) -> dict[str, Any]:
        """Call `one_run` again and again, `in_flight` at a time; the figures of the window.

        The window opens when as many runs have ended as are in flight, so a system is measured in
        its stride. It lasts `seconds`, and until four times as many have ended as are in flight,
        though for that four times `seconds` at most. Runs in flight may move in step, so it closes
        with the end of such a wave.
        """
        ending = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._again(one_run, first, ending))
                for first in range(self.in_flight)
            ]
            try:
                await self._past(self.in_flight, min(1.0, self.seconds / 3), _PATIENCE)
                opened = self._now()
                ended = self.runs
                await self._past(ended + 4 * self.in_flight, self.seconds, 4 * self.seconds)
                waves = max(1, math.ceil((self.runs - ended) / self.in_flight))
                await self._past(ended + waves * self.in_flight, 0, _PATIENCE)
                closed = self._now()
            finally:
                ending.set()
            await asyncio.gather(*tasks)
        return self._figures(opened, closed)

    def figures_between(self, opened: "Moment", closed: "Moment") -> dict[str, Any]:
        """The figures of a window that was opened and closed by `moment`."""
        return self._figures(opened, closed)

    def moment(self) -> "Moment":
        """What has been counted up to now."""
        return self._now()

    async def _again(
        self, one_run: Callable[[int], Awaitable[object]], first: int, ending: asyncio.Event
    ) -> None:
        number = first
        while not ending.is_set():
            began = time.perf_counter()
            await one_run(number)
            self.ended(began)
            number += self.in_flight

    async def _past(self, runs: int, seconds: float, most: float) -> None:
        """Wait `seconds`, and until `runs` have ended, but no longer than `most`."""
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        while self.runs < runs and time.perf_counter() < began + most:  # noqa: ASYNC110 - a look each 10 ms costs the measured path nothing
            await asyncio.sleep(_LOOK_EVERY)

    def _now(self) -> "Moment":
        return Moment(time.perf_counter(), time.time(), self.cpu(), self.durable)

    def _figures(self, opened: "Moment", closed: "Moment") -> dict[str, Any]:
        milestones, seconds = closed.durable - opened.durable, closed.at - opened.at
        inside = sorted(took for end, took in self.taken if opened.at <= end <= closed.at)
        if not inside:
            raise NothingEnded(f"no run ended within {seconds:.0f} s")
        return {
            "milestones_per_s": milestones / seconds,
            "p50_ms": percentile(inside, 50) * 1000,
            "p99_ms": percentile(inside, 99) * 1000,
            "cpu_us_per_milestone": (closed.cpu - opened.cpu) * 1e6 / max(1, milestones),
            "milestones": milestones,
            "seconds": seconds,
            "window": [opened.wall, closed.wall],
            "runs": self.runs,
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """One side of a window."""

    at: float
    wall: float
    cpu: float
    durable: int


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` percent do not exceed; nan of nothing."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def run(work: Coroutine[Any, Any, dict[str, Any]]) -> None:
    """Run a child's work on the fastest loop there is, and print its figures as one JSON line."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        tell(runner.run(work))


def tell(figures: dict[str, Any]) -> None:
    """The child's one line."""
    print(json.dumps(figures), flush=True)  # noqa: T201 - its result


def loop_name() -> str:
    """The kind of loop that is running."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def check_stored(stored: int, runs: int) -> None:
    """Refuse figures of runs that the store does not hold as ended.

    Raises:
        NotStored: it holds more or fewer.
    """
    if stored != runs:
        raise NotStored(f"{runs} runs ended, but the store holds {stored} with all milestones")


def process_cpu(pid: int) -> float:
    """Seconds of CPU that another process has used (Linux)."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
