"""The pure heart: given a plan, a run and the time, what comes next.

Nothing here waits, reads a clock, draws a number or touches the world; given the same it answers
the same, on every machine. `apply` (state.py) folds facts, `decide` says the next move.
Promises 2, 5 and 8 of durability.md live here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine.binding import fed
from realms.journey.engine.contracts import Check, ContractBroken
from realms.journey.engine.facts import (
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    Fact,
    MilestoneBegan,
    MilestoneFailed,
    MilestoneSucceeded,
    MilestoneWaiting,
    RetryScheduled,
    RunFailed,
    RunSucceeded,
)
from realms.journey.engine.plan import Node, Plan
from realms.journey.engine.retries import CRASH_ATTEMPTS, NOTHING_DONE
from realms.journey.engine.state import NodeState, RunState, apply, fold
from utilities.errors import ErrorKind, PlatformError

__all__ = ["apply", "decide", "fold"]

ITERATION = 0
GENERATION = 1
"""Loops and reruns from a milestone will count these; the idempotency key names them already."""


@dataclass(frozen=True, slots=True)
class Record:
    """Write this fact."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Perform:
    """Make the attempt that was begun."""

    path: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """Look again at this time."""

    until: datetime


Move = Record | Perform | Sleep


def decide(plan: Plan, run: RunState, now: datetime) -> tuple[Move, ...]:  # noqa: PLR0911 - a list of cases
    """What to do next; nothing when the run has ended or waits for a person.

    Facts are to be written (in one commit with those that led here) before anything is performed.
    """
    if run.status.ended:
        return ()
    for node in plan.nodes.values():
        state = run.node(node.path)
        match state.status:
            case RunStatus.SUCCEEDED:
                continue
            case RunStatus.FAILED:
                assert state.error is not None
                return (Record(RunFailed(at=now, reason=state.reason, error=state.error)),)
            case RunStatus.PENDING:
                return (Record(_entered(node, run, now)),)
            case RunStatus.WAITING if state.wake_at is None:
                return ()
            case RunStatus.WAITING if state.wake_at is not None and state.wake_at > now:
                return (Sleep(state.wake_at),)
            case RunStatus.WAITING:
                return (Record(_begun(node, state, now)),)
            case _ if state.ended_attempt is None:
                return (Perform(node.path, state.attempts),)
            case _:
                return (Record(_after_attempt(node, state, run, now)),)
    return (Record(RunSucceeded(at=now)),)


@dataclass(frozen=True, slots=True)
class Step:
    """Facts for one commit, the run after them, and what to do once they are durable."""

    facts: tuple[Fact, ...]
    run: RunState
    then: Perform | Sleep | None


def step(plan: Plan, run: RunState, now: datetime, *, first: tuple[Fact, ...] = ()) -> Step:
    """Take up the facts that just came (`first`), then decide until there is something to do."""
    facts = list(first)
    for fact in first:
        run = apply(run, fact)
    while moves := decide(plan, run, now):
        for move in moves:
            if not isinstance(move, Record):
                return Step(tuple(facts), run, move)
            facts.append(move.fact)
            run = apply(run, move.fact)
    return Step(tuple(facts), run, None)


def recovered(run: RunState, now: datetime) -> tuple[Fact, ...]:
    """The facts that taking over a run adds: what was in progress, nobody will finish."""
    return tuple(
        AttemptLost(at=now, path=path, attempt=node.attempts)
        for path, node in run.nodes.items()
        if node.status is RunStatus.RUNNING and node.ended_attempt is None
    )


def arguments(plan: Plan, run: RunState, path: str) -> dict[str, Any]:
    """What a milestone's API is called with."""
    return fed(plan.nodes[path].bindings, values=run.start.values, results=run.results)


def idempotency_key(run: RunState, path: str) -> str:
    """`run:path:iteration:generation`, the same on every attempt."""
    return f"{run.run_id}:{path}:{ITERATION}:{GENERATION}"


def outcome(
    plan: Plan, path: str, attempt: int, output: Mapping[str, Any], now: datetime
) -> MilestoneSucceeded | AttemptFailed:
    """The fact that a call's answer becomes: a checkpoint, unless it breaks a contract."""
    if problems := broken(plan.nodes[path].on_done, output):
        error = failure_of(ContractBroken("; ".join(problems)))
        return AttemptFailed(at=now, path=path, attempt=attempt, error=error)
    return MilestoneSucceeded(at=now, path=path, attempt=attempt, output=output)


def broken(checks: Iterable[Check], data: Mapping[str, Any]) -> list[str]:
    """What in `data` breaks a contract."""
    return [problem for check in checks if (problem := check.problem(data))]


def failure_of(error: PlatformError) -> Failure:
    """An expected error as the journal keeps it."""
    return Failure(
        kind=error.kind,
        code=error.code,
        title=error.title,
        detail=error.detail,
        hint=error.hint,
        errors=error.errors,
    )


def _entered(node: Node, run: RunState, now: datetime) -> MilestoneBegan | MilestoneFailed:
    """Begin a milestone, once everything that is due at its door has been handed over."""
    handed: dict[str, Mapping[str, Any]] = {"": run.start.values, **run.results}
    problems = [p for c in node.on_entry if (p := c.problem(handed.get(c.producer, {})))]
    if not run.start.trace_id:
        problems += [f"{name}: a trace id is required" for name in node.trace_required_by]
    if problems:
        error = failure_of(ContractBroken("; ".join(problems)))
        return MilestoneFailed(at=now, path=node.path, reason=Reason.CONTRACT, error=error)
    return _begun(node, run.node(node.path), now)


def _begun(node: Node, state: NodeState, now: datetime) -> MilestoneBegan:
    return MilestoneBegan(at=now, path=node.path, attempt=state.attempts + 1)


def _after_attempt(node: Node, state: NodeState, run: RunState, now: datetime) -> Fact:
    """What follows an attempt that gave no result."""
    if state.ended_attempt is AttemptFailed:
        return _after_error(node, state, run, now)
    untouched = state.ended_attempt is AttemptReleased and not state.called
    if node.effect is Effect.GUARDED and not untouched:
        return MilestoneWaiting(at=now, path=node.path, reason=Reason.AMBIGUOUS)
    if state.crashes >= CRASH_ATTEMPTS and state.ended_attempt is AttemptLost:
        error = Failure(
            kind=ErrorKind.INTERNAL,
            code="poison",
            title="The process died in every attempt.",
            detail=f"{state.crashes} attempts of {node.path} died with their process",
            hint="see the log before each crash; mend the service, or supply the result by hand",
        )
        return MilestoneFailed(at=now, path=node.path, reason=Reason.POISON, error=error)
    return _begun(node, state, now)


def _after_error(node: Node, state: NodeState, run: RunState, now: datetime) -> Fact:
    error = state.error
    assert error is not None
    if node.effect is Effect.GUARDED and error.kind not in NOTHING_DONE:
        return MilestoneWaiting(at=now, path=node.path, reason=Reason.AMBIGUOUS)
    if not node.retry.repeats(error.kind, failures=state.failures):
        broke = error.code == "contract_broken"
        reason = Reason.CONTRACT if broke else Reason.ERROR
        return MilestoneFailed(at=now, path=node.path, reason=reason, error=error)
    delay = node.retry.delay(idempotency_key(run, node.path), failures=state.failures)
    return RetryScheduled(at=now, path=node.path, wake_at=now + delay)
