"""Expressions as nested functions: data is read where it lies, and every loop is paid for."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from realms.journey.expressions.functions import call, matches
from realms.journey.expressions.operators import (
    DATA,
    FIRST_SLOT,
    OUTCOMES,
    Failing,
    Frame,
    Run,
    kind_of,
    no_truth,
    operation,
    pay,
    whole,
)
from realms.journey.expressions.syntax import (
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
    children,
)

STEPS = 2_000_000
"""What one evaluation may cost: a step is one part of an expression for one item of a list, or
sixteen characters of a text that is made; a value within a result takes two, a comparison of values
within lists or objects four. All are spent in about a tenth of a second."""


def compiled(tree: Node) -> tuple[Run, int]:
    """The function of a checked tree, and how long a frame it needs."""
    builder = _Builder()
    run = builder.build(tree, {})
    if _may_grow(tree):
        run = _paying_for_its_result(run)
    return run, builder.length


class _Builder:
    """Builds one expression; macro variables are slots of the frame, found while building."""

    def __init__(self) -> None:
        self.length = FIRST_SLOT

    def build(  # noqa: C901, PLR0911 - a list of cases
        self, node: Node, slots: Mapping[str, int]
    ) -> Run:
        match node:
            case Literal(value=value):
                return lambda _: value
            case Name():
                return _name(node, slots)
            case Select(tested=True):
                return _has(self.build(node.of, slots), node.field, node.at)
            case Select():
                return self._path(node, slots)
            case Index():
                return _index(self.build(node.of, slots), self.build(node.key, slots), node.key.at)
            case ListOf():
                return _list([self.build(item, slots) for item in node.items])
            case MapOf():
                keys = [self.build(key, slots) for key in node.keys]
                return _map_of(keys, [self.build(v, slots) for v in node.values], node.at)
            case Macro():
                return self._macro(node, slots)
            case Call(name="skipped", args=(Literal(value=name),)):
                return lambda frame: name in frame[OUTCOMES].skipped
            case Call(name="matches"):
                return matches(node, self.build(node.args[0], slots))
            case Call():
                return call(node, [self.build(arg, slots) for arg in node.args])
            case Operator():
                runs = [self.build(arg, slots) for arg in node.args]
                return operation(node, runs)

    def _path(self, node: Select, slots: Mapping[str, int]) -> Run:
        """A name and its fields, one after the other, in one function."""
        fields: list[tuple[str, int]] = []
        base: Node = node
        while isinstance(base, Select) and not base.tested:
            fields.insert(0, (base.field, base.at))
            base = base.of
        start = self.build(base, slots)
        if isinstance(base, Name):
            at = (DATA, base.name) if base.name not in slots else (slots[base.name], "")
            return _named_path(*at, base.at, tuple(fields))

        def read(frame: Frame) -> Any:
            value = start(frame)
            for name, column in fields:
                value = _field(value, name, column)
            return value

        return read

    def _macro(self, node: Macro, slots: Mapping[str, int]) -> Run:
        slot = FIRST_SLOT + len(set(slots.values()))
        while slot in slots.values():
            slot += 1
        self.length = max(self.length, slot + 1)
        inner = {**slots, node.variable: slot}
        bodies = [self.build(body, inner) for body in node.bodies]
        cost = 1 + sum(_size(body) for body in node.bodies)
        loop = _LOOPS[node.name](bodies, slot, node.bodies[0].at)
        return _over(self.build(node.over, slots), loop, cost, node.at)


def _size(node: Node) -> int:
    """How many parts are run for one item; what is in a loop within pays for itself."""
    parts = (node.over,) if isinstance(node, Macro) else children(node)
    return 1 + sum(_size(part) for part in parts)


def _may_grow(node: Node) -> bool:
    """Whether the result may hold more than the data does."""
    match node:
        case ListOf() | MapOf() | Macro(name="map"):
            return True
        case Macro(name="filter", over=over):
            return _may_grow(over)
        case Operator(symbol="+" | "?:", args=args):
            return node.symbol == "+" or any(_may_grow(arg) for arg in args[1:])
        case Select(of=of, tested=False) | Index(of=of):
            return _may_grow(of)
        case Call(name="dyn", args=args):
            return _may_grow(args[0])
    return False


def _paying_for_its_result(run: Run) -> Run:
    def paying(frame: Frame) -> Any:
        result = run(frame)
        waiting = [result]
        while waiting:
            value = waiting.pop()
            if type(value) is list:
                pay(frame, 2 * len(value))
                waiting.extend(value)
            elif type(value) is dict:
                pay(frame, 2 * len(value) + (sum(map(len, value)) >> 4))
                waiting.extend(value.values())
            elif type(value) is str:
                pay(frame, len(value) >> 4)
        return result

    return paying


# reading


def _name(node: Name, slots: Mapping[str, int]) -> Run:
    if node.name in slots:
        return operator.itemgetter(slots[node.name])
    return _named_path(DATA, node.name, node.at, ())


def _named_path(slot: int, name: str, at: int, fields: tuple[tuple[str, int], ...]) -> Run:
    keys = ((name,) if name else ()) + tuple(key for key, _ in fields)
    columns = ((at,) if name else ()) + tuple(column for _, column in fields)

    def read(frame: Frame) -> Any:
        value = frame[slot]
        try:
            for key in keys:
                value = value[key]
        except (KeyError, TypeError):
            value = frame[slot]
            for key, column in zip(keys, columns, strict=True):
                value = _field(value, key, column)
        return value

    return read


def _field(value: Any, name: str, column: int) -> Any:
    if not isinstance(value, Mapping):
        raise Failing(f'{kind_of(value)} has no field "{name}"', column)
    if name not in value:
        raise Failing(f'"{name}" is missing', column)
    return value[name]


def _has(of: Run, field: str, at: int) -> Run:
    def has(frame: Frame) -> bool:
        value = of(frame)
        if type(value) is not dict:
            raise Failing(f'{kind_of(value)} has no field "{field}"', at)
        return field in value

    return has


def _index(of: Run, key: Run, at: int) -> Run:
    def index(frame: Frame) -> Any:
        value, place = of(frame), key(frame)
        if type(value) is dict:
            if type(place) is not str:
                raise Failing(f"an object is indexed by a text, not {kind_of(place)}", at)
            return _field(value, place, at)
        if type(value) is not list:
            raise Failing(f"[...] looks into a list or an object, not {kind_of(value)}", at)
        try:
            place = whole(place)
        except Failing as failed:
            raise Failing(failed.problem, at) from None
        if not 0 <= place < len(value):
            raise Failing(f"there is no item {place} in a list of {len(value)}", at)
        return value[place]

    return index


# making


def _list(items: list[Run]) -> Run:
    return lambda frame: [item(frame) for item in items]


def _map_of(keys: list[Run], values: list[Run], at: int) -> Run:
    def make(frame: Frame) -> dict[str, Any]:
        made = {key(frame): value(frame) for key, value in zip(keys, values, strict=True)}
        if len(made) != len(keys) or any(type(key) is not str for key in made):
            raise Failing("the keys of an object must be texts, each given once", at)
        return made

    return make


# loops


def _over(over: Run, loop: Callable[[list[Any], Frame], Any], cost: int, at: int) -> Run:
    def go(frame: Frame) -> Any:
        items = over(frame)
        if type(items) is dict:
            items = list(items)
        elif type(items) is not list:
            raise Failing(f"this goes over a list or an object, not {kind_of(items)}", at)
        pay(frame, cost * len(items))
        return loop(items, frame)

    return go


def _search(bodies: list[Run], slot: int, at: int, *, sought: bool) -> Any:
    """`exists` looks for true and `all` for false; a failing item counts only if none is found."""
    (body,) = bodies

    def loop(items: list[Any], frame: Frame) -> bool:
        failing = None
        for item in items:
            frame[slot] = item
            try:
                found: object = body(frame)
                if found is sought:
                    return sought
                if found is not (not sought):
                    failing = failing or no_truth(found, at)
            except Failing as failed:
                failing = failing or failed
        if failing:
            raise failing
        return not sought

    return loop


def _exists_one(bodies: list[Run], slot: int, at: int) -> Any:
    keep = _filter(bodies, slot, at)
    return lambda items, frame: len(keep(items, frame)) == 1


def _filter(bodies: list[Run], slot: int, at: int) -> Any:
    (body,) = bodies

    def loop(items: list[Any], frame: Frame) -> list[Any]:
        kept = []
        for item in items:
            frame[slot] = item
            found = body(frame)
            if found is True:
                kept.append(item)
            elif found is not False:
                raise no_truth(found, at)
        return kept

    return loop


def _map(bodies: list[Run], slot: int, at: int) -> Any:
    *only, body = bodies
    keep = _filter(only, slot, at) if only else None

    def loop(items: list[Any], frame: Frame) -> list[Any]:
        made = []
        for item in keep(items, frame) if keep else items:
            frame[slot] = item
            made.append(body(frame))
        return made

    return loop


_LOOPS: Mapping[str, Callable[[list[Run], int, int], Any]] = {
    "all": lambda bodies, slot, at: _search(bodies, slot, at, sought=False),
    "exists": lambda bodies, slot, at: _search(bodies, slot, at, sought=True),
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _map,
}
