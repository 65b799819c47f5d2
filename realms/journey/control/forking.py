"""A new run that begins where another stands: with its input, and results it has already."""

from collections.abc import Mapping
from typing import Any

from realms.journey.control.reopening import anew_from, node_called
from realms.journey.control.verbs import By, Verb, check
from realms.journey.engine.facts import MilestoneSucceeded
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan


def forked_input(run: RunState, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a run with changes."""
    return {**run.start.values, **changes}


def taken_over(plan: Plan, run: RunState, by: By, *, path: str) -> tuple[MilestoneSucceeded, ...]:
    """What a fork has right after its start: results of all but `path` and what follows from it.

    They stay the origin's to undo. Without a path nothing is taken over.

    Raises:
        UnknownMilestone: the journey has none of this name.
    """
    check(Verb.FORK, run)
    if not path:
        return ()
    own = anew_from(plan, run, node_called(plan, path).path) | {path}
    return tuple(
        MilestoneSucceeded(at=by.at, path=done, output=run.results[done])
        for done in run.completed
        if done in run.results and done in plan.nodes and done not in own
    )
