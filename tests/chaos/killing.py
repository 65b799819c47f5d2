"""`kill -9` under load: at random times and at every failpoint, again and again, then recovery."""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realms.journey.engine.failpoints import POINTS
from tests.chaos import ledger, store
from tests.chaos.expecting import expected_outcomes
from tests.chaos.host import Orders
from tests.chaos.processes import NotOpened, make_store, start
from tests.chaos.referee import Verdict, crashes, judge
from tests.chaos.small_city import trial_texts

Say = Callable[[str], None]

AT_CLOSING = ("drain", "drained", "let_go", "released")
"""Places that only a city reaches that closes."""
WITH_LEASES = ("renew", "renewed")
"""Places that are reached only where there are leases."""
KILLED = tuple(sorted(POINTS.keys() - set(WITH_LEASES)))
HEALS = 60.0
"""Seconds after which everything has to be done that can be."""


@dataclass(slots=True)
class Killed:
    """What a round of kills found."""

    kills: int = 0
    crashes: int = 0
    """Attempts that died with their process."""
    points: Counter[str] = field(default_factory=Counter)
    """How often a process was killed at which failpoint."""
    verdict: Verdict = field(default_factory=Verdict)

    def add(self, other: "Killed") -> None:
        self.kills += other.kills
        self.crashes += other.crashes
        self.points += other.points
        self.verdict.add(other.verdict)


def kill(
    *,
    kills: int,
    seed: int,
    lanes: int = 2,
    per_store: int = 50,
    points: Sequence[str] = KILLED,
    say: Say = lambda line: None,
) -> Killed:
    """Kill so many city processes; the seed gives the schedule."""
    expected = expected_outcomes()
    found = Killed()
    with tempfile.TemporaryDirectory(prefix="civitas-chaos-") as scratch:
        folder = Path(scratch)
        (folder / "ledger").mkdir()
        with ledger.keeping(folder / "ledger"):
            make_store(folder / "seed", folder / "ledger")
        rounds = list(_rounds(kills, per_store))
        with ThreadPoolExecutor(lanes) as pool:
            works = [
                pool.submit(_Round(folder, number, seed, points, expected).over, count)
                for number, count in enumerate(rounds)
            ]
            for work in works:
                found.add(work.result())
                state = "sound" if found.verdict.sound else "BROKEN"
                say(f"{found.kills} kills, {found.verdict.runs} runs: {state}")
    return found


def _rounds(kills: int, per_store: int) -> Iterator[int]:
    while kills > 0:
        yield min(kills, per_store)
        kills -= per_store


@dataclass(slots=True)
class _Round:
    """Kills over one store, then its recovery."""

    scratch: Path
    number: int
    seed: int
    points: Sequence[str]
    expected: dict[str, Any]

    def over(self, count: int) -> Killed:
        folder, notes = self.scratch / f"store-{self.number}", self.scratch / f"l{self.number}"
        shutil.copytree(self.scratch / "seed", folder)
        notes.mkdir()
        chance = random.Random(f"{self.seed} {self.number}")
        points = chance.sample(self.points, len(self.points))
        found = Killed()
        with ledger.keeping(notes):
            for index in range(count):
                named = index % 3 and points  # one kill in three comes at no place of note
                point = points[(self.number * count + index) % len(points)] if named else ""
                orders = Orders(
                    folder=folder,
                    ledger=notes,
                    name=f"s{self.number}k{index}",
                    seed=chance.randrange(1 << 30),
                    journeys=tuple(trial_texts()),
                    failpoint=f"{point}@{chance.choice((1, 1, 1, 2, 5))}" if point else "",
                    drain=0.3,
                )
                if self._killed(orders, point, chance.uniform(0.01, 0.3)):
                    found.points[point] += 1
                found.kills += 1
            rested = self._heal(folder, notes)
        kept = store.read(folder / store.DATABASE)
        found.crashes = crashes(kept)
        found.verdict = judge(kept, ledger.notes(notes), expected=self.expected)
        if not rested:
            found.verdict.stranded.append(f"the city of store {self.number} came to no rest")
        shutil.rmtree(folder)
        return found

    def _killed(self, orders: Orders, point: str, seconds: float) -> bool:
        """Whether the process died at its failpoint; else it is killed after some time."""
        city = start(orders)
        with suppress(NotOpened):
            city.opened()
            city.process.join(seconds)
            if point in AT_CLOSING:
                city.close(seconds=3)
            elif point:
                city.process.join(0.5)
        died = not city.alive and city.process.exitcode == -9
        city.kill()
        return died

    def _heal(self, folder: Path, notes: Path) -> bool:
        city = start(Orders(folder=folder, ledger=notes, name=f"s{self.number}", clients=0))
        try:
            rested = city.opened().quiet(seconds=HEALS)
            city.close()
        finally:
            city.kill()
        return rested
