"""Operators of expressions over JSON values, and what all parts of a running expression share."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from realms.journey.expressions.syntax import INT64, Operator

BUDGET, DATA, OUTCOMES, FIRST_SLOT = 0, 1, 2, 3
Frame: TypeAlias = list[Any]
"""What is left of the budget, the data, the outcomes, then a slot for each macro's variable."""
Run: TypeAlias = Callable[[Frame], Any]


class Failing(Exception):
    """The expression has no value for this data; `&&`, `||`, `all` and `exists` may not need it."""

    def __init__(self, problem: str, at: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.at = at
        """None: it failed in a function, which does not know where it stands."""


class Exhausted(Exception):
    """The expression costs too much for this data."""


def pay(frame: Frame, steps: int) -> None:
    """Take from the budget.

    Raises:
        Exhausted: there is not enough left.
    """
    frame[BUDGET] -= steps
    if frame[BUDGET] < 0:
        raise Exhausted


def kind_of(value: Any) -> str:
    """The kind of a value in words; the value itself is told to nobody."""
    if isinstance(value, Mapping):
        return "an object"
    words = {str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return {**words, list: "a list"}.get(type(value), "null")


def no_truth(value: Any, at: int) -> Failing:
    return Failing(f"{kind_of(value)} stands where true or false is needed", at)


def whole(value: Any) -> int:
    """A whole number; JSON does not tell 1 from 1.0."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value)
    raise Failing(f"a whole number is needed, not {kind_of(value)}")


def number(value: float) -> int | float:
    """A number that JSON and every database can hold."""
    if type(value) is int:
        if not _LEAST <= value <= _MOST:
            raise Failing(TOO_LARGE)
    elif value - value != 0:
        raise Failing(TOO_LARGE)
    return value


TOO_LARGE = "the number is too large"
_LEAST, _MOST = INT64[0], INT64[-1]


def text_of(value: Any) -> str:
    """A number, truth value or text as it stands within a text.

    Raises:
        TypeError: it is a list, an object or null.
    """
    kind = type(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if value in INT64 else repr(float(value))
    if kind is float:
        return repr(value).removesuffix(".0")
    if kind is str:
        return str(value)
    raise TypeError


# operators


def operation(  # noqa: PLR0911 - a list of cases
    node: Operator, runs: Sequence[Run]
) -> Run:
    at, symbol = node.at, node.symbol
    match symbol:
        case "&&" | "||":
            return _logic(runs, at, sought=symbol == "||")
        case "?:":
            return _choice(runs, node.args[0].at)
        case "!":
            return _not(runs[0], at)
        case "neg":
            return _arithmetic(operator.sub, lambda _: 0, runs[0], at, "-")
        case "==":
            return lambda frame: equal(runs[0](frame), runs[1](frame), frame)
        case "!=":
            return lambda frame: not equal(runs[0](frame), runs[1](frame), frame)
        case "in":
            return _within(runs[0], runs[1], at)
        case "+":
            return _plus(runs[0], runs[1], at)
    if symbol in _ORDERS:
        return _order(_ORDERS[symbol], runs[0], runs[1], at)
    return _arithmetic(_ARITHMETIC[symbol], runs[0], runs[1], at, symbol)


def equal(left: Any, right: Any, frame: Frame) -> bool:
    """Equal as JSON: 1 is 1.0 but not true, however deep they stand."""
    waiting = [(left, right)]
    while waiting:
        a, b = waiting.pop()
        if type(a) is list and type(b) is list:
            if len(a) != len(b):
                return False
            pay(frame, 4 * len(a))
            waiting.extend(zip(a, b, strict=True))
        elif type(a) is dict and type(b) is dict:
            if a.keys() != b.keys():
                return False
            pay(frame, 4 * len(a))
            waiting.extend((value, b[key]) for key, value in a.items())
        elif a != b or (type(a) is not type(b) and not {type(a), type(b)} <= _NUMBERS):
            return False
    return True


_NUMBERS = frozenset({int, float})


def _logic(runs: Sequence[Run], at: int, *, sought: bool) -> Run:
    """One true decides `||`, one false `&&`, also where another part fails."""

    def logic(frame: Frame) -> bool:
        failing = None
        for run in runs:
            try:
                value: object = run(frame)
            except Failing as failed:
                failing = failing or failed
            else:
                if value is sought:
                    return sought
                if type(value) is not bool:
                    failing = failing or no_truth(value, at)
        if failing:
            raise failing
        return not sought

    return logic


def _choice(runs: Sequence[Run], at: int) -> Run:
    condition, then, otherwise = runs

    def choice(frame: Frame) -> Any:
        value = condition(frame)
        if type(value) is not bool:
            raise no_truth(value, at)
        return then(frame) if value else otherwise(frame)

    return choice


def _not(run: Run, at: int) -> Run:
    def invert(frame: Frame) -> bool:
        value = run(frame)
        if type(value) is not bool:
            raise no_truth(value, at)
        return not value

    return invert


def _within(needle: Run, stack: Run, at: int) -> Run:
    def within(frame: Frame) -> bool:
        sought, items = needle(frame), stack(frame)
        if type(items) is dict:
            return type(sought) is str and sought in items
        if type(items) is not list:
            raise Failing(f"in looks into a list or an object, not {kind_of(items)}", at)
        if type(sought) is str:
            pay(frame, len(items) >> 2)
            return sought in items
        pay(frame, len(items))
        return any(equal(sought, item, frame) for item in items)

    return within


def _order(compare: Callable[[Any, Any], bool], left: Run, right: Run, at: int) -> Run:
    def order(frame: Frame) -> bool:
        a, b = left(frame), right(frame)
        kind, other = type(a), type(b)
        if (kind in _NUMBERS and other in _NUMBERS) or (kind is other and kind in {str, bool}):
            return compare(a, b)
        raise Failing(f"cannot compare {kind_of(a)} with {kind_of(b)}", at)

    return order


def _plus(left: Run, right: Run, at: int) -> Run:
    add = _arithmetic(operator.add, operator.itemgetter(0), operator.itemgetter(1), at, "+")

    def plus(frame: Frame) -> Any:
        a, b = left(frame), right(frame)
        kind = type(a)
        if kind is type(b) and kind in {str, list}:
            size = len(a) + len(b)
            pay(frame, size >> 4 if kind is str else size)
            return a + b
        return add([a, b])

    return plus


def _arithmetic(
    compute: Callable[[Any, Any], Any], left: Run, right: Run, at: int, sign: str
) -> Run:
    def arithmetic(frame: Frame) -> int | float:
        a, b = left(frame), right(frame)
        if type(a) not in _NUMBERS or type(b) not in _NUMBERS:
            raise Failing(f'"{sign}" cannot take {kind_of(a)} and {kind_of(b)}', at)
        try:
            return number(compute(a, b))
        except ZeroDivisionError:
            raise Failing("division by zero", at) from None
        except OverflowError:
            raise Failing(TOO_LARGE, at) from None
        except Failing as failed:
            raise Failing(failed.problem, at) from None

    return arithmetic


def _divided(a: float, b: float) -> int | float:
    """Whole numbers divide to whole numbers, towards zero, as CEL says."""
    if type(a) is int and type(b) is int:
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) == (b < 0) else -quotient
    return a / b


def _remainder(a: float, b: float) -> int:
    """The sign is that of the left one, as CEL says."""
    rest = abs(whole(a)) % abs(whole(b))
    return -rest if a < 0 else rest


_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ARITHMETIC = {"-": operator.sub, "*": operator.mul, "/": _divided, "%": _remainder}
