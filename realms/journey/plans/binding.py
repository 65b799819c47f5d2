"""Where each parameter of a milestone comes from: by name, the nearest earlier milestone first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realms.journey.expressions.values import Value

FROM_CONTEXT = frozenset({"trace_id", "user_context"})
"""Filled from the call context and from nowhere else; they take no part in binding."""

RUN_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "alias": {"type": "string"},
        "template": {"type": "string"},
        "trace_id": {"type": "string"},
        "tenant": {"type": "string"},
        "principal": {"type": "string"},
        "started_at": {"type": "string", "description": "ISO 8601, with its offset"},
    },
    "additionalProperties": False,
}
"""What expressions may know of the run itself, as `run`."""

START_SCHEMA: Mapping[str, Any] = {
    **RUN_SCHEMA,
    "properties": {n: part for n, part in RUN_SCHEMA["properties"].items() if n != "id"},
}
"""What is known of a run before it has begun: what keys of lanes may use."""


@dataclass(frozen=True, slots=True)
class FromResult:
    """A field of an earlier milestone's result."""

    path: str
    field: str


@dataclass(frozen=True, slots=True)
class FromInput:
    """A value of the run's input."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value the template gives."""

    value: Any


@dataclass(frozen=True, slots=True)
class Computed:
    """A value the template gives in which expressions stand."""

    value: Value


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by its name; it is put in at the call and stands nowhere else."""

    name: str


Source = FromResult | FromInput | Constant | Computed | Secret


@dataclass(frozen=True, slots=True)
class Binding:
    """A parameter and its source."""

    parameter: str
    source: Source
