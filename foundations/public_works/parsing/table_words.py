"""Puts tables into words, so that search finds them and people can read them."""

import math
from collections.abc import Iterator

import polars as pl

from foundations.public_works.parsing.models import ColumnProfile, ColumnType, TableProfile
from foundations.public_works.parsing.passages import MAX_CHARACTERS
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.profiles import scalar

ROW_PASSAGES = 1_000
_COLUMNS_IN_ROW = 30


def of_table(table: TableProfile, frame: pl.DataFrame, *, rows: int) -> Iterator[tuple[Place, str]]:
    """A table in words: a passage about it, one for each column, one for each of its first rows."""
    names = ", ".join(frame.columns)
    yield (
        Place.in_table(table.name),
        _short(
            f"Table {table.name}: {table.row_count} rows and {table.column_count} columns: {names}."
        ),
    )
    for column in table.columns:
        yield Place.in_table(table.name, column=column.name), _short(describe_column(column, table))
    for number, row in enumerate(frame.head(rows).iter_rows(), start=1):
        cells = "; ".join(
            f"{name}: {scalar(cell)}"
            for name, cell in zip(frame.columns[:_COLUMNS_IN_ROW], row, strict=False)
            if cell is not None
        )
        place = Place.in_table(table.name, row=number)
        yield place, _short(f"{place}: {cells}.")


def describe_column(column: ColumnProfile, table: TableProfile) -> str:
    """A sentence of what a column holds."""
    parts = [f"Column {column.name} of {table.name} holds {_KINDS[column.type]}"]
    if column.minimum is not None and column.type is not ColumnType.TEXT:
        parts.append(f"from {plain(column.minimum)} to {plain(column.maximum)}")
    if column.mean is not None:
        parts.append(f"with a mean of {plain(column.mean)} and a median of {plain(column.median)}")
    if column.most_frequent:
        parts.append("most often " + ", ".join(one.value for one in column.most_frequent))
    sentence = " ".join(parts)
    missing = f"; {column.missing} of {table.row_count} are missing" if column.missing else ""
    return f"{sentence}; {column.distinct} different values{missing}."


def plain(value: object) -> str:
    """A figure as people write it: four significant digits, whole numbers whole."""
    if isinstance(value, float) and not math.isfinite(value):
        return "more than can be computed"
    if isinstance(value, float):
        if value == int(value) and abs(value) < 1e15:
            return f"{int(value):,}"
        return f"{value:,.4g}" if 1e-4 <= abs(value) < 1e4 else _big(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _big(value: float) -> str:
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


_KINDS = {
    ColumnType.INTEGER: "whole numbers",
    ColumnType.NUMBER: "numbers",
    ColumnType.BOOLEAN: "yes or no",
    ColumnType.DATE: "dates",
    ColumnType.DATETIME: "points in time",
    ColumnType.TIME: "times of day",
    ColumnType.TEXT: "text",
    ColumnType.EMPTY: "nothing",
}


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
