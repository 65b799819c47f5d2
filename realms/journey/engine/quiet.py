"""What follows when nothing of a run is under way: undo, close, end."""

from datetime import datetime

from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine import scope
from realms.journey.engine.facts import (
    Fact,
    RunClosing,
    RunCompensating,
    RunEnded,
    RunFailed,
    RunPaused,
    RunSucceeded,
)
from realms.journey.engine.state import NodeState, RunState, Stage
from realms.journey.expressions.compiled import ExpressionFailed
from realms.journey.plans.plan import OnFailure, Plan
from utilities.errors import ErrorKind


def when_quiet(plan: Plan, run: RunState, now: datetime) -> Fact | None:
    """The next fact of a run of which nothing is under way; None when it has come to rest."""
    if run.ended is not None or run.paused or run.held or run.stage is Stage.QUEUED:
        return None
    failed = next(iter(scope.failures(plan, run)), None)
    if run.stage is Stage.WORKING and (_timed_out(run) or (failed and not run.stopping)):
        if plan.on_failure is OnFailure.PAUSE and not run.stopping:
            return RunPaused(at=now, reason=Reason.ERROR)
        if plan.on_failure is OnFailure.COMPENSATE and (paths := undoable(plan, run)):
            return RunCompensating(at=now, paths=paths)
    if run.stage is not Stage.CLOSING and any(_open(run, path) for path in plan.closing):
        return RunClosing(at=now)
    return _end(plan, run, failed, now)


def undoable(plan: Plan, run: RunState, *, only: frozenset[str] | None = None) -> tuple[str, ...]:
    """What can be undone and was not yet, the last completed first."""
    return tuple(
        path
        for path in reversed(run.completed)
        if (state := run.nodes[path]).status is RunStatus.SUCCEEDED
        and not state.undone
        and state.items < 0
        and (state.attempts or state.supplied_by)  # not what a fork took over: its origin's
        and plan.nodes[state.node].compensate is not None
        and (only is None or state.node in only)
    )


def _end(plan: Plan, run: RunState, failed: NodeState | None, now: datetime) -> Fact:
    if run.left_undone:
        return RunFailed(at=now, reason=Reason.LEFT_UNDONE, error=_left_undone(run))
    if run.undo:
        reason = failed.reason if failed else run.why
        return RunEnded(at=now, status=RunStatus.COMPENSATED, reason=reason)
    if _timed_out(run) and _by_itself(run):
        return RunFailed(at=now, reason=Reason.TIMEOUT, error=_too_long(run, now))
    if run.stopping is not None:
        return RunEnded(at=now, status=RunStatus.CANCELLED, reason=run.stopping.reason)
    if failed is not None:
        assert failed.error is not None
        return RunFailed(at=now, reason=failed.reason, error=failed.error)
    if plan.output is None:
        return RunSucceeded(now)
    try:
        data = scope.data(plan, run, plan.output.names)
        output = plan.output.value(data, scope.outcomes(run, plan.output.guards))
    except ExpressionFailed as error:
        return RunFailed(at=now, reason=Reason.EXPRESSION, error=_no_output(error))
    return RunSucceeded(now, output)


def _open(run: RunState, path: str) -> bool:
    state = run.nodes.get(path)
    return state is None or state.status is RunStatus.PENDING


def _timed_out(run: RunState) -> bool:
    return run.stopping is not None and run.stopping.reason is Reason.TIMEOUT


def _by_itself(run: RunState) -> bool:
    """Whether its own time was over, and not that of whoever waited for it."""
    assert run.stopping is not None
    return run.deadline is not None and run.deadline <= run.stopping.at


def _left_undone(run: RunState) -> Failure:
    return Failure(
        kind=ErrorKind.INTERNAL,
        code="left_undone",
        title="Some of what was to be undone could not be.",
        detail=f"left undone: {', '.join(run.left_undone)}",
        hint="undo these by hand, then settle the run",
    )


def _too_long(run: RunState, now: datetime) -> Failure:
    return Failure(
        kind=ErrorKind.TIMEOUT,
        code="run_timed_out",
        title="The run took longer than it may.",
        detail=f"it began at {run.start.at.isoformat()} and was cut at {now.isoformat()}",
        hint="raise the template's `timeout`, or see which milestone waited",
    )


def _no_output(error: ExpressionFailed) -> Failure:
    return Failure(
        kind=error.kind,
        code=error.code,
        title=error.title,
        detail=f"output: {error.detail}",
        hint=error.hint,
    )
