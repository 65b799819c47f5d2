"""The gate: every planted bug has to be caught by a trial, and a sound engine by none."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.crash_points import Rounds, rounds
from tests.chaos.meddling import How
from tests.chaos.planted import BUGS, planted
from tests.chaos.referee import Verdict

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

_ACCEPTED = 15
"""About here a run is accepted: what comes later finds most."""


@dataclass(slots=True)
class Caught:
    """By what each planted bug was found; empty where none found it."""

    by: dict[str, str] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        return [name for name, line in self.by.items() if not line]


async def crash_point_gate(say: Callable[[str], None] = lambda line: None) -> Caught:
    """Let crash points look for the bugs that they can find."""
    caught = Caught()
    async with rounds() as trials:
        for name in CAUGHT_BY_CRASH_POINTS:
            caught.by[name] = await _found(trials, name)
            say(f"{name}: {caught.by[name] or 'MISSED'}")
    return caught


async def _found(trials: Rounds, name: str) -> str:
    """What the first crash point that finds it says of a bug."""
    template, how = CAUGHT_BY_CRASH_POINTS[name]
    count, expected = await trials.undisturbed(template)
    with planted(name):
        for at in (*range(_ACCEPTED, count + 1), *range(1, _ACCEPTED)):
            verdict: Verdict = await trials.disturbed(template, at, how, expected)
            if not verdict.sound:
                return next(verdict.broken())
    return ""


assert BUGS.keys() >= CAUGHT_BY_CRASH_POINTS.keys()
