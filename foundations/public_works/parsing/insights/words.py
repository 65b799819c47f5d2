"""Figures in words: short, and never rounded into a claim that is not true."""

import math
from collections.abc import Sequence

from foundations.public_works.parsing.profiles import scalar

_MOST_DIGITS = 4
_HALF = 0.5


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 row`, `2 rows`; a plural that is not made with s is given."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def percent(share: float, digits: int = 1) -> str:
    """A share in percent; what is not all is never 100 %, what is not nothing never 0 %."""
    while digits <= _MOST_DIGITS:
        shown = f"{share:.{digits}%}"
        number = float(shown.rstrip("%"))
        if (share in (0.0, 1.0)) or number not in (0.0, 100.0):
            return shown
        digits += 1
    return "more than 99.9999%" if share > _HALF else "less than 0.0001%"


def coefficient(value: float) -> str:
    """A coefficient with three digits; more where they would make it 0 or 1 and it is not."""
    digits = 3
    while digits < 12:
        shown = f"{value:.{digits}f}"
        if abs(value) >= 1.0 or abs(float(shown)) not in (0.0, 1.0) or value == 0:
            break
        digits += 1
    return shown


def chance(p: float) -> str:
    """A p-value."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """`a`, `a and b`, `a, b and c`; beyond `most` the rest is counted."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most:,} more")
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def quoted(value: object) -> str:
    """A value of a cell as it is shown within a sentence."""
    return "\u201c" + str(scalar(value)) + "\u201d"


def figure(value: float) -> str:
    """A number to four significant digits, whole numbers whole, with thousands set apart."""
    if not math.isfinite(value):
        return "more than can be computed"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.4g}"
    if abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def bounded(value: float) -> float:
    """A strength: between 0 and 1, four digits."""
    return round(min(1.0, max(0.0, value)), 4)
