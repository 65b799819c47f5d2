"""Which branches of a journey its tests take: everything that can go one way or another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from realms.journey.api import Reason, RunStatus
from realms.journey.engine import scope
from realms.journey.engine.facts import (
    AttemptFailed,
    Escalated,
    IterationEnded,
    MilestoneSucceeded,
    RetryScheduled,
)
from realms.journey.engine.state import UNDO, NodeState
from realms.journey.expressions.compiled import ExpressionFailed
from realms.journey.plans.plan import (
    Ask,
    Loop,
    Node,
    OnExhausted,
    OnFailure,
    Plan,
    Race,
    WaitFor,
)
from realms.journey.plans.retries import DEFAULT_RETRY
from realms.journey.testing.playing import PlayedRun

Branch = tuple[str, str]
"""A milestone (none: the run) and what it does there, such as `if is false`."""


@dataclass(slots=True)
class Coverage:
    """The branches of one journey, and those that were taken so far."""

    plan: Plan
    taken: set[Branch] = field(default_factory=set)
    branches: Sequence[Branch] = field(init=False)

    def __post_init__(self) -> None:
        self.branches = tuple(_branches(self.plan))

    def add(self, played: PlayedRun) -> None:
        """Count what a run of the journey took."""
        self.taken |= set(_taken(played)) & set(self.branches)

    @property
    def never(self) -> list[Branch]:
        """The branches that no run took, in the order of the journey."""
        return [branch for branch in self.branches if branch not in self.taken]


def _branches(plan: Plan) -> Iterator[Branch]:
    """Every branch there is."""
    yield "", "succeeds"
    yield "", _ON_FAILURE[plan.on_failure]
    for path, node in plan.nodes.items():
        for what in _branches_of(node):
            yield path, what


_ON_FAILURE = {
    OnFailure.FAIL: "fails",
    OnFailure.PAUSE: "on_failure pauses",
    OnFailure.COMPENSATE: "on_failure compensates",
}


def _branches_of(node: Node) -> Iterator[str]:
    work, each = node.work, node.each
    if isinstance(work, Race):
        yield from (f"{branch} wins" for branch in work.branches)
    else:
        yield "succeeds"
    tolerant = each is not None and bool(each.tolerated or each.tolerated_share)
    stated = node.retry != DEFAULT_RETRY and node.retry.attempts > 1
    timed = node.timeout is not None or (isinstance(work, WaitFor) and work.timeout is not None)
    always = node.condition is not None and node.condition.text.strip() == "always()"
    due = isinstance(work, Ask) and work.due is not None
    possible = (
        (node.condition is not None and not always, ("if is true", "if is false")),
        (each is not None, ("for_each has items", "for_each is empty")),
        (tolerant, ("for_each tolerates a failed item",)),
        (each is not None, ("for_each has too many failed items",)),
        (node.loop is not None, ("loop goes on", "loop holds", "loop is exhausted")),
        (stated, ("retry is made",)),
        (timed, ("timeout passes",)),
        (node.heartbeat is not None, ("heartbeat is missed",)),
        (due, ("due passes",)),
        (node.continue_on_error, ("continue_on_error goes on",)),
        (node.compensate is not None, ("compensate undoes it",)),
        (node.memoize is not None, ("memoize calls", "memoize remembers")),
    )
    for is_possible, branches in possible:
        if is_possible:
            yield from branches


def _taken(played: PlayedRun) -> Iterator[Branch]:
    run, plan = played.run, played.plan
    if run.ended is RunStatus.SUCCEEDED:
        yield "", "succeeds"
    if run.ended is RunStatus.FAILED:
        yield "", "fails"
    if run.paused:
        yield "", "on_failure pauses"
    if run.undo:
        yield "", "on_failure compensates"
    for path, node in plan.nodes.items():
        if (state := run.nodes.get(path)) is not None:
            yield from ((path, what) for what in _taken_at(played, node, state))
    for facts in played.entries:
        for fact in facts:
            path = getattr(fact, "path", "")
            node_path = path.partition(UNDO)[0].partition("[")[0]
            yield from ((node_path, what) for what in _told(fact))


def _taken_at(played: PlayedRun, node: Node, state: NodeState) -> Iterator[str]:
    """What the end of a run tells of one milestone."""
    succeeded = state.status is RunStatus.SUCCEEDED
    if succeeded:
        yield "succeeds"
    if state.status is not RunStatus.SKIPPED:
        yield "if is true"
    elif state.reason is Reason.CONDITION and _was_asked(played, node):
        yield "if is false"
    if node.each is not None and state.items >= 0:
        yield "for_each has items" if state.items else "for_each is empty"
        if state.given_up:
            tolerated = "for_each tolerates a failed item"
            yield tolerated if succeeded else "for_each has too many failed items"
    if node.loop is not None:
        yield from _looped(played, node, node.loop, state)
    if state.status is RunStatus.FAILED:
        yield "continue_on_error goes on"
        if state.reason is Reason.TIMEOUT:
            yield "due passes" if isinstance(node.work, Ask) else "timeout passes"
    if state.undone:
        yield "compensate undoes it"


def _was_asked(played: PlayedRun, node: Node) -> bool:
    """Whether its condition was computed, rather than that what it needs was skipped."""
    if node.condition is not None and node.condition.asks_status:
        return True
    run, plan = played.run, played.plan
    return all(
        run.nodes[need].status is RunStatus.SUCCEEDED or plan.nodes[need].continue_on_error
        for need in node.needs
        if need in run.nodes
    )


def _looped(played: PlayedRun, node: Node, loop: Loop, state: NodeState) -> Iterator[str]:
    if state.status is RunStatus.FAILED and state.reason is Reason.EXHAUSTED:
        yield "loop is exhausted"
    if state.status is not RunStatus.SUCCEEDED:
        return
    holds = True
    if loop.on_exhausted is OnExhausted.CONTINUE and state.iteration + 1 >= loop.most:
        data = scope.data(
            played.plan, played.run, loop.until.names, path=node.path, own=state.output
        )
        try:
            holds = bool(loop.until.value(data))
        except ExpressionFailed:
            holds = False
    yield "loop holds" if holds else "loop is exhausted"


def _told(fact: object) -> Iterator[str]:
    """What one fact tells of its milestone."""
    match fact:
        case RetryScheduled():
            yield "retry is made"
        case IterationEnded():
            yield "loop goes on"
        case Escalated():
            yield "due passes"
        case AttemptFailed(error=error) if error.code == "milestone_timed_out":
            silent = "no sign of life" in error.detail
            yield "heartbeat is missed" if silent else "timeout passes"
        case MilestoneSucceeded(output=Mapping() as output) if "winner" in output:
            yield f"{output['winner']} wins"
        case MilestoneSucceeded(memo=memo, attempt=attempt) if attempt:
            yield "memoize remembers" if memo else "memoize calls"
