"""What a run's journal means: its facts, folded into where the run and each milestone stand.

`apply` is the only thing that changes a state, and it does so in place: a run is folded tens of
thousands of times a second. Given the same facts it gives the same state, on every machine.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.facts import (
    AnswerGiven,
    AnswerRefused,
    AttemptAlone,
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    Escalated,
    Fact,
    FannedOut,
    GenerationBegan,
    IterationEnded,
    MilestoneBegan,
    MilestoneCancelled,
    MilestoneFailed,
    MilestoneReopened,
    MilestoneSkipped,
    MilestoneSucceeded,
    MilestoneWaiting,
    ResultSupplied,
    RetryScheduled,
    RunAdmitted,
    RunClosing,
    RunCompensating,
    RunEnded,
    RunFailed,
    RunHeld,
    RunMigrated,
    RunPaused,
    RunQueued,
    RunResumed,
    RunSettled,
    RunStarted,
    RunStopping,
    RunSucceeded,
    SignalReceived,
    StepRecorded,
)
from realms.journey.engine.state import (
    EVERYTHING,
    START,
    STOP,
    UNDO,
    UNDOING,
    CorruptJournal,
    Ending,
    NodeState,
    RunState,
    Stage,
)

# Members of enums that every milestone asks for: as names of this module they cost a quarter.
_RUNNING = RunStatus.RUNNING
_SUCCEEDED = RunStatus.SUCCEEDED
_NO_REASON = Reason.NONE


def apply(run: RunState | None, fact: Fact, *, run_id: str = "") -> RunState:
    """The run after `fact`. The first fact makes it, and needs its `run_id`.

    Raises:
        CorruptJournal: no engine would have written this fact here.
    """
    if run is None:
        if not isinstance(fact, RunStarted):
            raise CorruptJournal(f"the journal of {run_id} begins with {fact.kind}")
        run = RunState(run_id, fact, 0, fact.template_hash, fact.pins)
        run.deadline = fact.deadline
        run.fresh.append(START)
    else:
        FOLD[type(fact)](run, fact)
    run.updated_at = fact.at
    return run


def fold(run_id: str, entries: Iterable[Iterable[Fact]]) -> RunState:
    """The run that a whole journal tells, and everything in it to be looked at.

    Raises:
        CorruptJournal: it is empty or contradicts itself.
    """
    run: RunState | None = None
    count = 0
    try:
        for entry in entries:
            count += 1
            for fact in entry:
                run = apply(run, fact, run_id=run_id)
    except (LookupError, AttributeError, ValueError) as error:
        raise CorruptJournal(f"entry {count} of {run_id} does not follow: {error!r}") from error
    if run is None:
        raise CorruptJournal(f"the journal of {run_id} is empty")
    run.entries = count
    run.read_back = frozenset(run.results)
    run.fresh = [EVERYTHING]
    return run


# attempts


def _began(run: RunState, fact: MilestoneBegan) -> None:
    node = _opened(run, fact.path)
    if node.performing or fact.attempt != node.attempts + 1:
        _must(run, holds=False, fact=fact)
    node.status = _RUNNING
    node.reason = _NO_REASON
    node.attempts = fact.attempt
    node.alone = fact.alone
    node.performing = True
    node.called = True
    node.ended_attempt = None
    node.wake_at = None
    if node.began_at is None:
        node.began_at = fact.at
    run.performing += 1
    run.fresh.append(fact.path)


def _succeeded(run: RunState, fact: MilestoneSucceeded) -> None:
    node = run.active.get(fact.path) or _opened(run, fact.path)
    if fact.attempt and not (node.performing and fact.attempt == node.attempts):
        _must(run, holds=False, fact=fact)
    node.output = fact.output
    node.spilled = fact.spilled
    node.memo = fact.memo
    if fact.gathered:
        node.gathered = True
        node.output = gathered(run, node)
    if fact.signal:
        run.signals[fact.signal].pop(0)
    _done(run, node, fact.at)


def gathered(run: RunState, node: NodeState) -> list[Any]:
    """What the items of a `for_each` gave, in their order."""
    states = (run.nodes[f"{node.path}[{index}]"] for index in range(node.items))
    return [state.output for state in states if state.status is _SUCCEEDED]


def _iterated(run: RunState, fact: IterationEnded) -> None:
    node = _opened(run, fact.path)
    if fact.signal:
        run.signals[fact.signal].pop(0)
    node.iteration += 1
    node.failures = node.crashes = 0
    node.called_alone = False
    node.answers = []
    node.steps = []
    _attempt_ended(run, node, IterationEnded)


def _alone(run: RunState, fact: AttemptAlone) -> None:
    _performing(run, fact).called_alone = True


def _failed_once(run: RunState, fact: AttemptFailed) -> None:
    node = _performing(run, fact)
    node.called_alone = False
    node.failures += 1
    node.error = fact.error
    _attempt_ended(run, node, AttemptFailed)


def _lost(run: RunState, fact: AttemptLost) -> None:
    node = _performing(run, fact)
    node.crashes += 1
    _attempt_ended(run, node, AttemptLost)


def _released(run: RunState, fact: AttemptReleased) -> None:
    node = _performing(run, fact)
    node.called = fact.called
    node.called_alone = False
    _attempt_ended(run, node, AttemptReleased)


def _stepped(run: RunState, fact: StepRecorded) -> None:
    node = _open(run, fact)
    _must(run, fact.index == len(node.steps), fact)
    node.steps.append(fact)


def _retried_later(run: RunState, fact: RetryScheduled) -> None:
    node = _open(run, fact)
    _must(run, not node.performing, fact)
    if node.reason is Reason.AMBIGUOUS and node.steps:
        node.steps.pop()  # an agent's tool that was begun: a person has it called again
    node.status = RunStatus.WAITING
    node.reason = Reason.RETRY
    node.ended_attempt = None
    node.wake_at = fact.wake_at


# milestones


def _waits(run: RunState, fact: MilestoneWaiting) -> None:
    node = _opened(run, fact.path)
    if node.performing:
        node.performing = False
        run.performing -= 1
    node.ended_attempt = None
    node.status = RunStatus.WAITING
    node.reason = fact.reason
    node.wake_at = fact.wake_at
    node.refused = ()
    if node.began_at is None:
        node.began_at = fact.at
    if fact.child:
        node.child = fact.child
        run.fresh.append(fact.path)


def _fanned_out(run: RunState, fact: FannedOut) -> None:
    node = _opened(run, fact.path)
    node.status = _RUNNING
    node.reason = _NO_REASON
    node.items = fact.items
    if node.began_at is None:
        node.began_at = fact.at
    run.fresh.append(fact.path)


def _given_up(run: RunState, fact: MilestoneFailed) -> None:
    node = _opened(run, fact.path)
    node.status = RunStatus.FAILED
    node.reason = fact.reason
    node.error = fact.error
    if node.undoes:
        run.left_undone.append(fact.path.removesuffix(UNDO))
    _over(run, node, fact.at)


def _skipped(run: RunState, fact: MilestoneSkipped) -> None:
    node = _opened(run, fact.path)
    node.status = RunStatus.SKIPPED
    node.reason = fact.reason
    _over(run, node, fact.at)


def _cancelled(run: RunState, fact: MilestoneCancelled) -> None:
    node = _opened(run, fact.path)
    node.status = RunStatus.CANCELLED
    node.reason = fact.reason
    _over(run, node, fact.at)


def _signalled(run: RunState, fact: SignalReceived) -> None:
    _must(run, run.ended is None and fact.id not in run.signal_ids, fact)
    run.signal_ids.add(fact.id)
    run.signals.setdefault(fact.signal, []).append(fact)
    run.fresh += [n.path for n in run.active.values() if n.reason is Reason.SIGNAL]


def _answered(run: RunState, fact: AnswerGiven) -> None:
    node = _open(run, fact)
    _must(run, node.reason is Reason.PERSON, fact)
    node.answers.append(fact)
    node.refused = ()
    run.fresh.append(fact.path)


def _answer_refused(run: RunState, fact: AnswerRefused) -> None:
    node = _open(run, fact)
    _must(run, node.reason is Reason.PERSON, fact)
    node.refused = fact.errors


def _escalated(run: RunState, fact: Escalated) -> None:
    node = _open(run, fact)
    node.escalated = True
    node.wake_at = None


# operators


def _supplied(run: RunState, fact: ResultSupplied) -> None:
    node = _touched(run, fact.path)
    _must(run, not node.performing, fact)
    again = run.ended is not None
    if node.ended_at is not None and node.path[-1] == "]":  # it had failed, and counts once
        whole = run.nodes[node.node]
        whole.done -= 1
        whole.given_up -= node.status is RunStatus.FAILED
    node.output = fact.output
    node.supplied_by = fact.principal
    _done(run, node, fact.at)
    for path in fact.skipped:
        run.nodes.pop(path, None)
    if again or run.paused:
        _reopen(run, fact.at)


def _reopened(run: RunState, fact: MilestoneReopened) -> None:
    node = _touched(run, fact.path)
    _must(run, not node.performing, fact)
    for state in [node, *_items_given_up(run, node)]:
        cut = bool(state.child) and state.status is RunStatus.CANCELLED
        if cut or fact.arguments is not None or state.path in fact.anew:
            _under_a_new_key(run, state)
        state.status = RunStatus.PENDING
        state.reason = _NO_REASON
        state.error = None
        state.ended_at = state.wake_at = state.ended_attempt = None
        state.failures = state.crashes = 0
        state.alone = state.called_alone = False
        run.active.pop(state.path, None)
    if fact.arguments is not None:
        node.arguments = fact.arguments
    for path in fact.skipped:
        run.nodes.pop(path, None)
    _reopen(run, fact.at)


def _under_a_new_key(run: RunState, state: NodeState) -> None:
    """What is done from now on is another call, or another journey, than before."""
    state.generation += 1
    run.generations[state.node] = max(run.generation(state.node), state.generation)
    state.child = ""
    state.steps = []


def _items_given_up(run: RunState, node: NodeState) -> list[NodeState]:
    """The items of a `for_each` that are to be reached again, and no longer count as done."""
    if node.items < 0:
        return []
    ended = {RunStatus.FAILED, RunStatus.CANCELLED}
    states = [run.nodes.get(f"{node.path}[{index}]") for index in range(node.items)]
    again = [state for state in states if state is not None and state.status in ended]
    node.done -= len(again)
    node.opened = bool(again)
    node.given_up = 0
    return again


def _generation(run: RunState, fact: GenerationBegan) -> None:
    again = set(fact.again)
    for node in again:
        run.generations[node] = run.generation(node) + 1
        run.results.pop(node, None)
    for path, state in list(run.nodes.items()):
        if state.node in again:
            if state.performing:
                run.performing -= 1
            del run.nodes[path]
            run.active.pop(path, None)
    run.completed = [path for path in run.completed if path in run.nodes]
    _reopen(run, fact.at)


def _reopen(run: RunState, at: datetime) -> None:
    run.opened_by_hand = run.opened_by_hand or run.ended is not None
    run.ended = None
    run.error = None
    run.why = _NO_REASON
    run.paused = False
    run.held = False
    run.stopping = None
    run.stage = Stage.WORKING
    run.undo = ()
    run.left_undone = []
    run.settled = None
    _count_anew(run, at)
    run.fresh = [EVERYTHING]


def _count_anew(run: RunState, at: datetime) -> None:
    """Give the run its whole time again from now on."""
    if run.start.deadline is not None:
        run.deadline = at + (run.start.deadline - run.start.at)


def _paused(run: RunState, fact: RunPaused) -> None:
    _must(run, run.ended is None, fact)
    run.paused = True
    run.why = fact.reason


def _resumed(run: RunState, fact: RunResumed) -> None:
    _must(run, run.paused or run.held, fact)
    run.paused = run.held = False
    run.error = None
    run.why = _NO_REASON
    if fact.principal:
        _count_anew(run, fact.at)
    run.fresh = [EVERYTHING]


def _stopping(run: RunState, fact: RunStopping) -> None:
    _must(run, run.ended is None, fact)
    run.stopping = fact
    run.paused = False
    run.held = False
    run.why = fact.reason
    if run.stage is Stage.QUEUED:
        run.stage = Stage.WORKING
    run.fresh = [STOP]


def _compensating(run: RunState, fact: RunCompensating) -> None:
    run.ended = None
    run.paused = False
    run.stage = Stage.COMPENSATING
    run.undo = fact.paths
    run.left_undone = []
    if fact.principal:
        run.why = Reason.OPERATOR
    for path in fact.paths:
        run.nodes.pop(path + UNDO, None)  # it failed before
    run.fresh = [UNDOING]


def _closing(run: RunState, _fact: RunClosing) -> None:
    run.stage = Stage.CLOSING
    run.fresh = [EVERYTHING]


def _migrated(run: RunState, fact: RunMigrated) -> None:
    run.template_hash = fact.template_hash
    run.pins = fact.pins
    run.held = False
    run.error = None
    run.fresh = [EVERYTHING]


# runs


def _queued(run: RunState, fact: RunQueued) -> None:
    run.stage = Stage.QUEUED
    run.why = fact.reason
    run.queued_until = fact.wake_at
    run.fresh = []


def _admitted(run: RunState, fact: RunAdmitted) -> None:
    _must(run, run.stage is Stage.QUEUED, fact)
    run.stage = Stage.WORKING
    run.why = _NO_REASON
    run.queued_until = None
    _count_anew(run, fact.at)  # what it waited in the queue is not its own time
    run.fresh = [START]


def _held(run: RunState, fact: RunHeld) -> None:
    _must(run, run.ended is None, fact)
    run.held = True
    run.why = fact.reason
    run.error = fact.error


def _run_succeeded(run: RunState, fact: RunSucceeded) -> None:
    run.output = fact.output
    _end(run, _SUCCEEDED, _NO_REASON, fact)


def _run_failed(run: RunState, fact: RunFailed) -> None:
    run.error = fact.error
    _end(run, RunStatus.FAILED, fact.reason, fact)


def _run_ended(run: RunState, fact: RunEnded) -> None:
    _end(run, fact.status, fact.reason, fact)


def _settled(run: RunState, fact: RunSettled) -> None:
    _must(run, run.ended is not None, fact)
    run.settled = fact


def _twice(run: RunState, _fact: RunStarted) -> None:
    raise CorruptJournal(f"{run.run_id} was started twice")


FOLD: Mapping[type[Fact], Callable[[RunState, Any], None]] = {
    RunStarted: _twice,
    RunQueued: _queued,
    RunAdmitted: _admitted,
    MilestoneBegan: _began,
    AttemptAlone: _alone,
    MilestoneSucceeded: _succeeded,
    IterationEnded: _iterated,
    AttemptFailed: _failed_once,
    AttemptLost: _lost,
    AttemptReleased: _released,
    StepRecorded: _stepped,
    RetryScheduled: _retried_later,
    MilestoneWaiting: _waits,
    FannedOut: _fanned_out,
    MilestoneFailed: _given_up,
    MilestoneSkipped: _skipped,
    MilestoneCancelled: _cancelled,
    SignalReceived: _signalled,
    AnswerGiven: _answered,
    AnswerRefused: _answer_refused,
    Escalated: _escalated,
    ResultSupplied: _supplied,
    MilestoneReopened: _reopened,
    GenerationBegan: _generation,
    RunPaused: _paused,
    RunResumed: _resumed,
    RunStopping: _stopping,
    RunCompensating: _compensating,
    RunClosing: _closing,
    RunMigrated: _migrated,
    RunSettled: _settled,
    RunHeld: _held,
    RunSucceeded: _run_succeeded,
    RunFailed: _run_failed,
    RunEnded: _run_ended,
}


# helpers


def _touched(run: RunState, path: str) -> NodeState:
    """The state of a path, made when it is touched for the first time."""
    state = run.nodes.get(path)
    if state is None:
        node = path
        if "[" in path or "~" in path:
            node = path.partition("~")[0].partition("[")[0]
        generation = run.generations.get(node, 1) if run.generations else 1
        state = run.nodes[path] = NodeState(path, node, generation)
        if node is not path:
            _touch_part(run, state)
    return state


def _touch_part(run: RunState, state: NodeState) -> None:
    """What is no whole milestone: an item of one, or what undoes one."""
    if state.path.endswith(UNDO):
        state.undoes = True
        known = state.path.removesuffix(UNDO) in run.undo
    else:
        parent = run.nodes[state.node]
        parent.begun += 1
        known = 0 <= state.item < parent.items
    if not known:
        raise CorruptJournal(f"{run.run_id} has nothing at {state.path}")


def _opened(run: RunState, path: str) -> NodeState:
    """The state of a path that is under way from now on."""
    state = run.active.get(path)
    if state is None:
        state = _touched(run, path)
        if run.ended is not None or state.ended_at is not None:
            raise CorruptJournal(f"{path} of {run.run_id} has ended, and then came another fact")
        run.active[path] = state
    return state


def _open(run: RunState, fact: Any) -> NodeState:
    """The state of a path that is under way already."""
    state = run.active.get(fact.path)
    if state is None:
        raise CorruptJournal(f"{fact.kind} of {fact.path} cannot follow in {run.run_id}")
    return state


def _performing(run: RunState, fact: Any) -> NodeState:
    state = _open(run, fact)
    _must(run, state.performing and fact.attempt == state.attempts, fact)
    return state


def _attempt_ended(run: RunState, node: NodeState, how: Ending) -> None:
    if node.performing:
        node.performing = False
        run.performing -= 1
    node.ended_attempt = how
    node.status = _RUNNING
    run.fresh.append(node.path)


def _done(run: RunState, node: NodeState, at: datetime) -> None:
    node.status = _SUCCEEDED
    node.reason = _NO_REASON
    node.error = None
    if node.path == node.node:
        run.results[node.path] = node.output
        run.completed.append(node.path)
    elif node.undoes:
        run.nodes[node.path.removesuffix(UNDO)].undone = True
    else:
        run.completed.append(node.path)
    _over(run, node, at)


def _over(run: RunState, node: NodeState, at: datetime) -> None:
    """A path has come to its end, whichever."""
    if node.performing:
        node.performing = False
        run.performing -= 1
    node.ended_at = at
    node.wake_at = None
    node.ended_attempt = None
    run.active.pop(node.path, None)
    run.fresh.append(node.path)
    if node.path[-1] == "]":
        parent = run.nodes[node.node]
        parent.done += 1
        parent.given_up += node.status is RunStatus.FAILED
        run.fresh.append(node.node)


def _end(run: RunState, status: RunStatus, reason: Reason, fact: Fact) -> None:
    _must(run, run.ended is None, fact)
    run.ended = status
    run.why = reason
    run.held = False
    run.fresh = []


def _must(run: RunState, holds: bool, fact: Any) -> None:
    if not holds:
        raise CorruptJournal(f"{fact.kind} cannot follow in {run.run_id} after {run.entries}")
