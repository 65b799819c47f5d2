"""What is set apart in a column before it is counted with: units, stray text, placeholders."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from foundations.public_works.parsing.insights.numerics.robust import robust_z
from foundations.public_works.parsing.insights.tables.units import CELL_UNITS, MONEY
from foundations.public_works.parsing.models import ColumnType
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.profiles import column_type
from foundations.public_works.parsing.typing_cells import is_pointed, typed, without_points

_MEASURED = (
    r"^\s*(?P<sign>[-+(\u2212]?)\s*(?P<before>[€$£¥]|[A-Za-z]{3}|US\$)?\s*(?P<inner>[-+\u2212]?)"
    r"(?P<number>\d(?:[\d.,'\u00a0\u202f\u2019 ]*\d)?)"
    r"\s*(?P<after>%|[€$£¥]|[A-Za-z°µ²³/]+\.?)?\s*\)?\s*$"
)
_IN_BRACKETS = r"^\(\d[\d.,'\u00a0\u202f\u2019 ]*\)$"
_SOME_UNIT = r"^\W*(?:[A-Za-z]{3}|US)?\W*\d|\d\s*(?:[%€$£¥]|[A-Za-z°µ²³/]+\.?)\W*$"
_NUMBER = r"^\s*[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?\s*$"
_DATES = (r"^\d{4}-\d\d-\d\d$", r"^\d{4}-\d\d-\d\d[T ]\d\d:", r"^\d{1,2}[./-]\d{1,2}[./-]\d{4}$")
_BELOW_ZERO = ("-", "\u2212", "(")
_LEAST_NUMBERS = 0.8
_LEAST_ROWS = 10
_LEAST_REPEATS = 3
_LEAST_DISTANCE = 6.0
_SENTINELS = re.compile(r"-?(9{2,}|1{3,}|-?999\d*|0|-1|99999+)(\.0)?")
NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A column fit to be counted with, and what had to be left out for it."""

    series: pl.Series
    strays: pl.Series | None = None
    """Whether a row holds text among numbers; None where none does."""
    placeholder: float | None = None
    placed: pl.Series | None = None
    """Whether a row holds the placeholder."""
    units: tuple[tuple[str, int], ...] = ()
    """The units that cells state, and how many state each, most first: the numbers are of that."""


def cleaned(series: pl.Series) -> Cleaned:
    """The column with stray text and placeholders made missing."""
    if series.dtype == pl.String:
        return (
            _without_units(series)
            or _without_brackets(series)
            or _without_undated(series)
            or _without_strays(series)
        )
    if column_type(series) in NUMERIC:
        return _without_placeholder(series)
    return Cleaned(series)


def _without_units(series: pl.Series) -> Cleaned | None:
    """The numbers of cells such as `1.234,50 €`, `($12)`, `12,5 %` and `80 kg`; None of others.

    Cells of a unit that most cells do not have are strays: 160 lb is not 160 kg. With very few
    different cells they are labels.
    """
    filled = series.len() - series.null_count()
    if filled < _LEAST_ROWS or not series.str.contains(_SOME_UNIT).any():
        return None
    parts = series.str.extract_groups(_MEASURED).struct.unnest()
    stated = pl.DataFrame({"cell": parts["before"].fill_null(parts["after"])})
    known = pl.DataFrame({"cell": list(CELL_UNITS), "unit": list(CELL_UNITS.values())})
    named = stated.with_columns(pl.col("cell").str.to_lowercase().str.strip_chars_end("."))
    unit = named.join(known, on="cell", how="left", maintain_order="left")["unit"]
    counts = unit.drop_nulls().alias("u").value_counts(name="n")
    ordered = counts.sort(["n", "u"], descending=[True, False]).rows()
    if not ordered:
        return None
    most, count = ordered[0]
    ours = (unit == most).fill_null(value=False)
    measured = parts["number"].is_not_null() & (unit.is_not_null() | named["cell"].is_null())
    if measured.sum() < _LEAST_NUMBERS * filled or count < filled / 2:
        return None
    if len(ordered) > 1 and series.n_unique() < 2 * _LEAST_ROWS:
        return None
    numbers = _numbers(parts["number"].set(~ours, None), money=most in MONEY)
    if numbers is None:
        return None
    below = [parts[place].is_in(_BELOW_ZERO).fill_null(value=False) for place in ("sign", "inner")]
    numbers = numbers * (1 - 2 * (below[0] | below[1]).cast(pl.Int8))
    strays = ~ours & series.is_not_null()
    found = _without_placeholder(numbers.alias(series.name))
    return Cleaned(
        found.series, strays if strays.any() else None, found.placeholder, found.placed, (*ordered,)
    )


def _without_brackets(series: pl.Series) -> Cleaned | None:
    """Numbers of which those below zero stand in brackets, as accountants write them.

    None of others, and where all stand in brackets: those are labels.
    """
    written = series.str.strip_chars()
    bracketed = written.str.contains(_IN_BRACKETS).fill_null(value=False)
    if not bracketed.any() or bracketed.sum() == series.len() - series.null_count():
        return None
    (made,) = typed(pl.DataFrame([written.str.strip_chars("()")]), Notes())
    if column_type(made) not in NUMERIC:
        return None
    return Cleaned(made * (1 - 2 * bracketed.cast(pl.Int8)))


def _numbers(written: pl.Series, *, money: bool) -> pl.Series | None:
    """What is written as numbers; nobody states thousandths of money."""
    if money and is_pointed(written):
        written = without_points(written)
    (made,) = typed(pl.DataFrame([written]), Notes())
    return made.cast(pl.Float64) if column_type(made) in NUMERIC else None


def _without_undated(series: pl.Series) -> Cleaned | None:
    """The dates of a column most of whose cells write one the same way; None of others."""
    filled = series.len() - series.null_count()
    for pattern in _DATES if filled >= _LEAST_ROWS else ():
        dated = series.str.contains(pattern).fill_null(value=False)
        if not _LEAST_NUMBERS * filled <= dated.sum() < filled:
            continue
        (made,) = typed(pl.DataFrame([series.set(~dated, None)]), Notes())
        if made.dtype != pl.String:
            return Cleaned(made, ~dated & series.is_not_null())
    return None


def _without_strays(series: pl.Series) -> Cleaned:
    filled = series.len() - series.null_count()
    if filled < _LEAST_ROWS:
        return Cleaned(series)
    numeric = series.str.contains(_NUMBER).fill_null(value=False)
    share = int(numeric.sum()) / filled
    if not _LEAST_NUMBERS <= share < 1:
        return Cleaned(series)
    strays = ~numeric & series.is_not_null()
    bare = series.str.replace_all(",", "", literal=True).str.strip_chars()
    numbers = bare.cast(pl.Float64, strict=False).set(~numeric, None)
    found = _without_placeholder(numbers)
    return Cleaned(found.series, strays, found.placeholder, found.placed)


def _without_placeholder(series: pl.Series) -> Cleaned:
    """Set apart a number that stands for "unknown": repeated, and far off all other values.

    It is written with nines (or is 0, -1, 111...), is the least or the largest of the column,
    stands there three times or more, and lies six robust standard deviations off the nearest
    other value.
    """
    filled = series.drop_nulls()
    if len(filled) < 2 * _LEAST_ROWS or filled.n_unique() < 5:
        return Cleaned(series)
    for end in (filled.min(), filled.max()):
        if not isinstance(end, int | float) or not _SENTINELS.fullmatch(f"{end:.10g}"):
            continue
        count = int((filled == end).sum())
        others = filled.filter(filled != end).cast(pl.Float64).to_numpy()
        if count < max(_LEAST_REPEATS, len(filled) // 1000) or len(others) < len(filled) // 2:
            continue
        z = robust_z(np.append(others, float(end)))
        nearest = z[:-1].min() if z[-1] < 0 else z[:-1].max()
        if abs(z[-1]) > _LEAST_DISTANCE and abs(z[-1] - nearest) > _LEAST_DISTANCE:
            placed = (series == end).fill_null(value=False)
            return Cleaned(series.set(placed, None), None, float(end), placed)
    return Cleaned(series)
