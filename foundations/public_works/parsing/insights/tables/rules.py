"""What holds from row to row: sums, products, multiples, and labels that fix other labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.effects import (
    Numbers,
    contingency,
    cramers_v,
    pearson,
)
from foundations.public_works.parsing.insights.tables.columns import Column, Role, Table
from foundations.public_works.parsing.insights.words import (
    counted,
    figure,
    percent,
    quoted,
)

_MOST_COLUMNS = 25
_LEAST_ROWS = 10
_SCREENED = 64
_LEAST_SHARE = 0.95
_BY_CHANCE = 0.2
_LINEAR = 0.999999
_LEAST_FIXED = 0.97
_STEADY = 20250101

Pair = frozenset[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a table, and the pairs of columns they explain."""

    insights: tuple[Insight, ...]
    explained: frozenset[Pair]
    factors: frozenset[str] = frozenset()
    """Columns that are multiplied to give another."""


def rules(table: Table) -> Rules:
    """All rules of a table; a column that follows from others is told once."""
    numbers = [c for c in table.of(Role.NUMBER) if c.distinct >= 5][:_MOST_COLUMNS]
    found: list[Insight] = []
    explained: set[Pair] = set()
    for rule, columns in [*_multiples(table, numbers), *_arithmetic(table, numbers)]:
        pairs = {frozenset(pair) for pair in combinations(columns, 2)}
        if not pairs <= explained:
            found.append(rule)
        explained |= pairs
    for rule, columns in _fixed_labels(table):
        found.append(rule)
        explained.add(frozenset(columns))
    factors = (
        name for rule in found if "\u00d7" in rule.sentence for name in rule.evidence.columns[:2]
    )
    return Rules(tuple(found), frozenset(explained), frozenset(factors))


def _multiples(table: Table, numbers: list[Column]) -> Iterator[tuple[Insight, tuple[str, ...]]]:
    for one, other in combinations(numbers, 2):
        both = np.isfinite(one.values) & np.isfinite(other.values)
        x, y = one.values[both], other.values[both]
        if len(x) < _LEAST_ROWS or abs(pearson(x[:_SCREENED], y[:_SCREENED])) < _LINEAR:
            continue
        slope, start = _line(x, y)
        if slope == 0 or not (np.abs(y - slope * x - start) <= _tolerance(other, y)).all():
            continue
        if len(np.unique(x)) < 5 or abs(pearson(x, y)) < _LINEAR:
            continue
        equal = slope == 1 and start == 0
        sign = "plus" if start > 0 else "less"
        nothing = abs(start) <= _tolerance(other, y).max()
        plus = "" if nothing else f" {sign} {figure(abs(start))}"
        says = (
            f"{one.name} and {other.name} are the same in every row"
            if equal
            else f"{other.name} is {figure(slope)} times {one.name}{plus} in every row"
        )
        yield (
            Insight(
                kind=InsightKind.RULE,
                sentence=f"{says} (n = {len(x):,}).",
                figures={"factor": slope, "plus": start, "n": len(x)},
                evidence=table.evidence(one.name, other.name),
                strength=0.6,
                surprise=0.5,
            ),
            (one.name, other.name),
        )


def _line(x: Numbers, y: Numbers) -> tuple[float, float]:
    """The line through the two rows that lie farthest apart, as round as the data allow."""
    low, high = int(np.argmin(x)), int(np.argmax(x))
    slope = float((y[high] - y[low]) / (x[high] - x[low]))
    slope = float(f"{slope:.6g}")
    start = float(np.median(y - slope * x))
    return slope, float(f"{start:.6g}") if abs(start) > 1e-9 else 0.0


def _arithmetic(table: Table, numbers: list[Column]) -> Iterator[tuple[Insight, tuple[str, ...]]]:
    for result in numbers:
        others = [column for column in numbers if column is not result]
        for left, right in combinations(others, 2):
            for sign in ("+", "\u00d7"):
                holds = _holds(left, right, result, sign)
                if holds is not None:
                    told = _arithmetic_rule(table, (left, right, result), sign, holds)
                    yield told, (left.name, right.name, result.name)


def _holds(left: Column, right: Column, result: Column, sign: str) -> NDArray[np.intp] | None:
    """The rows where left (sign) right is not the result, where it is in nearly all; else None."""
    a, b, c = left.values, right.values, result.values
    first = slice(0, 20 * _SCREENED)
    few = np.flatnonzero(np.isfinite(a[first] + b[first] + c[first]))[:_SCREENED]
    if not len(few) or _agree(a[few], b[few], c[few], sign, result).mean() < 0.7:
        return None
    complete = np.flatnonzero(np.isfinite(a + b + c))
    if len(complete) < _LEAST_ROWS:
        return None
    a, b, c = a[complete], b[complete], c[complete]
    agree = _agree(a, b, c, sign, result)
    if agree.mean() < _LEAST_SHARE:
        return None
    lots = np.random.default_rng(_STEADY)
    mixed = (
        _agree(a, lots.permutation(b), c, sign, result),
        _agree(lots.permutation(a), b, c, sign, result),
    )
    if max(float(one.mean()) for one in mixed) > _BY_CHANCE:
        return None
    return complete[~agree]


def _agree(a: Numbers, b: Numbers, c: Numbers, sign: str, result: Column) -> NDArray[np.bool_]:
    made = a + b if sign == "+" else a * b
    return np.asarray(np.abs(made - c) <= _tolerance(result, c))


def _tolerance(column: Column, values: Numbers) -> Numbers:
    """Half of the last digit the column is written with, and what floats cannot hold."""
    return 0.5001 * 10.0 ** -_decimals(column) + 1e-9 * np.abs(values)


def _decimals(column: Column) -> int:
    some = column.present[:500]
    for digits in range(7):
        if np.allclose(some, np.round(some, digits), rtol=1e-12, atol=1e-12):
            return digits
    return 9


def _arithmetic_rule(
    table: Table, columns: tuple[Column, Column, Column], sign: str, broken: NDArray[np.intp]
) -> Insight:
    left, right, result = names = tuple(column.name for column in columns)
    says = f"{result} = {left} {sign} {right}"
    if not len(broken):
        return Insight(
            kind=InsightKind.RULE,
            sentence=f"{says} in every row.",
            figures={"rows": table.height, "broken": 0},
            evidence=table.evidence(*names),
            strength=0.6,
            surprise=0.4,
        )
    row = int(broken[0])
    a, b, c = (float(column.values[row]) for column in columns)
    made = a + b if sign == "+" else a * b
    return Insight(
        kind=InsightKind.RULE,
        sentence=f"{says} in all rows but {len(broken):,}: row {table.number(row):,} has "
        f"{c:,.10g}, where {a:,.10g} {sign} {b:,.10g} = {made:,.10g}.",
        figures={"rows": table.height, "broken": len(broken), "stated": c, "computed": made},
        evidence=table.evidence(*names, rows=broken).model_copy(
            update={"cells": table.cells(result, broken)}
        ),
        strength=0.9,
        surprise=0.9,
    )


def _fixed_labels(table: Table) -> Iterator[tuple[Insight, tuple[str, ...]]]:
    """Columns of labels each of which has one label of another column, in nearly every row."""
    labels = [
        c
        for c in table.of(Role.CATEGORY, Role.LABELS)
        if c.filled.n_unique() <= max(2, table.height // 3)
    ][:_MOST_COLUMNS]
    told: set[Pair] = set()
    for fixing, fixed in permutations(labels, 2):
        pair = frozenset((fixing.name, fixed.name))
        if pair in told or len(fixing.labels) < max(3, len(fixed.labels)):
            continue
        both = np.flatnonzero((fixing.codes >= 0) & (fixed.codes >= 0))
        if len(both) < 3 * len(fixing.labels) or len(both) < 20:
            continue
        counts = contingency(fixing.codes[both], fixed.codes[both])
        share = float(counts.max(axis=1).sum() / counts.sum())
        common = float(counts.sum(axis=0).max() / counts.sum())
        if share < _LEAST_FIXED or common > 0.9 or cramers_v(counts).size < 0.9:
            continue
        usual = counts.argmax(axis=1)
        broken = both[usual[fixing.codes[both]] != fixed.codes[both]]
        told.add(pair)
        yield _fixed(table, (fixing, fixed), broken, usual), (fixing.name, fixed.name)


def _fixed(
    table: Table,
    pair: tuple[Column, Column],
    broken: NDArray[np.intp],
    usual: NDArray[np.intp],
) -> Insight:
    fixing, fixed = pair
    says = f"Each {fixing.name} has one {fixed.name}"
    if not len(broken):
        return Insight(
            kind=InsightKind.RULE,
            sentence=f"{says} in every row.",
            figures={"labels": len(fixing.labels), "broken": 0},
            evidence=table.evidence(fixing.name, fixed.name),
            strength=0.5,
            surprise=0.3,
        )
    row = int(broken[0])
    code = int(fixing.codes[row])
    return Insight(
        kind=InsightKind.RULE,
        sentence=f"{says}, but not in {counted(len(broken), 'row')} "
        f"({percent(len(broken) / table.height)}): row {table.number(row):,} has "
        f"{quoted(fixed.labels[int(fixed.codes[row])])} for {quoted(fixing.labels[code])}, which "
        f"else has {quoted(fixed.labels[int(usual[code])])}.",
        figures={"labels": len(fixing.labels), "broken": len(broken)},
        evidence=table.evidence(fixing.name, fixed.name, rows=broken).model_copy(
            update={"cells": table.cells(fixed.name, broken)}
        ),
        strength=0.85,
        surprise=0.8,
    )
