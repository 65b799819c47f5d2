"""Handoff contracts: what phases promise each other, checked when loaded and at every handoff."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from utilities.errors import ErrorKind, FieldError, PlatformError

if TYPE_CHECKING:
    from realms.journey.plans.judging import Judge

_Surely = Callable[[Any], bool]


def _never(_: Any) -> bool:
    return False


class ContractBroken(PlatformError):
    """Data would have crossed that breaks its contract."""

    kind = ErrorKind.INVALID


class Fits:
    """A schema, ready to look at values.

    Plain schemas are compiled to a few closures, which know when a value surely fits; a library
    judges all the rest.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._surely = _sure(schema)
        self.surely: _Surely = self._surely or _never
        """Whether a value fits for certain; False leaves it to `problem`."""

    def problem(self, value: Any) -> str:
        """How `value` breaks the schema, in a sentence without the value; empty if it fits."""
        if self._surely is not None and self._surely(value):
            return ""
        return self._judge.problem(value)

    def faults(self, value: Any) -> tuple[FieldError, ...]:
        """Everything in `value` that breaks the schema, each with its place."""
        if self._surely is not None and self._surely(value):
            return ()
        return self._judge.faults(value)

    @cached_property
    def _judge(self) -> "Judge":
        from realms.journey.plans.judging import Judge

        return Judge(self.schema)

    def __repr__(self) -> str:
        return f"Fits({self.schema!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fits) and self.schema == other.schema

    def __hash__(self) -> int:
        return hash(repr(self.schema))


@dataclass(frozen=True, slots=True)
class Check:
    """One field of one contract, and the milestone that produces it (none: the run's input)."""

    contract: str
    side: str
    field: str
    producer: str = ""
    fits: Fits | None = None

    def problem(self, data: Mapping[str, Any]) -> str:
        """What is wrong with the field in `data`; empty when the contract holds."""
        if data.get(self.field) is None and not self._null_allowed(data):
            return f'{self.contract}: {self.side} field "{self.field}" is missing'
        if self.fits is None:
            return ""
        problem = self.fits.problem(data[self.field])
        return f'{self.contract}: {self.side} field "{self.field}": {problem}' if problem else ""

    def _null_allowed(self, data: Mapping[str, Any]) -> bool:
        return self.field in data and self.fits is not None


class Checks:
    """All checks on the data of one milestone, each field looked at once when all is well."""

    __slots__ = ("_all", "_fields")

    def __init__(self, checks: Iterable[Check]) -> None:
        self._all = tuple(checks)
        self._fields = tuple(dict.fromkeys((check.field, check.fits) for check in self._all))

    def problems(self, data: Mapping[str, Any]) -> list[str]:
        """What in `data` breaks a contract."""
        for name, fits in self._fields:
            value = data.get(name)
            if value is None or not (fits is None or fits.surely(value)):
                return [problem for check in self._all if (problem := check.problem(data))]
        return []


# the quick road: closures that say True only when a value surely fits

_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "format", "deprecated"})
_EXACT: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def _sure(schema: Any) -> _Surely | None:
    """None for a schema whose words are not all among the plain ones."""
    if schema is True:
        return lambda _: True
    if not isinstance(schema, Mapping):
        return None
    words = set(schema) - _ANNOTATIONS
    if not words:
        return lambda _: True
    stated = schema.get("type")
    match stated:
        case "object" if words <= {"type", "properties", "required", "additionalProperties"}:
            return _sure_object(schema)
        case "array" if words <= {"type", "items"}:
            return _sure_array(schema)
        case str() if words == {"type"}:
            exact = _EXACT[stated]
            return lambda value: type(value) in exact
    if words == {"anyOf"}:
        found = [_sure(part) for part in schema["anyOf"]]
        known = [part for part in found if part is not None]
        return (lambda value: any(part(value) for part in known)) if known else None
    return None


def _sure_object(schema: Mapping[str, Any]) -> _Surely | None:
    parts = {name: _sure(part) for name, part in schema.get("properties", {}).items()}
    known = {name: part for name, part in parts.items() if part is not None}
    others = schema.get("additionalProperties", True)
    if len(known) < len(parts) or not isinstance(others, bool):
        return None
    required = tuple(schema.get("required", ()))

    def surely(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name in required:
            if name not in value:
                return False
        for name, found in value.items():
            part = known.get(name)
            if not (others if part is None else part(found)):
                return False
        return True

    return surely


def _sure_array(schema: Mapping[str, Any]) -> _Surely | None:
    item = _sure(schema.get("items", True))
    if item is None:
        return None
    return lambda value: type(value) is list and all(map(item, value))
