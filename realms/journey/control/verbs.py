"""What people may do to a run as a whole, and when; each verb gives the facts that do it.

Nothing here waits or writes. A verb that would change nothing any more gives no facts; one that
may not be done says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.engine import scope
from realms.journey.engine.facts import (
    Fact,
    RunPaused,
    RunQueued,
    RunResumed,
    RunSettled,
    RunStopping,
    SignalReceived,
)
from realms.journey.engine.state import RunState, Stage
from realms.journey.plans.plan import Plan, WaitFor
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean

MOST_SIGNALS = 1000
"""So many signals of a run may wait for the milestones that take them."""


class Verb(StrEnum):
    """What somebody can do to a run that was started."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    SKIP = "skip"
    RERUN = "rerun"
    ROLL_BACK = "rollback"
    SIGNAL = "signal"
    ANSWER = "answer"
    FORK = "fork"
    MIGRATE = "migrate"
    SETTLE = "settle"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and when."""

    principal: str
    at: datetime
    roles: tuple[str, ...] = ()


class NotAllowed(PlatformError):
    """This cannot be done to the run as it stands."""

    kind = ErrorKind.CONFLICT

    def __init__(
        self,
        verb: Verb,
        run: RunState,
        reason: str,
        *,
        hint: str = "",
        errors: tuple[FieldError, ...] = (),
    ) -> None:
        self.verb = verb
        self.reason = reason
        super().__init__(f"{verb} of {run.run_id}: {reason}", hint=hint, errors=errors)


class UnknownSignal(PlatformError):
    """No milestone of the journey waits for this signal."""

    kind = ErrorKind.NOT_FOUND


class TooManySignals(PlatformError):
    """The run keeps more signals than it takes."""

    kind = ErrorKind.TOO_MANY


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a verb is not for a run in this state, and what is."""

    reason: str
    hint: str = ""


RUN_STATUSES = tuple(status for status in RunStatus if status is not RunStatus.SKIPPED)
"""The states that a run can be in; only a milestone is skipped."""

_NOT_BEGUN = Refusal("it has not begun", "cancel it, or wait until its turn comes")
_UNDOING = Refusal("it is being undone", "wait until that is done, or pause it")
_NOT_PAUSED = Refusal("it is not paused")
_ENDED = Refusal("it has ended", "rerun it from a milestone, or fork it")
_ENDED_WELL = Refusal(
    "it succeeded, and nothing of it is open", "rerun it from a milestone, or fork it"
)
_CANCELLED = Refusal("it was cancelled", "rerun it from a milestone, or fork it")
_UNDONE = Refusal("what it did was undone", "rerun it from a milestone, or fork it")
_NOT_DEAD = Refusal("only a run that failed is among the dead letters")
_NOT_YET = {RunStatus.PENDING: _NOT_BEGUN, RunStatus.QUEUED: _NOT_BEGUN}
_OVER = {
    RunStatus.SUCCEEDED: _ENDED,
    RunStatus.FAILED: _ENDED,
    RunStatus.CANCELLED: _ENDED,
    RunStatus.COMPENSATED: _ENDED,
}
_CLOSED = {
    RunStatus.SUCCEEDED: _ENDED_WELL,
    RunStatus.CANCELLED: _CANCELLED,
    RunStatus.COMPENSATED: _UNDONE,
}
_NOT_FAILED: Mapping[RunStatus, Refusal] = {
    status: _NOT_DEAD for status in RUN_STATUSES if status is not RunStatus.FAILED
}

REFUSED: Mapping[Verb, Mapping[RunStatus, Refusal]] = {
    Verb.PAUSE: _OVER,
    Verb.RESUME: {
        **_OVER,
        **dict.fromkeys(
            (RunStatus.PENDING, RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.COMPENSATING),
            _NOT_PAUSED,
        ),
    },
    Verb.CANCEL: {
        RunStatus.SUCCEEDED: _ENDED,
        RunStatus.FAILED: Refusal("it has ended", "settle it, to take it from the dead letters"),
        RunStatus.COMPENSATED: _ENDED,
        RunStatus.COMPENSATING: _UNDOING,
    },
    Verb.RETRY: {**_NOT_YET, **_CLOSED},
    Verb.SKIP: {**_NOT_YET, **_CLOSED},
    Verb.RERUN: {**_NOT_YET, RunStatus.COMPENSATING: _UNDOING},
    Verb.ROLL_BACK: {**_NOT_YET, RunStatus.COMPENSATING: _UNDOING},
    Verb.SIGNAL: _OVER,
    Verb.ANSWER: {**_NOT_YET, **_OVER, RunStatus.COMPENSATING: _UNDOING},
    Verb.FORK: {},
    Verb.MIGRATE: {**_CLOSED, RunStatus.COMPENSATING: _UNDOING},
    Verb.SETTLE: _NOT_FAILED,
    Verb.REPLAY: _NOT_FAILED,
}
"""In which states of a run a verb is never done, and why. In the others it is done, unless what it
names stands otherwise: those reasons come from the verb itself."""

ALLOWED: Mapping[Verb, frozenset[RunStatus]] = {
    verb: frozenset(RUN_STATUSES) - frozenset(refused) for verb, refused in REFUSED.items()
}
"""In which states of a run a verb can be done."""


def check(verb: Verb, run: RunState) -> None:
    """Let a verb pass that is for runs in this state.

    Raises:
        NotAllowed: it is not, and why.
    """
    if refusal := REFUSED[verb].get(run.status):
        raise NotAllowed(verb, run, refusal.reason, hint=refusal.hint)


def pause(run: RunState, by: By) -> tuple[Fact, ...]:
    """Begin nothing any more; what is under way ends. A paused run stays so.

    Raises:
        NotAllowed: it has ended.
    """
    check(Verb.PAUSE, run)
    return () if run.paused else (RunPaused(at=by.at, principal=by.principal),)


def resume(plan: Plan, run: RunState, by: By) -> tuple[Fact, ...]:
    """Let a paused run go on, or one that is held for want of fitting services try again.

    Raises:
        NotAllowed: it is not paused, or would pause again because a milestone has failed.
    """
    check(Verb.RESUME, run)
    if not (run.paused or run.held):
        raise NotAllowed(
            Verb.RESUME, run, f"it is not paused, but {_waits(run)}", hint=_INSTEAD[run.reason]
        )
    if run.paused and run.why is Reason.ERROR:
        failed = ", ".join(state.path for state in scope.failures(plan, run))
        raise NotAllowed(
            Verb.RESUME,
            run,
            f"it paused because of what failed: {failed}",
            hint="retry that, skip it with a result, or cancel the run",
        )
    resumed = RunResumed(at=by.at, principal=by.principal)
    if run.stage is Stage.QUEUED:
        queued = Reason.RATE_LIMIT if plan.concurrency is None else Reason.CONCURRENCY
        return (resumed, RunQueued(at=by.at, reason=queued, wake_at=by.at))
    return (resumed,)


def cancel(run: RunState, by: By, *, note: str = "") -> tuple[Fact, ...]:
    """Cut what is under way and end the run; its `finally` is still reached. Once is enough.

    Raises:
        NotAllowed: it has ended otherwise, or is being undone.
    """
    check(Verb.CANCEL, run)
    stopping = run.stopping is not None and run.stopping.reason is Reason.OPERATOR
    if stopping or run.ended is RunStatus.CANCELLED:
        return ()
    return (RunStopping(at=by.at, reason=Reason.OPERATOR, principal=by.principal, note=note),)


def signal(
    plan: Plan, run: RunState, by: By, *, name: str, signal_id: str, data: Mapping[str, Any]
) -> tuple[Fact, ...]:
    """Hand a signal to the run; it is kept until a milestone takes it, and one id counts once.

    Raises:
        NotAllowed: the run has ended.
        UnknownSignal: no milestone ever waits for it.
        TooManySignals: too many wait to be taken already.
    """
    if signal_id in run.signal_ids:
        return ()
    check(Verb.SIGNAL, run)
    known = {node.work.signal for node in plan.nodes.values() if isinstance(node.work, WaitFor)}
    if name not in known:
        raise UnknownSignal(
            f'no milestone of {plan.name} waits for the signal "{name}"',
            hint=did_you_mean(name, known) or _named("it waits for", known),
        )
    if sum(map(len, run.signals.values())) >= MOST_SIGNALS:
        raise TooManySignals(f"{MOST_SIGNALS} signals wait already for milestones that take them")
    received = SignalReceived(
        at=by.at, signal=name, id=signal_id, data=data, principal=by.principal
    )
    return (received,)


def settle(run: RunState, by: By, *, note: str = "", settled_by: str = "") -> tuple[Fact, ...]:
    """Take a failed run from the dead letters; `settled_by` is the run that did its work.

    Raises:
        NotAllowed: it did not fail, or was settled otherwise.
    """
    check(Verb.SETTLE, run)
    known = run.settled
    if known is not None:
        if (known.note, known.settled_by) == (note, settled_by):
            return ()
        raise NotAllowed(Verb.SETTLE, run, f"{known.principal} has settled it already")
    if settled_by == run.run_id:
        raise NotAllowed(Verb.SETTLE, run, "a run that failed does not settle itself")
    return (RunSettled(at=by.at, principal=by.principal, note=note, settled_by=settled_by),)


_INSTEAD: Mapping[Reason, str] = {
    **dict.fromkeys(Reason, ""),
    Reason.RETRY: "retry the milestone, to try again at once",
    Reason.TIMER: "skip the milestone, to wait no longer",
    Reason.SIGNAL: "send the signal",
    Reason.PERSON: "answer the question",
    Reason.JOURNEY: "look at the journey that it waits for",
    Reason.AMBIGUOUS: "retry the milestone, or skip it with the result it had",
}


def _waits(run: RunState) -> str:
    return f"waits ({run.reason})" if run.reason else "waits"


def _named(words: str, names: set[str]) -> str:
    return f"{words} {', '.join(sorted(names))}" if names else ""
