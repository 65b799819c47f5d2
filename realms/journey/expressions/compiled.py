"""Expressions `${...}` of the journey language: compiled and checked once, then only computed.

The language is a part of CEL (the Common Expression Language) over JSON. What differs: whole and
broken numbers mix, there are no bytes, unsigned numbers, timestamps or types, a list may hold
values of several types, and `succeeded()`, `failed()`, `always()`, `skipped('id')` tell of the run.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from realms.journey.expressions.operators import Exhausted, Failing, Run
from realms.journey.expressions.running import STEPS, compiled
from realms.journey.expressions.syntax import (
    Call,
    Literal,
    Macro,
    Name,
    Node,
    Select,
    children,
    parse,
)
from realms.journey.expressions.tokens import FaultyExpression
from realms.journey.expressions.types import STATUS, Shape, check
from utilities.errors import ErrorKind, PlatformError

__all__ = [
    "SUCCEEDED",
    "Expression",
    "ExpressionFailed",
    "FaultyExpression",
    "Outcomes",
    "compile_expression",
]

JsonSchema = Mapping[str, Any]


class ExpressionFailed(PlatformError):
    """An expression has no value for the data of this run."""

    kind = ErrorKind.INVALID

    def __init__(self, problem: str, *, text: str, column: int = 0, hint: str = "") -> None:
        self.text = text
        self.column = column
        self.problem = problem
        super().__init__(f"${{{text}}} at column {column + 1}: {problem}", hint=hint)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the status functions tell of the milestones before."""

    succeeded: bool = True
    failed: bool = False
    skipped: frozenset[str] = frozenset()


SUCCEEDED = Outcomes()


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression; equal to another of the same text."""

    text: str
    """Without `${` and `}`."""
    names: frozenset[str] = field(compare=False)
    """Names of the scope that it reads."""
    fields: Mapping[str, frozenset[str]] = field(compare=False)
    """For each name, the fields of it that must be there; what only `has` asks for need not."""
    whole: frozenset[str] = field(compare=False)
    """Names of which it reads all, or a field that is known only when it runs."""
    asks_status: bool = field(compare=False)
    """Whether it calls `succeeded()`, `failed()`, `always()` or `skipped(...)`."""
    guards: frozenset[str] = field(compare=False)
    """Ids that it names in `skipped(...)`."""
    schema: JsonSchema | None = field(compare=False, repr=False)
    """What its value fits, or None where nothing is known."""
    _run: Run = field(compare=False, repr=False)
    _room: tuple[None, ...] = field(compare=False, repr=False)
    _wants: frozenset[str] | None = field(compare=False, repr=False)

    def value(self, data: Mapping[str, Any], outcomes: Outcomes = SUCCEEDED) -> Any:
        """Compute it. Parts of the data come back as they are, uncopied: change nothing in them.

        Raises:
            ExpressionFailed: something is missing, of the wrong type, or it costs too much.
        """
        try:
            value = self._run([STEPS, data, outcomes, *self._room])
        except Failing as failed:
            raise ExpressionFailed(failed.problem, text=self.text, column=failed.at or 0) from None
        except Exhausted:
            problem = "it takes too long or makes too much for this data"
            raise ExpressionFailed(problem, text=self.text, hint="Do less in one go") from None
        if self._wants is not None and not _fits(value, self._wants):
            problem = f"the value is not {_wanted(self._wants)}"
            raise ExpressionFailed(problem, text=self.text)
        return value


def compile_expression(
    text: str,
    scope: Mapping[str, JsonSchema | None],
    *,
    wants: Collection[str] | None = None,
) -> Expression:
    """Compile what stands between `${` and `}`.

    `scope` has the JSON Schema of every name that may be used, or None where nothing is known.
    `wants` are the JSON types that the value may have: what is known otherwise is a fault now, and
    what turns out otherwise fails when it runs.

    Raises:
        FaultyExpression: the first thing wrong with it.
    """
    tree = parse(text)
    shape = check(tree, scope)
    if wants is not None:
        _refuse_unwanted(shape, frozenset(wants))
    run, length = compiled(tree)
    reading = _Reading()
    reading.read(tree, frozenset())
    return Expression(
        text=text.strip(),
        names=frozenset(reading.fields),
        fields={name: frozenset(fields) for name, fields in reading.fields.items()},
        whole=frozenset(reading.whole),
        asks_status=reading.asks_status,
        guards=frozenset(reading.guards),
        schema=shape.as_schema(),
        _run=run,
        _room=(None,) * length,
        _wants=None if wants is None else frozenset(wants),
    )


@dataclass(slots=True)
class _Reading:
    """What an expression reads, collected over its tree."""

    fields: dict[str, set[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    guards: set[str] = field(default_factory=set)
    asks_status: bool = False

    def read(self, node: Node, variables: frozenset[str]) -> None:
        match node:
            case Name(name=name) if name not in variables:
                self.fields.setdefault(name, set())
                self.whole.add(name)
            case Select(of=Name(name=name)) if name not in variables:
                known = self.fields.setdefault(name, set())
                if not node.tested:
                    known.add(node.field)
            case Macro():
                self.read(node.over, variables)
                for body in node.bodies:
                    self.read(body, variables | {node.variable})
            case _:
                if isinstance(node, Call) and not node.method and node.name in STATUS:
                    self.asks_status = True
                    self.guards.update(str(a.value) for a in node.args if isinstance(a, Literal))
                for child in children(node):
                    self.read(child, variables)


_TYPES: Mapping[type, frozenset[str]] = {
    str: frozenset({"string"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
    list: frozenset({"array"}),
    dict: frozenset({"object"}),
    type(None): frozenset({"null"}),
}


def _fits(value: Any, wants: frozenset[str]) -> bool:
    if type(value) is float and "integer" in wants:
        return value.is_integer() or "number" in wants
    return bool(_TYPES.get(type(value), _TYPES[dict]) & wants)


def _refuse_unwanted(shape: Shape, wants: frozenset[str]) -> None:
    numbers = {"integer", "number"}
    near = {shape.kind} | (numbers if shape.kind in numbers else set())
    if shape.kind != "dynamic" and not near & wants:
        is_now = _wanted(frozenset({shape.kind}))
        raise FaultyExpression(f"gives {is_now}, not {_wanted(wants)}", column=0)


def _wanted(kinds: frozenset[str]) -> str:
    words = {"string": "a text", "boolean": "true or false", "array": "a list"}
    words |= {"object": "an object", "integer": "a whole number", "number": "a number"}
    return " or ".join(sorted(words.get(kind, kind) for kind in kinds))
