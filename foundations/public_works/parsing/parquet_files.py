"""Parquet: one table, typed as it says, its nested cells as JSON text."""

from pathlib import Path
from typing import Any

import orjson
import polars as pl

from foundations.public_works.parsing.csv_reading import MAX_COLUMNS, unique_names
from foundations.public_works.parsing.faults import (
    CellLimit,
    ColumnLimit,
    NoData,
    UnreadableFile,
)
from foundations.public_works.parsing.models import ParseOptions, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Source, Table

MAX_CELLS = 50_000_000
_LONGEST = 200


def parquet(path: Path, title: str, *, options: ParseOptions, notes: Notes) -> Source:
    """The table of a Parquet file.

    Raises:
        UnreadableFile: its footer says what its pages do not hold, or it is no Parquet at all.
        ColumnLimit, CellLimit: it is too big. NoData: it has no rows.
    """
    try:
        frame, rows = _read(path, options)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableFile(
            f"the Parquet file cannot be read: {_first_line(error)}",
            hint="write it anew; its footer and its pages do not agree, or it is damaged",
        ) from error
    if not frame.height:
        raise NoData("the Parquet file holds no rows")
    truncated = rows > options.most_rows
    if truncated:
        notes.add("rows", f"only the first {options.most_rows:,} rows were read", code="row_cap")
    known = frame.rename(dict(zip(frame.columns, unique_names(frame.columns, notes), strict=True)))
    table = Table(title[:100], pl.DataFrame([_plain(series) for series in known]), truncated)
    metadata: dict[str, Scalar] = {"rows": rows}
    return Source("table", tables=[table], metadata=metadata)


def _read(path: Path, options: ParseOptions) -> tuple[pl.DataFrame, int]:
    lazy = pl.scan_parquet(path, glob=False)
    width = len(lazy.collect_schema())
    if width > MAX_COLUMNS:
        raise ColumnLimit(f"the table has {width:,} columns; {MAX_COLUMNS:,} are allowed")
    rows = int(lazy.select(pl.len()).collect().item())
    kept = min(rows, options.most_rows)
    if kept * width > MAX_CELLS:
        raise CellLimit(
            f"the table has {kept:,} rows of {width:,} columns; {MAX_CELLS:,} cells are allowed",
            hint="read fewer of its rows, by max_rows in the parse options",
        )
    return lazy.head(kept).collect(), rows


def _plain(series: pl.Series) -> pl.Series:
    """A column in a type that a table of ours has."""
    match series.dtype:
        case pl.Struct() | pl.List() | pl.Array() | pl.Object():
            cells = [_as_json(cell) for cell in series.to_list()]
            return pl.Series(series.name, cells, pl.String)
        case pl.Binary():
            return series.bin.encode("hex")
        case pl.Categorical() | pl.Enum():
            return series.cast(pl.String)
        case pl.Decimal():
            return series.cast(pl.Float64)
        case pl.Duration():
            return (series.dt.total_seconds() / 3600).alias(series.name)  # in hours
        case pl.Datetime() if series.dtype.time_zone not in (None, "UTC"):
            return series.dt.convert_time_zone("UTC")
        case pl.Float32() | pl.Float64():
            return series.fill_nan(None)  # what is no number is missing, as in all other formats
        case _:
            return series


def _as_json(cell: Any) -> str | None:
    return None if cell is None else orjson.dumps(cell, default=str).decode()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST]
