"""A table as insights see it: each column cleaned, with its role and its unit."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from foundations.public_works.parsing.insights.model import Cell, Evidence
from foundations.public_works.parsing.insights.numerics.effects import Codes, Numbers
from foundations.public_works.parsing.insights.tables.cleaning import NUMERIC, Cleaned, cleaned
from foundations.public_works.parsing.insights.tables.drawing import Drawn, read_or_drawn
from foundations.public_works.parsing.insights.tables.units import SIGNS, UNITS
from foundations.public_works.parsing.models import ColumnType, TableProfile
from foundations.public_works.parsing.profiles import column_type, scalar

ROWS_SHOWN = 20
MOST_GROUPS = 30
SAMPLED = 50_000
"""So many rows, drawn by lot, are enough to tell whether something is related."""
_STEADY = 20250101
MOST_LABELS = 5_000
_SORTED = 0.9
TEMPORAL = (ColumnType.DATE, ColumnType.DATETIME)
_IDENTIFYING = re.compile(
    r"((^|[_\s.-])(id|ids|uuid|guid|key|nr|no|num|code|sku|isbn|iban|ean|zip|zipcode|plz|"
    r"postcode|postal_?code|phone|telefon|fax|index|row)|number|nummer|\w{3}nr|leitzahl)\W?$"
)
_YEAR = re.compile(r"(^|[_\s])(year|yr|jahr|annee|ano|anno)$")


class Role(StrEnum):
    """What a column is good for."""

    NUMBER = "number"
    CATEGORY = "category"
    LABELS = "labels"
    TIME = "time"
    IDENTIFIER = "identifier"
    TEXT = "text"
    CONSTANT = "constant"
    EMPTY = "empty"


@dataclass(frozen=True)
class Column:
    """One column. `raw` is as it was read; `series` is what can be counted with."""

    name: str
    raw: pl.Series
    cleaned: Cleaned
    type: ColumnType
    role: Role
    unit: str

    @property
    def series(self) -> pl.Series:
        return self.cleaned.series

    @cached_property
    def filled(self) -> pl.Series:
        """The values that are there."""
        return self.series.drop_nulls()

    @cached_property
    def values(self) -> Numbers:
        """A number for every row, NaN where there is none; times in days."""
        return as_numbers(self.series)

    @cached_property
    def distinct(self) -> int:
        """How many different values are there."""
        return self.filled.n_unique()

    @cached_property
    def present(self) -> Numbers:
        """The numbers that are there."""
        return self.values[np.isfinite(self.values)]

    @property
    def zoned(self) -> bool:
        """Whether it holds points in time, which are read in UTC, not the time of some place."""
        dtype = self.series.dtype
        return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None

    @property
    def is_sorted(self) -> bool:
        """Whether the rows stand in the order of its numbers, nearly all, as no series wanders.

        What is counted in even steps is no such column: its order is that of time.
        """
        every = np.diff(self.present)
        steps = every[every != 0]
        if not len(steps) or np.ptp(every) <= 1e-9 * np.abs(every).max():
            return False
        return bool(max(np.mean(steps > 0), np.mean(steps < 0)) >= _SORTED)

    @cached_property
    def codes(self) -> Codes:
        """A code for every row by the order of the labels, -1 where there is none."""
        labels = self.labels
        text = self.series.cast(pl.String)
        ranked = pl.Series(labels, dtype=pl.String)
        places = pl.DataFrame({"label": ranked, "code": np.arange(len(labels), dtype=np.int64)})
        joined = pl.DataFrame({"label": text}).join(
            places, on="label", how="left", maintain_order="left"
        )
        return joined["code"].fill_null(-1).to_numpy().astype(np.intp)

    @cached_property
    def labels(self) -> list[str]:
        """The different values as text, sorted."""
        return sorted(self.filled.cast(pl.String).unique().to_list())


@dataclass(frozen=True, slots=True)
class TotalRow:
    """A row, counted from 1, that sums up others: columns where it does, and where it is wrong.

    Of those their names, what they say, and what the rows come to.
    """

    row: int
    right: tuple[str, ...]
    wrong: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Table:
    """A table with its columns."""

    name: str
    frame: pl.DataFrame
    columns: tuple[Column, ...]
    drawn: Drawn | None = None
    """Which rows these are, where they were drawn by lot from too many."""
    totals: tuple[TotalRow, ...] = ()
    kept: NDArray[np.intp] | None = None
    """Which rows these are, where totals among them were set apart."""

    @property
    def height(self) -> int:
        return self.frame.height

    def of(self, *roles: Role) -> list[Column]:
        """The columns that have one of the roles, in their order."""
        return [column for column in self.columns if column.role in roles]

    @cached_property
    def sample(self) -> "Table":
        """This table, or so many of its rows as tests of relations need, in their order."""
        if self.height <= SAMPLED:
            return self
        lots = np.random.default_rng(_STEADY)
        rows = np.sort(lots.choice(self.height, SAMPLED, replace=False))
        columns = tuple(
            replace(
                column,
                raw=column.raw.gather(rows),
                cleaned=Cleaned(column.cleaned.series.gather(rows)),
            )
            for column in self.columns
        )
        drawn = self.drawn and replace(self.drawn, rows=self.drawn.rows[rows])
        kept = rows if self.kept is None else self.kept[rows]
        return Table(self.name, self.frame[rows], columns, drawn, self.totals, kept)

    def named(self, name: str) -> Column:
        """The column of a name."""
        return next(column for column in self.columns if column.name == name)

    @cached_property
    def clock(self) -> Column | None:
        """The column that says when: the one of the most different times."""
        times = self.of(Role.TIME)
        return max(times, key=lambda c: c.filled.n_unique(), default=None)

    def number(self, row: int) -> int:
        """The number that a row, counted from 0, has in its file, where the first is 1."""
        return int(self.numbers[row])

    @cached_property
    def numbers(self) -> Numbers:
        """The numbers that its rows have in their file."""
        places = self.kept if self.drawn is None else self.drawn.rows
        return np.asarray((np.arange(self.height) if places is None else places) + 1.0)

    def evidence(self, *columns: str, rows: object = ()) -> Evidence:
        """A place in this table; `rows` are counted from 0."""
        numbers = tuple(self.number(row) for row in first_rows(rows))
        return Evidence(table=self.name, columns=columns, rows=numbers)

    def cells(self, column: str, rows: object) -> tuple[Cell, ...]:
        """Cells of a column as they stand there; `rows` are counted from 0."""
        series = self.frame[column]
        return tuple(
            Cell(row=self.number(row), column=column, value=scalar(series[row]))
            for row in first_rows(rows)
        )


def table_of(frame: pl.DataFrame, name: str, drawn: Drawn | None = None) -> Table:
    """The columns of a frame, each looked at once."""
    return Table(name, frame, tuple(_column(series) for series in frame), drawn)


def stored_table(path: Path, known: TableProfile) -> Table:
    """A table as it was stored, or rows drawn by lot of one that is too large."""
    frame, drawn = read_or_drawn(path, known)
    return table_of(frame, known.name, drawn)


def as_numbers(series: pl.Series) -> Numbers:
    """The values as floats, NaN where there is none; times as days since 1970."""
    if column_type(series) in TEMPORAL:
        micros = series.cast(pl.Datetime("us")).dt.replace_time_zone(None).to_physical()
        return micros.cast(pl.Float64).to_numpy() / 86_400e6 if len(micros) else np.empty(0)
    if column_type(series) not in NUMERIC:
        return np.full(len(series), np.nan)
    found = series.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def first_rows(places: object) -> tuple[int, ...]:
    """The first few of rows counted from 0."""
    if isinstance(places, pl.Series | np.ndarray):
        places = (
            places[:ROWS_SHOWN].tolist()
            if isinstance(places, np.ndarray)
            else list(places[:ROWS_SHOWN])
        )
    assert isinstance(places, list | tuple | range)
    return tuple(int(place) for place in places[:ROWS_SHOWN])


def says_identifier(name: str) -> bool:
    """Whether the name of a column says that its values name things."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).casefold()
    return _IDENTIFYING.search(words) is not None


def _column(raw: pl.Series) -> Column:
    clean = cleaned(raw)
    kind = column_type(clean.series)
    role = _role(clean.series, kind)
    unit = clean.units[0][0] if clean.units else unit_of(raw.name)
    return Column(raw.name, raw, clean, kind, role, unit)


def _role(series: pl.Series, kind: ColumnType) -> Role:
    filled = series.drop_nulls()
    distinct = filled.n_unique()
    if not distinct:
        return Role.EMPTY
    if distinct == 1:
        return Role.CONSTANT
    if kind in TEMPORAL:
        return Role.TIME
    if kind is ColumnType.BOOLEAN:
        return Role.CATEGORY
    if kind in NUMERIC:
        return _numeric_role(filled, kind, distinct)
    if kind is not ColumnType.TEXT or series.dtype != pl.String:
        return Role.TEXT
    return _text_role(series, distinct)


def _numeric_role(filled: pl.Series, kind: ColumnType, distinct: int) -> Role:
    if kind is ColumnType.INTEGER:
        words = filled.name.casefold()
        if _YEAR.search(words) and bool(filled.is_between(1500, 2200).all()):
            return Role.TIME
        if says_identifier(filled.name) or _counts_rows(filled, distinct):
            return (
                Role.CATEGORY
                if distinct <= MOST_GROUPS and distinct <= len(filled) // 5
                else (Role.IDENTIFIER)
            )
    if distinct == 2 and len(filled) >= 10:
        return Role.CATEGORY
    return Role.NUMBER


def _counts_rows(filled: pl.Series, distinct: int) -> bool:
    """Whether the values are as a counter gives them: each one more than the one before."""
    if distinct != len(filled) or distinct < 10:
        return False
    steps = filled.diff().drop_nulls()
    return bool((steps == 1).all())


def _text_role(series: pl.Series, distinct: int) -> Role:
    filled = series.drop_nulls()
    if distinct <= min(MOST_GROUPS, max(2, len(filled) // 3)):
        return Role.CATEGORY
    spaces = filled.str.contains(" ", literal=True).any()
    if (
        distinct == len(filled)
        and not spaces
        and int(filled.str.len_chars().sum()) <= 40 * distinct
    ):
        return Role.IDENTIFIER
    return Role.LABELS if distinct <= min(MOST_LABELS, len(filled) // 2) else Role.TEXT


_ALONE = frozenset({"percent", "pct", "celsius", "fahrenheit", "euros", "dollars", "eur", "usd"})


def unit_of(name: str) -> str:
    """The unit that the name of a column ends in, as in `wind_kmh`, `Price (EUR)` or `Share %`."""
    bare = name.strip().casefold()
    if found := re.search(r"[(\[]\s*([^)\]]{1,12})\s*[)\]]$", bare):
        inside = found[1].strip()
        known = SIGNS.get(inside, UNITS.get(inside.strip("."), ""))
        return known or (inside if "/" in inside or "²" in inside or "³" in inside else "")
    for sign, unit in SIGNS.items():
        if bare.endswith(sign):
            return unit
    words = re.split(r"[_\s]+", bare)
    if len(words) > 1 and words[-1] in UNITS:
        return UNITS[words[-1]]
    return UNITS[bare] if bare in _ALONE else ""
