"""Reads delimited text into a table of strings, row by row, under caps.

Policy, which the warnings repeat: a row that is too short is kept, its last cells missing; a row
that is too long is left out, because nobody can say which of its cells is the one too many. Blank
lines are passed over. Duplicate column names get a number, empty ones are called `column_N`.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import polars as pl

from foundations.public_works.parsing.even_rows import read_even
from foundations.public_works.parsing.faults import (
    ColumnLimit,
    FieldLimit,
    NoData,
    UnreadableFile,
)
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.notes import Notes

MAX_FIELD = 1_000_000
MAX_LINE = 16_000_000
MAX_COLUMNS = 4_096
_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 200
_CHUNK_ROWS = 50_000
_STATED = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LIKE_DATA = re.compile(r"\s*(?:[+-]?[\d.,]+(?:[eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*)\s*")

Row = list[str]


def read_csv(
    path: Path, *, encoding: str, delimiter: str, options: ParseOptions, notes: Notes
) -> tuple[pl.DataFrame, bool]:
    """The table as strings (missing cells null), and whether rows beyond the cap were left.

    Raises:
        FieldLimit, ColumnLimit: a cap is passed. UnreadableFile: bytes or quotes make no sense.
        NoData: there is no row at all.
    """
    csv.field_size_limit(MAX_FIELD)
    try:
        return _read(path, encoding, delimiter, options, notes, strict=True)
    except _LooseQuotes as loose:
        notes.add(
            "quotes",
            f"a quote is not closed or not doubled ({loose})",
            line=loose.line,
            code="loose_quotes",
        )
        return _read(path, encoding, delimiter, options, notes, strict=False)


def delimiter_of(path: Path, encoding: str) -> str:
    """The delimiter a file states in its first line, as Excel does by `sep=;`, or looks to have.

    That is the one which cuts the first rows into the most equal number of cells, two or more.
    """
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        sample = file.read(64 * 1024).replace("\x00", "")
    if stated := _STATED.match(sample):
        return stated[1]
    lines = sample.splitlines(keepends=True)[:_SAMPLE_ROWS]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        score = _evenness(lines, delimiter)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def unique_names(names: Iterable[str], notes: Notes, *, line: int = 1) -> list[str]:
    """Column names made complete and different from each other, each change noted."""
    taken: set[str] = set()
    made: list[str] = []
    for number, raw in enumerate(names, start=1):
        name = _CONTROL.sub("", " ".join(raw.split()))[:200] or f"column_{number}"
        if not raw.strip():
            notes.add(
                "headers without a name",
                f"column {number} is called {name}",
                line=line,
                code="nameless_header",
            )
        unique, copy = name, 2
        while unique in taken:
            unique, copy = f"{name}_{copy}", copy + 1
        if unique != name:
            notes.add(
                "headers that repeat",
                f"column {number} repeats the name {name!r}; it is called {unique}",
                line=line,
                code="repeated_header",
            )
        taken.add(unique)
        made.append(unique)
    return made


def names_columns(first: Row) -> bool:
    """Whether a first row looks like names: not when all its cells look like numbers or dates."""
    filled = [cell for cell in first if cell.strip()]
    return not filled or not all(_LIKE_DATA.fullmatch(cell) for cell in filled)


class _LooseQuotes(Exception):
    def __init__(self, error: csv.Error, line: int) -> None:
        super().__init__(str(error))
        self.line = line


def _read(
    path: Path, encoding: str, delimiter: str, options: ParseOptions, notes: Notes, *, strict: bool
) -> tuple[pl.DataFrame, bool]:
    local = Notes()
    with path.open(encoding=encoding, newline="", errors="strict") as file:
        _pass_over_stated(file)
        rows = _rows(file, delimiter, strict=strict)
        sample = list(islice(rows, _SAMPLE_ROWS))
        if not sample:
            raise NoData("the file holds no rows")
        header, body = _headed(sample, options, local)
        even = read_even(
            path,
            encoding=encoding,
            delimiter=delimiter,
            width=len(header),
            most=options.max_rows,
            longest=MAX_FIELD,
        )
        if even is not None:
            even.columns = header
            frame, truncated = even.slice(len(sample) - len(body)), False
        else:
            frame, truncated = _framed(chain(body, rows), header, options.max_rows, local)
    notes.take(local)
    return frame, truncated


def _pass_over_stated(file: TextIO) -> None:
    """Begin below a first line that only states the delimiter."""
    begin = file.tell()
    try:
        first = file.readline(16)
    except UnicodeDecodeError:
        first = ""  # told with its line when the rows are read
    if not _STATED.fullmatch(first):
        file.seek(begin)


def _headed(
    sample: list[tuple[int, Row]], options: ParseOptions, notes: Notes
) -> tuple[list[str], list[tuple[int, Row]]]:
    """The names of the columns, and the sampled rows below them."""
    line, first = sample[0]
    has_header = names_columns(first) if options.header is None else options.header
    if not has_header:
        if options.header is None:
            notes.add(
                "header",
                "the first row holds data; columns are called column_N",
                line=line,
                code="no_header",
            )
        return [f"column_{n}" for n in range(1, len(first) + 1)], sample
    body = sample[1:]
    usual = Counter(len(row) for _, row in body).most_common(1)
    width = max(len(first), usual[0][0] if usual and usual[0][1] > len(body) / 2 else 0)
    return unique_names(first + [""] * (width - len(first)), notes, line=line), body


def _framed(
    rows: Iterable[tuple[int, Row]], header: list[str], most: int, notes: Notes
) -> tuple[pl.DataFrame, bool]:
    """All rows as columns of strings, fifty thousand rows at a time."""
    frames: list[pl.DataFrame] = []
    block: list[Row] = []
    count = 0
    truncated = False
    for line, row in rows:
        fitted = _fitted(row, len(header), line, notes)
        if fitted is None:
            continue
        if count == most:
            notes.add("rows", f"only the first {most:,} rows were read", line=line, code="row_cap")
            truncated = True
            break
        block.append(fitted)
        count += 1
        if len(block) == _CHUNK_ROWS:
            frames.append(_block(block, header))
            block = []
    frames.append(_block(block, header))
    return pl.concat(frames, rechunk=True), truncated


def _fitted(row: Row, width: int, line: int, notes: Notes) -> Row | None:
    """The row at the table's width, or None when it has too many cells."""
    if len(row) == width:
        return row
    if len(row) < width:
        notes.add(
            "rows with too few cells, the rest read as missing",
            f"the row has {len(row)} cells of {width}; the rest is read as missing",
            line=line,
            code="short_row",
        )
        return row + [""] * (width - len(row))
    if not any(row[width:]):
        return row[:width]  # a delimiter at the line's end
    notes.add(
        "rows with too many cells, left out",
        f"the row has {len(row)} cells where {width} are expected; it is left out",
        line=line,
        code="long_row",
    )
    return None


def _block(rows: list[Row], header: list[str]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    series = [
        pl.Series(
            name, [cell if cell and not cell.isspace() else None for cell in cells], pl.String
        )
        for name, cells in zip(header, columns, strict=True)
    ]
    return pl.DataFrame(series)


def _rows(file: TextIO, delimiter: str, *, strict: bool) -> Iterator[tuple[int, Row]]:
    """Each row that is not blank with the number of its last line."""
    reader = csv.reader(_lines(file), delimiter=delimiter, strict=strict)
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise ColumnLimit(
                    f"line {reader.line_num} has {len(row):,} columns; {MAX_COLUMNS:,} are allowed",
                    hint="is the delimiter right? a table this wide can be turned on its side",
                )
            if any(row):
                yield reader.line_num, row
    except csv.Error as error:
        if "field larger" in str(error):
            raise _long_field(reader.line_num) from error
        raise _LooseQuotes(error, reader.line_num) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"after line {reader.line_num} the text is no {error.encoding}",
            hint="name the right encoding in the parse options",
        ) from error


def _lines(file: TextIO) -> Iterator[str]:
    """Lines, none longer than the cap and none with a NUL."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise _long_field(number)
        if "\x00" in line:
            raise UnreadableFile(
                f"line {number} holds a NUL byte, which no text has",
                hint="is the file complete? export it again",
            )
        yield line


def _long_field(line: int) -> FieldLimit:
    return FieldLimit(
        f"line {line} holds a field longer than {MAX_FIELD:,} characters",
        hint="is a quote left open, or is the file no CSV?",
    )


def _evenness(lines: list[str], delimiter: str) -> float:
    """Share of rows with the usual number of cells; more cells break a tie; 0 for one column."""
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    except csv.Error:
        return 0.0
    if not widths:
        return 0.0
    usual, count = widths.most_common(1)[0]
    return 0.0 if usual < 2 else count / widths.total() + min(usual, 100) / 10_000
