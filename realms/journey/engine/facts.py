"""What a run's journal can say: frozen facts, stored as JSON with a schema version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from realms.journey.api import Failure, Reason
from utilities.errors import ErrorKind, PlatformError

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
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
    kind: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneBegan:
    """An attempt is about to be made; journalled before the call."""

    at: datetime
    path: str
    attempt: int
    kind: Literal["milestone_began"] = "milestone_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneSucceeded:
    """The checkpoint: the output of a milestone, which never changes."""

    at: datetime
    path: str
    attempt: int
    output: Mapping[str, Any]
    kind: Literal["milestone_succeeded"] = "milestone_succeeded"


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
class RetryScheduled:
    """The next attempt begins at `wake_at`."""

    at: datetime
    path: str
    wake_at: datetime
    kind: Literal["retry_scheduled"] = "retry_scheduled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneWaiting:
    """The milestone waits for something that no timer brings."""

    at: datetime
    path: str
    reason: Reason
    kind: Literal["milestone_waiting"] = "milestone_waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneFailed:
    """The milestone is given up."""

    at: datetime
    path: str
    reason: Reason
    error: Failure
    kind: Literal["milestone_failed"] = "milestone_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSupplied:
    """A person gave the result of a milestone that waited or had failed."""

    at: datetime
    path: str
    output: Mapping[str, Any]
    principal: str
    kind: Literal["result_supplied"] = "result_supplied"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeld:
    """The run cannot go on here and now; the next boot tries again."""

    at: datetime
    reason: Reason
    error: Failure
    kind: Literal["run_held"] = "run_held"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSucceeded:
    """Every milestone is done."""

    at: datetime
    kind: Literal["run_succeeded"] = "run_succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    """The run is given up; what it reached stays readable."""

    at: datetime
    reason: Reason
    error: Failure
    kind: Literal["run_failed"] = "run_failed"


Fact = (
    RunStarted
    | MilestoneBegan
    | MilestoneSucceeded
    | AttemptFailed
    | AttemptLost
    | AttemptReleased
    | RetryScheduled
    | MilestoneWaiting
    | MilestoneFailed
    | ResultSupplied
    | RunHeld
    | RunSucceeded
    | RunFailed
)


_READER: TypeAdapter[Fact] = TypeAdapter(Annotated[Fact, Field(discriminator="kind")])


class CorruptFact(PlatformError):
    """A fact in the journal cannot be read."""

    kind = ErrorKind.INTERNAL


def encode(fact: Fact) -> bytes:
    """A fact as JSON, its schema version first."""
    return orjson.dumps({"v": SCHEMA_VERSION, "fact": fact}, default=_plain)


def decode(data: bytes) -> Fact:
    """Read one stored fact; it can become nothing but one of the facts above.

    Raises:
        CorruptFact: it is no JSON, of an unknown version or kind, or lacks what its kind needs.
    """
    try:
        stored = orjson.loads(data)
        version, fact = stored["v"], stored["fact"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CorruptFact(f"a stored fact is no JSON of ours: {error}") from error
    if version != SCHEMA_VERSION:
        raise CorruptFact(
            f"a stored fact has schema version {version!r}; this program knows {SCHEMA_VERSION}",
            hint="run the version that wrote it",
        )
    try:
        return _READER.validate_python(fact)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorruptFact(f"a stored fact does not hold: {where}: {first['msg']}") from error


def _plain(value: object) -> object:
    """What orjson does not know by itself: the failure model inside a fact."""
    if isinstance(value, Failure):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no place in a journal")
