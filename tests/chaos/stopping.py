"""Two engines on one folder; one is stopped at a named place beyond its lease, and goes on."""

import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from realms.journey.engine.failpoints import POINTS
from tests.chaos import ledger, store
from tests.chaos.expecting import expected_outcomes
from tests.chaos.host import Orders
from tests.chaos.killing import HEALS
from tests.chaos.processes import CityProcess, NotOpened, dismissed, make_store, start
from tests.chaos.referee import Verdict, judge
from tests.chaos.small_city import trial_texts

Say = Callable[[str], None]

LEASE = 0.6
_BEAT = 0.2
_REACHES = 1.0
_TAKES_OVER = 1.5
_GOES_ON = 0.3
AT_CLOSING = ("drain", "drained", "let_go", "released")
STOPPED = tuple(sorted(POINTS))


@dataclass(slots=True)
class Stopped:
    """What a round of stops found."""

    stops: int = 0
    taken_over: int = 0
    """How often the second engine took over while the first was stopped."""
    points: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)

    def add(self, other: "Stopped") -> None:
        self.stops += other.stops
        self.taken_over += other.taken_over
        self.points += other.points
        self.verdict.add(other.verdict)


def stop(
    *,
    stops: int,
    seed: int,
    lanes: int = 2,
    per_store: int = 10,
    points: Sequence[str] = STOPPED,
    plant: str = "",
    journeys: Sequence[str] = (),
    say: Say = lambda line: None,
) -> Stopped:
    """Stop so many engines; a place that is not reached in time is stopped at all the same."""
    expected = expected_outcomes()
    found = Stopped()
    with tempfile.TemporaryDirectory(prefix="civitas-chaos-") as scratch:
        folder = Path(scratch)
        (folder / "ledger").mkdir()
        with ledger.keeping(folder / "ledger"):
            make_store(folder / "seed", folder / "ledger")
        order = random.Random(seed).sample(points, len(points))
        schedule = [order[number % len(order)] for number in range(stops)]
        parts = [schedule[first : first + per_store] for first in range(0, stops, per_store)]
        with ThreadPoolExecutor(lanes) as pool:
            works = [
                pool.submit(
                    _Round(folder, number, seed, plant, expected, tuple(journeys)).over, part
                )
                for number, part in enumerate(parts)
            ]
            for work in works:
                found.add(work.result())
                state = "sound" if found.verdict.sound else "BROKEN"
                say(f"{found.stops} stops, {found.taken_over} takeovers: {state}")
    return found


@dataclass(slots=True)
class _Round:
    """Stops over one store, and the judgement."""

    scratch: Path
    number: int
    seed: int
    plant: str
    expected: dict[str, Any]
    journeys: tuple[str, ...]

    def over(self, points: Sequence[str]) -> Stopped:
        folder, notes = self.scratch / f"store-{self.number}", self.scratch / f"l{self.number}"
        shutil.copytree(self.scratch / "seed", folder)
        notes.mkdir()
        found = Stopped()
        with ledger.keeping(notes):
            for index, point in enumerate(points):
                orders = Orders(
                    folder=folder,
                    ledger=notes,
                    name=f"s{self.number}p{index}",
                    seed=self.seed + 1000 * self.number + index,
                    journeys=self.journeys or tuple(trial_texts()),
                    clients=8,
                    plant=self.plant,
                    lease=LEASE,
                    beat=_BEAT,
                    drain=0.3,
                    shared_signals=True,
                )
                with suppress(NotOpened):
                    self._stopped(orders, point, found)
            rested = self._heal(folder, notes)
        kept = store.read(folder / store.DATABASE)
        notes_made = ledger.notes(notes)
        found.verdict = judge(kept, notes_made, expected=self.expected, clock_held=False)
        if not rested:
            found.verdict.stranded.append(f"the city of store {self.number} came to no rest")
        shutil.rmtree(folder)
        return found

    def _stopped(self, orders: Orders, point: str, found: Stopped) -> None:
        second = start(replace(orders, name=f"{orders.name}b", seed=orders.seed + 1))
        first = start(replace(orders, name=f"{orders.name}a", failpoint=f"{point}=stop"))
        try:
            second.opened()
            found.points[point] += self._reached(first, point)
            if not first.stopped:
                first.send(signal.SIGSTOP)
            found.stops += 1
            found.taken_over += self._taken_over(first)
            time.sleep(_BEAT)
            first.send(signal.SIGCONT)
            time.sleep(_GOES_ON)
        finally:
            first.send(signal.SIGCONT)
            second.kill()
            first.kill()

    def _reached(self, first: CityProcess, point: str) -> bool:
        deadline = time.monotonic() + _REACHES + 2.0
        closing = False
        while time.monotonic() < deadline and first.alive:
            if first.stopped:
                return True
            if first.hear("open", seconds=0.02) and not closing:
                deadline = min(deadline, time.monotonic() + _REACHES)
                if closing := point in AT_CLOSING:
                    time.sleep(0.1)
                    first.tell("close")
            time.sleep(0.02)
        return first.stopped

    def _taken_over(self, first: CityProcess) -> bool:
        deadline = time.monotonic() + LEASE + _TAKES_OVER
        while time.monotonic() < deadline:
            if dismissed(first.orders.folder, first.pid):
                return True
            time.sleep(0.05)
        return False

    def _heal(self, folder: Path, notes: Path) -> bool:
        """One engine, when the leases of all others are over."""
        orders = Orders(
            folder=folder, ledger=notes, name="heal", clients=0, lease=LEASE, beat=_BEAT
        )
        city = start(orders)
        try:
            rested = city.opened().quiet(seconds=HEALS)
            city.close()
        finally:
            city.kill()
        return rested
