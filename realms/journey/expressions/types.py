"""What is known of an expression before it runs: its type, as far as JSON Schemas tell."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from realms.journey.expressions.syntax import (
    MACROS,
    Call,
    Index,
    ListOf,
    Literal,
    Macro,
    MapOf,
    Name,
    Node,
    Operator,
    Select,
)
from realms.journey.expressions.tokens import FaultyExpression
from utilities.suggest import did_you_mean

JsonSchema = Mapping[str, Any]
STATUS = frozenset({"succeeded", "failed", "always", "skipped"})
"""Functions that tell of the run instead of its data."""

_NUMBERS = frozenset({"integer", "number"})
_TEXT = ({"string"}, {"string"})
_SIGNATURES: Mapping[str, tuple[tuple[set[str], ...], str, int]] = {
    "size": (({"string", "array", "object"},), "integer", 1),
    "string": (({"string", "integer", "number", "boolean"},), "string", 1),
    "int": (({"string", "integer", "number"},), "integer", 1),
    "double": (({"string", "integer", "number"},), "number", 1),
    "dyn": (({"dynamic"},), "dynamic", 1),
    "startsWith": (_TEXT, "boolean", 2),
    "endsWith": (_TEXT, "boolean", 2),
    "contains": (_TEXT, "boolean", 2),
    "matches": (_TEXT, "boolean", 2),
    "split": (_TEXT, "array", 2),
    "join": (({"array"}, {"string"}), "string", 1),
    "replace": (({"string"}, {"string"}, {"string"}), "string", 3),
    "substring": (({"string"}, {"integer", "number"}, {"integer", "number"}), "string", 2),
    "indexOf": (_TEXT, "integer", 2),
    "trim": (({"string"},), "string", 1),
    "lowerAscii": (({"string"},), "string", 1),
    "upperAscii": (({"string"},), "string", 1),
}
"""Of each function: the kinds of its arguments (the first is what a method is called on), its
result, and how many arguments it needs at least."""
FUNCTIONS = frozenset({"size", "string", "int", "double", "dyn"})
METHODS = frozenset(_SIGNATURES) - FUNCTIONS | {"size"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A type: a JSON type, or `dynamic`, with the schema it came from.

    Parts of the schema are looked up when asked for: one that contains itself does no harm.
    """

    kind: str
    schema: JsonSchema = field(default_factory=dict)
    definitions: JsonSchema = field(default_factory=dict)

    def item(self) -> "Shape":
        """The type of a list's items."""
        items = self.schema.get("items")
        return shape_of(items, self.definitions) if isinstance(items, Mapping) else DYNAMIC

    def fields(self) -> Collection[str]:
        """The fields an object may have, or nothing where it may have any."""
        known = self.schema.get("properties")
        others = self.schema.get("additionalProperties", False)
        is_open = others is not False or "patternProperties" in self.schema
        return () if is_open or not isinstance(known, Mapping) else known

    def field(self, name: str) -> "Shape":
        known = self.schema.get("properties")
        found = known.get(name) if isinstance(known, Mapping) else None
        if found is None:
            found = self.schema.get("additionalProperties")
        return shape_of(found, self.definitions) if isinstance(found, Mapping) else DYNAMIC

    def as_schema(self) -> JsonSchema | None:
        """The schema to compare with, or None where nothing is known."""
        if self.kind == "dynamic" and not self.schema:
            return None
        schema = self.schema or {"type": self.kind}
        return {**schema, "$defs": self.definitions} if self.definitions else schema


DYNAMIC = Shape("dynamic")
_BOOLEAN, _TEXT_SHAPE, _INTEGER, _NUMBER = map(Shape, ("boolean", "string", "integer", "number"))
_MOST_HOPS = 32


def shape_of(schema: JsonSchema | None, definitions: JsonSchema | None = None) -> Shape:
    """The type that a JSON Schema states; unions, nullable and unstated types are dynamic."""
    if schema is None:
        return DYNAMIC
    whole = schema.get("$defs", definitions or {})
    here: Any = schema
    for _ in range(_MOST_HOPS):
        if not isinstance(here, Mapping) or "anyOf" in here or "oneOf" in here:
            break
        reference, parts = here.get("$ref"), here.get("allOf")
        if isinstance(reference, str):
            here = whole.get(reference.removeprefix("#/$defs/"))
        elif isinstance(parts, list):
            here = parts[0] if len(parts) == 1 and "properties" not in here else None
        else:
            kind = here.get("type")
            return Shape(kind if isinstance(kind, str) else "dynamic", here, whole)
    return Shape("dynamic", schema, whole)


def check(tree: Node, scope: Mapping[str, JsonSchema | None]) -> Shape:
    """The type of a whole expression.

    Raises:
        FaultyExpression: with the first name, field, function or type that is wrong.
    """
    names = {name: shape_of(schema) for name, schema in scope.items()}
    return _Checker(frozenset(scope)).shape(tree, names)


@dataclass(frozen=True, slots=True)
class _Checker:
    known: frozenset[str]

    def shape(  # noqa: PLR0911 - a list of cases
        self, node: Node, names: Mapping[str, Shape]
    ) -> Shape:
        match node:
            case Literal(value=value):
                return Shape(_kind_of(value))
            case Name():
                return self._name(node, names)
            case Select(of=of):
                return self._select(node, self.shape(of, names))
            case Index(of=of, key=key):
                return self._index(node, self.shape(of, names), self.shape(key, names))
            case ListOf(items=items):
                shapes = [self.shape(item, names) for item in items]
                return _list_of(_joined(shapes)) if shapes else Shape("array")
            case MapOf(keys=keys, values=values):
                return self._map(keys, values, names)
            case Macro():
                return self._macro(node, names)
            case Call():
                return self._call(node, names)
            case Operator():
                shapes = [self.shape(arg, names) for arg in node.args]
                return _operated(node, shapes)

    @staticmethod
    def _name(node: Name, names: Mapping[str, Shape]) -> Shape:
        if node.name in names:
            return names[node.name]
        hint = did_you_mean(node.name, names)
        if node.name in STATUS | FUNCTIONS:
            hint = f"Write {node.name}()"
        raise FaultyExpression(f'there is no "{node.name}" here', column=node.at, hint=hint)

    @staticmethod
    def _select(node: Select, of: Shape) -> Shape:
        if of.kind not in {"object", "dynamic"}:
            hint = "Write [0] for the first, or .map(r, ...)" if of.kind == "array" else ""
            problem = f'{_a(of.kind)} has no field "{node.field}"'
            raise FaultyExpression(problem, column=node.at, hint=hint)
        fields = of.fields() if of.kind == "object" else ()
        if fields and node.field not in fields:
            near = did_you_mean(node.field, fields)
            hint = near or f"There are: {', '.join(sorted(fields)[:10])}"
            raise FaultyExpression(f'there is no field "{node.field}"', column=node.at, hint=hint)
        return _BOOLEAN if node.tested else of.field(node.field)

    @staticmethod
    def _index(node: Index, of: Shape, key: Shape) -> Shape:
        _want(of, {"array", "object"}, node.at, "[...] looks into")
        if of.kind == "array":
            _want(key, _NUMBERS, node.key.at, "a list is indexed by")
            return of.item()
        if of.kind == "object":
            _want(key, {"string"}, node.key.at, "an object is indexed by")
        others = of.schema.get("additionalProperties")
        return of.field("") if isinstance(others, Mapping) and not of.fields() else DYNAMIC

    def _map(
        self, keys: Iterable[Node], values: Iterable[Node], names: Mapping[str, Shape]
    ) -> Shape:
        for key in keys:
            _want(self.shape(key, names), {"string"}, key.at, "a key is")
        shapes = [self.shape(value, names) for value in values]
        literal = [key.value for key in keys if isinstance(key, Literal)]
        if len(literal) != len(shapes):
            return Shape("object")
        for key in keys:
            if isinstance(key, Literal) and literal.count(key.value) > 1:
                raise FaultyExpression(f'"{key.value}" is given twice', column=key.at)
        parts = {k: s.as_schema() or {} for k, s in zip(literal, shapes, strict=True)}
        return Shape("object", {"type": "object", "properties": parts, "required": literal})

    def _macro(self, node: Macro, names: Mapping[str, Shape]) -> Shape:
        over = self.shape(node.over, names)
        _want(over, {"array", "object"}, node.at, f"{node.name} goes over")
        item = _TEXT_SHAPE if over.kind == "object" else over.item()
        inner = {**names, node.variable: item}
        shapes = [self.shape(body, inner) for body in node.bodies]
        conditions = shapes[:-1] if node.name == "map" else shapes
        for shape, body in zip(conditions, node.bodies, strict=False):
            _want(shape, {"boolean"}, body.at, f"{node.name} asks for")
        if node.name == "map":
            return _list_of(shapes[-1])
        return _list_of(item) if node.name == "filter" else _BOOLEAN

    def _call(self, node: Call, names: Mapping[str, Shape]) -> Shape:
        if not node.method and node.name in STATUS:
            return self._status(node)
        offered = METHODS if node.method else FUNCTIONS
        if node.name not in offered:
            raise _no_function(node, names)
        kinds, result, least = _SIGNATURES[node.name]
        if not least <= len(node.args) <= len(kinds):
            raise FaultyExpression(
                f"{node.name} takes {_counted(least - node.method, len(kinds) - node.method)}",
                column=node.at,
            )
        for arg, wanted in zip(node.args, kinds, strict=False):
            _want(self.shape(arg, names), wanted, arg.at, f"{node.name} takes")
        return _list_of(_TEXT_SHAPE) if node.name == "split" else Shape(result)

    def _status(self, node: Call) -> Shape:
        if node.name != "skipped":
            if node.args:
                raise FaultyExpression(f"{node.name}() takes nothing", column=node.args[0].at)
            return _BOOLEAN
        given = node.args[0] if len(node.args) == 1 else None
        if not isinstance(given, Literal) or not isinstance(given.value, str):
            problem = "skipped takes the id of one milestone, in quotes"
            raise FaultyExpression(problem, column=node.at, hint="Write skipped('read')")
        if given.value not in self.known:
            problem = f'no milestone is called "{given.value}"'
            hint = did_you_mean(given.value, self.known)
            raise FaultyExpression(problem, column=given.at, hint=hint)
        return _BOOLEAN


def _operated(node: Operator, shapes: list[Shape]) -> Shape:
    symbol = node.symbol
    match symbol:
        case "?:":
            _want(shapes[0], {"boolean"}, node.args[0].at, "? asks for")
            return _joined(shapes[1:])
        case "&&" | "||" | "!":
            for shape, arg in zip(shapes, node.args, strict=True):
                _want(shape, {"boolean"}, arg.at, f"{symbol} takes")
            return _BOOLEAN
        case "in":
            _want(shapes[1], {"array", "object"}, node.args[1].at, "in looks into")
            return _BOOLEAN
        case "==" | "!=":
            _refuse_never_equal(node, *shapes)
            return _BOOLEAN
        case "<" | "<=" | ">" | ">=":
            _together(node, shapes, _NUMBERS | {"string", "boolean"})
            return _BOOLEAN
        case "+":
            return _together(node, shapes, _NUMBERS | {"string", "array"})
        case "%":
            _together(node, shapes, _NUMBERS)
            return _INTEGER
    return _together(node, shapes, _NUMBERS)


def _together(node: Operator, shapes: list[Shape], allowed: Collection[str]) -> Shape:
    """What two operands give together, where both must be numbers, or of one other kind."""
    symbol = "-" if node.symbol == "neg" else node.symbol
    for shape, arg in zip(shapes, node.args, strict=True):
        _want(shape, allowed, arg.at, f'"{symbol}" takes')
    known = [shape for shape in shapes if shape.kind != "dynamic"]
    if len({"number" if s.kind in _NUMBERS else s.kind for s in known}) > 1:
        problem = f'"{symbol}" cannot take {_a(known[0].kind)} and {_a(known[1].kind)}'
        hint = "Write string(...) around the number" if symbol == "+" else ""
        hint = hint if {"string"} & {s.kind for s in known} else ""
        raise FaultyExpression(problem, column=node.at, hint=hint)
    if not known:
        return DYNAMIC
    if known[0].kind in _NUMBERS:
        whole = len(known) == len(shapes) and all(s.kind == "integer" for s in known)
        return _INTEGER if whole else _NUMBER
    if known[0].kind == "array":
        return _list_of(_joined([s.item() for s in shapes]))
    return Shape(known[0].kind)


def _refuse_never_equal(node: Operator, left: Shape, right: Shape) -> None:
    kinds = {"number" if s.kind in _NUMBERS else s.kind for s in (left, right)}
    if len(kinds) > 1 and not kinds & {"dynamic", "null"}:
        problem = f"{_a(left.kind)} is never equal to {_a(right.kind)}"
        raise FaultyExpression(problem, column=node.at)


def _joined(shapes: list[Shape]) -> Shape:
    """One type for all of them."""
    kinds = {shape.kind for shape in shapes}
    if len(kinds) == 1:
        return shapes[0] if all(s == shapes[0] for s in shapes) else Shape(kinds.pop())
    return _NUMBER if kinds == _NUMBERS else DYNAMIC


def _list_of(item: Shape) -> Shape:
    """A list; the definitions of its items' schema come along."""
    schema: JsonSchema = {"type": "array"}
    if item.kind != "dynamic" or item.schema:
        schema = {**schema, "items": item.schema or {"type": item.kind}}
    return Shape("array", schema, item.definitions)


def _want(shape: Shape, kinds: Collection[str], column: int, verb: str) -> None:
    if shape.kind != "dynamic" and "dynamic" not in kinds and shape.kind not in kinds:
        wanted = " or ".join(sorted({_a("number" if k == "integer" else k) for k in kinds}))
        raise FaultyExpression(f"{verb} {wanted}, not {_a(shape.kind)}", column=column)


def _no_function(node: Call, names: Mapping[str, Shape]) -> FaultyExpression:
    kind = "method" if node.method else "function"
    offered = METHODS | set(MACROS) if node.method else FUNCTIONS | STATUS | {"has"}
    hint = did_you_mean(node.name, offered)
    if not node.method and node.name in METHODS | set(MACROS):
        hint = f"Write x.{node.name}(...)"
    elif not node.method and node.name in names:
        hint = f'"{node.name}" is no function; leave out the brackets'
    return FaultyExpression(f'there is no {kind} "{node.name}"', column=node.at, hint=hint)


def _kind_of(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return kinds.get(type(value), "null")


_ARTICLES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "dynamic": "anything",
}


def _a(kind: str) -> str:
    return _ARTICLES.get(kind, kind)


def _counted(least: int, most: int) -> str:
    if least != most:
        return f"{least} or {most} arguments"
    return "nothing" if not most else f"{most} argument{'s' * (most > 1)}"
