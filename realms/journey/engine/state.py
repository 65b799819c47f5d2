"""Where a run and each of its milestones stand; only `apply` (folding.py) changes it.

`apply` is the only thing that changes a state, and it does so in place: a run is folded tens of
thousands of times a second. Given the same facts it gives the same state, on every machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine.facts import (
    AnswerGiven,
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    IterationEnded,
    RunSettled,
    RunStarted,
    RunStopping,
    SignalReceived,
    StepRecorded,
)
from utilities.errors import ErrorKind, FieldError, PlatformError

UNDO = "~undo"
"""What undoes the milestone `id` has the path `id~undo`."""

START = ""
EVERYTHING = "*"
STOP = "!"
UNDOING = "~"
"""Besides paths, `RunState.fresh` may hold these: the run began, all is to be looked at again, it
is to be stopped, it is being undone."""

Ending = type[AttemptFailed | AttemptLost | AttemptReleased | IterationEnded]


class CorruptJournal(PlatformError):
    """The facts of a run contradict each other."""

    kind = ErrorKind.INTERNAL


class Stage(StrEnum):
    """Which part of its life a run is in."""

    QUEUED = "queued"
    WORKING = "working"
    COMPENSATING = "compensating"
    CLOSING = "closing"
    """All else has ended; what `finally` names is done."""


# Members of enums that every milestone asks for: as names of this module they cost a quarter.
_QUEUED = Stage.QUEUED
_WORKING = Stage.WORKING
_COMPENSATING = Stage.COMPENSATING
_RUNNING = RunStatus.RUNNING


@dataclass(slots=True)
class NodeState:
    """Where one milestone of a run stands, or one item of it, or what undoes it."""

    path: str
    node: str
    """The milestone's id in the plan."""
    generation: int = 1
    undoes: bool = False
    """It is what undoes a milestone."""
    status: RunStatus = RunStatus.PENDING
    reason: Reason = Reason.NONE
    attempts: int = 0
    failures: int = 0
    crashes: int = 0
    iteration: int = 0
    performing: bool = False
    """An attempt was begun and has not ended."""
    alone: bool = False
    """The attempt is to be made while nothing else runs."""
    called_alone: bool = False
    """It was, as far as anybody knows: if its process died, it is to blame."""
    handed: int = 0
    """The attempt that was handed out to be made."""
    ended_attempt: Ending | None = None
    """How the last attempt ended, until it is decided what follows."""
    called: bool = True
    began_at: datetime | None = None
    ended_at: datetime | None = None
    wake_at: datetime | None = None
    output: Any = None
    spilled: str = ""
    error: Failure | None = None
    supplied_by: str = ""
    memo: bool = False
    child: str = ""
    arguments: Mapping[str, Any] | None = None
    answers: list[AnswerGiven] = field(default_factory=list)
    refused: tuple[FieldError, ...] = ()
    escalated: bool = False
    steps: list[StepRecorded] = field(default_factory=list)
    items: int = -1
    """How many items a `for_each` has, once it has begun."""
    begun: int = 0
    done: int = 0
    given_up: int = 0
    opened: bool = False
    """Items of it may wait to be reached again."""
    gathered: bool = False
    values: list[Any] | None = None
    """The items, once they were worked out; they follow from the plan and the results."""
    undone: bool = False

    @property
    def item(self) -> int:
        """Which item of its `for_each` it is, from zero; -1 for a whole milestone."""
        opened = self.path.find("[")
        return int(self.path[opened + 1 : self.path.index("]")]) if opened > 0 else -1


@dataclass(slots=True)
class RunState:
    """A run as its facts tell it."""

    run_id: str
    start: RunStarted
    entries: int = 0
    """How many entries its journal has, and so the number of the next."""
    template_hash: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    stage: Stage = Stage.WORKING
    ended: RunStatus | None = None
    why: Reason = Reason.NONE
    """The reason beside the status where no milestone gives one."""
    paused: bool = False
    held: bool = False
    stopping: RunStopping | None = None
    queued_until: datetime | None = None
    deadline: datetime | None = None
    """When the run is cut; counted anew when people open or resume it."""
    nodes: dict[str, NodeState] = field(default_factory=dict)
    active: dict[str, NodeState] = field(default_factory=dict)
    """Those that have begun and not ended."""
    performing: int = 0
    """How many attempts are under way."""
    fresh: list[str] = field(default_factory=list)
    """Paths about which it is to be decided what follows."""
    results: dict[str, Any] = field(default_factory=dict)
    """What each milestone gave that has."""
    completed: list[str] = field(default_factory=list)
    """Paths in the order in which they succeeded."""
    generations: dict[str, int] = field(default_factory=dict)
    signals: dict[str, list[SignalReceived]] = field(default_factory=dict)
    """Signals that no milestone has taken yet, by name."""
    signal_ids: set[str] = field(default_factory=set)
    undo: tuple[str, ...] = ()
    left_undone: list[str] = field(default_factory=list)
    error: Failure | None = None
    output: Any = None
    settled: RunSettled | None = None
    opened_by_hand: bool = False
    """Somebody had it go on after it had ended."""
    updated_at: datetime | None = None
    read_back: frozenset[str] = frozenset()
    """Milestones whose results were read from the journal: what they hand over is checked again."""

    @property
    def status(self) -> RunStatus:
        if self.ended is not None:
            return self.ended
        if self.paused:
            return RunStatus.PAUSED
        if self.stage is _QUEUED:
            return RunStatus.QUEUED
        if self.held:
            return RunStatus.WAITING
        if self.stage is _COMPENSATING:
            return RunStatus.COMPENSATING
        if self.performing or not self.active or self._left:
            return _RUNNING
        return RunStatus.WAITING

    @property
    def reason(self) -> Reason:
        if self.performing or not self.active or self.ended is not None:
            return self.why
        if self.paused or self.held or self.stage is _QUEUED:
            return self.why
        reasons = {node.reason for node in self.active.values()}
        return next((reason for reason in _PRESSING if reason in reasons), Reason.NONE)

    @property
    def _left(self) -> bool:
        """Whether an attempt was left to whoever drives the run next."""
        return any(node.ended_attempt is not None for node in self.active.values())

    @property
    def wake_at(self) -> datetime | None:
        """When the engine must look at it: now while it moves, at its timer, or never by itself."""
        if self.ended is not None or self.paused:
            return None
        if self.held or self.performing or not (self.active or self.stage is _QUEUED):
            return self.updated_at
        if self.stage is _QUEUED:
            return self.queued_until
        if self._left:
            return self.updated_at
        times = [node.wake_at for node in self.active.values() if node.wake_at is not None]
        if (deadline := self.deadline_passed_at) is not None:
            times.append(deadline)
        return min(times, default=None)

    @property
    def deadline_passed_at(self) -> datetime | None:
        """The run's own deadline, while it still counts."""
        counts = self.stopping is None and self.stage is _WORKING
        return self.deadline if counts else None

    def generation(self, node: str) -> int:
        return self.generations.get(node, 1)


_PRESSING = (
    Reason.AMBIGUOUS,
    Reason.PERSON,
    Reason.SIGNAL,
    Reason.JOURNEY,
    Reason.RETRY,
    Reason.TIMER,
)
