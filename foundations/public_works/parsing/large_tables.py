"""Tables too large for memory: typed block by block, kept as Parquet, profiled by columns.

The types are those that `typing_cells` gives to the whole. They are decided by witnesses: for each
question that decides, one cell that says yes and one that says no, if there are such. So the first
block decides, and every later one is asked whether it holds a witness against what was decided.
Where one does, the rest is only asked, and then all is read again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.io.plugins import register_io_source

from foundations.public_works.parsing.csv_reading import CsvRows
from foundations.public_works.parsing.models import ColumnProfile, ColumnType, ValueCount
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.profiles import TOP, Known, column_profile, scalar
from foundations.public_works.parsing.sources import Stored
from foundations.public_works.parsing.table_words import ROW_PASSAGES
from foundations.public_works.parsing.typing_cells import (
    ASKED_OF_ALL,
    ASKED_OF_ANY,
    TEXT,
    Spoilers,
    Typing,
    decimal_mark,
    has_group_marks,
    is_pointed,
    meant,
    missing_words,
    note_words,
    says_comma,
    typing_of,
    without_group_marks,
    without_points,
)

_SLICE_ROWS = 250_000
_FEW = 1_000
_AT_ONCE = ThreadPoolExecutor(2)
"""Columns of a block are worked on by as many threads as polars has in a child."""
Hashes = NDArray[np.uint64]


def store(
    rows: CsvRows, blocks: Iterator[pl.DataFrame], path: Path, *, comma_is_decimal: bool
) -> tuple[Stored, pl.DataFrame, str]:
    """Write all rows to `path`, typed: the table, its first rows, and the mark before decimals.

    `blocks` is a reading of the rows that has begun already. What is known of the table is exact,
    but that different texts, and different rows, are told apart by hashes of 64 bits: of ten
    million, two have the same with a chance of 1 in 370,000.
    """
    deciding = _Deciding(rows.names, comma_is_decimal=comma_is_decimal)
    while True:
        writing = _Writing(deciding)
        writing.write(blocks, path)
        if not deciding.changed:
            break
        deciding.changed = False
        blocks = iter(rows)
    writing.note(rows.notes)
    whole = pl.scan_parquet(path, glob=False)
    first = whole.head(ROW_PASSAGES).collect()
    different, _, _ = _repeated(writing.row_hashes)
    known = Known(
        rows=writing.height,
        repeated=writing.height - different,
        columns=tuple(_column(whole, writing.height, like=column) for column in first),
    )
    return Stored(path, known), first, deciding.mark


class _Deciding:
    """How each column is read, by witnesses that are gathered block by block."""

    def __init__(self, names: Sequence[str], *, comma_is_decimal: bool) -> None:
        self.typings: dict[str, Typing] = {}
        self.pointed: frozenset[str] = frozenset()
        self.mark = ""
        self.changed = False
        self.settled: frozenset[str] = frozenset()
        """The columns of the last block whose cells can be read as they stand."""
        self._otherwise = comma_is_decimal
        self._witnesses: dict[str, list[str]] = {name: [] for name in names}
        self._answered: dict[str, set[tuple[str, bool]]] = {name: set() for name in names}
        self._spoilt: set[str] = set()
        self._spoiling = Lock()

    def look(self, block: pl.DataFrame) -> None:
        """Gather from a block what its columns hold against what was decided; decide anew."""
        if not self.typings:
            for series in block.head(_FEW):
                self._gather(series)
            self._decide()
        before = self.typings, self.pointed
        settled = _AT_ONCE.map(self._is_settled, block)
        self.settled = frozenset(one.name for one, hold in zip(block, settled, strict=True) if hold)
        grown = [self._gather(one) for one in block if one.name not in self.settled]
        if any(grown):
            self._decide()
        self.changed = self.changed or before != (self.typings, self.pointed)

    def spoil(self, name: str) -> None:
        """Leave a column text: a cell that looks right means nothing, such as the 31st of June."""
        with self._spoiling:
            self._spoilt.add(name)
            self._decide()
            self.changed = True

    def _is_settled(self, cells: pl.Series) -> bool:
        """Whether these cells, read as they stand, tell nothing new of their column."""
        witnesses = self._values(cells.name)
        return self.typings[cells.name].is_settled(witnesses, cells.drop_nulls())

    def _gather(self, cells: pl.Series) -> bool:
        """Keep what of these cells stands for the column; whether there was something new."""
        name = cells.name
        values = meant(cells).drop_nulls()
        known = len(self._witnesses[name])
        if not known:
            self._witnesses[name] += values.head(1).to_list()
        self._ask(name, values, values)
        if has_group_marks(self._values(name)):
            self._ask(name, values, without_group_marks(values), bare=True)
        return len(self._witnesses[name]) > known

    def _ask(self, name: str, values: pl.Series, read: pl.Series, *, bare: bool = False) -> None:
        """Keep the first value against each question of all, and for each of any."""
        answered = self._answered[name]
        for questions, wanted in ((ASKED_OF_ALL, False), (ASKED_OF_ANY, True)):
            for question in questions:
                if (question, bare) in answered:
                    continue
                says = read.str.contains(question)
                at = (says if wanted else ~says).arg_max()
                if at is not None and says[at] is wanted:
                    answered.add((question, bare))
                    self._witnesses[name].append(values[at])

    def _decide(self) -> None:
        columns = [self._values(name) for name in self._witnesses]
        self.mark = decimal_mark(columns)
        comma = says_comma(self.mark, otherwise=self._otherwise)
        pointed = [column for column in columns if self.mark == "," and is_pointed(column)]
        self.pointed = frozenset(column.name for column in pointed)
        self.typings = {
            column.name: TEXT
            if column.name in self._spoilt
            else typing_of(
                without_points(column) if column.name in self.pointed else column,
                comma_is_decimal=comma,
            )
            for column in columns
        }

    def _values(self, name: str) -> pl.Series:
        return pl.Series(name, self._witnesses[name], pl.String)


class _Writing:
    """One reading of all rows, which writes them as long as nothing changes how they are read."""

    def __init__(self, deciding: _Deciding) -> None:
        self.height = 0
        self.row_hashes: list[Hashes] = []
        self._deciding = deciding
        self._words: dict[str, Counter[str]] = {}
        self._spoilers: dict[str, Spoilers] = {}

    def write(self, blocks: Iterator[pl.DataFrame], path: Path) -> None:
        first = next(blocks)
        self._deciding.look(first)
        self._deciding.changed = False  # nothing was written yet
        self._spoilers = {name: Spoilers(name) for name in first.columns}
        self._words = {name: Counter() for name in first.columns}
        empty = pl.DataFrame([self._read_column(series) for series in first.clear()])
        made = _ahead(self._typed(chain([first], _ahead(blocks))))
        register_io_source(lambda *_: made, schema=empty.schema).sink_parquet(
            path, row_group_size=_SLICE_ROWS
        )

    def note(self, notes: Notes) -> None:
        for name, typing in self._deciding.typings.items():
            if typing.convert is None:
                self._spoilers[name].note(notes)
            else:
                note_words(name, self._words[name], notes)

    def _typed(self, blocks: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The blocks in their types, the first of which was looked at; none once that changes."""
        for place, block in enumerate(blocks):
            if place:
                self._deciding.look(block)
            if self._deciding.changed:
                continue
            made = pl.DataFrame(list(_AT_ONCE.map(self._read_column, block)))
            if not self._deciding.changed:
                self.height += made.height
                self.row_hashes.append(made.hash_rows().to_numpy())
                yield made

    def _read_column(self, cells: pl.Series) -> pl.Series:
        name = cells.name
        typing = self._deciding.typings[name]
        if typing.convert is None:
            if typing is TEXT or name not in self._deciding.settled:
                self._spoilers[name].look(meant(cells))
            return cells
        if name in self._deciding.pointed:
            cells = without_points(cells)
        if name not in self._deciding.settled:
            self._words[name].update(missing_words(cells))
            cells = meant(cells)
        made = typing.convert(cells)
        if made is None or made.null_count() != cells.null_count():
            self._deciding.spoil(name)
            return cells
        return made.alias(name)


def _ahead(blocks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The blocks, each made while the one before is at work."""
    with ThreadPoolExecutor(1) as making:
        coming = making.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = making.submit(next, blocks, None)
            yield block


def _column(whole: pl.LazyFrame, height: int, *, like: pl.Series) -> ColumnProfile:
    """The facts of a column, read whole if it is of figures, and in slices if it is of text."""
    column = whole.select(like.name)
    if like.dtype == pl.String:
        return _Texts(column, like.name, height).profile()
    return column_profile(column.collect().to_series().rechunk())


class _Texts:
    """A column of text, of which hashes are counted."""

    def __init__(self, column: pl.LazyFrame, name: str, height: int) -> None:
        self._column = column
        self._name = name
        self._height = height

    def profile(self) -> ColumnProfile:
        """The facts of the column."""
        hashes: list[Hashes] = []
        ends: list[str] = []
        filled = 0
        for values in self._slices():
            filled += len(values)
            if len(values):
                ends += [str(values.min()), str(values.max())]
                hashes.append(values.hash().to_numpy())
        different, repeated, counts = _repeated(hashes)
        return ColumnProfile(
            name=self._name,
            type=ColumnType.TEXT if filled else ColumnType.EMPTY,
            missing=self._height - filled,
            distinct=different,
            minimum=scalar(min(ends, default=None)),
            maximum=scalar(max(ends, default=None)),
            most_frequent=self._most_frequent(repeated, counts),
        )

    def _most_frequent(self, repeated: Hashes, counts: NDArray[np.int64]) -> tuple[ValueCount, ...]:
        """The commonest values; of those that are as common as the last, the first by value."""
        if not len(counts):
            return ()
        last = np.sort(counts)[-TOP:][0]
        common, tied = pl.Series(repeated[counts > last]), pl.Series(repeated[counts == last])
        found: dict[str, int] = {}
        for values in self._slices():
            for hashes in (common, tied):
                chosen = values.filter(values.hash().is_in(hashes.implode())).unique().sort()
                found |= dict.fromkeys(chosen.head(TOP), 0)
            if len(found) == len(common) + len(tied):
                break
        names = pl.Series(list(found), dtype=pl.String)
        places = np.searchsorted(repeated, names.hash().to_numpy())
        ordered = sorted(zip(-counts[places], found, strict=True))[:TOP]
        return tuple(ValueCount(value=str(scalar(name)), count=-int(n)) for n, name in ordered)

    def _slices(self) -> Iterator[pl.Series]:
        """The values that are there, a quarter of a million rows at a time."""
        for start in range(0, self._height, _SLICE_ROWS):
            yield self._column.slice(start, _SLICE_ROWS).collect().to_series().drop_nulls()


def _repeated(parts: list[Hashes]) -> tuple[int, Hashes, NDArray[np.int64]]:
    """How many hashes differ, those that are there more than once, and how often each is.

    `parts` are emptied: there is no room for all of them twice.
    """
    ordered = np.empty(sum(map(len, parts)), np.uint64)
    end = len(ordered)
    while parts:
        part = parts.pop()
        ordered[end - len(part) : end] = part
        end -= len(part)
    ordered.sort()
    same = np.zeros(len(ordered) + 1, np.bool_)
    np.equal(ordered[1:], ordered[:-1], out=same[1:-1])
    begins = np.flatnonzero(same[1:] & ~same[:-1])
    ends = np.flatnonzero(same[:-1] & ~same[1:])
    return len(ordered) - int(same.sum()), ordered[begins], ends - begins + 1
