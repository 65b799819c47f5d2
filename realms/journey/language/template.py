"""The journey language: every word a template may say, as frozen models.

These models are the only list of the words: the strict loader reads by them, and
`language_schema` makes of them the JSON Schema for editors.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, WithJsonSchema

from realms.journey.language.milestone import Milestone, Part, Retry, RetryOrName, required
from realms.journey.language.words import (
    FIELDS_SCHEMA,
    Duration,
    FieldName,
    Json,
    JsonSchema,
    Known,
    Name,
    Schema,
    Spelling,
    Value,
    Version,
    Words,
)
from realms.journey.plans.plan import OnFailure, Overlap, WhenFull

COMPLETE = "complete"
RESERVED_IDS = frozenset({"input", "run", "item", COMPLETE})
"""Words that expressions or `next_milestone` use; no milestone may be called so."""
OF_EXPRESSIONS = frozenset({"true", "false", "null", "in"})
"""What expressions read as something else: nothing that they are to name may be called so."""

MAX_MILESTONES = 500
MAX_FIELDS = 100
"""So many fields may a side of a contract name."""


class Defaults(Part):
    """What holds for every milestone that does not say otherwise."""

    retry: RetryOrName | None = Field(default=None, description="A policy, or the name of one.")
    timeout: Duration | None = Field(default=None, description="An attempt is cut after this.")
    heartbeat: Duration | None = Field(
        default=None, description="An attempt that gives no sign of life for this long is cut."
    )
    continue_on_error: bool = Field(default=False, description="The run goes on when one fails.")
    priority: int | None = Field(default=None, ge=0, le=9, description="The higher goes first.")
    queue: Name = Field(default="", description="The queue its work goes through.")


class Concurrency(Part):
    """How many runs of one key may move at once."""

    model_config = required("limit")
    REQUIRED: ClassVar = ("limit",)

    key: Value = Field(default=None, description="Runs of the same key share the limit.")
    limit: int = Field(default=1, ge=1, le=10_000, description="So many move at once.")
    when_full: WhenFull = Field(
        default=WhenFull.QUEUE,
        description="queue: wait; reject: refuse; replace: cancel the oldest.",
    )


class RateLimit(Part):
    """How many runs of one key may begin in a time."""

    model_config = required("limit", "per")
    REQUIRED: ClassVar = ("limit", "per")

    limit: int = Field(default=1, ge=1, le=1_000_000, description="So many begin.")
    per: Duration = Field(default=timedelta(seconds=1), description="In this time.")
    key: Value = Field(default=None, description="Runs of the same key share the limit.")


class Schedule(Part):
    """When runs begin by themselves; either `cron` or `every`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["cron"]}, {"required": ["every"]}]}
    )

    cron: Annotated[Words, Field(max_length=128)] = Field(
        default="", description="A cron expression of five or six fields, such as 0 6 * * MON-FRI."
    )
    every: Duration | None = Field(default=None, description="Every so often.")
    timezone: Annotated[Words, Field(max_length=64)] = Field(
        default="UTC", description="A time zone such as Europe/Vienna. Default UTC."
    )
    overlap: Overlap = Field(
        default=Overlap.SKIP, description="What to do while the run before is not done."
    )
    catch_up: Duration | None = Field(
        default=None, description="How far back missed times are made up for. Default not at all."
    )
    input: Mapping[FieldName, Json] = Field(
        default_factory=dict, description="The input of these runs."
    )


class Retention(Part):
    """How long finished runs are kept."""

    model_config = required("keep")
    REQUIRED: ClassVar = ("keep",)

    keep: Duration | None = Field(default=None, description="From the end of the run.")


class Trace(StrEnum):
    """Whether a crossing is refused without a trace id."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class ContractField(Part):
    """A field that a contract names, and the JSON Schema its value must fit, if stated."""

    name: str
    value_schema: JsonSchema | None = None


ContractFields = Annotated[
    tuple[ContractField, ...], Spelling.CONTRACT_FIELDS, WithJsonSchema(FIELDS_SCHEMA)
]


class HandoffContract(Part):
    """What crosses from one phase to the next, and what must come of it."""

    input: ContractFields = Field(default=(), description="What the phase is entered with.")
    output: ContractFields = Field(default=(), description="What is there when it is left.")
    trace_id: Trace = Field(
        default=Trace.OPTIONAL, description="required: no crossing without a trace id."
    )


class Template(Part):
    """A journey: which milestones there are, who reaches each, and what is handed over."""

    model_config = required("journey_template", "milestones")

    journey_template: Name = Field(default="", description="The name of the journey.")
    version: Version = Field(
        default="", description="A text. Without one, the hash of the template is the version."
    )
    description: Words = Field(default="", description="What the journey is for.")
    input: Mapping[FieldName, Schema] | None = Field(
        default=None,
        description="What a run is given: names with JSON types or JSON Schemas, which may have a "
        "default. Without it, the required parameters of the first milestone.",
    )
    output: Value = Field(
        default=None, description="What a run gives. Default: every milestone's result."
    )
    defaults: Defaults = Field(
        default_factory=Defaults, description="What holds for every milestone."
    )
    retries: Mapping[Name, Retry] = Field(
        default_factory=dict, description="Retry policies by name."
    )
    timeout: Duration | None = Field(default=None, description="Of the whole run. Default 24h.")
    concurrency: Concurrency | None = Field(default=None, description="How many runs move at once.")
    rate_limit: RateLimit | None = Field(default=None, description="How many runs begin in a time.")
    priority: int = Field(
        default=0, ge=0, le=9, description="Runs of the higher go first. Default 0."
    )
    schedule: Schedule | None = Field(default=None, description="When runs begin by themselves.")
    on_failure: OnFailure = Field(
        default=OnFailure.FAIL, description="What a run does when a milestone was given up."
    )
    finally_: tuple[Known, ...] | None = Field(
        default=None,
        alias="finally",
        min_length=1,
        description="Milestones that begin when everything else has ended, however it ended.",
    )
    retention: Retention | None = Field(
        default=None, description="How long finished runs are kept."
    )
    milestones: tuple[Milestone, ...] = Field(
        default=(), min_length=1, max_length=MAX_MILESTONES, description="In the order they are in."
    )
    handoff_contracts: Mapping[str, HandoffContract] = Field(
        default_factory=dict,
        description="By the phases between which they hold: `infrastructure_to_insights`.",
    )
    tests: tuple[Mapping[str, Json], ...] = Field(
        default=(), description="Tests of the journey, run by `civitas journey test`."
    )


def language_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the language, for editors."""
    schema = _tidied(Template.model_json_schema(by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Journey template",
    }


def _tidied(schema: Any) -> Any:
    """Without what the models need and no one may write: empty defaults, and null."""
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        word: _tidied(part)
        for word, part in schema.items()
        if not (word == "default" and part in (None, "", [], {}))
        and not (word == "title" and "description" in schema and isinstance(part, str))
    }
    if "anyOf" in kept:
        stated = [part for part in kept["anyOf"] if part != {"type": "null"}]
        kept["anyOf"] = stated
        if len(stated) == 1:
            kept = {**stated[0], **{word: part for word, part in kept.items() if word != "anyOf"}}
    return kept
