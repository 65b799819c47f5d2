"""What a run's journal means: its facts, folded into where the run and each milestone stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine.facts import (
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    Fact,
    MilestoneBegan,
    MilestoneFailed,
    MilestoneSucceeded,
    MilestoneWaiting,
    ResultSupplied,
    RetryScheduled,
    RunFailed,
    RunHeld,
    RunStarted,
    RunSucceeded,
)
from utilities.errors import ErrorKind, PlatformError


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where one milestone of a run stands. `outcome` of the last attempt is None while it runs."""

    status: RunStatus = RunStatus.PENDING
    reason: Reason = Reason.NONE
    attempts: int = 0
    failures: int = 0
    crashes: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None
    wake_at: datetime | None = None
    output: Mapping[str, Any] | None = None
    error: Failure | None = None
    supplied_by: str = ""
    ended_attempt: type[AttemptFailed | AttemptLost | AttemptReleased] | None = None
    """How the last attempt ended, until it is decided what follows."""
    called: bool = True


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as its facts tell it; `next_seq` is how many there are."""

    run_id: str
    next_seq: int
    start: RunStarted
    status: RunStatus = RunStatus.RUNNING
    reason: Reason = Reason.NONE
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    error: Failure | None = None
    updated_at: datetime | None = None

    def node(self, path: str) -> NodeState:
        return self.nodes.get(path, _UNTOUCHED)

    @property
    def results(self) -> dict[str, Mapping[str, Any]]:
        """What each finished milestone gave."""
        return {path: n.output for path, n in self.nodes.items() if n.output is not None}

    @property
    def wake_at(self) -> datetime | None:
        """When the engine must look at it: now while it runs, at its timer, or never by itself."""
        if self.status.ended:
            return None
        if self.status is RunStatus.RUNNING or self.reason is Reason.TEMPLATE:
            return self.updated_at
        return min((n.wake_at for n in self.nodes.values() if n.wake_at), default=None)


_UNTOUCHED = NodeState()


class CorruptJournal(PlatformError):
    """The facts of a run contradict each other."""

    kind = ErrorKind.INTERNAL


def apply(run: RunState | None, fact: Fact, *, run_id: str = "") -> RunState:
    """The run after `fact`. The first fact makes it, and needs its `run_id`.

    Raises:
        CorruptJournal: no engine would have written this fact here.
    """
    if run is None:
        if not isinstance(fact, RunStarted):
            raise CorruptJournal(f"the journal of {run_id} begins with {fact.kind}")
        return RunState(run_id, 1, fact, updated_at=fact.at)
    match fact:
        case RunStarted():
            raise CorruptJournal(f"{run.run_id} was started twice")
        case RunSucceeded():
            return _ended(run, fact, RunStatus.SUCCEEDED)
        case RunFailed():
            return _ended(run, fact, RunStatus.FAILED, reason=fact.reason, error=fact.error)
        case RunHeld():
            _must(run, not run.status.ended, fact)
            waiting = RunStatus.WAITING
            changes: dict[str, Any] = {"reason": fact.reason, "error": fact.error}
            return _moved(run, fact, status=waiting, **changes)
        case _:
            return _with_node(run, fact.path, _node_after(run, run.node(fact.path), fact), fact)


def fold(run_id: str, facts: Iterable[Fact]) -> RunState:
    """The run that a whole journal tells.

    Raises:
        CorruptJournal: it is empty or contradicts itself.
    """
    run: RunState | None = None
    for fact in facts:
        run = apply(run, fact, run_id=run_id)
    if run is None:
        raise CorruptJournal(f"the journal of {run_id} is empty")
    return run


_MilestoneFact = (
    MilestoneBegan
    | MilestoneSucceeded
    | AttemptFailed
    | AttemptLost
    | AttemptReleased
    | RetryScheduled
    | MilestoneWaiting
    | MilestoneFailed
    | ResultSupplied
)


def _node_after(run: RunState, node: NodeState, fact: _MilestoneFact) -> NodeState:  # noqa: PLR0911 - a list of cases
    running = node.status is RunStatus.RUNNING and node.ended_attempt is None
    match fact:
        case MilestoneBegan():
            _must(run, not running and not node.status.ended, fact)
            _must(run, fact.attempt == node.attempts + 1, fact)
            return replace(
                node,
                status=RunStatus.RUNNING,
                reason=Reason.NONE,
                attempts=fact.attempt,
                began_at=node.began_at or fact.at,
                wake_at=None,
                ended_attempt=None,
                called=True,
            )
        case MilestoneSucceeded():
            _must(run, running and fact.attempt == node.attempts, fact)
            return _done(node, fact.at, fact.output)
        case AttemptFailed():
            _must(run, running and fact.attempt == node.attempts, fact)
            failures = node.failures + 1
            return replace(node, failures=failures, error=fact.error, ended_attempt=AttemptFailed)
        case AttemptLost():
            _must(run, running and fact.attempt == node.attempts, fact)
            return replace(node, crashes=node.crashes + 1, ended_attempt=AttemptLost)
        case AttemptReleased():
            _must(run, running and fact.attempt == node.attempts, fact)
            return replace(node, ended_attempt=AttemptReleased, called=fact.called)
        case RetryScheduled():
            _must(run, node.ended_attempt is not None, fact)
            waiting = RunStatus.WAITING
            return replace(node, status=waiting, reason=Reason.RETRY, wake_at=fact.wake_at)
        case MilestoneWaiting():
            _must(run, node.ended_attempt is not None, fact)
            return replace(node, status=RunStatus.WAITING, reason=fact.reason)
        case MilestoneFailed():
            _must(run, not running and not node.status.ended, fact)
            failed = RunStatus.FAILED
            return replace(
                node, status=failed, reason=fact.reason, error=fact.error, ended_at=fact.at
            )
        case ResultSupplied():
            _must(run, node.status in {RunStatus.WAITING, RunStatus.FAILED}, fact)
            return replace(_done(node, fact.at, fact.output), supplied_by=fact.principal)


def _done(node: NodeState, at: datetime, output: Mapping[str, Any]) -> NodeState:
    return replace(
        node,
        status=RunStatus.SUCCEEDED,
        reason=Reason.NONE,
        output=output,
        error=None,
        ended_at=at,
        wake_at=None,
        ended_attempt=None,
    )


def _with_node(run: RunState, path: str, node: NodeState, fact: _MilestoneFact) -> RunState:
    """The run with one milestone changed; it runs or waits as that milestone does."""
    if run.status.ended and not isinstance(fact, ResultSupplied):
        raise CorruptJournal(f"{run.run_id} has ended, and then came {fact.kind}")
    waits = node.status is RunStatus.WAITING
    return _moved(
        run,
        fact,
        status=RunStatus.WAITING if waits else RunStatus.RUNNING,
        reason=node.reason if waits else Reason.NONE,
        error=None,
        nodes={**run.nodes, path: node},
    )


def _ended(
    run: RunState,
    fact: Fact,
    status: RunStatus,
    *,
    reason: Reason = Reason.NONE,
    error: Failure | None = None,
) -> RunState:
    _must(run, not run.status.ended, fact)
    return _moved(run, fact, status=status, reason=reason, error=error)


def _moved(run: RunState, fact: Fact, **changes: Any) -> RunState:
    return replace(run, next_seq=run.next_seq + 1, updated_at=fact.at, **changes)


def _must(run: RunState, holds: bool, fact: Fact) -> None:
    if not holds:
        raise CorruptJournal(f"{fact.kind} cannot follow at {run.next_seq} in {run.run_id}")
