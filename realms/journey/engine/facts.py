"""What a run's journal can say: frozen facts, stored as JSON with a schema version.

Facts that came about together are one entry, written in one commit. A milestone's `path` is its id;
one item of a `for_each` has the path `id[3]`, and what undoes a milestone `id~undo`.

A fact is never changed. Those that every milestone makes are not frozen all the same, and are made
without keywords: freezing them, or naming what they hold, costs more than all else about them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from realms.journey.api import Failure, Reason, RunStatus
from utilities.errors import FieldError


@dataclass(slots=True)
class RunStarted:
    """The run was accepted: with which text, which input, for whom."""

    at: datetime
    template: str
    template_hash: str
    values: Mapping[str, Any]
    trace_id: str
    tenant: str
    principal: str
    roles: tuple[str, ...] = ()
    alias: str = ""
    parent: str = ""
    """The run that began it; `parent_path` is the milestone there."""
    parent_path: str = ""
    forked_from: str = ""
    lane: str = ""
    """Runs of one lane share its limits."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """The texts of the journeys below it: hash by `name@version` as the template writes it."""
    deadline: datetime | None = None
    spilled: str = ""
    """Where the object store keeps `values`, when they are large."""
    kind: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQueued:
    """The run was accepted and may not begin yet."""

    at: datetime
    reason: Reason
    wake_at: datetime | None = None
    kind: Literal["run_queued"] = "run_queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAdmitted:
    """The queued run may begin."""

    at: datetime
    kind: Literal["run_admitted"] = "run_admitted"


# attempts


@dataclass(slots=True)
class MilestoneBegan:
    """An attempt is about to be made; journalled before the call."""

    at: datetime
    path: str
    attempt: int
    alone: bool = False
    """It is to be made while nothing else runs: its attempts before died with their process."""
    kind: Literal["milestone_began"] = "milestone_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAlone:
    """Nothing else runs in the process now, and the call is about to be made."""

    at: datetime
    path: str
    attempt: int
    kind: Literal["attempt_alone"] = "attempt_alone"


@dataclass(slots=True)
class MilestoneSucceeded:
    """The checkpoint: the output of a milestone, which never changes."""

    at: datetime
    path: str
    output: Any
    """An object; of a `for_each` a list of them."""
    attempt: int = 0
    """Zero: it took none, as for a timer or an answer."""
    signal: str = ""
    """The signal that it took."""
    spilled: str = ""
    """Where the object store keeps the output, when it is large."""
    memo: bool = False
    """The result was remembered from an earlier call."""
    gathered: bool = False
    """Its output is the list of what the items gave, which stands in their facts and not here."""
    kind: Literal["milestone_succeeded"] = "milestone_succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationEnded:
    """An iteration of a loop gave a result, and the loop does not hold yet."""

    at: datetime
    path: str
    output: Any
    attempt: int = 0
    spilled: str = ""
    signal: str = ""
    kind: Literal["iteration_ended"] = "iteration_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """An attempt ended in an error."""

    at: datetime
    path: str
    attempt: int
    error: Failure
    kind: Literal["attempt_failed"] = "attempt_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost:
    """An attempt was begun and its process died: nobody knows how far it came."""

    at: datetime
    path: str
    attempt: int
    kind: Literal["attempt_lost"] = "attempt_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReleased:
    """The process closed in good order: the attempt was cut, or never called."""

    at: datetime
    path: str
    attempt: int
    called: bool
    kind: Literal["attempt_released"] = "attempt_released"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecorded:
    """A step inside an attempt that a later attempt does not repeat, such as a model's answer."""

    at: datetime
    path: str
    index: int
    name: str
    data: Any
    kind: Literal["step_recorded"] = "step_recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled:
    """The next attempt begins at `wake_at`."""

    at: datetime
    path: str
    wake_at: datetime
    principal: str = ""
    """Who did not want to wait any longer, or said that the attempt is to be made again."""
    kind: Literal["retry_scheduled"] = "retry_scheduled"


# other things that happen to a milestone


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneWaiting:
    """The milestone waits; `wake_at` is when it stops waiting by itself, if it does."""

    at: datetime
    path: str
    reason: Reason
    wake_at: datetime | None = None
    child: str = ""
    """The run of the journey it waits for."""
    kind: Literal["milestone_waiting"] = "milestone_waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class FannedOut:
    """A `for_each` has begun, over so many items."""

    at: datetime
    path: str
    items: int
    kind: Literal["fanned_out"] = "fanned_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneFailed:
    """The milestone is given up."""

    at: datetime
    path: str
    reason: Reason
    error: Failure
    kind: Literal["milestone_failed"] = "milestone_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneSkipped:
    """The milestone is not reached in this run."""

    at: datetime
    path: str
    reason: Reason
    kind: Literal["milestone_skipped"] = "milestone_skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneCancelled:
    """The milestone was under way and is not wanted any more."""

    at: datetime
    path: str
    reason: Reason
    kind: Literal["milestone_cancelled"] = "milestone_cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReceived:
    """A signal came; one with the same id changes nothing any more."""

    at: datetime
    signal: str
    id: str
    data: Mapping[str, Any]
    principal: str = ""
    kind: Literal["signal_received"] = "signal_received"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGiven:
    """A person answered as the form asks."""

    at: datetime
    path: str
    answer: Mapping[str, Any]
    principal: str
    kind: Literal["answer_given"] = "answer_given"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRefused:
    """A person's answer did not fit the form; the question is open as before."""

    at: datetime
    path: str
    errors: tuple[FieldError, ...]
    principal: str
    kind: Literal["answer_refused"] = "answer_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """Nobody answered in time; those it is escalated to may answer too."""

    at: datetime
    path: str
    kind: Literal["escalated"] = "escalated"


# what operators do; each names who did it


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSupplied:
    """A person gave the result of a milestone, which stands for its own."""

    at: datetime
    path: str
    output: Any
    principal: str
    skipped: tuple[str, ...] = ()
    """What was skipped because the milestone had been given up, and is open again."""
    kind: Literal["result_supplied"] = "result_supplied"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneReopened:
    """A milestone that was given up is tried again, and what was skipped because of it is open."""

    at: datetime
    path: str
    principal: str
    skipped: tuple[str, ...] = ()
    """What was skipped because of it, and is open again."""
    arguments: Mapping[str, Any] | None = None
    """What stands in place of what the template binds to these parameters; None leaves all."""
    anew: tuple[str, ...] = ()
    """Paths that begin another journey, because the one they waited for cannot go on."""
    kind: Literal["milestone_reopened"] = "milestone_reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationBegan:
    """From a milestone on, everything is done anew under new idempotency keys."""

    at: datetime
    path: str
    again: tuple[str, ...]
    """Every milestone that is open again, `path` among them."""
    principal: str
    note: str = ""
    kind: Literal["generation_began"] = "generation_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaused:
    """Nothing begins any more until the run is resumed; what is under way ends."""

    at: datetime
    principal: str = ""
    reason: Reason = Reason.OPERATOR
    kind: Literal["run_paused"] = "run_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """The paused run goes on."""

    at: datetime
    principal: str
    kind: Literal["run_resumed"] = "run_resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopping:
    """The run is not wanted any more, or took too long: what is under way is cut."""

    at: datetime
    reason: Reason
    principal: str = ""
    note: str = ""
    kind: Literal["run_stopping"] = "run_stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCompensating:
    """What the run did is undone, path by path in this order."""

    at: datetime
    paths: tuple[str, ...]
    principal: str = ""
    kind: Literal["run_compensating"] = "run_compensating"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClosing:
    """All else has ended; the milestones of `finally` begin."""

    at: datetime
    kind: Literal["run_closing"] = "run_closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMigrated:
    """The run goes on by another text."""

    at: datetime
    template_hash: str
    principal: str
    pins: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["run_migrated"] = "run_migrated"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettled:
    """Somebody took a run that failed from the dead letters."""

    at: datetime
    principal: str
    note: str = ""
    settled_by: str = ""
    """The run that did the work in its place."""
    kind: Literal["run_settled"] = "run_settled"


# where a run stops


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeld:
    """The run cannot go on here and now; the next boot tries again."""

    at: datetime
    reason: Reason
    error: Failure
    kind: Literal["run_held"] = "run_held"


@dataclass(slots=True)
class RunSucceeded:
    """Every milestone has come to its end, and none was given up that mattered."""

    at: datetime
    output: Any = None
    kind: Literal["run_succeeded"] = "run_succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    """The run is given up; what it reached stays readable."""

    at: datetime
    reason: Reason
    error: Failure
    kind: Literal["run_failed"] = "run_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run was cancelled, or what it did was undone."""

    at: datetime
    status: RunStatus
    reason: Reason = Reason.NONE
    kind: Literal["run_ended"] = "run_ended"


MilestoneFact = (
    MilestoneBegan
    | AttemptAlone
    | MilestoneSucceeded
    | IterationEnded
    | AttemptFailed
    | AttemptLost
    | AttemptReleased
    | StepRecorded
    | RetryScheduled
    | MilestoneWaiting
    | FannedOut
    | MilestoneFailed
    | MilestoneSkipped
    | MilestoneCancelled
    | AnswerGiven
    | AnswerRefused
    | Escalated
    | ResultSupplied
    | MilestoneReopened
)
Outcome = MilestoneSucceeded | IterationEnded | AttemptFailed | AttemptReleased
"""What an attempt can come to."""

Fact = (
    MilestoneFact
    | RunStarted
    | RunQueued
    | RunAdmitted
    | SignalReceived
    | GenerationBegan
    | RunPaused
    | RunResumed
    | RunStopping
    | RunCompensating
    | RunClosing
    | RunMigrated
    | RunSettled
    | RunHeld
    | RunSucceeded
    | RunFailed
    | RunEnded
)
