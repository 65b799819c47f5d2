"""Where each parameter of a milestone comes from: by name, the nearest earlier milestone first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FROM_CONTEXT = frozenset({"trace_id", "user_context"})
"""Filled from the call context and from nowhere else; they take no part in binding."""


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


Source = FromResult | FromInput | Constant


@dataclass(frozen=True, slots=True)
class Producer:
    """A milestone on the way here, and what its API returns. `opaque` when that is not known."""

    path: str
    fields: Mapping[str, Mapping[str, Any]]
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """A parameter and its source."""

    parameter: str
    source: Source


def nearest(
    name: str, *, earlier: Sequence[Producer], inputs: Mapping[str, Any]
) -> FromResult | FromInput | None:
    """What feeds `name`: the last of the earlier milestones that returns it, else the input."""
    for producer in reversed(earlier):
        if name in producer.fields and name not in FROM_CONTEXT:
            return FromResult(producer.path, name)
    return FromInput(name) if name in inputs else None


def fed(
    bindings: Sequence[Binding],
    *,
    values: Mapping[str, Any],
    results: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The arguments of a call: `values` is the run's input, `results` what each milestone gave."""
    arguments: dict[str, Any] = {}
    for binding in bindings:
        match binding.source:
            case FromResult(path, name):
                arguments[binding.parameter] = results[path][name]
            case FromInput(name):
                arguments[binding.parameter] = values[name]
            case Constant(value):
                arguments[binding.parameter] = value
    return arguments
