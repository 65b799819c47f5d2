"""What has to be set apart in a column before it is counted with: stray text and placeholders."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from foundations.public_works.parsing.insights.numerics.robust import robust_z
from foundations.public_works.parsing.models import ColumnType
from foundations.public_works.parsing.profiles import column_type

_NUMBER = r"^\s*[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?\s*$"
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


def cleaned(series: pl.Series) -> Cleaned:
    """The column with stray text and placeholders made missing."""
    if series.dtype == pl.String:
        return _without_strays(series)
    if column_type(series) in NUMERIC:
        return _without_placeholder(series)
    return Cleaned(series)


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
