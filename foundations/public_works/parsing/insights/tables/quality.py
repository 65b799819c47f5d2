"""What is wrong with single cells and columns: missing, invalid, mixed, placeholders, constants."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.tables.columns import (
    Column,
    Role,
    Table,
)
from foundations.public_works.parsing.insights.words import (
    bounded,
    counted,
    figure,
    listed,
    percent,
    quoted,
)
from foundations.public_works.parsing.models import ColumnType
from foundations.public_works.parsing.profiles import scalar

_MOST_COLUMNS_TOLD = 8
_LEAST_ALIKE = 200
_MOST_UNLIKE = 0.005
"""A column says nearly always the same where fewer rows say something else."""
_LEAST_RUN = 6


def missing(table: Table) -> Iterator[Insight]:
    """Cells that are empty; columns that are empty in the same rows are told together."""
    together: dict[bytes, list[Column]] = {}
    for column in table.columns:
        if column.raw.null_count():
            pattern = np.packbits(column.raw.is_null().to_numpy()).tobytes()
            together.setdefault(pattern, []).append(column)
    for columns in together.values():
        yield _missing(table, columns)


def _missing(table: Table, columns: list[Column]) -> Insight:
    rows = columns[0].raw.is_null().arg_true()
    count, height = len(rows), table.height
    share = count / height
    names = [column.name for column in columns]
    one = len(names) == 1
    said = f"{names[0]} is missing" if one else f"{listed(names)} are missing together"
    if share == 1.0:
        sentence = f"{listed(names)} {'is' if len(names) == 1 else 'are'} empty in every row."
    else:
        sentence = f"{said} in {count:,} of {counted(height, 'row')} ({percent(share)})."
    return Insight(
        kind=InsightKind.MISSING,
        sentence=sentence,
        figures={"missing": count, "rows": height, "share": share, "columns": len(names)},
        evidence=table.evidence(*names, rows=rows),
        strength=bounded(0.35 + 0.6 * share),
        surprise=0.3 if len(names) == 1 else 0.5,
    )


def mixed_types(table: Table) -> Iterator[Insight]:
    """Columns of numbers that hold some text, or numbers of another unit."""
    for column in table.columns:
        strays = column.cleaned.strays
        if strays is None:
            continue
        rows = strays.arg_true()
        values = column.raw.filter(strays).unique(maintain_order=True).to_list()
        shown = listed([quoted(value) for value in values], most=4)
        count = len(rows)
        yield Insight(
            kind=InsightKind.MIXED_TYPES,
            sentence=f"{column.name} {_mixed(column, count)}: {shown} "
            f"(first in row {table.number(int(rows[0])):,}).",
            figures={"values": count, "numbers": len(column.filled), "different": len(values)},
            evidence=table.evidence(column.name, rows=rows).model_copy(
                update={"cells": table.cells(column.name, rows)}
            ),
            strength=bounded(
                (0.8 if len(column.cleaned.units) > 1 else 0.6) + 0.3 * count / table.height
            ),
            surprise=0.6,
        )


def _mixed(column: Column, count: int) -> str:
    values = counted(count, "value")
    units = column.cleaned.units
    if len(units) > 1:
        (ours, most), *others = units
        told = listed([f"{number:,} in {unit}" for unit, number in others])
        return f"mixes units: {most:,} values are in {ours}, which are counted with, {told}"
    if column.role is Role.TIME:
        what = "dates" if column.type is ColumnType.DATE else "times"
        return (
            f"holds {what}, but {values} {'is' if count == 1 else 'are'} not written as the others"
        )
    if units:
        verb = "states" if count == 1 else "state"
        return f"holds numbers in {units[0][0]}, but {values} {verb} none"
    return f"holds numbers, but {values} {'is no number' if count == 1 else 'are no numbers'}"


def placeholders(table: Table) -> Iterator[Insight]:
    """Numbers that stand for "unknown"."""
    for column in table.columns:
        value, placed = column.cleaned.placeholder, column.cleaned.placed
        if value is None or placed is None:
            continue
        rows = placed.arg_true()
        present = column.present
        yield Insight(
            kind=InsightKind.PLACEHOLDER,
            sentence=f"{column.name} is {figure(value)} in {counted(len(rows), 'row')}, far from "
            f"all other values ({figure(present.min())} to {figure(present.max())}): probably a "
            "placeholder for unknown. It is left out of what follows.",
            figures={"value": value, "rows": len(rows)},
            evidence=table.evidence(column.name, rows=rows),
            strength=bounded(0.75 + 0.2 * len(rows) / table.height),
            surprise=0.8,
        )


def constants(table: Table) -> Iterator[Insight]:
    """Columns that say the same in every row that has a value."""
    for column in table.columns:
        filled = column.raw.drop_nulls()
        if len(filled) < 3:
            continue
        known = table.drawn and table.drawn.column(column.name)
        if known and known.distinct > 1:
            continue  # rows that were not drawn say something else
        if column.role is Role.CONSTANT and column.cleaned.placeholder is None:
            value = scalar(filled[0])
            number = isinstance(value, int | float) and not isinstance(value, bool)
            said = value if number and isinstance(value, int | float) else str(value)
            shown = figure(said) if isinstance(said, int | float) else said
            yield Insight(
                kind=InsightKind.CONSTANT,
                sentence=f"{column.name} is {shown} in every row that has a value.",
                figures={"value": said},
                evidence=table.evidence(column.name),
                strength=0.3,
                surprise=0.3,
            )


def nearly_constants(table: Table) -> Iterator[Insight]:
    """Columns that say the same in all rows but very few."""
    for column in table.of(Role.CATEGORY, Role.NUMBER):
        values = column.series
        counted_values = column.filled.alias("value").value_counts(sort=True, name="n")
        ((usual, count),) = counted_values.head(1).rows()
        few = len(column.filled) - count
        if len(column.filled) < _LEAST_ALIKE or not 0 < few <= _MOST_UNLIKE * len(column.filled):
            continue
        others = ((values != usual) & values.is_not_null()).arg_true()
        row = int(others[0])
        yield Insight(
            kind=InsightKind.CONSTANT,
            sentence=f"{column.name} is {quoted(usual)} in all rows but {few:,}: "
            f"row {table.number(row):,} has {quoted(values[row])}.",
            figures={"rows": count, "others": few},
            evidence=table.evidence(column.name, rows=others),
            strength=0.5,
            surprise=0.6,
        )


def stuck(table: Table) -> Iterator[Insight]:
    """Runs of one value in a column whose values hardly ever repeat, as of a broken sensor."""
    for column in table.of(Role.NUMBER):
        run = _longest_run(column)
        if run is None:
            continue
        first, length, value = run
        others = int((column.present == value).sum()) - length
        common = (others + 1) / max(1, len(column.present) - length)
        repeats = max(_chance_of_repeat(column.present), common)
        if table.height * repeats ** (length - 1) > 1e-6:
            continue
        begin, end = table.number(first), table.number(first + length - 1)
        yield Insight(
            kind=InsightKind.STUCK,
            sentence=f"{column.name} is {figure(value)} in {length:,} rows in a row, "
            f"{begin:,} to {end:,}, while it changes from row to row elsewhere.",
            figures={"value": value, "rows": length, "first_row": begin},
            evidence=table.evidence(column.name, rows=range(first, first + length)),
            strength=bounded(0.6 + 0.4 * length / table.height),
            surprise=0.8,
        )


def _longest_run(column: Column) -> tuple[int, int, float] | None:
    """First row, length and value of the longest run of one value, where it is long."""
    values = column.values
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    lengths = np.diff(np.append(starts, len(values)))
    lengths = np.where(np.isfinite(values[starts]), lengths, 0)
    best = int(np.argmax(lengths))
    if lengths[best] < _LEAST_RUN:
        return None
    return int(starts[best]), int(lengths[best]), float(values[starts[best]])


def _chance_of_repeat(present: np.ndarray) -> float:
    """The chance that a row has the value of the row before, from how often it does elsewhere.

    The longest run itself is left out; where nothing else repeats, one repetition is assumed.
    """
    same = present[1:] == present[:-1]
    starts = np.flatnonzero(np.diff(np.concatenate(([0], same.view(np.int8), [0]))) == 1)
    ends = np.flatnonzero(np.diff(np.concatenate(([0], same.view(np.int8), [0]))) == -1)
    longest = int((ends - starts).max()) if len(starts) else 0
    elsewhere = int(same.sum()) - longest
    return (elsewhere + 1) / max(1, len(same) - longest)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What values of columns with such a name have to be."""

    words: re.Pattern[str]
    says: str
    low: float
    high: float


_RANGES = (
    _Rule(re.compile(r"(^|[_\s])(lat|latitude)$"), "a latitude lies between -90 and 90", -90, 90),
    _Rule(
        re.compile(r"(^|[_\s])(lon|lng|long|longitude)$"),
        "a longitude lies between -180 and 180",
        -180,
        180,
    ),
    _Rule(re.compile(r"(^|[_\s])(age|alter)$"), "an age lies between 0 and 125", 0, 125),
    _Rule(
        re.compile(
            r"(^|[_\s])(quantity|qty|count|units|weight|height|length|distance|duration)($|[_\s])"
        ),
        "it cannot be negative",
        0,
        float("inf"),
    ),
    _Rule(
        re.compile(r"(humidity|battery|occupancy|completeness)\w*([_\s](pct|percent))?$"),
        "it lies between 0 and 100",
        0,
        100,
    ),
)
_MAIL = re.compile(r"(^|[_\s-])e?-?mail(_?address)?$")
_MAIL_SHAPE = r"^[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}$"


def invalid(table: Table) -> Iterator[Insight]:
    """Values that cannot be, by what the name of their column says and most of its values obey."""
    for column in table.columns:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name).casefold()
        if column.role is Role.NUMBER:
            for rule in _RANGES:
                if rule.words.search(name):
                    bad = (column.values < rule.low) | (column.values > rule.high)
                    yield from _invalid(table, column, bad, rule.says)
        elif column.raw.dtype == pl.String and _MAIL.search(name):
            fits = column.raw.str.strip_chars().str.contains(_MAIL_SHAPE)
            yield from _invalid(
                table,
                column,
                (~fits).fill_null(value=False).to_numpy(),
                "it is no mail address",
            )


def _invalid(table: Table, column: Column, bad: np.ndarray, says: str) -> Iterator[Insight]:
    count = int(bad.sum())
    filled = len(column.raw) - column.raw.null_count()
    if not count or count > filled * 0.1:
        return
    rows = np.flatnonzero(bad)
    value = column.raw[int(rows[0])]
    shown = figure(value) if isinstance(value, int | float) else quoted(value)
    verb = "value cannot be right" if count == 1 else "values cannot be right"
    yield Insight(
        kind=InsightKind.INVALID,
        sentence=f"{count:,} {verb} in {column.name}: {says}, but it is {shown} in row "
        f"{table.number(int(rows[0])):,}.",
        figures={"invalid": count, "values": filled},
        evidence=table.evidence(column.name, rows=rows).model_copy(
            update={"cells": table.cells(column.name, rows)}
        ),
        strength=bounded(0.75 + 0.2 * count / filled),
        surprise=0.8,
    )


def gaps(table: Table) -> Iterator[Insight]:
    """Stretches of time without rows in a table that else has some at every step."""
    clock = table.clock
    if clock is None:
        return
    times = np.unique(clock.present)
    if len(times) < 20:
        return
    steps = np.diff(times)
    step = float(np.median(steps))
    regular = float(np.mean(np.abs(steps - step) <= 0.2 * step))
    if regular < 0.9:
        return
    wide = np.flatnonzero(steps >= 2.5 * step)
    if not len(wide) or len(wide) > 0.02 * len(steps) + 1:
        return
    widest = int(wide[np.argmax(steps[wide])])
    lacking = round(float((steps[wide] / step - 1).sum()))
    before, after = _at(clock, times[widest]), _at(clock, times[widest + 1])
    more = f", the widest of {len(wide)} gaps" if len(wide) > 1 else ""
    yield Insight(
        kind=InsightKind.GAP,
        sentence=f"There is nothing between {before[1]} and {after[1]} in {clock.name}{more}, "
        f"where rows else come at every step: {counted(lacking, 'step')} lacking.",
        figures={"gaps": len(wide), "steps_lacking": lacking},
        evidence=table.evidence(clock.name, rows=[before[0], after[0]]),
        strength=bounded(0.55 + lacking / len(times)),
        surprise=0.7,
    )


def _at(clock: Column, time: float) -> tuple[int, str]:
    """The first row of a time, and the time as it is shown."""
    row = int(np.flatnonzero(clock.values == time)[0])
    return row, str(scalar(clock.series[row]))
