"""JSON Schemas as templates may state them: safe to use, and what of them can never meet."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from utilities.errors import ErrorKind, PlatformError
from utilities.linear_patterns import BadPattern, linear_pattern

JSON_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_MOST_REFERENCES = 1000
_NOT_OFFERED = (
    "$dynamicRef",
    "$recursiveRef",
    "$id",
    "$anchor",
    "$dynamicAnchor",
    "$schema",
    "patternProperties",
    "unevaluatedProperties",
)


class BadSchema(PlatformError):
    """What a template states is no JSON Schema of ours."""

    kind = ErrorKind.INVALID


def checked_schema(schema: Any) -> dict[str, Any]:
    """A JSON Schema, or its short form (`string`), as a schema that is safe to use.

    Nothing outside is ever fetched and no reference may come back to itself, so every check ends;
    patterns are matched by an engine of linear time, which has no look-around or back references.

    Raises:
        BadSchema: it is none.
    """
    if isinstance(schema, str):
        if schema not in JSON_TYPES:
            known = ", ".join(JSON_TYPES)
            raise BadSchema(f'"{_short(schema)}" is no type; types are {known}', hint=schema)
        return {"type": schema}
    if not isinstance(schema, dict):
        raise BadSchema("a type is one of JSON's, or a JSON Schema")
    _check_keywords(schema)
    if fault := _fault(schema):
        raise BadSchema(f"is no JSON Schema: {_short(fault)}")
    _follow_all(schema)
    return schema


def _fault(schema: Mapping[str, Any]) -> str:
    """Why this is no JSON Schema. What plainly is one needs no library to tell."""
    if _plain(schema):
        return ""
    from realms.journey.plans.judging import schema_fault

    return schema_fault(schema)


def _plain(schema: Any) -> bool:
    return isinstance(schema, dict) and all(
        word in _FORMS and _FORMS[word](value) for word, value in schema.items()
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0


_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) and value in JSON_TYPES,
    "title": _is_text,
    "description": _is_text,
    "properties": lambda value: isinstance(value, dict) and all(map(_plain, value.values())),
    "required": _is_names,
    "items": _plain,
    "enum": lambda value: isinstance(value, list),
    "minLength": _is_size,
    "maxLength": _is_size,
    "minItems": _is_size,
    "maxItems": _is_size,
}
"""Words that the schemas of most templates are made of, and when they are well formed."""


def clash(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Why no value of schema `given` can ever fit `wanted`; empty when one might.

    Only JSON types are compared, so a clash is certain and its absence no promise.
    """
    ours, theirs = _types(given, given), _types(wanted, wanted)
    if ours is None or theirs is None or ours & theirs:
        return ""
    return f"is {_listed(ours)}, not {_listed(theirs)}"


def types_of(schema: Mapping[str, Any]) -> frozenset[str] | None:
    """The JSON types a schema allows (`integer` counts as `number`); None when it does not say."""
    return _types(schema, schema)


def _types(schema: Any, whole: Mapping[str, Any], depth: int = 0) -> frozenset[str] | None:
    if not isinstance(schema, Mapping) or depth > 8:
        return None
    if "$ref" in schema:
        return _types(_resolved(whole, schema["$ref"]), whole, depth + 1)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            parts = [_types(part, whole, depth + 1) for part in schema[word]]
            known = [part for part in parts if part is not None]
            return frozenset().union(*known) if len(known) == len(parts) else None
    stated = schema.get("type")
    if stated is None:
        return None
    names = [stated] if isinstance(stated, str) else stated
    return frozenset("number" if name == "integer" else name for name in names)


def _listed(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def _check_keywords(schema: Any) -> None:
    """Refuse what would fetch, recurse or backtrack, wherever it stands."""
    if isinstance(schema, list):
        for part in schema:
            _check_keywords(part)
    if not isinstance(schema, dict):
        return
    for word in _NOT_OFFERED:
        if word in schema:
            raise BadSchema(f'"{word}" is not offered in contracts')
    if isinstance(pattern := schema.get("pattern"), str):
        _compiles(pattern)
    for part in schema.values():
        _check_keywords(part)


def _compiles(pattern: str) -> None:
    try:
        linear_pattern(pattern)
    except BadPattern as error:
        raise BadSchema(
            f"the pattern {_short(pattern)!r} is not offered: no look-around, no back references"
        ) from error


def _references(schema: Any) -> Iterable[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield str(schema["$ref"])
        for part in schema.values():
            yield from _references(part)


def _follow_all(whole: Mapping[str, Any]) -> None:
    """Follow every way along references, as a check of data would: all must end, and soon."""
    ways: list[tuple[str, tuple[str, ...]]] = [(r, ()) for r in _references(whole)]
    followed = 0
    while ways:
        reference, seen = ways.pop()
        shown = _short(reference)
        followed += 1
        if not reference.startswith("#/"):
            raise BadSchema(f'"$ref: {shown}" points outside; nothing is ever fetched')
        if reference in seen:
            raise BadSchema(f'"$ref: {shown}" comes back to itself')
        if followed > _MOST_REFERENCES:
            raise BadSchema(f"its references unfold to more than {_MOST_REFERENCES}")
        if (target := _resolved(whole, reference)) is None:
            raise BadSchema(f'"$ref: {shown}" points to nothing')
        ways += [(inner, (*seen, reference)) for inner in _references(target)]


def _resolved(whole: Any, reference: str) -> Any:
    found = whole
    for part in reference.removeprefix("#/").split("/"):
        found = (
            found.get(part.replace("~1", "/").replace("~0", "~"))
            if isinstance(found, dict)
            else None
        )
    return found


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."
