"""Which types pydantic surely takes and describes, as their annotations alone tell."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AwareDatetime, BaseModel, JsonValue, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError, SchemaValidator, core_schema

# fmt: off
_PLAIN: frozenset[Any] = frozenset([
    str, bool, int, float, Decimal, bytes, datetime, date, time, timedelta, UUID, NoneType, Any,
    AwareDatetime, JsonValue, Ellipsis,
])
# fmt: on
_UNIONS = frozenset([Union, UnionType])
_MADE_OF_OTHERS = frozenset([list, tuple, set, frozenset, dict, Sequence, Mapping]) | _UNIONS
_BOUNDS, _BOUNDED = (Ge, Gt, Le, Lt), frozenset([int, float])
_LENGTHS, _LONG = (MinLen, MaxLen), frozenset([str, list, tuple, dict])
_WAYS = ("__get_pydantic_core_schema__", "__get_pydantic_json_schema__")


def surely_described(hint: Any) -> bool:
    """Whether a type has a validator, a serializer and a JSON Schema; none of them is made for it.

    False where that cannot be told: then only making them tells.
    """
    return _class_is(hint) if isinstance(hint, type) else _is(hint)


@functools.cache
def _class_is(cls: type) -> bool:
    return _is(cls)


def _is(hint: Any) -> bool:
    waiting: list[Any] = [hint]
    seen: set[type] = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, type):
            if part in seen:
                continue
            seen.add(part)
        inside = _parts(part)
        if inside is None:
            return False
        waiting += inside
    return True


def _parts(hint: Any) -> Sequence[Any] | None:
    """The types that one is made of; None where it is not known here."""
    if isinstance(hint, type):
        if issubclass(hint, BaseModel):
            return _of_model(hint)
        if is_dataclass(hint):
            return _of_dataclass(hint)
    return _of_type(hint)


def _of_model(model: type[BaseModel]) -> Sequence[Any] | None:
    """The types of its fields; None where a model has ways of its own."""
    told = model.__pydantic_decorators__
    modes = {one.info.mode for one in told.field_validators.values()}
    modes |= {one.info.mode for one in told.model_validators.values()}
    own = (told.computed_fields, told.field_serializers, told.model_serializers)
    old = (told.validators, told.root_validators)
    if modes - {"before", "after"} or any(own) or any(old):
        return None
    if any(_overrides(model, way) for way in _WAYS):
        return None
    fields = model.model_fields.values()
    fit = all(_fits(said, field.annotation) for field in fields for said in field.metadata)
    return [field.annotation for field in fields] if fit else None


def _of_dataclass(cls: type) -> Sequence[Any] | None:
    """The types of its fields; None where it is one of pydantic's."""
    if hasattr(cls, "__pydantic_decorators__"):
        return None
    try:
        return list(get_type_hints(cls, include_extras=True).values())
    except NameError:
        return None


def _of_type(hint: Any) -> Sequence[Any] | None:
    origin = get_origin(hint)
    if origin is None:
        known = hint in _PLAIN or (isinstance(hint, type) and issubclass(hint, Enum))
        return () if known else None
    if origin is Literal:
        return ()
    arguments = get_args(hint)
    if origin is Annotated:
        return arguments[:1] if all(_fits(part, arguments[0]) for part in arguments[1:]) else None
    return arguments if origin in _MADE_OF_OTHERS else None


def _fits(said: Any, hint: Any) -> bool:
    """Whether what is said of a type, such as a bound, can be said of it."""
    kind = get_origin(hint) or hint
    if kind in _UNIONS:
        return all(_fits(said, part) for part in get_args(hint) if part is not NoneType)
    if isinstance(said, FieldInfo):
        return all(_fits(part, hint) for part in said.metadata)
    if isinstance(said, _BOUNDS):
        return kind in _BOUNDED
    if isinstance(said, _LENGTHS):
        return kind in _LONG
    return kind is str and _is_of_text(said)


def _is_of_text(said: Any) -> bool:
    """Whether it is a pattern that pydantic takes, or says how a text is to be."""
    pattern = getattr(said, "pattern", None)
    if pattern is None:
        return isinstance(said, StringConstraints)
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return False
    return True


def _overrides(model: type[BaseModel], name: str) -> bool:
    return getattr(model, name).__func__ is not getattr(BaseModel, name).__func__
