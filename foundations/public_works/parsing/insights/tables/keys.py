"""Columns that identify rows, within a table and from one table to another."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import polars as pl

from foundations.public_works.parsing.insights.model import Evidence, Insight, InsightKind
from foundations.public_works.parsing.insights.tables.columns import (
    Column,
    Role,
    Table,
    says_identifier,
)
from foundations.public_works.parsing.insights.tables.drawing import Drawn
from foundations.public_works.parsing.insights.words import bounded, counted, percent, quoted

_LEAST_ROWS = 5
_NEARLY = 0.95
_LEAST_REFERRED = 0.9
_LEAST_DIFFERENT = 3


@dataclass(frozen=True, slots=True)
class Source:
    """A table and the file it stands in; the file is empty where there is but one."""

    table: Table
    file: str = ""

    @property
    def name(self) -> str:
        if self.file and self.file.rsplit(".", 1)[0] != self.table.name:
            return f"{self.table.name} in {self.file}"
        return self.table.name

    def evidence(self, *columns: str, rows: object = ()) -> Evidence:
        return self.table.evidence(*columns, rows=rows).model_copy(update={"file": self.file})


def keys(table: Table) -> Iterator[Insight]:
    """Columns meant to identify rows that do not always: numbers given twice, or lacking."""
    meant = [column for column in table.columns if _meant_as_key(column)]
    if table.drawn:
        yield from _known_keys(meant, table.drawn)
        return
    if not meant:
        return
    once = table.frame.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    for column in meant:
        filled = column.series.filter(once).drop_nulls()
        distinct = filled.n_unique()
        twice = len(filled) - distinct
        if len(filled) < _LEAST_ROWS or not twice or distinct < _NEARLY * len(filled):
            continue
        again = once & ~column.series.is_first_distinct() & column.series.is_not_null()
        rows = again.arg_true()
        value = column.raw[int(rows[0])]
        first = int((column.raw == value).arg_true()[0])
        yield Insight(
            kind=InsightKind.KEY,
            sentence=f"{column.name} should identify each row, but {counted(twice, 'row')} "
            f"{'repeats' if twice == 1 else 'repeat'} an earlier one: {quoted(value)} stands in "
            f"rows {table.number(first):,} and {table.number(int(rows[0])):,}.",
            figures={"repeated": twice, "different": distinct, "rows": len(filled)},
            evidence=table.evidence(column.name, rows=rows),
            strength=bounded(0.8 + 0.2 * twice / len(filled)),
            surprise=0.8,
        )


def _known_keys(meant: Sequence[Column], drawn: Drawn) -> Iterator[Insight]:
    """The same of a table whose rows were not all looked at, from what is known of all."""
    for column in meant:
        known = drawn.column(column.name)
        if known is None or (known.missing and drawn.known.duplicate_rows):
            continue  # whether rows that repeat others have a key is not known
        filled = drawn.known.row_count - known.missing - drawn.known.duplicate_rows
        twice = filled - known.distinct
        if twice <= 0 or known.distinct < _NEARLY * filled:
            continue
        yield Insight(
            kind=InsightKind.KEY,
            sentence=f"{column.name} should identify each row, but {counted(twice, 'row')} "
            f"{'repeats' if twice == 1 else 'repeat'} an earlier one.",
            figures={"repeated": twice, "different": known.distinct, "rows": filled},
            evidence=Evidence(table=drawn.known.name, columns=(column.name,)),
            strength=bounded(0.8 + 0.2 * twice / filled),
            surprise=0.8,
        )


def identifying(table: Table) -> list[str]:
    """The columns that do identify each row: no two rows alike, none empty."""
    if table.drawn:
        rows = table.drawn.known.row_count
        known = [table.drawn.column(c.name) for c in table.of(Role.IDENTIFIER, Role.TEXT)]
        return [one.name for one in known if one is not None and one.distinct == rows]
    return [
        column.name
        for column in table.columns
        if column.role in (Role.IDENTIFIER, Role.TEXT)
        and column.raw.null_count() == 0
        and column.raw.n_unique() == table.height
        and table.height >= _LEAST_ROWS
    ]


def _meant_as_key(column: Column) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name).casefold()
    named = re.search(r"(^|[_\s.-])(id|uuid|guid|key|isbn|iban|sku)$", words) is not None
    return named and column.role in (Role.IDENTIFIER, Role.TEXT, Role.LABELS)


def references(sources: Sequence[Source], kind: InsightKind) -> Iterator[Insight]:
    """Columns whose values stand in the key of another table, so that the two can be joined.

    Numbers stand in other columns by chance: they need a name in common as well.
    """
    found: list[tuple[float, Insight, tuple[str, str]]] = []
    whole = [source for source in sources if source.table.drawn is None]
    for ours, theirs in permutations(whole, 2):
        for key in theirs.table.columns:
            if not _is_key(key, theirs.table):
                continue
            for column in ours.table.columns:
                told = _reference(ours, column, theirs, key, kind)
                if told is not None:
                    found.append(told)
    taken: set[tuple[str, str]] = set()
    for _, insight, between in sorted(found, key=lambda one: -one[0]):
        if between not in taken and between[::-1] not in taken:
            taken.add(between)
            yield insight


def _is_key(column: Column, table: Table) -> bool:
    if column.role not in (Role.IDENTIFIER, Role.TEXT, Role.CATEGORY, Role.LABELS):
        return False
    return (
        len(column.filled) >= _LEAST_DIFFERENT
        and column.filled.n_unique() == len(column.filled)
        and len(column.filled) >= 0.95 * table.height
    )


def _reference(
    ours: Source, column: Column, theirs: Source, key: Column, kind: InsightKind
) -> tuple[float, Insight, tuple[str, str]] | None:
    if column.role in (Role.EMPTY, Role.CONSTANT, Role.NUMBER, Role.TIME):
        return None
    if (column.series.dtype == pl.String) != (key.series.dtype == pl.String):
        return None
    values = column.filled.cast(pl.String)
    different = values.n_unique()
    if different < _LEAST_DIFFERENT:
        return None
    alike = _alike(column.name, key.name, theirs.table.name)
    if not alike and (column.series.dtype != pl.String or _short(values)):
        return None
    known = values.is_in(key.filled.cast(pl.String).implode())
    share = int(known.sum()) / len(values)
    if share < _LEAST_REFERRED or (different < 0.02 * len(key.filled) and not alike):
        return None
    there = column.series.is_not_null()
    lost = (
        there & ~column.series.cast(pl.String).is_in(key.filled.cast(pl.String).implode())
    ).arg_true()
    used = different / len(key.filled)
    says = (
        f"{ours.name} and {theirs.name} can be joined: {column.name} of {ours.name} is "
        f"{key.name} of {theirs.name}"
    )
    if len(lost):
        value = column.raw[int(lost[0])]
        says += (
            f", but {counted(len(lost), 'row')} ({percent(len(lost) / len(values))}) "
            f"{'has' if len(lost) == 1 else 'have'} one that is not there, such as {quoted(value)} "
            f"in row {ours.table.number(int(lost[0])):,}."
        )
    else:
        says += " in every row."
    insight = Insight(
        kind=kind,
        sentence=says,
        figures={"rows": len(values), "not_found": len(lost), "share": share},
        evidence=ours.evidence(column.name, rows=lost),
        further=(theirs.evidence(key.name),),
        strength=bounded(0.75 + (0.2 if len(lost) else 0.0)),
        surprise=0.8 if len(lost) else 0.5,
    )
    score = share + (1.0 if alike else 0.0) + min(used, 1.0)
    return score, insight, (ours.name, theirs.name)


def _alike(column: str, key: str, table: str) -> bool:
    """Whether two names mean the same, as `customer_id` does and the `id` of customers."""
    ours, theirs = _words(column), _words(key)
    if ours == theirs:
        return True
    return ours == _words(table) | theirs or (
        says_identifier(key) and ours == _words(f"{table} id")
    )


def _words(name: str) -> frozenset[str]:
    spread = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).casefold()
    return frozenset(word.rstrip("s") for word in re.split(r"[^a-z0-9]+", spread) if word)


def _short(values: pl.Series) -> bool:
    return int(values.str.len_chars().sum()) < 3 * len(values)
