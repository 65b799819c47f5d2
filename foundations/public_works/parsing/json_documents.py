"""JSON: records become tables, everything else a text of its names and values.

Tables are an array of objects, an array of arrays as long as each other, an array of plain values,
or one of these per line; and such arrays inside of objects, called by the names that lead to them.
Objects inside records are spread into columns named `outer.inner`; arrays inside records stay as
JSON text.
"""

from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from foundations.public_works.archives import Truncated
from foundations.public_works.media_types import NDJSON, MediaType
from foundations.public_works.parsing.csv_reading import MAX_COLUMNS, MAX_FIELD
from foundations.public_works.parsing.faults import (
    ColumnLimit,
    FieldLimit,
    NoData,
    TooDeep,
    UnreadableFile,
)
from foundations.public_works.parsing.models import ParseOptions, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.sources import Section, Source, Table
from foundations.public_works.parsing.typing_cells import typed

MAX_DEPTH = 64
_SPREAD = 3  # levels of objects that become columns
_NESTED_ROWS = 3
"""A list inside of objects shorter than this is a detail of a document, not a table."""
_HEADERS = ("columns", "header", "headers", "fields")
_INT64 = range(-(2**63), 2**63)


def document(
    path: Path, title: str, *, media: MediaType, options: ParseOptions, notes: Notes
) -> Source:
    """The tables of a JSON file, or its text when it holds none.

    Raises:
        UnreadableFile: it is no JSON; says where. Truncated: its end is missing. TooDeep,
        FieldLimit, ColumnLimit: it is too big.
        NoData: it holds nothing.
    """
    text = _decoded(path, media.encoding)
    value = _lines(text, notes) if media.name == NDJSON else _loaded(text)
    _judge_depth(value)
    tables = dict(_tables(value, title))
    if tables:
        beside = value if isinstance(value, dict) else {}
        return Source(
            "table",
            tables=[_table(name, records, options, notes) for name, records in tables.items()],
            sections=list(_sections(beside, but=tables.keys())),
            metadata={name: cell for name, cell in beside.items() if _is_scalar(cell)},
        )
    if value in ({}, [], None, ""):
        raise NoData("the JSON document is empty")
    return Source("text", sections=list(_sections(value)))


def _decoded(path: Path, encoding: str) -> str:
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"the file is no {encoding} text") from error


def _loaded(text: str, line: int = 0) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg or "recursion" in error.msg:
            raise _too_deep() from error
        if "memory" in error.msg:
            raise MemoryError from error
        at = f"line {line or error.lineno}, column {error.colno}"
        if "unexpected end" in error.msg and not line:
            raise Truncated(
                f"the JSON ends at {at} before it is complete", hint="send the file again"
            ) from error
        hint = (
            "write it as text, in quotes"
            if "infinity" in error.msg
            else "is the file complete? NaN and trailing commas are no JSON"
        )
        raise UnreadableFile(
            f"the JSON is broken at {at}: {error.msg.split(':')[0]}", hint=hint
        ) from error


def _lines(text: str, notes: Notes) -> list[Any]:
    """One object a line; a line that is none is left out with a warning, unless all are."""
    found: list[Any] = []
    broken: UnreadableFile | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(_loaded(line, number))
        except UnreadableFile as error:
            broken = broken or error
            notes.add(
                "lines that are no JSON, left out", error.detail, line=number, code="broken_line"
            )
    if broken is not None and not found:
        raise broken
    return found


def _judge_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise _too_deep()


def _inside(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (item for item in inner if isinstance(item, dict | list))


def _too_deep() -> TooDeep:
    return TooDeep(
        f"the JSON is nested deeper than {MAX_DEPTH} levels", hint="flatten the document"
    )


def _tables(value: Any, title: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if isinstance(value, list):
        if _is_records(value):
            yield title[:100], value
        elif _is_grid(value):
            yield title[:100], _records_of(value, [])
        elif value and all(_is_scalar(item) for item in value):
            yield title[:100], [{"value": item} for item in value]
    elif isinstance(value, dict):
        yield from _tables_inside(value, "", title)


def _tables_inside(
    value: dict[str, Any], prefix: str, title: str, depth: int = 1
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every array that is a table, called by the names that lead to it."""
    names: list[str] = next((value[key] for key in _HEADERS if _is_names(value.get(key))), [])
    for key, inner in value.items():
        name = f"{prefix}{key}"[:100] or title[:100]
        if isinstance(inner, list) and (depth > 1 and len(inner) < _NESTED_ROWS):
            continue
        if isinstance(inner, list) and _is_records(inner):
            yield name, inner
        elif isinstance(inner, list) and _is_grid(inner):
            yield name, _records_of(inner, names if len(names) == len(inner[0]) else [])
        elif isinstance(inner, dict) and depth < _SPREAD:
            yield from _tables_inside(inner, f"{name}.", title, depth + 1)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _is_grid(items: list[Any]) -> bool:
    """Whether these are rows: arrays of plain values, two and more, all of one length."""
    return (
        len(items) > 1
        and all(isinstance(row, list) and row and len(row) == len(items[0]) for row in items)
        and all(_is_scalar(cell) for row in items for cell in row)
    )


def _records_of(rows: list[list[Any]], names: list[str]) -> list[dict[str, Any]]:
    """Rows as records; their names are those given, or the first row when it holds nothing else."""
    if not names and _is_names(rows[0]) and len(set(rows[0])) == len(rows[0]):
        names, rows = rows[0], rows[1:]
    names = names or [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _is_records(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) for item in items) and any(items)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _table(name: str, records: list[dict[str, Any]], options: ParseOptions, notes: Notes) -> Table:
    truncated = len(records) > options.most_rows
    if truncated:
        notes.add(
            "rows", f"only the first {options.most_rows:,} rows of {name} were read", code="row_cap"
        )
    rows = [dict(_spread(record)) for record in records[: options.most_rows]]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if len(columns) > MAX_COLUMNS:
        raise ColumnLimit(f"{name} has {len(columns):,} columns; {MAX_COLUMNS:,} are allowed")
    frame = pl.DataFrame([_column(column, [row.get(column) for row in rows]) for column in columns])
    return Table(name, typed(frame, notes), truncated)


def _spread(record: dict[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """The record's fields as columns, nested objects spread."""
    for key, value in record.items():
        name = f"{prefix}{key}"[:200]
        if isinstance(value, dict) and value and depth < _SPREAD:
            yield from _spread(value, f"{name}.", depth + 1)
        elif isinstance(value, dict | list):
            yield name, orjson.dumps(value).decode()
        else:
            yield name, _cell(value)


def _cell(value: Any) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_FIELD:
            raise FieldLimit(f"a text in the JSON is longer than {MAX_FIELD:,} characters")
        return value if value.strip() else None
    found: Scalar = value
    return found


def _column(name: str, cells: list[Any]) -> pl.Series:
    """A column in the narrowest type that holds all its cells; text when they mix."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return pl.Series(name, cells, pl.Boolean)
    if kinds == {int} and all(cell is None or cell in _INT64 for cell in cells):
        return pl.Series(name, cells, pl.Int64)
    if kinds and kinds <= {int, float}:
        return pl.Series(name, [None if c is None else float(c) for c in cells], pl.Float64)
    return pl.Series(name, [_as_text(cell) for cell in cells], pl.String)


def _as_text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return orjson.dumps(cell).decode()


def _sections(value: Any, *, but: Set[str] = frozenset()) -> Iterator[Section]:
    """One section for each top-level name, its values as lines `path: value`, but of some paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if told := "\n".join(_told(inner, str(key), but)):
                yield Section(Place.name(str(key)), told)
    else:
        yield Section(Place.name("document"), "\n".join(_told(value, "", but)))


def _told(value: Any, path: str, but: Set[str]) -> Iterator[str]:
    if path in but:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _told(inner, f"{path}.{key}" if path else str(key), but)
    elif isinstance(value, list):
        if value and all(_is_scalar(item) for item in value):
            yield f"{path}: {', '.join(str(item) for item in value)}"
        else:
            for number, inner in enumerate(value, start=1):
                yield from _told(inner, f"{path}[{number}]", but)
    else:
        yield f"{path}: {value}" if path else str(value)
