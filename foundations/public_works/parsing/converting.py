"""Tables from one format into another, where nothing is lost: else refused, with every reason.

What was written is read back and compared, column by column: kind of values, and values. Widths of
numbers (32 or 64 bits) and the quoting of cells are not kept, and an empty cell is a missing value.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from foundations.public_works.parsing.csv_reading import MAX_COLUMNS
from foundations.public_works.parsing.faults import ColumnLimit, NotLossless, UnreadableFile
from foundations.public_works.parsing.models import TableFormat

_MOST_REASONS = 10
_LONGEST_FIELD = 1_000_000
_INT64 = range(-(2**63), 2**63)


def convert(source: Path, target: Path, *, of: TableFormat, to: TableFormat) -> None:
    """Write the table in `source` into `target`.

    Raises:
        NotLossless: something would be lost; all of it is named, up to ten reasons.
        UnreadableFile, ColumnLimit: the source is no such table.
    """
    frame = _READ[of](source)
    if frame.width > MAX_COLUMNS:
        raise ColumnLimit(f"the table has {frame.width:,} columns; {MAX_COLUMNS:,} are allowed")
    _require(list(_cannot_stand(frame, to)), to)
    _WRITE[to](frame, target)
    _require(list(_differences(frame, _READ[to](target))), to)


def _cannot_stand(frame: pl.DataFrame, to: TableFormat) -> Iterator[str]:
    """What the format has no words for."""
    if not frame.height and to is not TableFormat.PARQUET:
        yield "the table has no rows, so the types of its columns would be lost"
    for series in frame:
        kind = _kind(series.dtype)
        if kind == "":
            yield f"{series.name} holds {series.dtype}, which cannot be told exactly"
            continue
        if to is TableFormat.PARQUET:
            continue
        if kind == "number" and not series.drop_nulls().is_finite().all():
            yield f"{series.name} holds numbers that are infinite, or none"
        if to is TableFormat.NDJSON:
            continue
        if kind == "text" and (series == "").any():
            yield f"{series.name} holds empty texts, which would be read as missing"
        if series.null_count() == series.len() and series.len():
            yield f"{series.name} holds no value, so its type would be lost"
    if to in {TableFormat.CSV, TableFormat.TSV} and frame.width == 1 and frame[:, 0].null_count():
        yield f"{frame.columns[0]} is the only column and lacks values, which would be empty lines"


def _differences(wanted: pl.DataFrame, found: pl.DataFrame) -> Iterator[str]:
    """What is not the same when it is read back."""
    if wanted.columns != found.columns or wanted.height != found.height:
        yield "its rows or columns would not be the same"
        return
    for series, back in zip(wanted, found, strict=True):
        kind, other = _kind(series.dtype), _kind(back.dtype)
        if series.null_count() == series.len() and back.null_count() == back.len():
            continue
        if kind != other:
            yield f"{series.name} holds {_SAID[kind]} that would be read back as {_SAID[other]}"
        elif not _as_compared(series).equals(_as_compared(back), null_equal=True):
            yield f"{series.name} holds values that would change"


def _require(reasons: list[str], to: TableFormat) -> None:
    if reasons:
        more = f"; and {len(reasons) - _MOST_REASONS} more" if len(reasons) > _MOST_REASONS else ""
        raise NotLossless(
            f"as {to} something would be lost: {'; '.join(reasons[:_MOST_REASONS])}{more}",
            hint="choose parquet, which keeps types, or change what is named",
        )


_SAID = {
    "whole number": "whole numbers",
    "number": "numbers",
    "yes or no": "yes or no",
    "date": "dates",
    "time": "points in time",
    "text": "text",
    "": "something else",
}


def _kind(dtype: pl.DataType) -> str:
    """What values are, whatever their width; empty for what is no plain value."""
    if dtype.is_integer() and dtype != pl.UInt64:
        return "whole number"
    if dtype.is_float():
        return "number"
    match dtype:
        case pl.Boolean:
            return "yes or no"
        case pl.String:
            return "text"
        case pl.Date:
            return "date"
        case pl.Datetime(time_zone=None, time_unit="us" | "ms"):
            return "time"
    return ""


def _as_compared(series: pl.Series) -> pl.Series:
    match _kind(series.dtype):
        case "whole number":
            return series.cast(pl.Int64)
        case "number":
            return series.cast(pl.Float64)
        case "time":
            return series.cast(pl.Datetime("us"))
    return series


def _read_delimited(separator: str) -> Callable[[Path], pl.DataFrame]:
    def read(path: Path) -> pl.DataFrame:
        csv.field_size_limit(_LONGEST_FIELD)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.reader(file, delimiter=separator, strict=True)
                names = next(rows, [])
                columns = _columns(names, rows)
        except UnicodeDecodeError as error:
            raise NotLossless("the file is no UTF-8 text", hint="save it as UTF-8") from error
        except csv.Error as error:
            raise UnreadableFile(f"the table cannot be read exactly: {error}") from error
        return pl.DataFrame([_typed(name, cells) for name, cells in columns.items()])

    return read


def _columns(names: list[str], rows: Iterator[list[str]]) -> dict[str, list[str | None]]:
    if len(set(names)) != len(names) or not all(name.strip() for name in names):
        raise NotLossless(
            "columns have no name, or the same one", hint="give each column a name of its own"
        )
    columns: list[list[str | None]] = [[] for _ in names]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise NotLossless(
                f"row {number:,} has {len(row):,} cells, the header has {len(names):,}",
                hint="mend the row",
            )
        for column, cell in zip(columns, row, strict=True):
            column.append(cell or None)
    return dict(zip(names, columns, strict=True))


def _typed(name: str, cells: list[str | None]) -> pl.Series:
    """Text as the type that writes every cell just so again; else as the text it is."""
    text = pl.Series(name, cells, pl.String)
    if text.null_count() == text.len():
        return text
    return _first_that_fits(text, _TYPES)


def _first_that_fits(text: pl.Series, types: Iterable[tuple["_Change", "_Change"]]) -> pl.Series:
    for read, told in types:
        typed = read(text)
        if typed.null_count() == text.null_count() and told(typed).equals(text, null_equal=True):
            return typed
    return text


def _booleans(text: pl.Series) -> pl.Series:
    known = {"true": True, "false": False}
    return text.replace_strict(known, default=None, return_dtype=pl.Boolean)


def _told_numbers(numbers: pl.Series) -> pl.Series:
    """Numbers with the fewest digits that read back as the same, as Python tells them."""
    told = [None if value is None else repr(value) for value in numbers.to_list()]
    return pl.Series(numbers.name, told, pl.String)


_DATE, _TIME = "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%.f"
_Change = Callable[[pl.Series], pl.Series]
_DATES: tuple[tuple[_Change, _Change], ...] = (
    (
        lambda text: text.str.to_date(_DATE, strict=False),
        lambda dates: dates.dt.to_string(_DATE),
    ),
    (
        lambda text: text.str.to_datetime(_TIME, strict=False, time_unit="us"),
        lambda times: times.dt.to_string("%Y-%m-%dT%H:%M:%S%.f"),
    ),
)
_TYPES: tuple[tuple[_Change, _Change], ...] = (
    (lambda text: text.cast(pl.Int64, strict=False), lambda numbers: numbers.cast(pl.String)),
    (lambda text: text.cast(pl.Float64, strict=False), _told_numbers),
    (_booleans, lambda truths: truths.cast(pl.String)),
    *_DATES,
)


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise UnreadableFile("the Parquet file cannot be read") from error


def _read_ndjson(path: Path) -> pl.DataFrame:
    """Lines of objects with plain values; dates and times are told as ISO 8601 in text."""
    columns: dict[str, list[Any]] = {}
    count = 0
    try:
        with path.open(encoding="utf-8") as file:
            for count, line in enumerate(file, start=1):
                _take(json.loads(line, object_pairs_hook=_once), columns, count)
    except UnicodeDecodeError as error:
        raise NotLossless("the file is no UTF-8 text", hint="save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"line {count + 1:,} is no JSON object") from error
    for name, values in columns.items():
        if len(values) != count:
            raise NotLossless(
                f"some lines have no {name}, which would be read as null",
                hint="give every line the same keys",
            )
    return pl.DataFrame([_series(name, values) for name, values in columns.items()])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _take(row: Any, columns: dict[str, list[Any]], number: int) -> None:
    if not isinstance(row, dict):
        raise ValueError("no object")  # noqa: TRY004 - told as what every bad line is
    for name, value in row.items():
        column = columns.setdefault(name, [])
        if len(column) == number - 1:
            column.append(value)


def _series(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds & {dict, list} or len(kinds) > 1:
        told = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise NotLossless(
            f"{name} holds {told}, no plain values of one kind", hint="a table has one kind each"
        )
    if kinds == {int} and any(value not in _INT64 for value in values if value is not None):
        raise NotLossless(f"{name} holds numbers beyond 64 bits", hint="write them as text")
    if kinds == {float} and any(not math.isfinite(v) for v in values if v is not None):
        raise NotLossless(f"{name} holds numbers that are infinite, or none", hint="use null")
    series = pl.Series(name, values, strict=True)
    if kinds != {str}:
        return series if kinds else series.cast(pl.String)
    return _first_that_fits(series, _DATES)


def _write_delimited(separator: str) -> Callable[[pl.DataFrame, Path], None]:
    def write(frame: pl.DataFrame, path: Path) -> None:
        told = pl.DataFrame([_as_text(series) for series in frame])
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, delimiter=separator, lineterminator="\n")
            lines.writerow(frame.columns)
            lines.writerows(told.iter_rows())

    return write


def _as_text(series: pl.Series) -> pl.Series:
    match _kind(series.dtype):
        case "number":
            return _told_numbers(series.cast(pl.Float64))
        case "date":
            return series.dt.to_string(_DATE)
        case "time":
            return series.cast(pl.Datetime("us")).dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
    return series.cast(pl.String)


def _write_ndjson(frame: pl.DataFrame, path: Path) -> None:
    dated = [series.name for series in frame if _kind(series.dtype) in {"date", "time"}]
    told = frame.with_columns([_as_text(frame[name]) for name in dated])
    with path.open("w", encoding="utf-8") as file:
        for row in told.iter_rows(named=True):
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


_READ: Mapping[TableFormat, Callable[[Path], pl.DataFrame]] = {
    TableFormat.CSV: _read_delimited(","),
    TableFormat.TSV: _read_delimited("\t"),
    TableFormat.PARQUET: _read_parquet,
    TableFormat.NDJSON: _read_ndjson,
}
_WRITE: Mapping[TableFormat, Callable[[pl.DataFrame, Path], None]] = {
    TableFormat.CSV: _write_delimited(","),
    TableFormat.TSV: _write_delimited("\t"),
    TableFormat.PARQUET: lambda frame, path: frame.write_parquet(path),
    TableFormat.NDJSON: _write_ndjson,
}
