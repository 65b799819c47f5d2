"""Reads delimited text into a table of strings, row by row, under caps.

Policy, which the warnings repeat: a row that is too short is kept, its last cells missing; a row
that is too long is left out, because nobody can say which of its cells is the one too many. Blank
lines are passed over. Duplicate column names get a number, empty ones are called `column_N`.
"""

import csv
import re
from codecs import BOM_UTF8
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar, cast

import polars as pl

from foundations.public_works.parsing.even_rows import blocks_of_rows, lines_in, read_even
from foundations.public_works.parsing.faults import (
    ColumnLimit,
    FieldLimit,
    NoData,
    UnreadableFile,
)
from foundations.public_works.parsing.heads import Head, head_of
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.notes import Notes

MAX_FIELD = 1_000_000
MAX_LINE = 16_000_000
MAX_COLUMNS = 4_096
_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 200
_CHUNK_ROWS = 50_000
_UTF_8 = ("utf-8", "utf-8-sig")
_STATED = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Row = list[str]
Made = TypeVar("Made")


class CsvRows:
    """The rows of delimited text as strings, block by block, from the first as often as is asked.

    Missing cells are null. `notes` and `truncated` (rows beyond the cap were left) tell of the last
    time that they were read to the end.
    """

    def __init__(
        self, path: Path, *, encoding: str, delimiter: str, options: ParseOptions, strict: bool
    ) -> None:
        self._path = path
        self._encoding = encoding
        self._delimiter = delimiter
        self._most = options.most_rows_of_text
        self._strict = strict
        self._of_header = Notes()
        with self._text() as file:
            sample = list(islice(_rows(file, delimiter, strict=strict), _SAMPLE_ROWS))
        if not sample:
            raise NoData("the file holds no rows")
        self.names, body = _headed(sample, options, self._of_header)
        self._above = len(sample) - len(body)
        self._begin()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        self._begin()
        if self._strict:
            yield from self._in_blocks()
            return
        with self._text() as file:
            rows = _rows(file, self._delimiter, strict=False)
            yield from self._framed(islice(rows, self._above, None))

    def _begin(self) -> None:
        self.notes, self.truncated = Notes(), False
        self.notes.take(self._of_header)
        self._read = 0

    def _in_blocks(self) -> Iterator[pl.DataFrame]:
        """Even blocks at once, the others row by row."""
        above, line = self._above, 0
        with self._bytes() as file:
            for block in blocks_of_rows(file):
                even = read_even(
                    block, delimiter=self._delimiter, width=len(self.names), longest=MAX_FIELD
                )
                if even is not None and self._read + even.height - above <= self._most:
                    even.columns = self.names
                    frames = [even.slice(above)]
                    self._read += frames[0].height
                else:
                    with TextIOWrapper(BytesIO(block), encoding="utf-8", newline="") as text:
                        rows = _rows(text, self._delimiter, strict=True, above=line)
                        frames = list(self._framed(islice(rows, above, None)))
                if any(frame.height for frame in frames):
                    yield pl.concat(frames, rechunk=True)
                if self.truncated:
                    return
                above = 0
                line += lines_in(block)

    def _framed(self, rows: Iterable[tuple[int, Row]]) -> Iterator[pl.DataFrame]:
        """Rows as columns of strings, fifty thousand at a time, up to the cap."""
        block: list[Row] = []
        for line, row in rows:
            fitted = _fitted(row, len(self.names), line, self.notes)
            if fitted is None:
                continue
            if self._read == self._most:
                told = f"only the first {self._most:,} rows were read"
                self.notes.add("rows", told, line=line, code="row_cap")
                self.truncated = True
                break
            block.append(fitted)
            self._read += 1
            if len(block) == _CHUNK_ROWS:
                yield _block(block, self.names)
                block = []
        if block:
            yield _block(block, self.names)

    @contextmanager
    def _text(self) -> Iterator[TextIO]:
        with self._path.open(encoding=self._encoding, newline="", errors="strict") as file:
            _pass_over_stated(file)
            yield file

    @contextmanager
    def _bytes(self) -> Iterator[BinaryIO]:
        """The text as UTF-8, below what only states its delimiter."""
        if self._encoding in _UTF_8:
            with self._path.open("rb") as file:
                begin = len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
                file.seek(begin)
                if not _STATED.fullmatch(file.readline(16).decode(errors="replace")):
                    file.seek(begin)
                yield file
            return
        try:
            with self._text() as text:
                yield cast("BinaryIO", _InUtf8(text))
        except UnicodeDecodeError:
            with self._text() as text:  # row by row, which tells where
                deque(_rows(text, self._delimiter, strict=True), maxlen=0)
            raise


class _InUtf8:
    """What is read of a text, in UTF-8."""

    def __init__(self, text: TextIO) -> None:
        self._text = text

    def read(self, size: int) -> bytes:
        return self._text.read(size).encode()


def read_csv(
    path: Path,
    *,
    encoding: str,
    delimiter: str,
    options: ParseOptions,
    notes: Notes,
    take: Callable[[CsvRows], Made],
) -> Made:
    """What `take` makes of the rows of a file; it is asked again where quotes stand loose.

    Raises:
        FieldLimit, ColumnLimit: a cap is passed. UnreadableFile: bytes or quotes make no sense.
        NoData: there is no row at all.
    """
    csv.field_size_limit(MAX_FIELD)
    try:
        rows = CsvRows(path, encoding=encoding, delimiter=delimiter, options=options, strict=True)
        made = take(rows)
    except _LooseQuotes as loose:
        notes.add(
            "quotes",
            f"a quote is not closed or not doubled ({loose})",
            line=loose.line,
            code="loose_quotes",
        )
        rows = CsvRows(path, encoding=encoding, delimiter=delimiter, options=options, strict=False)
        made = take(rows)
    notes.take(rows.notes)
    return made


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


class _LooseQuotes(Exception):
    def __init__(self, error: csv.Error, line: int) -> None:
        super().__init__(str(error))
        self.line = line


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
    head = head_of([row for _, row in sample], header=options.header)
    line, body = sample[head.at][0], sample[head.body :]
    note_titles(head, notes, line=sample[0][0])
    if not head.names:
        if options.header is None:
            notes.add(
                "header",
                "the first row holds data; columns are called column_N",
                line=line,
                code="no_header",
            )
        width = len(sample[head.body][1])
        return [f"column_{n}" for n in range(1, width + 1)], body
    usual = Counter(len(row) for _, row in body).most_common(1)
    width = max(len(head.names), usual[0][0] if usual and usual[0][1] > len(body) / 2 else 0)
    names = [*head.names, *[""] * (width - len(head.names))]
    return unique_names(names, notes, line=line), body


def note_titles(head: Head, notes: Notes, *, line: int = 0, of: str = "") -> None:
    """Say so where lines above the names of columns were taken for titles."""
    if head.titles:
        notes.add(
            "titles above tables",
            f"what stands above the names of the columns{f' of {of}' if of else ''} is no row: "
            f"{' / '.join(head.titles)[:200]}",
            line=line,
            code="title_lines",
        )


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


def _rows(
    file: TextIO, delimiter: str, *, strict: bool, above: int = 0
) -> Iterator[tuple[int, Row]]:
    """Each row that is not blank with the number of its last line; `above` are lines before."""
    reader = csv.reader(_lines(file, above), delimiter=delimiter, strict=strict)
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise ColumnLimit(
                    f"line {above + reader.line_num} has {len(row):,} columns; "
                    f"{MAX_COLUMNS:,} are allowed",
                    hint="is the delimiter right? a table this wide can be turned on its side",
                )
            if any(row):
                yield above + reader.line_num, row
    except csv.Error as error:
        if "field larger" in str(error):
            raise _long_field(above + reader.line_num) from error
        raise _LooseQuotes(error, above + reader.line_num) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"after line {above + reader.line_num} the text is no {error.encoding}",
            hint="name the right encoding in the parse options",
        ) from error


def _lines(file: TextIO, above: int) -> Iterator[str]:
    """Lines, none longer than the cap and none with a NUL."""
    number = above
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
