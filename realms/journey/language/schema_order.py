"""Whether every value of one JSON Schema fits another: structural, and sure when it says yes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from realms.journey.plans.contracts import Fits

_ANNOTATIONS = frozenset(
    {
        *("$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples"),
        *("deprecated", "readOnly", "writeOnly", "format"),
    }
)
_ALL_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_DEEPEST = 24

Schema = Any
"""A mapping, or True for anything and False for nothing."""


def covers(wide: Schema, narrow: Schema) -> bool:
    """Whether all that fits `narrow` fits `wide`; False also where that cannot be told.

    An object that says nothing of further properties is taken to have none: a new optional
    property is no conflict with what nobody sent.
    """
    return _Order(wide, narrow).covers(wide, narrow, 0)


def opened(schema: Schema) -> Schema:
    """The same without a ban on further properties: those who read results skip what is new."""
    if isinstance(schema, list):
        return [opened(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        word: opened(part)
        for word, part in schema.items()
        if not (word == "additionalProperties" and part is False)
    }


class _Order:
    """Two documents, and the references that each resolves in its own definitions."""

    def __init__(self, wide: Schema, narrow: Schema) -> None:
        self._wide = wide.get("$defs", {}) if isinstance(wide, Mapping) else {}
        self._narrow = narrow.get("$defs", {}) if isinstance(narrow, Mapping) else {}

    def covers(self, wide: Schema, narrow: Schema, depth: int) -> bool:
        wide, narrow = _plain(wide, self._wide), _plain(narrow, self._narrow)
        if wide == {} or narrow is False:
            return True
        if wide is False or depth > _DEEPEST:
            return False
        if wide == narrow and self._wide == self._narrow:
            return True
        if "enum" in narrow or "const" in narrow:
            values = [narrow["const"]] if "const" in narrow else narrow["enum"]
            return all(self._fits(wide, value) for value in values)
        for word in ("anyOf", "oneOf"):
            if word in narrow:
                return all(self.covers(wide, part, depth + 1) for part in narrow[word])
        if "anyOf" in wide:
            rest = {word: part for word, part in wide.items() if word != "anyOf"}
            return self.covers(rest, narrow, depth + 1) and self._one_covers(
                wide["anyOf"], narrow, depth
            )
        return self._covers_plainly(wide, narrow, depth)

    def _one_covers(self, parts: Iterable[Schema], narrow: Mapping[str, Any], depth: int) -> bool:
        """Whether the parts cover each type of a schema, one part each."""
        parts = list(parts)
        kinds = _types(narrow)
        each = [narrow] if len(kinds) == 1 else [{**narrow, "type": kind} for kind in sorted(kinds)]
        return all(any(self.covers(p, one, depth + 1) for p in parts) for one in each)

    def _covers_plainly(
        self, wide: Mapping[str, Any], narrow: Mapping[str, Any], depth: int
    ) -> bool:
        types = _types(narrow)
        if not types <= _types(wide):
            return False
        for word in set(wide) - {"type", "properties", "required", "additionalProperties", "items"}:
            kinds, implied = _RULES.get(word, (_ALL_TYPES, _equal))
            if types & kinds and not (word in narrow and implied(wide[word], narrow[word])):
                return False
        if "array" in types and "items" in wide:
            items = narrow.get("items", True)
            if not self.covers(wide["items"], items, depth + 1):
                return False
        return "object" not in types or self._covers_object(wide, narrow, depth)

    def _covers_object(
        self, wide: Mapping[str, Any], narrow: Mapping[str, Any], depth: int
    ) -> bool:
        if not set(wide.get("required", ())) <= set(narrow.get("required", ())):
            return False
        known, there = wide.get("properties", {}), narrow.get("properties", {})
        others, further = wide.get("additionalProperties", True), narrow.get("additionalProperties")
        for name, part in there.items():
            if not self.covers(known.get(name, others), part, depth + 1):
                return False
        if further is None or further is False:
            return others is not False or further is False
        unnamed = [part for name, part in known.items() if name not in there]
        return all(self.covers(part, further, depth + 1) for part in (others, *unnamed))

    def _fits(self, wide: Schema, value: Any) -> bool:
        whole = {**wide, "$defs": self._wide} if self._wide else wide
        return not Fits(whole).problem(value)


def _plain(schema: Schema, definitions: Mapping[str, Any]) -> Any:
    """A schema without annotations and without a reference at its top."""
    for _ in range(_DEEPEST):
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            return False
        reference = str(schema.get("$ref", ""))
        if not reference.startswith("#/$defs/"):
            return {word: part for word, part in schema.items() if word not in _ANNOTATIONS}
        rest = {word: part for word, part in schema.items() if word != "$ref"}
        schema = {**definitions.get(reference.removeprefix("#/$defs/"), {"not": {}}), **rest}
    return {"not": {}}  # a reference to itself: nothing is known of it


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    stated = schema.get("type")
    if stated is None:
        return _ALL_TYPES
    types = frozenset([stated] if isinstance(stated, str) else stated)
    return types | {"integer"} if "number" in types else types


def _equal(wide: Any, narrow: Any) -> bool:
    return bool(wide == narrow)


def _at_most(wide: Any, narrow: Any) -> bool:
    return bool(wide <= narrow)


def _at_least(wide: Any, narrow: Any) -> bool:
    return bool(wide >= narrow)


def _divides(wide: Any, narrow: Any) -> bool:
    return bool(narrow % wide == 0)


_NUMBERS = frozenset({"number", "integer"})
_TEXTS, _LISTS, _OBJECTS = frozenset({"string"}), frozenset({"array"}), frozenset({"object"})
_RULES: Mapping[str, tuple[frozenset[str], Callable[[Any, Any], bool]]] = {
    "minimum": (_NUMBERS, _at_most),
    "exclusiveMinimum": (_NUMBERS, _at_most),
    "maximum": (_NUMBERS, _at_least),
    "exclusiveMaximum": (_NUMBERS, _at_least),
    "multipleOf": (_NUMBERS, _divides),
    "minLength": (_TEXTS, _at_most),
    "maxLength": (_TEXTS, _at_least),
    "pattern": (_TEXTS, _equal),
    "minItems": (_LISTS, _at_most),
    "maxItems": (_LISTS, _at_least),
    "uniqueItems": (_LISTS, lambda wide, narrow: not wide or bool(narrow)),
    "prefixItems": (_LISTS, _equal),
    "contains": (_LISTS, _equal),
    "minProperties": (_OBJECTS, _at_most),
    "maxProperties": (_OBJECTS, _at_least),
    "patternProperties": (_OBJECTS, _equal),
    "propertyNames": (_OBJECTS, _equal),
}
"""For each word of the wider schema the types it binds, and whether the narrower says as much."""
