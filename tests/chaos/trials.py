"""The trials by name, as the command line starts them: figures for the JSON, lines for people."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from realms.journey.engine.failpoints import POINTS
from tests.chaos.crash_points import crash_points
from tests.chaos.filling import NoSmallDisk, few_pages, fill
from tests.chaos.flipping import flip
from tests.chaos.jumping import jump
from tests.chaos.killing import kill
from tests.chaos.planted_gate import gate
from tests.chaos.referee import Verdict
from tests.chaos.rolling import roll
from tests.chaos.stopping import stop
from tests.chaos.workers import workers

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial came to; `broken` has a line for everything that broke a promise."""

    figures: Mapping[str, Any]
    broken: tuple[str, ...]


def run(name: str, *, count: int, seed: int, lanes: int, say: Say) -> Result:
    """Run one trial; the same seed gives the same schedule."""
    return _TRIALS[name](count, seed, lanes, say)


def _crash_points(count: int, seed: int, lanes: int, say: Say) -> Result:
    found = asyncio.run(crash_points(stride=count, say=say))
    more = {"points": found.points, "faults": found.faults, "journeys": found.by_journey}
    return _result(found.kills, found.verdict, seed, more)


def _kill(count: int, seed: int, lanes: int, say: Say) -> Result:
    found = kill(kills=count, seed=seed, lanes=lanes, say=say)
    more = {
        "crashed_attempts": found.crashes,
        "killed_at_failpoints": found.points.total(),
        "failpoints": len(found.points),
    }
    return _result(found.kills, found.verdict, seed, more)


def _stop(count: int, seed: int, lanes: int, say: Say) -> Result:
    found = stop(stops=count, seed=seed, lanes=lanes, say=say)
    more = {
        "stops": found.stops,
        "taken_over": found.taken_over,
        "failpoints": len([point for point, times in found.points.items() if times]),
        "failpoints_named": len(POINTS),
    }
    return _result(0, found.verdict, seed, more)


def _disk_full(count: int, seed: int, lanes: int, say: Say) -> Result:
    try:
        found = fill(rounds=count, seed=seed, say=say)
    except NoSmallDisk as error:
        say(f"{error}: a store that may not grow stands for the disk")
        found = few_pages(seed)
    more = {"refused": dict(found.refused), "not_opened": found.not_opened}
    return _result(found.kills, found.verdict, seed, more)


def _clock(count: int, seed: int, lanes: int, say: Say) -> Result:
    alone = jump(jumps=count, seed=seed, say=say)
    beside = jump(jumps=count, seed=seed, lease=0.6, say=say)
    alone.verdict.add(beside.verdict)
    return _result(0, alone.verdict, seed, {"jumps": alone.jumps + beside.jumps})


def _planted(count: int, seed: int, lanes: int, say: Say) -> Result:
    caught = gate(seed=seed, say=say)
    lines = tuple(f"missed: {name}" for name in caught.missed)
    found = len(caught.by) - len(caught.missed)
    figures = {"planted": len(caught.by), "caught": found, "by": caught.by, "seed": seed}
    return Result(figures, lines)


def _workers(count: int, seed: int, lanes: int, say: Say) -> Result:
    both = [
        workers(kills=count // 2 + number * (count % 2), seed=seed, kind=kind, say=say)
        for number, kind in enumerate(("rabbitmq", "redis"))
    ]
    verdict = Verdict()
    for found in both:
        verdict.add(found.verdict)
    more = {
        "crashed_attempts": sum(found.crashes for found in both),
        "disturbances": dict(sum((found.disturbances for found in both), Counter[str]())),
        "revived": sum(found.revived for found in both),
        "healed_in_seconds": {found.broker: round(found.healed_in, 1) for found in both},
    }
    return _result(sum(found.kills for found in both), verdict, seed, more)


def _rolling(count: int, seed: int, lanes: int, say: Say) -> Result:
    found = roll(restarts=count, seed=seed, kind="rabbitmq", say=say)
    more = {
        "restarts": found.restarts,
        "crashed_attempts": found.crashes,
        "healed_in_seconds": round(found.healed_in, 1),
    }
    return _result(0, found.verdict, seed, more)


def _flip(count: int, seed: int, lanes: int, say: Say) -> Result:
    found = flip(runs=count, seed=seed, kind="rabbitmq", flips=4, say=say)
    more = {"flips": found.flips, "in_flight": found.in_flight, "ended": dict(found.ended)}
    return _result(0, found.verdict, seed, more)


_TRIALS: Mapping[str, Callable[[int, int, int, Say], Result]] = {
    "crash-points": _crash_points,
    "kill": _kill,
    "stop": _stop,
    "disk-full": _disk_full,
    "clock": _clock,
    "planted": _planted,
    "workers": _workers,
    "rolling": _rolling,
    "flip": _flip,
}


def _result(kills: int, verdict: Verdict, seed: int, more: Mapping[str, Any]) -> Result:
    figures = {"kills": kills, **verdict.figures(), "seed": seed, **more}
    return Result(figures, tuple(verdict.broken()))
