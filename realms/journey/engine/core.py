"""The pure heart: given a plan, a run and the time, what comes next.

Nothing here waits, reads a clock, draws a number or touches the world; given the same it answers
the same, on every machine. `apply` (state.py) folds facts, `decide` says what follows of one change,
`step` goes on until something must be done outside. Promises 2, 5 and 8 of durability.md live here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine import scope
from realms.journey.engine.contracts import Check, ContractBroken
from realms.journey.engine.expressions import ExpressionFailed
from realms.journey.engine.facts import (
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    Escalated,
    Fact,
    FannedOut,
    IterationEnded,
    MilestoneBegan,
    MilestoneCancelled,
    MilestoneFailed,
    MilestoneSkipped,
    MilestoneSucceeded,
    MilestoneWaiting,
    RetryScheduled,
    RunResumed,
    RunStopping,
)
from realms.journey.engine.plan import (
    AgentWork,
    Ask,
    Call,
    Emit,
    Node,
    OnExhausted,
    Plan,
    Race,
    SubJourney,
    Timer,
    WaitFor,
)
from realms.journey.engine.quiet import when_quiet
from realms.journey.engine.retries import NOTHING_DONE
from realms.journey.engine.state import (
    EVERYTHING,
    START,
    STOP,
    UNDO,
    UNDOING,
    NodeState,
    RunState,
    Stage,
    apply,
    fold,
)
from utilities.errors import ErrorKind, PlatformError

__all__ = ["apply", "decide", "fold", "step"]

SUSPECT_AFTER = 2
"""After so many attempts that died with their process, the next is made while nothing else runs."""


@dataclass(frozen=True, slots=True)
class Perform:
    """Make the attempt that was begun."""

    path: str
    attempt: int
    generation: int = 1
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut the attempt that is under way; nobody wants its result any more."""

    path: str


@dataclass(frozen=True, slots=True)
class SeeToChild:
    """Look whether the journey that a milestone waits for has ended."""

    path: str
    child: str


@dataclass(frozen=True, slots=True)
class StopChild:
    """Cancel the journey that a milestone waited for."""

    child: str
    reason: Reason


Move = Perform | Cut | SeeToChild | StopChild


@dataclass(frozen=True, slots=True)
class Step:
    """Facts for one commit, and what to do once they are durable."""

    facts: tuple[Fact, ...]
    moves: tuple[Move, ...]


def step(plan: Plan, run: RunState, now: datetime, *, first: Iterable[Fact] = ()) -> Step:
    """Take up the facts that just came (`first`), then decide until all that is left is to act."""
    facts: list[Fact] = []
    moves: list[Move] = []
    for fact in first:
        apply(run, fact)
        facts.append(fact)
    while True:
        if not run.fresh:
            if run.active or (last := when_quiet(plan, run, now)) is None:
                return Step(tuple(facts), tuple(moves))
            apply(run, last)
            facts.append(last)
            continue
        if run.paused or run.ended is not None or run.stage is Stage.QUEUED:
            return Step(tuple(facts), tuple(moves))
        fresh, run.fresh = run.fresh, []
        for path in fresh:
            for act in decide(plan, run, path, now):
                if isinstance(act, _MOVES):
                    moves.append(act)
                    if isinstance(act, Perform):
                        run.nodes[act.path].handed = act.attempt
                else:
                    apply(run, act)
                    facts.append(act)


_MOVES = (Perform, Cut, SeeToChild, StopChild)


def woken(plan: Plan, run: RunState, now: datetime) -> Step:
    """What follows because time has passed."""
    if run.ended is not None or run.paused or run.stage is Stage.QUEUED:
        return Step((), ())
    if (deadline := run.deadline_passed_at) is not None and deadline <= now:
        return step(plan, run, now, first=[RunStopping(at=now, reason=Reason.TIMEOUT)])
    run.fresh += [n.path for n in run.active.values() if n.wake_at is not None and n.wake_at <= now]
    run.fresh += [n.path for n in run.active.values() if n.reason is Reason.JOURNEY]
    return step(plan, run, now)


def decide(plan: Plan, run: RunState, path: str, now: datetime) -> Iterable[Fact | Move]:  # noqa: PLR0911 - a list of cases
    """What follows of a change at `path`: facts that are to be recorded, and moves to be made."""
    match path:
        case "" | "*" | "!" | "~":
            return list(_WHOLE[path](plan, run, now))
    state = run.nodes.get(path)
    if state is None:
        return ()
    if not state.status.ended:
        stops = run.stopping is not None and run.stage is Stage.WORKING
        return () if stops else list(_going_on(plan, run, state, now))
    if state.undoes:
        return list(_undoing(plan, run, now))
    return list(_after(plan, run, state, now))


# the run as a whole


def _start(plan: Plan, run: RunState, now: datetime) -> Iterator[Fact | Move]:
    for path in plan.roots:
        if path not in run.nodes:
            yield from enter(plan, run, plan.nodes[path], now)


def _everything(plan: Plan, run: RunState, now: datetime) -> Iterator[Fact | Move]:
    """After a recovery, a resumption or a change by hand: look at all there is."""
    if run.stage is Stage.COMPENSATING:
        run.fresh.append(UNDOING)
        run.fresh += list(run.active)
        return
    run.fresh += [path for path, s in run.active.items() if not s.performing]
    run.fresh += [path for path, s in run.nodes.items() if s.status is RunStatus.PENDING]
    for node in plan.nodes.values():
        if node.path not in run.nodes and ready(plan, run, node):
            yield from enter(plan, run, node, now)
        if node.branch_of and node.path not in run.nodes and node.branch_of in run.active:
            yield from begin(plan, run, node, node.path, now)


def _stop(plan: Plan, run: RunState, now: datetime) -> Iterator[Fact | Move]:
    assert run.stopping is not None
    for state in list(run.active.values()):
        yield from _cancel(state, run.stopping.reason, now)


def _undoing(plan: Plan, run: RunState, now: datetime) -> Iterator[Fact | Move]:
    """One after the other: the next that is to be undone."""
    for path in run.undo:
        state = run.nodes.get(path + UNDO)
        if state is None:
            yield MilestoneBegan(at=now, path=path + UNDO, attempt=1)
            return
        if not state.status.ended:
            return


_WHOLE = {START: _start, EVERYTHING: _everything, STOP: _stop, UNDOING: _undoing}


# entering a milestone


def ready(plan: Plan, run: RunState, node: Node) -> bool:
    """Whether everything the milestone needs has come to its end."""
    if node.branch_of or (node.path in plan.closing) is not (run.stage is Stage.CLOSING):
        return False
    for need in node.needs:
        state = run.nodes.get(need)
        if state is not None and state.status.ended:
            continue
        if run.stage is not Stage.CLOSING or need in plan.closing:
            return False
    return True


def enter(plan: Plan, run: RunState, node: Node, now: datetime) -> Iterator[Fact]:
    """Begin a milestone, or skip it, once what it needs has ended."""
    succeeded, failed = scope.standing(plan, run, node)
    condition = node.condition
    if condition is None or not condition.asks_status:
        if not succeeded and node.path not in plan.closing:
            reason = Reason.UPSTREAM if failed else Reason.CONDITION
            yield MilestoneSkipped(at=now, path=node.path, reason=reason)
            return
    try:
        if condition is not None:
            data = scope.data(plan, run, condition.names)
            outcomes = scope.outcomes(run, condition.guards, succeeded=succeeded, failed=failed)
            if not condition.value(data, outcomes):
                yield MilestoneSkipped(at=now, path=node.path, reason=Reason.CONDITION)
                return
        if problems := _broken_at_the_door(node, run):
            error = failure_of(ContractBroken("; ".join(problems)))
            yield MilestoneFailed(at=now, path=node.path, reason=Reason.CONTRACT, error=error)
            return
        if node.each is not None:
            items = scope.items(plan, run, node)
            yield FannedOut(at=now, path=node.path, items=len(items))
            return
    except ExpressionFailed as error:
        yield _faulty(node.path, error, now)
        return
    yield from begin(plan, run, node, node.path, now)


def begin(plan: Plan, run: RunState, node: Node, path: str, now: datetime) -> Iterator[Fact]:  # noqa: PLR0912 - a list of cases
    """Begin one path of a milestone: the whole, one of its items, or its next iteration."""
    state = run.nodes.get(path)
    match node.work:
        case Call() | Emit() | AgentWork() | SubJourney():
            yield MilestoneBegan(at=now, path=path, attempt=state.attempts + 1 if state else 1)
        case Timer(duration):
            yield MilestoneWaiting(at=now, path=path, reason=Reason.TIMER, wake_at=now + duration)
        case WaitFor(signal, timeout):
            if waiting := run.signals.get(signal):
                yield from completed(plan, run, node, path, waiting[0].data, now, signal=signal)
                return
            wake = None if timeout is None else now + timeout
            yield MilestoneWaiting(at=now, path=path, reason=Reason.SIGNAL, wake_at=wake)
        case Ask(due=due):
            wake = None if due is None else now + due
            yield MilestoneWaiting(at=now, path=path, reason=Reason.PERSON, wake_at=wake)
        case Race(branches):
            yield FannedOut(at=now, path=path, items=len(branches))


# what goes on


def _going_on(plan: Plan, run: RunState, state: NodeState, now: datetime) -> Iterator[Fact | Move]:
    node = plan.nodes[state.node]
    match state.status:
        case RunStatus.PENDING:
            if state.item >= 0:
                yield from begin(plan, run, node, state.path, now)
            else:
                yield from enter(plan, run, node, now)
        case RunStatus.RUNNING if state.performing:
            if state.handed != state.attempts:
                yield Perform(state.path, state.attempts, state.generation, state.alone)
        case RunStatus.RUNNING if state.ended_attempt is not None:
            yield from _after_attempt(plan, run, node, state, now)
        case RunStatus.RUNNING if isinstance(node.work, Race):
            yield from _race_begins(plan, run, node.work, now)
        case RunStatus.RUNNING:
            yield from _fan(plan, run, node, state, now)
        case RunStatus.WAITING:
            yield from _waiting(plan, run, node, state, now)


def _waiting(
    plan: Plan, run: RunState, node: Node, state: NodeState, now: datetime
) -> Iterator[Fact | Move]:
    over = state.wake_at is not None and state.wake_at <= now
    match state.reason:
        case Reason.RETRY if over:
            yield MilestoneBegan(at=now, path=state.path, attempt=state.attempts + 1)
        case Reason.TIMER if over:
            yield from completed(plan, run, node, state.path, {}, now)
        case Reason.SIGNAL:
            assert isinstance(node.work, WaitFor)
            name = node.work.signal
            if waiting := run.signals.get(name):
                data = waiting[0].data
                yield from completed(plan, run, node, state.path, data, now, signal=name)
            elif over:
                problem = f'the signal "{node.work.signal}" did not come in time'
                yield _late(state.path, problem, now)
        case Reason.PERSON:
            yield from _asked(plan, run, node, state, now, over=over)
        case Reason.JOURNEY:
            yield SeeToChild(state.path, state.child)


def _asked(
    plan: Plan, run: RunState, node: Node, state: NodeState, now: datetime, *, over: bool
) -> Iterator[Fact | Move]:
    ask = node.work
    assert isinstance(ask, Ask)
    if len(state.answers) >= ask.quorum:
        people = [answer.principal for answer in state.answers]
        if ask.quorum == 1:
            output = {**state.answers[0].answer, "answered_by": people[0]}
        else:
            output = {"answers": [dict(a.answer) for a in state.answers], "answered_by": people}
        yield from completed(plan, run, node, state.path, output, now)
    elif over and ask.escalate_to and not state.escalated:
        yield Escalated(at=now, path=state.path)
    elif over and not state.escalated:
        yield _late(state.path, "nobody answered in time", now)


def _after_attempt(
    plan: Plan, run: RunState, node: Node, state: NodeState, now: datetime
) -> Iterator[Fact]:
    """What follows an attempt that gave no result, or an iteration that was not the last."""
    call = scope.call_of(node, state)
    guarded = call is not None and call.effect is Effect.GUARDED
    how = state.ended_attempt
    if how is IterationEnded:
        yield from begin(plan, run, node, state.path, now)
    elif how is AttemptFailed:
        yield _after_error(run, node, state, now, guarded=guarded)
    elif guarded and (how is AttemptLost or state.called):
        yield MilestoneWaiting(at=now, path=state.path, reason=Reason.AMBIGUOUS)
    elif how is AttemptLost and state.alone:
        yield _poisoned(state, now)
    else:
        alone = how is AttemptLost and state.crashes >= SUSPECT_AFTER
        yield MilestoneBegan(at=now, path=state.path, attempt=state.attempts + 1, alone=alone)


def _after_error(
    run: RunState, node: Node, state: NodeState, now: datetime, *, guarded: bool
) -> Fact:
    error, path = state.error, state.path
    assert error is not None
    assert state.began_at is not None
    if guarded and error.kind not in NOTHING_DONE:
        return MilestoneWaiting(at=now, path=path, reason=Reason.AMBIGUOUS)
    if not node.retry.repeats(error, failures=state.failures, elapsed=now - state.began_at):
        reason = _REASONS.get(error.code, Reason.ERROR)
        return MilestoneFailed(at=now, path=path, reason=reason, error=error)
    identity = idempotency_key(run, state)
    delay = node.retry.delay(identity, failures=state.failures, retry_after=error.retry_after)
    return RetryScheduled(at=now, path=path, wake_at=now + delay)


_REASONS = {
    "contract_broken": Reason.CONTRACT,
    "expression_failed": Reason.EXPRESSION,
    "milestone_timed_out": Reason.TIMEOUT,
}


def completed(
    plan: Plan,
    run: RunState,
    node: Node,
    path: str,
    output: Any,
    now: datetime,
    *,
    attempt: int = 0,
    signal: str = "",
) -> Iterator[Fact]:
    """The facts that a result becomes: a checkpoint, unless a loop goes on or it breaks promises."""
    if path.endswith(UNDO):
        yield MilestoneSucceeded(at=now, path=path, output=output, attempt=attempt)
        return
    if node.on_done and node.each is None and (problems := broken(node.on_done, output)):
        error = failure_of(ContractBroken("; ".join(problems)))
        if attempt:
            yield AttemptFailed(at=now, path=path, attempt=attempt, error=error)
        else:
            yield MilestoneFailed(at=now, path=path, reason=Reason.CONTRACT, error=error)
        return
    if node.loop is not None:
        try:
            holds = node.loop.until.value(
                scope.data(plan, run, node.loop.until.names, path=path, own=output)
            )
        except ExpressionFailed as error:
            yield _faulty(path, error, now)
            return
        state = run.nodes.get(path)
        if not holds and (state.iteration if state else 0) + 1 < node.loop.most:
            yield IterationEnded(
                at=now, path=path, output=output, attempt=attempt, signal=signal
            )
            return
        if not holds and node.loop.on_exhausted is OnExhausted.FAIL:
            yield MilestoneFailed(
                at=now, path=path, reason=Reason.EXHAUSTED, error=_exhausted(node)
            )
            return
    yield MilestoneSucceeded(at=now, path=path, output=output, attempt=attempt, signal=signal)


# what follows an end


def _after(plan: Plan, run: RunState, state: NodeState, now: datetime) -> Iterator[Fact | Move]:
    """A path has come to its end: begin those that waited for it."""
    if state.path != state.node:
        return
    node = plan.nodes[state.node]
    if node.branch_of:
        yield from _branch_ended(plan, run, plan.nodes[node.branch_of], state, now)
        return
    if run.stopping is not None and run.stage is Stage.WORKING:
        return
    for path in plan.followers.get(node.path, ()):
        if path not in run.nodes and ready(plan, run, plan.nodes[path]):
            yield from enter(plan, run, plan.nodes[path], now)


def _race_begins(plan: Plan, run: RunState, race: Race, now: datetime) -> Iterator[Fact]:
    for branch in race.branches:
        if branch not in run.nodes:
            yield from begin(plan, run, plan.nodes[branch], branch, now)


def _branch_ended(
    plan: Plan, run: RunState, race: Node, branch: NodeState, now: datetime
) -> Iterator[Fact | Move]:
    parent = run.active.get(race.path)
    assert isinstance(race.work, Race)
    if parent is None:
        return
    if branch.status is RunStatus.SUCCEEDED:
        for other in race.work.branches:
            if other in run.active:
                yield from _cancel(run.active[other], Reason.RACE_LOST, now)
        output = {"winner": branch.path, "result": branch.output}
        yield from completed(plan, run, race, race.path, output, now)
    elif all(b in run.nodes and run.nodes[b].status.ended for b in race.work.branches):
        error = branch.error or _nobody_won(race)
        yield MilestoneFailed(at=now, path=race.path, reason=Reason.ERROR, error=error)


def _fan(
    plan: Plan, run: RunState, node: Node, parent: NodeState, now: datetime
) -> Iterator[Fact | Move]:
    """Begin as many items as may run together; gather when all have ended."""
    each = node.each
    assert each is not None
    if not each.tolerates(parent.given_up, of=parent.items):
        for state in [s for s in run.active.values() if s.node == node.path and s is not parent]:
            yield from _cancel(state, Reason.EXHAUSTED, now)
        yield MilestoneFailed(
            at=now, path=node.path, reason=Reason.EXHAUSTED, error=_too_many(run, parent)
        )
        return
    if parent.done >= parent.items:
        states = (run.nodes[f"{node.path}[{index}]"] for index in range(parent.items))
        gathered = [s.output for s in states if s.status is RunStatus.SUCCEEDED]
        yield from completed(plan, run, node, node.path, gathered, now)
        return
    room = each.max_parallel - (parent.begun - parent.done)
    for index in range(parent.begun, min(parent.items, parent.begun + room)):
        yield from begin(plan, run, node, f"{node.path}[{index}]", now)


def _cancel(state: NodeState, reason: Reason, now: datetime) -> Iterator[Fact | Move]:
    if state.performing:
        yield Cut(state.path)
    if state.child and state.reason is Reason.JOURNEY:
        yield StopChild(state.child, reason)
    yield MilestoneCancelled(at=now, path=state.path, reason=reason)


# for those around


def recovered(run: RunState, now: datetime) -> tuple[Fact, ...]:
    """The facts that taking over a run adds: what was in progress, nobody will finish."""
    lost: list[Fact] = [
        AttemptLost(at=now, path=path, attempt=state.attempts)
        for path, state in run.active.items()
        if state.performing
    ]
    if run.held:
        lost.insert(0, RunResumed(at=now, principal=""))
    return tuple(lost)


def wanted(run: RunState, attempt: Perform) -> bool:
    """Whether the outcome of an attempt still counts: it was not cut, nor begun anew."""
    state = run.active.get(attempt.path)
    return (
        state is not None
        and state.performing
        and (state.attempts, state.generation) == (attempt.attempt, attempt.generation)
    )


def idempotency_key(run: RunState, state: NodeState) -> str:
    """`run:path:iteration:generation`, the same on every attempt."""
    return f"{run.run_id}:{state.path}:{state.iteration}:{state.generation}"


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
        retry_after=error.retry_after,
    )


def _broken_at_the_door(node: Node, run: RunState) -> list[str]:
    """What is due when a milestone begins and was not handed over as promised."""
    problems = []
    for check in node.on_entry:
        handed = run.results.get(check.producer, {}) if check.producer else run.start.values
        if problem := check.problem(handed):
            problems.append(problem)
    if node.trace_required_by and not run.start.trace_id:
        problems += [f"{name}: a trace id is required" for name in node.trace_required_by]
    return problems


def _faulty(path: str, error: PlatformError, now: datetime) -> MilestoneFailed:
    return MilestoneFailed(
        at=now, path=path, reason=Reason.EXPRESSION, error=failure_of(error)
    )


def _late(path: str, problem: str, now: datetime) -> MilestoneFailed:
    error = Failure(
        kind=ErrorKind.TIMEOUT,
        code="waited_too_long",
        title="What was waited for did not come in time.",
        detail=problem,
    )
    return MilestoneFailed(at=now, path=path, reason=Reason.TIMEOUT, error=error)


def _poisoned(state: NodeState, now: datetime) -> MilestoneFailed:
    error = Failure(
        kind=ErrorKind.INTERNAL,
        code="poison",
        title="The process died in every attempt.",
        detail=f"{state.crashes} attempts of {state.path} died with their process, the last alone",
        hint="see the log before each crash; mend the service, or supply the result by hand",
    )
    return MilestoneFailed(at=now, path=state.path, reason=Reason.POISON, error=error)


def _exhausted(node: Node) -> Failure:
    assert node.loop is not None
    return Failure(
        kind=ErrorKind.INVALID,
        code="loop_exhausted",
        title="A loop came to its end and what it waited for does not hold.",
        detail=f"{node.path} was reached {node.loop.most} times",
        hint="raise `max`, or let it go on with on_exhausted: continue",
    )


def _too_many(run: RunState, parent: NodeState) -> Failure:
    states = (run.nodes.get(f"{parent.path}[{index}]") for index in range(parent.items))
    failed = [s for s in states if s is not None and s.status is RunStatus.FAILED]
    first = failed[0]
    assert first.error is not None
    detail = f"{len(failed)} of {parent.items} items failed; the first, {first.path}: "
    return first.error.model_copy(update={"detail": detail + first.error.detail})


def _nobody_won(race: Node) -> Failure:
    return Failure(
        kind=ErrorKind.INTERNAL,
        code="race_without_winner",
        title="No branch of the race came to a result.",
        detail=f"every branch of {race.path} was cancelled",
    )
