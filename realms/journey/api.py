"""What the rest of the city may know about journeys and their runs."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field

from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.models import FrozenModel


class RunStatus(StrEnum):
    """The state of a run or of a milestone; each may have a reason beside it."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself, now or later."""
        return self in _ENDED


_ENDED = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.SKIPPED,
        RunStatus.CANCELLED,
        RunStatus.COMPENSATED,
    }
)


class Reason(StrEnum):
    """Why a run or a milestone is in its state."""

    NONE = ""
    RETRY = "retry"
    """Waits for the next attempt, which begins at `wake_at`."""
    TIMER = "timer"
    """Waits for a time that the template states."""
    SIGNAL = "signal"
    """Waits for a signal."""
    PERSON = "person"
    """Waits for someone's answer."""
    JOURNEY = "journey"
    """Waits for a journey that it began."""
    AMBIGUOUS = "ambiguous"
    """Waits for a person: nobody knows whether an effect that cannot be repeated took place."""
    TEMPLATE = "template"
    """Waits for services that fit the template text the run began with."""
    CONCURRENCY = "concurrency"
    """Queued: its lane is full."""
    RATE_LIMIT = "rate_limit"
    """Queued until the rate limit lets it begin, at `wake_at`."""
    OPERATOR = "operator"
    """Someone paused, cancelled or rolled back the run."""
    ERROR = "error"
    CONTRACT = "contract"
    """The data broke a handoff contract."""
    EXPRESSION = "expression"
    """An expression of the template could not be evaluated."""
    TIMEOUT = "timeout"
    """It took longer than it may."""
    EXHAUSTED = "exhausted"
    """A loop came to its last iteration, or too many items of a `for_each` failed."""
    POISON = "poison"
    """Its process died in every attempt, at last while nothing else ran in it."""
    LEFT_UNDONE = "left_undone"
    """Some of what was to be undone could not be."""
    CONDITION = "condition"
    """Skipped: its condition did not hold, or what it needs was skipped."""
    UPSTREAM = "upstream"
    """Skipped: something that it needs was given up."""
    RACE_LOST = "race_lost"
    """Cancelled: another branch was first."""
    SUPERSEDED = "superseded"
    """Cancelled: a newer run of its lane took its place."""
    CORRUPT_STATE = "corrupt_state"
    """Its journal cannot be read."""


class Failure(FrozenModel):
    """What went wrong, as far as it may be shown."""

    kind: ErrorKind
    code: str
    title: str
    detail: str
    hint: str = ""
    errors: tuple[FieldError, ...] = ()
    retry_after: float | None = Field(
        default=None, description="After so many seconds it makes sense to try again."
    )


class MilestoneRecord(FrozenModel):
    """One milestone of a run: where it stands, what it took, and what it gave."""

    milestone_id: str
    phase: str = ""
    service: str = ""
    api: str = ""
    status: RunStatus = RunStatus.PENDING
    reason: Reason = Reason.NONE
    attempts: int = Field(default=0, description="How often it was begun, crashes included.")
    failures: int = Field(default=0, description="How many attempts ended in an error.")
    crashes: int = Field(default=0, description="How many attempts died with their process.")
    began_at: datetime | None = None
    ended_at: datetime | None = None
    wake_at: datetime | None = None
    supplied_by: str = Field(default="", description="Who supplied the result, if no call gave it.")
    output: Any = Field(default=None, description="An object; of a `for_each` a list of them.")
    error: Failure | None = None
    generation: int = Field(default=1, description="How often it was begun anew, this one counted.")
    iteration: int = Field(default=0, description="Iterations of its loop that have ended.")
    items: int | None = Field(default=None, description="How many items its `for_each` has.")
    items_done: int = Field(default=0, description="How many have ended, however they ended.")
    items_succeeded: int = 0
    items_failed: int = 0
    items_cancelled: int = 0
    items_waiting: int = 0
    items_running: int = 0
    child: str = Field(default="", description="The run of the journey that it waits for.")
    undone: bool = Field(default=False, description="What it did was undone since.")


class Question(FrozenModel):
    """What a run asks people, and how far the answers have come."""

    wait_id: str = Field(description="Names this one wait: an answer says which it is for.")
    run_id: str
    alias: str = ""
    template: str
    milestone_id: str
    form: dict[str, Any] = Field(description="JSON Schema of the answer.")
    role: str = Field(default="", description="Who is asked; everyone when empty.")
    quorum: int = 1
    answered_by: tuple[str, ...] = ()
    asked_at: datetime
    due: datetime | None = None
    escalate_to: str = ""
    escalated: bool = False
    push_back_to: str = Field(default="", description="Where the run goes when it is pushed back.")
    refused: tuple[FieldError, ...] = Field(
        default=(), description="What was wrong with the last answer, if it did not fit."
    )


class Warned(FrozenModel):
    """A milestone that failed in a run that went on all the same."""

    milestone_id: str
    error: Failure


class Settlement(FrozenModel):
    """Who took a failed run from the dead letters, and why."""

    by: str
    at: datetime
    note: str = ""
    settled_by: str = Field(default="", description="The run that did the work in its place.")


class RunSummary(FrozenModel):
    """A run as lists show it."""

    run_id: str
    alias: str = ""
    template: str
    template_hash: str
    status: RunStatus
    reason: Reason = Reason.NONE
    created_at: datetime
    updated_at: datetime
    wake_at: datetime | None = None


class JourneyRun(RunSummary):
    """A run in full: its input and every milestone."""

    trace_id: str = ""
    principal: str = ""
    input: dict[str, Any] = Field(default_factory=dict)
    milestones: tuple[MilestoneRecord, ...] = Field(
        default=(),
        description="In the template's order; the first hundred items of each `for_each` that wait "
        "or have failed, and what could not be undone, come last.",
    )
    error: Failure | None = None
    output: Any = Field(default=None, description="What the template's `output` gives.")
    warnings: tuple[Warned, ...] = Field(
        default=(), description="What failed and was let pass by `continue_on_error`."
    )
    questions: tuple[Question, ...] = Field(default=(), description="What it asks at the moment.")
    left_undone: tuple[str, ...] = Field(
        default=(), description="Milestones that were to be undone and could not be."
    )
    settlement: Settlement | None = None
    deadline: datetime | None = Field(default=None, description="When it is cut.")
    forked_from: str = ""
    parent: str = Field(default="", description="The run that began it.")

    @property
    def settled(self) -> bool:
        """Whether it has ended, is paused, or waits for something that no timer brings."""
        if self.status in {RunStatus.WAITING, RunStatus.PAUSED}:
            return self.wake_at is None and self.reason is not Reason.JOURNEY
        return self.status.ended


class MigrationReport(FrozenModel):
    """What becomes of a run that goes on by another text of its journey."""

    run_id: str
    template: str
    version: str = ""
    template_hash: str
    dry_run: bool
    possible: bool
    kept: tuple[str, ...] = Field(description="Came to their end, and stay as they are.")
    goes_on: tuple[str, ...] = Field(description="Wait, and go on waiting.")
    dropped: tuple[str, ...] = Field(description="Are not in the other text, and have no result.")
    to_reach: tuple[str, ...] = Field(description="Are reached when their turn comes.")
    obstacles: tuple[FieldError, ...] = Field(description="Why it is not possible.")


class DeadLetter(RunSummary):
    """A run that failed and that nobody has settled."""

    principal: str = ""
    error: Failure | None = None
    failed: tuple[str, ...] = Field(default=(), description="The milestones that were given up.")
    replays: tuple[str, ...] = Field(
        default=(), description="Runs with the same input that were begun in its place."
    )


class Replaying(FrozenModel):
    """Dead letters that are being replayed, one after the other."""

    chosen: int
    begun: int = 0
    refused: int = 0


class DeadLetterPage(FrozenModel):
    """Dead letters, newest first, and where the next page begins (empty on the last)."""

    dead_letters: tuple[DeadLetter, ...]
    next_cursor: str = ""
    replaying: tuple[Replaying, ...] = Field(
        default=(), description="Replays that this process works through at the moment."
    )


class ReplayReport(FrozenModel):
    """Which dead letters are replayed, or with `dry_run` would be."""

    dry_run: bool
    anew: bool
    per_second: float
    chosen: int
    dead_letters: tuple[DeadLetter, ...]


class QuestionPage(FrozenModel):
    """Open questions, of the newest runs first, and where the next page begins."""

    questions: tuple[Question, ...]
    next_cursor: str = ""


class RunPage(FrozenModel):
    """Runs, newest first, and where the next page begins (empty on the last)."""

    runs: tuple[RunSummary, ...]
    next_cursor: str = ""


class RunEvent(FrozenModel):
    """One fact of a run's journal."""

    number: int = Field(description="Its place in the run's history, from 1 on.")
    entry: int = Field(description="Facts of one entry became durable together.")
    at: datetime | None = Field(description="None where the entry cannot be read.")
    kind: str = Field(examples=["milestone_succeeded"])
    milestone: str = Field(
        default="", description="`id[3]` is an item of a `for_each`, `id~undo` an undoing."
    )
    attempt: int = Field(default=0, description="0 where it has to do with none.")
    principal: str = Field(default="", description="Who did it, where somebody did.")
    details: dict[str, Any] = Field(default_factory=dict, description="What else the fact says.")


class RunHistory(FrozenModel):
    """What happened to a run, from its beginning; `next_after` is 0 on the last page."""

    run_id: str
    events: tuple[RunEvent, ...]
    next_after: int = 0


class Journey(FrozenModel):
    """A data mash journey: the run under the id its file and user give it."""

    journey_id: str
    run_id: str
    user_id: str
    file_id: str
    trace_id: str
    status: RunStatus
    reason: Reason = Reason.NONE
    milestones: tuple[MilestoneRecord, ...] = ()
    error: Failure | None = None


class UnknownRun(PlatformError):
    """No such run exists."""

    kind = ErrorKind.NOT_FOUND


class Journeys(Protocol):
    """Starts runs of templates and tells how they are doing."""

    async def start(
        self,
        template: str,
        values: Mapping[str, Any],
        *,
        alias: str = "",
        rerun: bool = False,
        trace_id: str = "",
    ) -> JourneyRun:
        """Accept a run; it is durable when this returns.

        `alias` is a second, unique id within the tenant: asking again gives the same run, with
        `rerun` a new one under `{alias}_2` and so on. The run carries `trace_id`, or that of the
        call in progress.
        """
        ...

    async def wait(self, run_id: str, *, seconds: float) -> JourneyRun:
        """The run as soon as it has ended or waits for a person, or as it is after `seconds`."""
        ...

    async def get(self, run_id: str) -> JourneyRun:
        """The run with this id or alias, within the caller's tenant.

        Raises:
            UnknownRun: there is none.
        """
        ...

    async def unfinished_naming(self, word: str) -> tuple[str, ...]:
        """The ids of the caller's tenant's runs that have not ended and name a thing by its id.

        The first hundred; large values that lie outside of the journal are not looked at.
        """
        ...


class DataMashJourneys(Protocol):
    """The data mash as a journey."""

    async def start_data_mash_journey(
        self, user_id: str, file_id: str, rerun: bool = False, trace_id: str | None = None
    ) -> Journey:
        """Accept the one journey of this file and user; with `rerun` another one.

        `trace_id` is for code inside the city; without it the call's own trace goes on.
        """
        ...

    async def advance_milestone(
        self, journey_id: str, milestone_id: str, result: dict[str, Any]
    ) -> Journey:
        """Supply the result of a milestone that waits or has failed, and go on."""
        ...
