"""Profiles tables: for each column its type, what is missing, and the figures of its type."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from foundations.public_works.parsing.models import (
    ColumnProfile,
    ColumnType,
    Scalar,
    TableProfile,
    ValueCount,
)

SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 30
TOP = 5
_CELL = 80


def profile(frame: pl.DataFrame, name: str, *, artifact: str, truncated: bool) -> TableProfile:
    """The facts of one table."""
    repeated = frame.height - frame.n_unique() if frame.height else 0
    known = Known(frame.height, repeated, tuple(column_profile(series) for series in frame))
    return profile_from(known, frame, name, artifact=artifact, truncated=truncated)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of all rows of a table: their number, how many repeat others, the columns."""

    rows: int
    repeated: int
    columns: tuple[ColumnProfile, ...]


def profile_from(
    known: Known, first: pl.DataFrame, name: str, *, artifact: str, truncated: bool
) -> TableProfile:
    """The facts of one table, of which these are the first rows."""
    return TableProfile(
        name=name,
        row_count=known.rows,
        column_count=first.width,
        columns=known.columns,
        duplicate_rows=known.repeated,
        sample=tuple(
            tuple(scalar(cell) for cell in row[:_SAMPLE_COLUMNS])
            for row in first.head(SAMPLE_ROWS).iter_rows()
        ),
        artifact=artifact,
        truncated=truncated,
    )


def column_profile(series: pl.Series) -> ColumnProfile:
    """The facts of one column."""
    kind = column_type(series)
    filled = series.drop_nulls()
    facts: dict[str, Any] = {}
    if kind in (ColumnType.INTEGER, ColumnType.NUMBER):
        facts = _figures(filled)
    elif kind not in (ColumnType.EMPTY, ColumnType.BOOLEAN):
        facts = {"minimum": scalar(filled.min()), "maximum": scalar(filled.max())}
    if kind in (ColumnType.TEXT, ColumnType.BOOLEAN):
        facts["most_frequent"] = _most_frequent(filled)
    return ColumnProfile(
        name=series.name,
        type=kind,
        missing=series.null_count(),
        distinct=filled.n_unique(),
        **facts,
    )


def column_type(series: pl.Series) -> ColumnType:
    """The type of a column as users know it."""
    if series.null_count() == len(series):
        return ColumnType.EMPTY
    match series.dtype:
        case t if t.is_integer():
            return ColumnType.INTEGER
        case t if t.is_numeric():
            return ColumnType.NUMBER
        case pl.Boolean:
            return ColumnType.BOOLEAN
        case pl.Date:
            return ColumnType.DATE
        case t if t == pl.Datetime:
            return ColumnType.DATETIME
        case pl.Time:
            return ColumnType.TIME
        case _:
            return ColumnType.TEXT


def scalar(value: object) -> Scalar:
    """A cell as JSON can carry it: times as ISO 8601, long text cut, no NaN."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return _without_midnight(value)
        case date() | time():
            return value.isoformat()
        case _:
            text = str(value)
            return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _without_midnight(value: datetime) -> str:
    plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return plain.isoformat(sep=" ") + ("Z" if value.tzinfo else "")


def _figures(filled: pl.Series) -> dict[str, Any]:
    facts = {
        "minimum": filled.min(),
        "maximum": filled.max(),
        "mean": filled.mean(),
        "median": filled.median(),
        "std": filled.std(),
        "q1": filled.quantile(0.25, "linear"),
        "q3": filled.quantile(0.75, "linear"),
    }
    return {name: scalar(value) for name, value in facts.items()}


def _most_frequent(filled: pl.Series) -> tuple[ValueCount, ...]:
    """The commonest values, those that stand more than once; ties by value."""
    counted = (
        filled.alias("value")
        .value_counts(name="count")
        .sort(["count", "value"], descending=[True, False])
    )
    return tuple(
        ValueCount(value=str(scalar(row[0])), count=row[1])
        for row in counted.head(TOP).iter_rows()
        if row[1] > 1
    )
