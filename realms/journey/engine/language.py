"""The journey language of this version: what a template may say, as frozen models."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

COMPLETE = "complete"
RESERVED_IDS = frozenset({"input", "run", "item", COMPLETE})
"""Words that expressions or `next_milestone` use; no milestone may be called so."""

TOP_LATER = frozenset(
    {
        "output",
        "defaults",
        "retries",
        "timeout",
        "concurrency",
        "rate_limit",
        "priority",
        "schedule",
        "on_failure",
        "finally",
        "retention",
        "tests",
    }
)
MILESTONE_LATER = frozenset(
    {
        "journey",
        "agent",
        "ask",
        "wait",
        "wait_for",
        "emit",
        "needs",
        "if",
        "for_each",
        "loop",
        "race",
        "retry",
        "timeout",
        "heartbeat",
        "compensate",
        "continue_on_error",
        "priority",
        "queue",
        "memoize",
    }
)
"""Words of the language that this version refuses by name."""

MAX_MILESTONES = 500

JsonSchema = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Milestone(_Part):
    """One call of an SOA API, and which milestone follows."""

    milestone_id: str
    service: str
    api: str
    phase: str = ""
    description: str = ""
    next_milestone: str | None = Field(
        default=None, description="None: the one written below; `complete` ends the line."
    )
    constants: Mapping[str, Any] = Field(
        default_factory=dict,
        validation_alias="with",
        serialization_alias="with",
        description="Parameters given by the template.",
    )


class ContractField(_Part):
    """A field that a contract names, and the JSON Schema its value must fit, if stated."""

    name: str
    value_schema: JsonSchema | None = None


class HandoffContract(_Part):
    """What crosses from one phase to the next, and what must come of it."""

    input: tuple[ContractField, ...] = ()
    output: tuple[ContractField, ...] = ()
    trace_required: bool = False


class Template(_Part):
    """A journey as written, after its form was found right."""

    journey_template: str
    version: str = ""
    description: str = ""
    inputs: Mapping[str, JsonSchema] | None = Field(
        default=None,
        validation_alias="input",
        serialization_alias="input",
        description="None: the first milestone's required parameters.",
    )
    milestones: tuple[Milestone, ...]
    handoff_contracts: Mapping[str, HandoffContract] = Field(default_factory=dict)
