"""Functions of expressions, such as `size` and `split`: what they take, give and cost."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

from realms.journey.expressions.operators import (
    OUTCOMES,
    TOO_LARGE,
    Failing,
    Frame,
    Run,
    kind_of,
    number,
    pay,
    text_of,
    whole,
)
from realms.journey.expressions.syntax import Call, Literal
from realms.journey.expressions.tokens import FaultyExpression


def call(node: Call, runs: Sequence[Run]) -> Run:
    """A function or method of a checked tree."""
    at, name = node.at, node.name
    if name in _STATUS:
        return _STATUS[name]
    function, kinds = _FUNCTIONS[name]
    price = _PRICES.get(name)

    def run(frame: Frame) -> Any:
        values = [argument(frame) for argument in runs]
        for value, wanted in zip(values, kinds, strict=False):
            if wanted and type(value) not in wanted:
                raise Failing(f"{name} cannot take {kind_of(value)}", at)
        try:
            if price:
                pay(frame, price(*values))
            return function(*values)
        except Failing as failed:
            raise Failing(failed.problem, at) from None

    return run


def matches(node: Call, subject: Run) -> Run:
    """A search for a pattern that the template states; its engine takes linear time."""
    given = node.args[1]
    if not isinstance(given, Literal) or not isinstance(given.value, str):
        raise FaultyExpression("the pattern of matches must be a text in quotes", column=given.at)
    try:
        pattern = _pattern(given.value)
    except SchemaError:
        hint = "There is no look-around and no back reference"
        raise FaultyExpression("this is no pattern", column=given.at, hint=hint) from None

    def match(frame: Frame) -> bool:
        text = subject(frame)
        if type(text) is not str:
            raise Failing(f"matches cannot take {kind_of(text)}", node.at)
        pay(frame, len(text) >> 4)
        return pattern.isinstance_python(text)

    return match


@lru_cache(maxsize=1024)
def _pattern(text: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=text, regex_engine="rust-regex"))


_WHOLE = re.compile(r"[-+]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[-+]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][-+]?[0-9]{1,4})?")


def _int(value: Any) -> int | float:
    if type(value) is str and not _WHOLE.fullmatch(value):
        raise Failing("this text is no whole number")
    return number(int(value))


def _double(value: Any) -> int | float:
    if type(value) is str and not _DECIMAL.fullmatch(value):
        raise Failing("this text is no number")
    try:
        return number(float(value))
    except OverflowError:
        raise Failing(TOO_LARGE) from None


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _join(parts: list[Any], separator: str = "") -> str:
    return separator.join(parts)


def _price_of_join(parts: list[Any], separator: str = "") -> int:
    if any(type(part) is not str for part in parts):
        raise Failing("join takes a list of texts")
    return len(parts) + (sum(map(len, parts)) + len(parts) * len(separator) >> 4)


def _substring(text: str, start: Any, end: Any = None) -> str:
    first, last = whole(start), len(text) if end is None else whole(end)
    if not 0 <= first <= last <= len(text):
        raise Failing(f"substring reaches outside of a text of {len(text)}")
    return text[first:last]


_UPPER = dict(zip(range(ord("a"), ord("z") + 1), range(ord("A"), ord("Z") + 1), strict=True))
_LOWER = {capital: small for small, capital in _UPPER.items()}
_STATUS: Mapping[str, Run] = {
    "succeeded": lambda frame: frame[OUTCOMES].succeeded,
    "failed": lambda frame: frame[OUTCOMES].failed,
    "always": lambda _: True,
}
_ANY: frozenset[type] = frozenset()
_TEXT, _NUMERIC, _LIST = frozenset({str}), frozenset({int, float}), frozenset({list})
_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], tuple[frozenset[type], ...]]] = {
    "size": (len, (frozenset({str, list, dict}),)),
    "string": (text_of, (frozenset({str, int, float, bool}),)),
    "int": (_int, (_TEXT | _NUMERIC,)),
    "double": (_double, (_TEXT | _NUMERIC,)),
    "dyn": (lambda value: value, (_ANY,)),
    "startsWith": (str.startswith, (_TEXT, _TEXT)),
    "endsWith": (str.endswith, (_TEXT, _TEXT)),
    "contains": (str.__contains__, (_TEXT, _TEXT)),
    "split": (_split, (_TEXT, _TEXT)),
    "join": (_join, (_LIST, _TEXT)),
    "replace": (str.replace, (_TEXT, _TEXT, _TEXT)),
    "substring": (_substring, (_TEXT, _NUMERIC, _NUMERIC)),
    "indexOf": (str.find, (_TEXT, _TEXT)),
    "trim": (str.strip, (_TEXT,)),
    "lowerAscii": (lambda text: text.translate(_LOWER), (_TEXT,)),
    "upperAscii": (lambda text: text.translate(_UPPER), (_TEXT,)),
}
_PRICES: Mapping[str, Callable[..., int]] = {
    "contains": lambda text, _: len(text) >> 4,
    "indexOf": lambda text, _: len(text) >> 4,
    "split": lambda text, by: (text.count(by) if by else len(text)) + (len(text) >> 4),
    "join": _price_of_join,
    "replace": lambda text, old, new: len(text) + text.count(old) * len(new) >> 4,
    "substring": lambda text, *_: len(text) >> 4,
    "trim": lambda text: len(text) >> 4,
    "lowerAscii": lambda text: len(text) >> 4,
    "upperAscii": lambda text: len(text) >> 4,
}
"""In steps, before the function is run; what is not here costs the same for any value."""
