"""What a milestone may say, as frozen models: one half of the journey language."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import ConfigDict, Field

from realms.journey.language.words import (
    ApiName,
    Argument,
    ClassName,
    Condition,
    Duration,
    FieldName,
    Known,
    Name,
    Reference,
    Schema,
    Share,
    Topic,
    Value,
    Words,
)
from realms.journey.plans.plan import OnExhausted
from realms.journey.plans.retries import Jitter
from utilities.models import FrozenModel

WORK = ("service", "journey", "agent", "ask", "wait", "wait_for", "emit", "race")
"""The words of which a milestone has exactly one: they say what it does."""


class Part(FrozenModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    REQUIRED: ClassVar[tuple[str, ...]] = ()
    """Words without which it makes no sense. All have defaults, so that a faulty one is made."""


def required(*words: str) -> ConfigDict:
    """The words that the JSON Schema of a part demands."""
    return ConfigDict(json_schema_extra={"required": list(words)})


class Retry(Part):
    """How often a failed attempt is made again, and how far apart."""

    attempts: int | None = Field(
        default=None, ge=1, le=100, description="Attempts in all, the first included. Default 3."
    )
    first_delay: Duration | None = Field(
        default=None, description="Before the second attempt. Default 1s."
    )
    factor: float | None = Field(
        default=None, ge=1, le=100, description="By which each delay grows. Default 2."
    )
    max_delay: Duration | None = Field(default=None, description="No delay is longer. Default 1m.")
    max_elapsed: Duration | None = Field(
        default=None, description="No attempt begins later than this after the first."
    )
    jitter: Jitter | None = Field(
        default=None, description="full: a delay is drawn between nothing and its full length."
    )
    on: tuple[ClassName, ...] | None = Field(
        default=None, min_length=1, description="Only these: kinds of errors, or names of classes."
    )
    never_on: tuple[ClassName, ...] | None = Field(
        default=None, description="Never these: kinds of errors, or names of classes."
    )
    delays: tuple[Duration, ...] | None = Field(
        default=None, min_length=1, max_length=100, description="The delays themselves, in order."
    )
    respect_retry_after: bool | None = Field(
        default=None, description="Wait at least as long as the service asks for. Default true."
    )


RetryOrName = Retry | Known


class ForEach(Part):
    """Reach the milestone once for every item, and gather the results in order."""

    model_config = required("items")
    REQUIRED: ClassVar = ("items",)

    items: Condition = Field(default="", description="The list to go over.")
    as_: FieldName = Field(
        default="item", alias="as", description="What expressions call the item. Default item."
    )
    max_parallel: int = Field(
        default=10, ge=1, le=1000, description="So many are under way at once. Default 10."
    )
    tolerate: Share = Field(
        default="0", description="So many items may fail, a count or a percentage. Default none."
    )


class Loop(Part):
    """Reach the milestone again until it holds."""

    model_config = required("until", "max")
    REQUIRED: ClassVar = ("until", "max")

    until: Condition = Field(default="", description="Sees the milestone's own result by its id.")
    max: int = Field(default=1, ge=1, le=1000, description="The most iterations.")
    on_exhausted: OnExhausted = Field(
        default=OnExhausted.FAIL, description="What becomes of it after the last iteration."
    )


class Compensate(Part):
    """The call that undoes what the milestone did."""

    model_config = required("service", "api")
    REQUIRED: ClassVar = ("service", "api")

    service: ClassName = Field(default="", description="The service that undoes it.")
    api: ApiName = Field(default="", description="Its API.")
    with_: Mapping[FieldName, Argument] = Field(
        default_factory=dict,
        alias="with",
        description="Its parameters; sees the milestone's own result by its id.",
    )


class Memoize(Part):
    """Take a result that was given under the same key instead of calling again."""

    model_config = required("key")
    REQUIRED: ClassVar = ("key",)

    key: Value = Field(default=None, description="What makes two calls the same.")
    max_age: Duration | None = Field(default=None, description="Older results are not taken.")


class Ask(Part):
    """Ask a person; a wrong answer asks again, and nothing is held meanwhile."""

    model_config = required("form")
    REQUIRED: ClassVar = ("form",)

    form: Schema = Field(
        default_factory=dict, description="A JSON Schema of type object that the answer must fit."
    )
    role: Name = Field(default="", description="Who may answer. Default: anyone who sees the run.")
    quorum: int = Field(
        default=1, ge=1, le=100, description="So many different people must answer. Default 1."
    )
    due: Duration | None = Field(default=None, description="By when an answer is expected.")
    escalate_to: Name = Field(default="", description="The role that may answer too once overdue.")
    push_back_to: Known = Field(
        default="", description="A milestone before it, to which the answer may send the run back."
    )


class WaitFor(Part):
    """Wait for a signal; it may have come already."""

    model_config = required("signal")
    REQUIRED: ClassVar = ("signal",)

    signal: Name = Field(default="", description="Its name.")
    timeout: Duration | None = Field(default=None, description="The milestone fails after this.")


class Emit(Part):
    """Publish an event; `with` gives its data."""

    model_config = required("event")
    REQUIRED: ClassVar = ("event",)

    event: Topic = Field(default="", description="Its topic, such as files.stored.")


class Milestone(Part):
    """One step of a journey: what is done, when, and what if it fails."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["milestone_id"],
            "oneOf": [{"required": [word]} for word in WORK],
            "dependentRequired": {"service": ["api"], "api": ["service"]},
        }
    )
    REQUIRED: ClassVar = ("milestone_id",)

    milestone_id: Name = Field(default="", description="Its name, by which others refer to it.")
    phase: Name = Field(default="", description="The part of the city it belongs to.")
    description: Words = Field(default="", description="What is reached.")

    service: ClassName = Field(default="", description="Call an API of this service.")
    api: ApiName = Field(default="", description="The API to call.")
    journey: Reference = Field(
        default="", description="Run another journey, pinned to its version when this run begins."
    )
    agent: ClassName = Field(default="", description="Let an agent do it.")
    ask: Ask | None = Field(default=None, description="A person answers.")
    wait: Duration | None = Field(default=None, description="Let time pass.")
    wait_for: WaitFor | Name | None = Field(default=None, description="Wait for a signal.")
    emit: Emit | Topic | None = Field(default=None, description="Publish an event.")
    race: "tuple[Milestone, ...] | None" = Field(
        default=None,
        min_length=1,
        description="Begin all of these; the first to succeed wins, the rest are cancelled.",
    )
    with_: Mapping[FieldName, Argument] = Field(
        default_factory=dict,
        alias="with",
        description="Parameters that names alone do not bind.",
    )

    next_milestone: Known | None = Field(
        default=None, description="The milestone that follows; `complete` ends the line."
    )
    needs: tuple[Known, ...] | None = Field(
        default=None,
        min_length=1,
        description="The milestones it comes after. Default: the one written before it.",
    )
    if_: Condition = Field(
        default="",
        alias="if",
        description="Unmet, it is skipped, and so are those that need it. "
        "Knows succeeded(), failed(), always(), skipped('a').",
    )
    for_each: ForEach | None = Field(default=None, description="Once for every item.")
    loop: Loop | None = Field(default=None, description="Again until it holds.")

    retry: RetryOrName | None = Field(
        default=None, description="A policy, or the name of one: of `retries`, `default`, `none`."
    )
    timeout: Duration | None = Field(default=None, description="An attempt is cut after this.")
    heartbeat: Duration | None = Field(
        default=None, description="An attempt that gives no sign of life for this long is cut."
    )
    compensate: Compensate | None = Field(default=None, description="What undoes it.")
    continue_on_error: bool | None = Field(
        default=None, description="The run goes on when it fails, and keeps the error as a warning."
    )
    memoize: Memoize | None = Field(default=None, description="Take an earlier result.")
    priority: int | None = Field(
        default=None, ge=0, le=9, description="The higher goes first. Default that of the journey."
    )
    queue: Name | None = Field(default=None, description="The queue its work goes through.")
