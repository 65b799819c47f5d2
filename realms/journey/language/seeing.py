"""What an expression of a template may see, and whether it is surely there when it runs."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from realms.journey.expressions.compiled import Expression, FaultyExpression, compile_expression
from realms.journey.expressions.syntax import (
    Call,
    Literal,
    Operator,
    children,
    parse,
)
from realms.journey.expressions.syntax import Node as Tree
from realms.journey.expressions.types import STATUS
from realms.journey.expressions.values import Value, compile_value, template_parts
from realms.journey.plans.binding import RUN_SCHEMA
from realms.journey.plans.plan import JsonSchema
from utilities.marked_faults import Faults
from utilities.suggest import did_you_mean

Found = TypeVar("Found", Expression, Value)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_EXPLAINED = 200


def _not_yet(name: str) -> tuple[str, str]:
    return f'"{name}" has not begun when this is worked out', ""


@dataclass(frozen=True, slots=True)
class Sight:
    """The names that expressions at one place may use.

    Of the milestones among them (`results`), those in `sure` have certainly succeeded.
    """

    inputs: Mapping[str, JsonSchema]
    results: Mapping[str, JsonSchema | None] = field(default_factory=dict)
    sure: Collection[str] = ()
    own: Mapping[str, JsonSchema | None] = field(default_factory=dict)
    """Further names, which are always there: `item`, the milestone's own result."""
    run: JsonSchema = field(default_factory=lambda: RUN_SCHEMA)
    absent: Callable[[str], tuple[str, str]] = _not_yet
    """Why a milestone is not to be seen from here, and what to do about it."""

    def scope(self, text: str | None = None) -> dict[str, JsonSchema | None]:
        """The schema of every name; with `text`, of those that stand in it."""
        about = {"input": _input_schema(self.inputs), "run": self.run}
        if text is None:
            return {**self.results, **about, **self.own}
        return {
            word: source[word]
            for word in _WORD.findall(text)
            for source in (self.own, about, self.results)
            if word in source
        }


def _input_schema(inputs: Mapping[str, JsonSchema]) -> JsonSchema:
    required = [name for name, schema in inputs.items() if "default" not in schema]
    return {
        "type": "object",
        "properties": dict(inputs),
        "required": required,
        "additionalProperties": False,
    }


class ExpressionCompiler:
    """Compiles the expressions of one template; what is wrong with them is noted."""

    def __init__(self, milestones: Collection[str], faults: Faults) -> None:
        self._milestones = frozenset(milestones)
        self._faults = faults

    def expression(
        self,
        text: str,
        place: str,
        sight: Sight,
        *,
        wants: Collection[str],
        asks_status: bool = False,
    ) -> Expression | None:
        """A whole `${...}` at `place`."""
        if not text or self._faults.at(place):
            return None
        part = template_parts(text)[0]
        found = self._compiled(
            part.text, place, sight, lambda s: compile_expression(part.text, s, wants=wants), at=2
        )
        if found is not None and self._may_be(found, [found], place, sight, asks=asks_status):
            return found
        return None

    def value(
        self, value: Any, place: str, sight: Sight, *, wants: Collection[str] | None = None
    ) -> Value | None:
        """A value at `place` in which expressions may stand."""
        if self._faults.at(place):
            return None
        texts = list(_texts(value, place))
        written = " ".join(text for _, text in texts)
        try:
            found = compile_value(value, sight.scope(written), wants=wants)
        except FaultyExpression:
            self._explain(value, texts, place, sight, wants)
            return None
        return found if self._may_be(found, found.expressions, place, sight, asks=False) else None

    # faults

    def _explain(
        self,
        value: Any,
        texts: list[tuple[str, str]],
        place: str,
        sight: Sight,
        wants: Collection[str] | None,
    ) -> None:
        """Every text of a faulty value apart, so that none hides another."""
        for where, text in texts:
            own = wants if where == place else None
            found = self._compiled(text, where, sight, partial(_value_of, text, own))
            if found is not None:
                self._may_be(found, found.expressions, where, sight, asks=False)
        if not self._faults.at(place):
            try:
                compile_value(value, sight.scope(), wants=wants)
            except FaultyExpression as fault:
                where = place + "".join(_step(part) for part in fault.path)
                self._note(fault, where, 0)

    def _compiled(
        self,
        text: str,
        place: str,
        sight: Sight,
        compiled: Callable[[Mapping[str, JsonSchema | None]], Found],
        *,
        at: int = 0,
    ) -> Found | None:
        try:
            return compiled(sight.scope(text))
        except FaultyExpression as fault:
            if len(self._faults.found) > _MOST_EXPLAINED:
                self._note(fault, place, at)
                return None
        try:
            found = compiled({**dict.fromkeys(self._milestones), **sight.scope()})
        except FaultyExpression as fault:
            self._note(fault, place, at)
            return None
        for name in sorted((found.names | found.guards) - sight.scope().keys()):
            problem, remedy = sight.absent(name)
            self._faults.add(place, problem, suggestion=remedy)
        return None

    def _note(self, fault: FaultyExpression, place: str, at: int) -> None:
        hint = fault.hint[:1].upper() + fault.hint[1:]
        self._faults.add(place, fault.problem, suggestion=hint, column=fault.column + at)

    def _may_be(
        self,
        found: Found,
        expressions: Collection[Expression],
        place: str,
        sight: Sight,
        *,
        asks: bool,
    ) -> bool:
        """Whether it asks only what it may ask, and reads only what is there."""
        known = len(self._faults.found)
        for expression in expressions:
            if expression.asks_status:
                tree = parse(expression.text)
                for word in [] if asks else sorted(_statuses(tree) - {"skipped"}):
                    self._faults.add(place, f'{word}() is known in "if" only')
            for name in sorted(expression.guards - sight.results.keys()):
                problem = f"skipped('{name}') asks for what does not come before this"
                right = did_you_mean(name, sight.results)
                self._faults.add(place, problem, suggestion=right)
            read = expression.names & sight.results.keys() - sight.own.keys()
            for name in sorted(read - set(sight.sure) - expression.guards):
                problem = f'"{name}" may be skipped or have failed; then there is no result of it'
                remedy = f"Guard it: skipped('{name}') ? ... : {name}..."
                self._faults.add(place, problem, suggestion=remedy)
        if not sight.inputs and (fields := found.fields.get("input")):
            for name in sorted(fields):
                self._faults.add(place, f'the input has no "{name}": the journey takes none')
        return len(self._faults.found) == known


@dataclass(frozen=True, slots=True)
class Condition:
    """What an `if` that holds says of what came before."""

    asks_status: bool = False
    always: bool = False
    """It is `always()` and nothing else."""
    succeeded: bool = False
    """All that is needed has succeeded."""
    there: frozenset[str] = frozenset()
    """These were not skipped."""

    @classmethod
    def of(cls, text: str) -> "Condition":
        """What follows from `text`; a faulty one, or none, asks nothing."""
        try:
            tree = parse(template_parts(text)[0].text) if text else Literal(0, value=True)
        except FaultyExpression:
            return cls()
        parts = list(_all_of(tree))
        calls = [part.name for part in parts if isinstance(part, Call) and not part.args]
        return cls(
            asks_status=bool(_statuses(tree)),
            always=calls == ["always"] and len(parts) == 1,
            succeeded="succeeded" in calls,
            there=frozenset(name for part in parts for name in _not_skipped(part)),
        )


def _not_skipped(tree: Tree) -> Iterator[str]:
    """`a`, when this is `!skipped('a')`."""
    match tree:
        case Operator(symbol="!", args=(Call(name="skipped", args=(Literal(value=str(name)),)),)):
            yield name


def _all_of(tree: Tree) -> Iterator[Tree]:
    """The parts of which all must hold."""
    if isinstance(tree, Operator) and tree.symbol == "&&":
        for part in tree.args:
            yield from _all_of(part)
    else:
        yield tree


def _statuses(tree: Tree) -> set[str]:
    found: set[str] = set()
    if isinstance(tree, Call) and not tree.method and tree.name in STATUS:
        found.add(tree.name)
    return found.union(*(_statuses(part) for part in children(tree)))


def _value_of(
    text: str, wants: Collection[str] | None, scope: Mapping[str, JsonSchema | None]
) -> Value:
    return compile_value(text, scope, wants=wants)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case str() if "${" in value:
            yield place, value
        case dict():
            for key, part in value.items():
                yield from _texts(part, f"{place}.{key}")
        case list():
            for index, part in enumerate(value):
                yield from _texts(part, f"{place}[{index}]")


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
