"""Values of a template that may hold expressions: texts with `${...}`, and constants around them.

Only the template's own text is ever looked at for `${`; what comes out of the data stays as it is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from realms.journey.expressions.compiled import (
    SUCCEEDED,
    Expression,
    ExpressionFailed,
    FaultyExpression,
    JsonSchema,
    Outcomes,
    compile_expression,
)
from realms.journey.expressions.operators import text_of

MAX_INTERPOLATED = 1_048_576
"""The most characters that a text put together may have."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text: literal, or what stands in `${...}`; `at` is where its own text begins."""

    text: str
    at: int
    is_expression: bool


_Make: TypeAlias = Callable[[Mapping[str, Any], Outcomes], Any]


@dataclass(frozen=True, slots=True)
class Value:
    """A nested JSON constant in which texts may hold expressions, compiled once."""

    expressions: tuple[Expression, ...]
    names: frozenset[str]
    """Names of the scope that it reads."""
    fields: Mapping[str, frozenset[str]]
    """For each name, the fields of it that must be there."""
    whole: frozenset[str]
    """Names of which it reads all, or a field that is known only when it runs."""
    asks_status: bool
    guards: frozenset[str]
    schema: JsonSchema | None
    """What it fits, where it is one expression; else None."""
    _make: _Make = field(repr=False)

    @property
    def is_constant(self) -> bool:
        return not self.expressions

    def value(self, data: Mapping[str, Any], outcomes: Outcomes = SUCCEEDED) -> Any:
        """Compute it. Constant parts and parts of the data are not copied: change nothing in them.

        Raises:
            ExpressionFailed: one of its expressions has no value for this data.
        """
        return self._make(data, outcomes)


def template_parts(text: str) -> tuple[Part, ...]:
    """A text of a template, cut into literal pieces and expressions; `$${` stands for `${`.

    Raises:
        FaultyExpression: a `${` is never closed, or holds nothing.
    """
    parts: list[Part] = []
    literal, began, at = "", 0, 0
    while (found := text.find("${", at)) >= 0:
        if found > at and text[found - 1] == "$":
            literal += text[at : found - 1] + "${"
            at = found + 2
            continue
        literal += text[at:found]
        if literal:
            parts.append(Part(literal, began, is_expression=False))
        end = _closing(text, found + 2)
        parts.append(Part(text[found + 2 : end], found + 2, is_expression=True))
        literal, began, at = "", end + 1, end + 1
    literal += text[at:]
    if literal or not parts:
        parts.append(Part(literal, began, is_expression=False))
    return tuple(parts)


def compile_value(
    value: Any, scope: Mapping[str, JsonSchema | None], *, wants: Collection[str] | None = None
) -> Value:
    """Compile a value of a template; without an expression in it, it stays the constant it is.

    `scope` and `wants` are as for `compile_expression`; `wants` is only asked of a value that is
    one expression or one text.

    Raises:
        FaultyExpression: the first fault; `path` leads to its text, `column` counts in that text.
    """
    compiler = _Compiler(scope)
    make = _maker(compiler.compiled(value, (), wants))
    found = compiler.expressions
    fields: dict[str, frozenset[str]] = {}
    for expression in found:
        for name, read in expression.fields.items():
            fields[name] = fields.get(name, frozenset()) | read
    return Value(
        expressions=tuple(found),
        names=frozenset(fields),
        fields=fields,
        whole=frozenset().union(*(e.whole for e in found)),
        asks_status=any(e.asks_status for e in found),
        guards=frozenset().union(*(e.guards for e in found)),
        schema=_schema(value, found),
        _make=make,
    )


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Any


_Compiled: TypeAlias = _Constant | _Make
_Path: TypeAlias = tuple[str | int, ...]
_WITHIN_TEXT = frozenset({"string", "integer", "number", "boolean"})


@dataclass(slots=True)
class _Compiler:
    scope: Mapping[str, JsonSchema | None]
    expressions: list[Expression] = field(default_factory=list)

    def compiled(self, value: Any, path: _Path, wants: Collection[str] | None = None) -> _Compiled:
        if isinstance(value, str) and "${" in value:
            return self._text(value, path, wants)
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, list | tuple):
            return self._list(value, path)
        return _Constant(value)

    def _mapping(self, value: Mapping[str, Any], path: _Path) -> _Compiled:
        for key in value:
            if isinstance(key, str) and "${" in key:
                problem = "a key cannot be an expression"
                raise FaultyExpression(problem, column=0, path=(*path, key))
        items = {key: self.compiled(item, (*path, key)) for key, item in value.items()}
        constants = {k: item.value for k, item in items.items() if isinstance(item, _Constant)}
        if len(constants) == len(items):
            return _Constant(constants)
        makers = [(key, _maker(item)) for key, item in items.items()]
        return lambda data, outcomes: {key: make(data, outcomes) for key, make in makers}

    def _list(self, value: Sequence[Any], path: _Path) -> _Compiled:
        items = [self.compiled(item, (*path, at)) for at, item in enumerate(value)]
        constants = [item.value for item in items if isinstance(item, _Constant)]
        if len(constants) == len(items):
            return _Constant(constants)
        makers = [_maker(item) for item in items]
        return lambda data, outcomes: [make(data, outcomes) for make in makers]

    def _text(self, text: str, path: _Path, wants: Collection[str] | None) -> _Compiled:
        try:
            parts = template_parts(text)
        except FaultyExpression as fault:
            raise _placed(fault, 0, path) from None
        if len(parts) == 1:
            (part,) = parts
            if part.is_expression:
                return self._expression(part, path, wants).value
            return _Constant(part.text)
        if wants is not None and "string" not in wants:
            problem = f"a text is put together here, not {' or '.join(sorted(wants))}"
            hint = "Write one ${...} with nothing around it"
            raise FaultyExpression(problem, column=0, hint=hint, path=path)
        pieces = [
            self._expression(part, path, _WITHIN_TEXT) if part.is_expression else part.text
            for part in parts
        ]
        return lambda data, outcomes: _put_together(pieces, data, outcomes)

    def _expression(self, part: Part, path: _Path, wants: Collection[str] | None) -> Expression:
        try:
            expression = compile_expression(part.text, self.scope, wants=wants)
        except FaultyExpression as fault:
            raise _placed(fault, part.at, path) from None
        self.expressions.append(expression)
        return expression


def _maker(compiled: _Compiled) -> _Make:
    if not isinstance(compiled, _Constant):
        return compiled
    constant = compiled.value
    return lambda _, __: constant


def _put_together(
    pieces: list[str | Expression], data: Mapping[str, Any], outcomes: Outcomes
) -> str:
    made, room = [], MAX_INTERPOLATED
    for piece in pieces:
        made.append(piece if isinstance(piece, str) else text_of(piece.value(data, outcomes)))
        room -= len(made[-1])
        if room < 0 and isinstance(piece, Expression):
            problem = f"the text around it gets more than {MAX_INTERPOLATED} characters"
            raise ExpressionFailed(problem, text=piece.text)
    return "".join(made)


def _schema(value: Any, found: list[Expression]) -> JsonSchema | None:
    if not isinstance(value, str) or not found:
        return None
    return found[0].schema if len(template_parts(value)) == 1 else {"type": "string"}


def _placed(fault: FaultyExpression, at: int, path: _Path) -> FaultyExpression:
    return FaultyExpression(fault.problem, column=fault.column + at, hint=fault.hint, path=path)


def _closing(text: str, start: int) -> int:
    """Where the `}` stands that closes an expression; braces within and in quotes are its own."""
    depth, at = 0, start
    while at < len(text):
        if text[at] in "\"'":
            at = _behind_quotes(text, at)
            continue
        if text[at] == "}" and depth == 0:
            return at
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    raise FaultyExpression(
        'this "${" is never closed: the expression was cut',
        column=start - 2,
        hint="Put quotes around the whole text, and close every quote and brace in it",
    )


def _behind_quotes(text: str, at: int) -> int:
    """Where a text that begins at `at` is over; the end of everything where it never is."""
    raw = text[at - 1] in "rR" and not (text[at - 2].isalnum() or text[at - 2] == "_")
    quote = text[at] * 3 if text.startswith(text[at] * 3, at) else text[at]
    at += len(quote)
    while at < len(text):
        if text.startswith(quote, at):
            return at + len(quote)
        at += 1 if raw or text[at] != "\\" else 2
    return at
