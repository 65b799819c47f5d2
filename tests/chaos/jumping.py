"""Clocks that jump by hours, back and forth, while runs wait for timers and leases."""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from realms.journey.engine.facts import MilestoneSucceeded, MilestoneWaiting
from tests.chaos import ledger, store
from tests.chaos.expecting import expected_outcomes
from tests.chaos.host import Orders
from tests.chaos.killing import HEALS
from tests.chaos.processes import make_store, start
from tests.chaos.referee import Verdict, judge
from tests.chaos.store import Store

Say = Callable[[str], None]

HOURS = 2 * 3600.0
_BETWEEN = 0.4
_JOURNEYS = ("trial_timer", "trial_race", "trial_line", "trial_lane", "trial_parent")


@dataclass(slots=True)
class Jumped:
    """What a round of jumps found."""

    jumps: int = 0
    verdict: Verdict = field(default_factory=Verdict)


def jump(*, jumps: int, seed: int, lease: float = 0.0, say: Say = lambda line: None) -> Jumped:
    """Let the clock of a city jump; with a lease a second city is there, whose clock does not.

    At last the clock is ahead of all it ever was, so that every timer is due.
    """
    expected = expected_outcomes()
    found = Jumped()
    with tempfile.TemporaryDirectory(prefix="civitas-chaos-") as scratch:
        folder, notes = Path(scratch) / "city", Path(scratch) / "ledger"
        notes.mkdir()
        with ledger.keeping(notes), ExitStack() as stack:
            make_store(folder, notes)
            both = [
                Orders(
                    folder=folder,
                    ledger=notes,
                    name=name,
                    seed=seed,
                    clients=10,
                    journeys=_JOURNEYS,
                    lease=lease,
                    beat=0.2,
                )
                for name in (("a", "b") if lease else ("a",))
            ]
            cities = [start(orders) for orders in both]
            for city in cities:
                stack.callback(city.kill)
                city.opened()
            for ahead in _schedule(jumps, seed):
                cities[0].tell(ahead)
                found.jumps += 1
                time.sleep(_BETWEEN)
            for city in cities:
                city.close()
            last = Orders(
                folder=folder,
                ledger=notes,
                name="z",
                clients=0,
                lease=lease,
                beat=0.2,
                clock_ahead=HOURS * 1.5,
            )
            city = start(last)
            stack.callback(city.kill)
            if not city.opened().quiet(seconds=HEALS):
                found.verdict.stranded.append("the city came to no rest after the jumps")
            city.close()
            kept = store.read(folder / store.DATABASE)
        told = ledger.notes(notes)
    found.verdict.add(judge(kept, told, expected=expected, clock_held=False))
    found.verdict.repeated += _timers(kept)
    say(f"{found.jumps} jumps, {'sound' if found.verdict.sound else 'BROKEN'}")
    return found


def _schedule(jumps: int, seed: int) -> Iterator[float]:
    """Two hours ahead, two behind, and right again, in an order that the seed gives."""
    chance = random.Random(seed)
    before = 0.0
    for _ in range(jumps):
        before = chance.choice([ahead for ahead in (-HOURS, 0.0, HOURS) if ahead != before])
        yield before


def _timers(kept: Store) -> Iterator[str]:
    """Timers that were heard twice, or before their time."""
    for found in kept.runs.values():
        rung: Counter[str] = Counter()
        due = {}
        for fact in found.facts:
            match fact:
                case MilestoneWaiting(path=path, reason="timer", wake_at=wake) if wake:
                    due[path] = wake
                case MilestoneSucceeded(path=path, attempt=0, at=at) if path in due:
                    rung[path] += 1
                    if at < due[path]:
                        yield f"the timer {path} of {found.run_id} was heard before its time"
        for path, times in rung.items():
            if times > 1:
                yield f"the timer {path} of {found.run_id} was heard {times} times"
