"""What breaks a JSON Schema, as a library says; loaded when a value does not plainly fit."""

from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from pydantic_core import ValidationError as NoMatch
from referencing import Registry

from utilities.errors import FieldError
from utilities.linear_patterns import linear_pattern


class Judge:
    """Judges values by one schema; it fetches nothing, and matches patterns in linear time."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator: Validator = _Schemas(dict(schema), registry=Registry())

    def problem(self, value: Any) -> str:
        """How `value` breaks the schema, in a sentence without the value; empty if it fits."""
        error = best_match(self._validator.iter_errors(value))
        if error is None:
            return ""
        return f"{_pointer(error) or 'it'} {_broken(error)}"

    def faults(self, value: Any) -> tuple[FieldError, ...]:
        """Everything in `value` that breaks the schema, each with its place."""
        found = sorted(self._validator.iter_errors(value), key=lambda error: list(error.path))
        return tuple(dict.fromkeys(FieldError(_pointer(error), _broken(error)) for error in found))


def schema_fault(schema: Mapping[str, Any]) -> str:
    """Why this is no JSON Schema; empty when it is one."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(error.message)
    return ""


def _matches(_: Validator, pattern: str, value: Any, __: Any) -> Iterable[ValidationError]:
    if not isinstance(value, str):
        return
    try:
        linear_pattern(pattern).validate_python(value)
    except NoMatch:
        yield ValidationError(f"does not match {pattern!r}")


_extend: Any = extend  # its stubs leave it untyped
_Schemas = _extend(Draft202012Validator, {"pattern": _matches})


def _pointer(error: ValidationError) -> str:
    return "".join(f"/{part}" for part in error.absolute_path)


_SAID = {
    "type": "is not of type {}",
    "enum": "is none of {}",
    "const": "is not {}",
    "required": "lacks {}",
    "additionalProperties": "has more than {}",
    "minimum": "is less than {}",
    "maximum": "is more than {}",
    "exclusiveMinimum": "is not more than {}",
    "exclusiveMaximum": "is not less than {}",
    "multipleOf": "is no multiple of {}",
    "minLength": "is shorter than {}",
    "maxLength": "is longer than {}",
    "minItems": "has fewer items than {}",
    "maxItems": "has more items than {}",
    "pattern": "does not match {}",
}


def _broken(error: ValidationError) -> str:
    """In words of the schema: data of a run stays out."""
    if error.schema is False:
        return "has what may not be there"
    rule = _rule(error)
    shown = rule if len(rule) <= 120 else f"{rule[:117]}..."
    return _SAID.get(str(error.validator), f"breaks {error.validator}: {{}}").format(shown)


def _rule(error: ValidationError) -> str:
    rule: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    if error.validator == "required":
        rule = [name for name in rule if name not in instance]
    elif error.validator == "additionalProperties":
        rule = list(schema.get("properties", ())) or "nothing"
    return ", ".join(map(str, rule)) if isinstance(rule, list) else str(rule)
