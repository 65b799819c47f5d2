"""Rows that sum up the rows above them: told once, and set apart from everything else."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.tables.columns import (
    Column,
    Role,
    Table,
    TotalRow,
    table_of,
)
from foundations.public_works.parsing.insights.words import bounded, counted, figure, listed
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.typing_cells import typed

_LABEL = re.compile(
    r"(?:(?:grand|sub|sous)[- ]?)?total(?:e|es|s)?\b|(?:zwischen|gesamt)?summe\b"
    r"|(?:ins)?gesamt\b|somme\b|suma\b|sum\b|all\b|overall\b",
    re.IGNORECASE,
)
_LEAST_SUMMED = 3
_NEARLY = 0.1
_MOST_ROWS = 100_000
_ROUNDED = 0.006
"""Sums of what was rounded to cents are off by so much a row at the most."""


@dataclass(frozen=True, slots=True)
class _Sum:
    """What a cell says, and what the rows above it come to, give or take what was rounded."""

    column: str
    said: float
    come_to: float
    slack: float

    @property
    def is_right(self) -> bool:
        return abs(self.said - self.come_to) <= self.slack

    @property
    def is_nearly(self) -> bool:
        return not self.is_right and abs(self.said - self.come_to) <= _NEARLY * abs(self.come_to)


def without_totals(table: Table) -> Table:
    """The table without its rows of totals, which it remembers.

    Where such a row is called a total in a column of dates, the others are dates again.
    """
    found = list(_totals(table)) if _may_have_totals(table) else []
    if not found:
        return table
    there = np.setdiff1d(np.arange(table.height), [total.row - 1 for total in found])
    rest = table_of(typed(table.frame[there.tolist()], Notes()), table.name)
    return replace(rest, totals=tuple(found), kept=there)


def told_totals(table: Table) -> Iterator[Insight]:
    """That there are totals, and where one is not what the rows come to."""
    if not table.totals:
        return
    names = list(dict.fromkeys(name for total in table.totals for name in total.right))
    if names:
        rows = [f"{total.row:,}" for total in table.totals]
        they = "holds sums" if len(rows) == 1 else "hold sums"
        yield Insight(
            kind=InsightKind.RULE,
            sentence=f"{'Row' if len(rows) == 1 else 'Rows'} {listed(rows)} {they} of the rows "
            f"above, of {listed(names)}; all else is told without "
            f"{'it' if len(rows) == 1 else 'them'}.",
            figures={"totals": len(rows)},
            evidence=table.evidence(*names).model_copy(
                update={"rows": tuple(total.row for total in table.totals[:20])}
            ),
            strength=0.5,
            surprise=0.2,
        )
    for total in table.totals:
        for name, said, come_to in total.wrong:
            yield Insight(
                kind=InsightKind.RULE,
                sentence=f"Row {total.row:,} says that {name} is {figure(said)} in all, but the "
                f"rows above come to {figure(come_to)}, which is "
                f"{figure(abs(said - come_to))} {'more' if come_to > said else 'less'}.",
                figures={"said": said, "sum": come_to, "row": total.row},
                evidence=table.evidence(name).model_copy(update={"rows": (total.row,)}),
                strength=bounded(0.9),
                surprise=0.9,
            )


def noted(table: Table) -> str:
    """What the overview says of rows that are set apart."""
    return f", {counted(len(table.totals), 'row')} of totals" if table.totals else ""


def _may_have_totals(table: Table) -> bool:
    return table.drawn is None and _LEAST_SUMMED < table.height <= _MOST_ROWS


def _totals(table: Table) -> Iterator[TotalRow]:
    """Rows that are called totals, and whose cells are what those above come to, or nearly."""
    numbers = [c for c in table.columns if c.role in (Role.NUMBER, Role.CATEGORY, Role.IDENTIFIER)]
    numbers = [column for column in numbers if np.isfinite(column.values).any()]
    labelled = _labelled(table)
    if not numbers or not labelled:
        return
    plain = np.ones(table.height, dtype=bool)
    plain[labelled] = False
    since = 0
    for row in labelled:
        last = np.flatnonzero(plain[since:row]) + since
        least = _LEAST_SUMMED if len(labelled) == 1 else _LEAST_SUMMED - 1
        for above in (last, np.flatnonzero(plain[:row])):
            if len(above) < least:
                continue
            told = _told(row, [_sum(column, row, above) for column in numbers])
            if told is not None:
                yield told
                break
        since = row + 1


def _sum(column: Column, row: int, above: NDArray[np.intp]) -> _Sum:
    parts = column.values[above]
    rounded = _ROUNDED * len(above) if (parts % 1 > 0).any() else 0.0
    return _Sum(column.name, float(column.values[row]), float(np.nansum(parts)), rounded + 1e-9)


def _told(row: int, sums: list[_Sum]) -> TotalRow | None:
    """A row as a total where one of its cells is one, or all that are there are nearly."""
    there = [one for one in sums if math.isfinite(one.said) and one.come_to]
    right = tuple(one.column for one in there if one.is_right)
    wrong = tuple((one.column, one.said, one.come_to) for one in there if one.is_nearly)
    if not right and not (wrong and len(wrong) == len(there)):
        return None
    return TotalRow(row + 1, right, wrong)


def _labelled(table: Table) -> list[int]:
    """The rows that say of themselves that they are totals."""
    texts = [column.raw for column in table.columns if column.raw.dtype == pl.String]
    rows: set[int] = set()
    for text in texts:
        alike = text.str.strip_chars().str.contains(f"(?i)^(?:{_LABEL.pattern})")
        alike = alike | text.str.contains(r"(?i)\b(?:sub)?total\s*:?\s*$")
        rows |= set(alike.fill_null(value=False).arg_true().to_list())
    return sorted(rows) if len(rows) <= table.height // 2 else []
