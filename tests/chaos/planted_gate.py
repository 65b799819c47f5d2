"""The gate: every planted bug has to be caught by a trial, and a sound engine by none."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.crash_points import Rounds, rounds
from tests.chaos.meddling import How
from tests.chaos.planted import BUGS, planted
from tests.chaos.referee import Verdict
from tests.chaos.stopping import stop

CAUGHT_BY_CRASH_POINTS = {
    "acts_before_the_commit": ("trial_line", How.CUT),
    "writes_outside": ("trial_line", How.CUT),
    "journals_after_the_call": ("trial_line", How.CUT),
    "rings_nobody": ("trial_parent", How.CUT),
    "a_key_for_each_attempt": ("trial_line", How.CUT),
    "forgets_crashes": ("trial_line", How.CUT),
    "loses_an_item": ("trial_fan", How.CUT),
    "undoes_the_first_first": ("trial_undo", How.CUT),
    "answers_too_early": ("trial_line", How.CUT),
    "drops_what_was_refused": ("trial_line", How.FAULT),
}
"""The journey and the way in which each is found; the others need two processes."""
CAUGHT_BY_TWO_ENGINES = ("no_fence", "written_over", "takes_from_the_living")
"""Found where two engines on one folder signal the same runs, and one of them is stopped."""
_ACCEPTED = 15
"""About here a run is accepted: what comes later finds most."""
_CHILD_ENDS = 55
"""About here the journey within a journey ends."""


@dataclass(slots=True)
class Caught:
    """By what each planted bug was found; empty where none found it."""

    by: dict[str, str] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        return [name for name, line in self.by.items() if not line]


def gate(*, seed: int, say: Callable[[str], None] = lambda line: None) -> Caught:
    """Let the trials look for every bug."""
    caught = asyncio.run(crash_point_gate(say))
    for name in CAUGHT_BY_TWO_ENGINES:
        caught.by[name] = by_two_engines(name, seed=seed)
        say(f"{name}: {caught.by[name] or 'MISSED'}")
    return caught


def by_two_engines(name: str, *, seed: int, tries: int = 3) -> str:
    """What two engines on one folder say of a bug, in a few tries."""
    for number in range(tries):
        found = stop(
            stops=1,
            seed=seed + number,
            lanes=1,
            points=[NEVER_REACHED],
            journeys=["trial_signal"],
            plant=name,
        )
        if not found.verdict.sound:
            return next(found.verdict.broken())
    return ""


NEVER_REACHED = "memo"
"""A place that this journey does not reach: so both engines live together for a while."""


async def crash_point_gate(say: Callable[[str], None] = lambda line: None) -> Caught:
    """Let crash points look for the bugs that they can find."""
    caught = Caught()
    async with rounds() as trials:
        for name in CAUGHT_BY_CRASH_POINTS:
            caught.by[name] = await by_crash_points(trials, name)
            say(f"{name}: {caught.by[name] or 'MISSED'}")
    return caught


async def by_crash_points(trials: Rounds, name: str) -> str:
    """What the first crash point that finds it says of a bug."""
    template, how = CAUGHT_BY_CRASH_POINTS[name]
    count, expected = await trials.undisturbed(template)
    with planted(name):
        first = _CHILD_ENDS if template == "trial_parent" else _ACCEPTED
        for at in (*range(first, count + 1), *range(1, first)):
            verdict: Verdict = await trials.disturbed(template, at, how, expected)
            if not verdict.sound:
                return next(verdict.broken())
    return ""


assert BUGS.keys() == CAUGHT_BY_CRASH_POINTS.keys() | set(CAUGHT_BY_TWO_ENGINES)
