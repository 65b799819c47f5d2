"""Values far from all others of their column, and rows whose values do not go together."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.effects import Numbers
from foundations.public_works.parsing.insights.numerics.robust import (
    Strangers,
    apart,
    evened,
    strangers,
)
from foundations.public_works.parsing.insights.tables.columns import Column, Role, Table
from foundations.public_works.parsing.insights.tables.pairs import Related
from foundations.public_works.parsing.insights.words import bounded, counted, figure, listed

_LEAST_ROWS = 8
_LEAST_DIFFERENT = 4
_LINKED = 0.6
_MOST_LINKED = 10
_LEAST_COMBINED = 40
_STEPS = 12
_HALF = 0.75


def outliers(table: Table) -> dict[str, Strangers]:
    """The strange values of each numeric column; their places are rows counted from 0."""
    found: dict[str, Strangers] = {}
    for column in table.of(Role.NUMBER):
        rows = np.flatnonzero(np.isfinite(column.values))
        values = column.values[rows]
        if len(values) < _LEAST_ROWS or column.distinct < _LEAST_DIFFERENT:
            continue
        strange = strangers(values)
        if strange is not None:
            found[column.name] = Strangers(
                rows[strange.places], strange.distances, strange.low, strange.high
            )
    return found


def told_outliers(table: Table, found: dict[str, Strangers]) -> Iterator[Insight]:
    """A sentence for each column with strange values; the farthest is named."""
    by_name = {column.name: column for column in table.columns}
    for name, strange in found.items():
        column = by_name[name]
        count, row = len(strange.places), int(strange.places[0])
        farthest = float(column.values[row])
        far = abs(float(strange.distances[0]))
        verb = "value lies" if count == 1 else "values lie"
        named = f"the farthest is {figure(farthest)}" if count > 1 else f"{figure(farthest)}"
        yield Insight(
            kind=InsightKind.OUTLIER,
            sentence=f"{count:,} {verb} far from all others of {name} ({figure(strange.low)} to "
            f"{figure(strange.high)}): {named} in row {table.number(row):,}.",
            figures={
                "outliers": count,
                "values": len(column.present),
                "others_from": strange.low,
                "others_to": strange.high,
                "farthest": farthest,
                "farthest_row": table.number(row),
                "robust_distance": far,
            },
            evidence=table.evidence(name, rows=strange.places).model_copy(
                update={"cells": table.cells(name, strange.places)}
            ),
            strength=bounded(0.6 + min(far, 40) / 100),
            surprise=0.85,
            chart=charts.points(
                table.numbers,
                column.values,
                ("row", name),
                marked=strange.places.tolist(),
            ),
        )


def combinations_of_columns(
    table: Table, found: list[Related], alone: dict[str, Strangers]
) -> Iterator[Insight]:
    """Rows whose values are usual one by one, but not together.

    By the robust distance of Mahalanobis, over columns that correlate, each on its
    most even scale: its centre and covariance
    are those of the three quarters of the rows that lie closest together, found by the steps of
    Rousseeuw and van Driessen (1999).
    """
    known = {int(row) for strange in alone.values() for row in strange.places}
    for columns in _linked(table, found):
        values = np.column_stack([column.values for column in columns])
        rows = np.flatnonzero(np.isfinite(values).all(axis=1))
        if len(rows) < _LEAST_COMBINED:
            continue
        scaled = _scaled(values[rows])
        distances = _distances(scaled)
        if distances is None:
            continue
        even = distances ** (2 / 3)  # close to normal (Wilson and Hilferty 1931)
        strange = apart(even, even, least=5.0, headroom=1.2)
        if strange is None:
            continue
        upper = strange.places[strange.distances > 0]
        places = [int(place) for place in upper if int(rows[place]) not in known]
        if places:
            yield _combined(table, columns, scaled, rows[places], places)


def _combined(
    table: Table,
    columns: Sequence[Column],
    scaled: Numbers,
    rows: np.ndarray,
    places: list[int],
) -> Insight:
    left, right = _oddest(scaled, places[0])
    names = (columns[left].name, columns[right].name)
    row = int(rows[0])
    count = len(places)
    verb = "row combines" if count == 1 else "rows combine"
    x, y = float(columns[left].values[row]), float(columns[right].values[row])
    return Insight(
        kind=InsightKind.COMBINATION,
        sentence=f"{counted(count, 'row').split(' ')[0]} {verb} values of "
        f"{listed([column.name for column in columns])} that do not go together elsewhere: row "
        f"{table.number(row):,} has {names[0]} = {figure(x)} with {names[1]} = {figure(y)}.",
        figures={"rows": count, "row": table.number(row), names[0]: x, names[1]: y},
        evidence=table.evidence(*(column.name for column in columns), rows=rows),
        strength=0.8,
        surprise=0.95,
        chart=charts.points(
            columns[left].values, columns[right].values, names, marked=[int(r) for r in rows[:20]]
        ),
    )


def _linked(table: Table, found: list[Related]) -> Iterator[list[Column]]:
    """Groups of columns that strong correlations lead from one to the next."""
    groups: list[set[str]] = []
    for one in found:
        if abs(one.rho) < _LINKED:
            continue
        touching = [group for group in groups if group & set(one.pair)]
        merged = set(one.pair).union(*touching)
        groups = [group for group in groups if group not in touching] + [merged]
    for group in groups:
        columns = [column for column in table.columns if column.name in group]
        yield columns[:_MOST_LINKED]


def _scaled(values: Numbers) -> Numbers:
    """Each column on the scale where it lies most evenly, so that curves become lines."""
    found = [evened(column) for column in values.T]
    return np.column_stack(
        [raw if even is None else even for raw, even in zip(values.T, found, strict=True)]
    )


def _distances(values: Numbers) -> Numbers | None:
    """Robust distances of Mahalanobis; None where some columns follow from others."""
    middle = np.median(values, axis=0)
    spread = np.median(np.abs(values - middle), axis=0)
    if (spread == 0).any():
        return None
    scaled = (values - middle) / spread
    keep = int(_HALF * len(scaled))
    near = np.argsort(np.sqrt((np.clip(scaled, -5, 5) ** 2).sum(axis=1)), kind="stable")[:keep]
    squared = np.zeros(len(scaled))
    for _ in range(_STEPS):
        covariance = np.cov(scaled[near].T)
        if np.linalg.cond(covariance) > 1e10:
            return None
        off = scaled - scaled[near].mean(axis=0)
        squared = np.einsum("ij,ij->i", off @ np.linalg.inv(covariance), off)
        nearer = np.argsort(squared, kind="stable")[:keep]
        if set(nearer) == set(near):
            break
        near = nearer
    return np.sqrt(squared)


def _oddest(values: Numbers, place: int) -> tuple[int, int]:
    """The two columns whose values in a row go together least."""
    best, found = -1.0, (0, 1)
    for left, right in combinations(range(values.shape[1]), 2):
        distances = _distances(values[:, [left, right]])
        if distances is not None and float(distances[place]) > best:
            best, found = float(distances[place]), (left, right)
    return found
