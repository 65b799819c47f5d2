"""The pure heart: given a plan, a run and the time, what comes next.

Nothing here waits, reads a clock, draws a number or touches the world; given the same it answers
the same, on every machine. `apply` (folding.py) folds facts, `decide` says what follows of one, and
`step` goes on until something must be done outside.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine import scope
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
from realms.journey.engine.folding import FOLD, apply, fold, gathered
from realms.journey.engine.quiet import when_quiet
from realms.journey.engine.state import (
    EVERYTHING,
    START,
    STOP,
    UNDO,
    UNDOING,
    NodeState,
    RunState,
    Stage,
)
from realms.journey.expressions.compiled import ExpressionFailed
from realms.journey.plans.contracts import Check, ContractBroken
from realms.journey.plans.plan import (
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
from realms.journey.plans.retries import NOTHING_DONE
from utilities.errors import ErrorKind, FieldError, PlatformError

__all__ = ["apply", "decide", "fold", "step"]

SUSPECT_AFTER = 2
"""After so many attempts that died with their process, the next is made while nothing else runs."""


# Members of enums that every milestone asks for: as names of this module they cost a quarter.
_WORKING = Stage.WORKING
_QUEUED = Stage.QUEUED
_CLOSING = Stage.CLOSING
_PENDING = RunStatus.PENDING


@dataclass(slots=True)
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


@dataclass(slots=True)
class Step:
    """Facts for one commit, and what to do once they are durable."""

    facts: tuple[Fact, ...]
    moves: tuple[Move, ...]


class Turn:
    """One step in the making: what is recorded counts at once for what is decided after it."""

    __slots__ = ("facts", "moves", "now", "plan", "run")

    def __init__(self, plan: Plan, run: RunState, now: datetime) -> None:
        self.plan = plan
        self.run = run
        self.now = now
        self.facts: list[Fact] = []
        self.moves: list[Move] = []

    def record(self, fact: Fact) -> None:
        FOLD[type(fact)](self.run, fact)
        self.run.updated_at = fact.at
        self.facts.append(fact)

    def act(self, move: Move) -> None:
        self.moves.append(move)


def step(plan: Plan, run: RunState, now: datetime, *, first: Sequence[Fact] = ()) -> Step:
    """Take up the facts that just came (`first`), then decide until all that is left is to act."""
    if len(first) == 1 and (straight := _STRAIGHT.get(type(first[0]))) is not None:
        onward = straight(plan, run, now, first[0])
        if onward is not None:
            return onward
    return looked_about(plan, run, now, first=first)


def looked_about(plan: Plan, run: RunState, now: datetime, *, first: Sequence[Fact] = ()) -> Step:
    """What `step` does where it cannot go straight on."""
    turn = Turn(plan, run, now)
    for fact in first:
        turn.record(fact)
    while True:
        if run.paused or run.ended is not None or run.stage is _QUEUED:
            break
        if not run.fresh:
            if run.active or (last := when_quiet(plan, run, now)) is None:
                break
            turn.record(last)
            continue
        fresh, run.fresh = run.fresh, []
        for path in fresh:
            decide(turn, path)
    return Step(tuple(turn.facts), tuple(turn.moves))


# the steps of most runs: what `looked_about` comes to as well


def _onward(plan: Plan, run: RunState, now: datetime, fact: MilestoneSucceeded) -> Step | None:
    """One succeeded, and the only one that waited for it begins; None where there is more to it."""
    if (path := plan.onward.get(fact.path)) is None:
        return None
    if run.fresh or run.paused or run.ended or run.stopping or run.stage is not _WORKING:
        return None
    if not run.start.trace_id or path in run.nodes:
        return None
    if run.read_back and (
        fact.path in run.read_back or any(_broken_promises(plan.nodes[path], run))
    ):
        return None
    return _led_to(run, fact, MilestoneBegan(now, path, 1), now)


def _again(plan: Plan, run: RunState, now: datetime, fact: AttemptLost) -> Step | None:
    """A run is taken over that had one call under way: it is made again, and nothing else waits.

    Every milestone is looked at: each but this one has ended, or waits for another in the line.
    """
    node, state = plan.nodes.get(fact.path), run.active.get(fact.path)
    if node is None or state is None:
        return None
    if run.paused or run.ended or run.stopping or run.stage is not _WORKING:
        return None
    if type(node.work) is not Call or node.work.effect is Effect.GUARDED:
        return None
    if state.called_alone or state.crashes + 1 >= SUSPECT_AFTER:
        return None
    for path, other in plan.nodes.items():
        known = run.nodes.get(path)
        if known is None:
            if ready(plan, run, other):
                return None
        elif known.ended_at is None and known is not state:
            return None
    return _led_to(run, fact, MilestoneBegan(now, fact.path, state.attempts + 1), now)


def _led_to(run: RunState, fact: Fact, began: MilestoneBegan, now: datetime) -> Step:
    FOLD[type(fact)](run, fact)
    FOLD[MilestoneBegan](run, began)
    run.updated_at = now
    run.fresh = []
    state = run.active[began.path]
    state.handed = began.attempt
    return Step((fact, began), (Perform(began.path, began.attempt, state.generation),))


_STRAIGHT: Mapping[type[Fact], Callable[[Plan, RunState, datetime, Any], Step | None]] = {
    MilestoneSucceeded: _onward,
    AttemptLost: _again,
}


def woken(plan: Plan, run: RunState, now: datetime) -> Step:
    """What follows because time has passed."""
    if run.ended is not None or run.paused or run.stage is _QUEUED:
        return Step((), ())
    if (deadline := run.deadline_passed_at) is not None and deadline <= now:
        return step(plan, run, now, first=[RunStopping(at=now, reason=Reason.TIMEOUT)])
    run.fresh += [n.path for n in run.active.values() if n.wake_at is not None and n.wake_at <= now]
    run.fresh += [n.path for n in run.active.values() if n.reason is Reason.JOURNEY]
    return step(plan, run, now)


def decide(turn: Turn, path: str) -> None:
    """What follows of a change at `path`: facts that are recorded, and moves to be made."""
    run = turn.run
    state = run.nodes.get(path)
    if state is None:
        if (whole := _WHOLE.get(path)) is not None:
            whole(turn)
    elif state.ended_at is None:
        if run.stopping is None or run.stage is not _WORKING:
            _going_on(turn, state)
    elif path == state.node:
        _followed(turn, state)
    elif state.undoes:
        _undoing(turn)


# the run as a whole


def _start(turn: Turn) -> None:
    for path in turn.plan.roots:
        if path not in turn.run.nodes:
            enter(turn, turn.plan.nodes[path])


def _everything(turn: Turn) -> None:
    """After a recovery, a resumption or a change by hand: look at all there is."""
    plan, run = turn.plan, turn.run
    if run.stage is Stage.COMPENSATING:
        run.fresh.append(UNDOING)
        run.fresh += list(run.active)
        return
    at_rest = [state for state in run.active.values() if not state.performing]
    at_rest.sort(key=lambda state: state.ended_attempt is None)  # what has ended decides the rest
    run.fresh += [state.path for state in at_rest]
    pending = [s for s in run.nodes.values() if s.status is _PENDING and s.path == s.node]
    last = () if run.stage is _CLOSING else plan.closing
    run.fresh += [state.path for state in pending if state.node not in last]
    for node in plan.nodes.values():
        if (state := run.nodes.get(node.path)) is not None:
            if state.status.ended and node.branch_of in run.active:
                run.fresh.append(node.path)  # it ended while the run was paused
        elif ready(plan, run, node):
            enter(turn, node)
        elif node.branch_of and node.branch_of in run.active:
            begin(turn, node, node.path)


def _stop(turn: Turn) -> None:
    stopping = turn.run.stopping
    assert stopping is not None
    for state in list(turn.run.active.values()):
        _cancel(turn, state, stopping.reason)


def _undoing(turn: Turn) -> None:
    """One after the other: the next that is to be undone."""
    for path in turn.run.undo:
        state = turn.run.nodes.get(path + UNDO)
        if state is None:
            turn.record(MilestoneBegan(at=turn.now, path=path + UNDO, attempt=1))
            return
        if state.ended_at is None:
            return


_WHOLE = {START: _start, EVERYTHING: _everything, STOP: _stop, UNDOING: _undoing}


# entering a milestone


def ready(plan: Plan, run: RunState, node: Node) -> bool:
    """Whether everything the milestone needs has come to its end."""
    closing = run.stage is _CLOSING
    if node.branch_of or (node.path in plan.closing) is not closing:
        return False
    for need in node.needs:
        state = run.nodes.get(need)
        if state is not None and state.ended_at is not None:
            continue
        if not closing or need in plan.closing:
            return False
    return True


def enter(turn: Turn, node: Node) -> None:
    """Begin a milestone, or skip it, once what it needs has ended."""
    plan, run, now = turn.plan, turn.run, turn.now
    succeeded, failed = scope.standing(plan, run, node)
    condition = node.condition
    asks = condition is not None and condition.asks_status
    if not (succeeded or asks or node.path in plan.closing):
        reason = Reason.UPSTREAM if failed else Reason.CONDITION
        turn.record(MilestoneSkipped(at=now, path=node.path, reason=reason))
        return
    try:
        if condition is not None:
            data = scope.data(plan, run, condition.names)
            outcomes = scope.outcomes(run, condition.guards, succeeded=succeeded, failed=failed)
            if not condition.value(data, outcomes):
                turn.record(MilestoneSkipped(at=now, path=node.path, reason=Reason.CONDITION))
                return
        if problems := _broken_at_the_door(node, run):
            error = failure_of(ContractBroken("; ".join(problems)))
            turn.record(
                MilestoneFailed(at=now, path=node.path, reason=Reason.CONTRACT, error=error)
            )
            return
        if node.each is not None:
            items = scope.items(plan, run, node)
            turn.record(FannedOut(at=now, path=node.path, items=len(items)))
            return
    except ExpressionFailed as error:
        turn.record(_faulty(node.path, error, now))
        return
    begin(turn, node, node.path)


def begin(turn: Turn, node: Node, path: str) -> None:
    """Begin one path of a milestone: the whole, one of its items, or its next iteration."""
    run, now, work = turn.run, turn.now, node.work
    if isinstance(work, _ATTEMPTED):
        state = run.nodes.get(path)
        turn.record(MilestoneBegan(now, path, 1 if state is None else state.attempts + 1))
        return
    wake: datetime | None
    match work:
        case Timer(duration):
            reason, wake = Reason.TIMER, now + duration
        case WaitFor(signal, timeout):
            if waiting := run.signals.get(signal):
                _complete(turn, node, path, waiting[0].data, signal=signal)
                return
            reason, wake = Reason.SIGNAL, None if timeout is None else now + timeout
        case Ask(due=due):
            reason, wake = Reason.PERSON, None if due is None else now + due
        case Race(branches):
            turn.record(FannedOut(at=now, path=path, items=len(branches)))
            return
    turn.record(MilestoneWaiting(at=now, path=path, reason=reason, wake_at=wake))


_ATTEMPTED = (Call, Emit, AgentWork, SubJourney)


# what goes on


def _going_on(turn: Turn, state: NodeState) -> None:
    if state.performing:
        if state.handed != state.attempts:
            state.handed = state.attempts
            turn.act(Perform(state.path, state.attempts, state.generation, state.alone))
        return
    node = turn.plan.nodes[state.node]
    match state.status:
        case RunStatus.PENDING if node.branch_of or ready(turn.plan, turn.run, node):
            enter(turn, node)
        case RunStatus.RUNNING if state.ended_attempt is not None:
            _after_attempt(turn, node, state)
        case RunStatus.RUNNING if isinstance(node.work, Race):
            for branch in node.work.branches:
                if branch not in turn.run.nodes:
                    begin(turn, turn.plan.nodes[branch], branch)
        case RunStatus.RUNNING:
            _fan(turn, node, state)
        case RunStatus.WAITING:
            _waiting(turn, node, state)


def _waiting(turn: Turn, node: Node, state: NodeState) -> None:
    now, path = turn.now, state.path
    over = state.wake_at is not None and state.wake_at <= now
    match state.reason:
        case Reason.RETRY if over:
            turn.record(MilestoneBegan(at=now, path=path, attempt=state.attempts + 1))
        case Reason.TIMER if over:
            _complete(turn, node, path, {})
        case Reason.SIGNAL:
            assert isinstance(node.work, WaitFor)
            name = node.work.signal
            if waiting := turn.run.signals.get(name):
                _complete(turn, node, path, waiting[0].data, signal=name)
            elif over:
                turn.record(_late(path, f'the signal "{name}" did not come in time', now))
        case Reason.PERSON:
            _asked(turn, node, state, over=over)
        case Reason.JOURNEY if over:
            turn.act(StopChild(state.child, Reason.TIMEOUT))
            turn.record(_late(path, "the journey did not end in time", now))
        case Reason.JOURNEY:
            turn.act(SeeToChild(path, state.child))


def _asked(turn: Turn, node: Node, state: NodeState, *, over: bool) -> None:
    ask = node.work
    assert isinstance(ask, Ask)
    if len(state.answers) >= ask.quorum:
        people = [answer.principal for answer in state.answers]
        if ask.quorum == 1:
            output = {**state.answers[0].answer, "answered_by": people[0]}
        else:
            output = {"answers": [dict(a.answer) for a in state.answers], "answered_by": people}
        _complete(turn, node, state.path, output)
    elif over and ask.escalate_to and not state.escalated:
        turn.record(Escalated(at=turn.now, path=state.path))
    elif over and not state.escalated:
        turn.record(_late(state.path, "nobody answered in time", turn.now))


def _after_attempt(turn: Turn, node: Node, state: NodeState) -> None:
    """What follows an attempt that gave no result, or an iteration that was not the last."""
    now, path = turn.now, state.path
    call = scope.call_of(node, state)
    guarded = call is not None and call.effect is Effect.GUARDED
    how = state.ended_attempt
    if how is IterationEnded:
        begin(turn, node, path)
    elif how is AttemptFailed:
        turn.record(_after_error(turn.run, node, state, now, guarded=guarded))
    elif guarded and (how is AttemptLost or state.called):
        turn.record(MilestoneWaiting(at=now, path=path, reason=Reason.AMBIGUOUS))
    elif how is AttemptLost and state.called_alone:
        turn.record(_poisoned(state, now))
    else:
        alone = how is AttemptLost and state.crashes >= SUSPECT_AFTER
        turn.record(MilestoneBegan(at=now, path=path, attempt=state.attempts + 1, alone=alone))


def _after_error(
    run: RunState, node: Node, state: NodeState, now: datetime, *, guarded: bool
) -> Fact:
    error, path = state.error, state.path
    assert error is not None
    assert state.began_at is not None
    if error.code in _IN_DOUBT or (guarded and error.kind not in NOTHING_DONE):
        return MilestoneWaiting(at=now, path=path, reason=Reason.AMBIGUOUS)
    if not node.retry.repeats(error, failures=state.failures, elapsed=now - state.began_at):
        reason = _REASONS.get(error.code, Reason.ERROR)
        return MilestoneFailed(at=now, path=path, reason=reason, error=error)
    identity = idempotency_key(run, state)
    delay = node.retry.delay(identity, failures=state.failures, retry_after=error.retry_after)
    return RetryScheduled(at=now, path=path, wake_at=now + delay)


_IN_DOUBT = frozenset({"ambiguous_tool_call"})
"""What an agent's work ends in when a crash cut a call that is not repeated."""
_REASONS = {
    "contract_broken": Reason.CONTRACT,
    "expression_failed": Reason.EXPRESSION,
    "milestone_timed_out": Reason.TIMEOUT,
}


# results


def _complete(turn: Turn, node: Node, path: str, output: Any, *, signal: str = "") -> None:
    turn.record(completed(turn.plan, turn.run, node, path, output, turn.now, signal=signal))


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
) -> MilestoneSucceeded | IterationEnded | AttemptFailed | MilestoneFailed:
    """The fact that a result becomes: a checkpoint, unless a loop goes on or a contract breaks."""
    itself = not path.endswith(UNDO)
    if node.checks is not None and itself and (problems := node.checks.problems(output)):
        error = failure_of(ContractBroken("; ".join(problems)))
        if attempt:
            return AttemptFailed(at=now, path=path, attempt=attempt, error=error)
        return MilestoneFailed(at=now, path=path, reason=Reason.CONTRACT, error=error)
    if node.loop is not None and itself:
        looped = _looped(plan, run, node, path, output, now, attempt=attempt, signal=signal)
        if looped is not None:
            return looped
    return MilestoneSucceeded(now, path, output, attempt, signal)


def _looped(
    plan: Plan,
    run: RunState,
    node: Node,
    path: str,
    output: Any,
    now: datetime,
    *,
    attempt: int,
    signal: str,
) -> IterationEnded | MilestoneFailed | None:
    """What a result means to a loop; None when the loop is done."""
    loop = node.loop
    assert loop is not None
    try:
        holds = loop.until.value(scope.data(plan, run, loop.until.names, path=path, own=output))
    except ExpressionFailed as error:
        return _faulty(path, error, now)
    if holds:
        return None
    state = run.nodes.get(path)
    if (state.iteration if state else 0) + 1 < loop.most:
        return IterationEnded(at=now, path=path, output=output, attempt=attempt, signal=signal)
    if loop.on_exhausted is OnExhausted.FAIL:
        return MilestoneFailed(at=now, path=path, reason=Reason.EXHAUSTED, error=_exhausted(node))
    return None


# what follows an end


def _followed(turn: Turn, state: NodeState) -> None:
    """A milestone has come to its end: begin those that waited for it."""
    plan, run = turn.plan, turn.run
    if plan.nodes[state.node].branch_of:
        _branch_ended(turn, plan.nodes[plan.nodes[state.node].branch_of], state)
        return
    if run.stopping is not None and run.stage is _WORKING:
        return
    for path in plan.followers.get(state.node, ()):
        known = run.nodes.get(path)
        if known is not None and known.status is not _PENDING:
            continue
        node = plan.nodes[path]
        if ready(plan, run, node):
            enter(turn, node)


def _branch_ended(turn: Turn, race: Node, branch: NodeState) -> None:
    run, work = turn.run, race.work
    assert isinstance(work, Race)
    if race.path not in run.active:
        return
    if branch.status is RunStatus.SUCCEEDED:
        for other in work.branches:
            if other in run.active:
                _cancel(turn, run.active[other], Reason.RACE_LOST)
        _complete(turn, race, race.path, {"winner": branch.path, "result": branch.output})
    elif all(b in run.nodes and run.nodes[b].status.ended for b in work.branches):
        error = branch.error or _nobody_won(race)
        turn.record(MilestoneFailed(at=turn.now, path=race.path, reason=Reason.ERROR, error=error))


def _fan(turn: Turn, node: Node, parent: NodeState) -> None:
    """Begin as many items as may run together; gather when all have ended."""
    each, run = node.each, turn.run
    assert each is not None
    if not each.tolerates(parent.given_up, of=parent.items):
        for state in [s for s in run.active.values() if s.node == node.path and s is not parent]:
            _cancel(turn, state, Reason.EXHAUSTED)
        error = _too_many(run, parent)
        turn.record(
            MilestoneFailed(at=turn.now, path=node.path, reason=Reason.EXHAUSTED, error=error)
        )
        return
    if parent.done >= parent.items:
        done = completed(turn.plan, run, node, node.path, gathered(run, parent), turn.now)
        if isinstance(done, MilestoneSucceeded):
            done = replace(done, output=None, gathered=True)
        turn.record(done)
        return
    room = each.max_parallel - (parent.begun - parent.done)
    if parent.opened:
        room += _begin_again(turn, node, parent, room)
    for index in range(parent.begun, min(parent.items, parent.begun + room)):
        begin(turn, node, f"{node.path}[{index}]")


def _begin_again(turn: Turn, node: Node, parent: NodeState, room: int) -> int:
    """Begin items that were opened again, as far as there is room; so many wait on."""
    paths = [f"{node.path}[{index}]" for index in range(parent.begun)]
    opened = [path for path in paths if turn.run.nodes[path].status is _PENDING]
    now = opened[: max(0, room + len(opened))]
    parent.opened = len(now) < len(opened)
    for path in now:
        begin(turn, node, path)
    return len(opened) - len(now)


def _cancel(turn: Turn, state: NodeState, reason: Reason) -> None:
    if state.performing:
        turn.act(Cut(state.path))
    if state.child and state.reason is Reason.JOURNEY:
        turn.act(StopChild(state.child, reason))
    turn.record(MilestoneCancelled(at=turn.now, path=state.path, reason=reason))


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


def cut_short(run: RunState, failed: AttemptFailed) -> tuple[Fact, ...]:
    """The facts that going on from the journal adds where one attempt failed in writing its result.

    The others that were under way were cut with it, which is no crash.
    """
    return tuple(
        failed
        if (path, state.attempts) == (failed.path, failed.attempt)
        else AttemptReleased(at=failed.at, path=path, attempt=state.attempts, called=True)
        for path, state in run.active.items()
        if state.performing
    )


def wanted(run: RunState, attempt: Perform) -> bool:
    """Whether the outcome of an attempt still counts: it was not cut, nor begun anew."""
    state = run.active.get(attempt.path)
    return (
        state is not None
        and state.performing
        and state.attempts == attempt.attempt
        and state.generation == attempt.generation
    )


def idempotency_key(run: RunState, state: NodeState) -> str:
    """`run:path:iteration:generation`, the same on every attempt."""
    return f"{run.run_id}:{state.path}:{state.iteration}:{state.generation}"


def broken(checks: Iterable[Check], data: Mapping[str, Any]) -> list[str]:
    """What in `data` breaks a contract."""
    return [problem for check in checks if (problem := check.problem(data))]


def failure_of(error: PlatformError) -> Failure:
    """An expected error as the journal keeps it, whatever characters it holds."""
    return Failure(
        kind=error.kind,
        code=error.code,
        title=_storable(error.title),
        detail=_storable(error.detail),
        hint=_storable(error.hint),
        errors=tuple(FieldError(_storable(e.pointer), _storable(e.detail)) for e in error.errors),
        retry_after=error.retry_after,
    )


def _storable(text: object) -> str:
    """Names of files and the like may hold what is no Unicode, which no JSON can keep."""
    return str(text).encode(errors="replace").decode()


def _broken_at_the_door(node: Node, run: RunState) -> list[str]:
    """What is due when a milestone begins and was not handed over as promised."""
    problems = [] if node.door is None else node.door.problems(run.start.values)
    if run.read_back:
        problems += _broken_promises(node, run)
    if node.trace_required_by and not run.start.trace_id:
        problems += [f"{name}: a trace id is required" for name in node.trace_required_by]
    return problems


def _broken_promises(node: Node, run: RunState) -> Iterator[str]:
    """What milestones before this one were to hand over to it and did not, by the journal.

    What was produced here was checked when it was.
    """
    for check in node.on_entry:
        if check.producer in run.read_back and (
            problem := check.problem(run.results.get(check.producer, {}))
        ):
            yield problem


def _faulty(path: str, error: PlatformError, now: datetime) -> MilestoneFailed:
    return MilestoneFailed(at=now, path=path, reason=Reason.EXPRESSION, error=failure_of(error))


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
