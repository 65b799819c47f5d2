"""Numbers that go together: along a line, in order, or along a curve."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.effects import (
    Effect,
    Numbers,
    correlation_p_value,
    effective_rows,
    group_effect,
    lag_one,
    pearson,
    ranks,
    spearman,
)
from foundations.public_works.parsing.insights.numerics.multiplicity import (
    ERROR_RATE,
    benjamini_yekutieli,
)
from foundations.public_works.parsing.insights.tables.columns import Column, Role, Table
from foundations.public_works.parsing.insights.tables.rules import Pair
from foundations.public_works.parsing.insights.words import bounded, chance, coefficient, listed

LEAST_CORRELATION = 0.3
"""The least |rho| that is told: a medium effect in Cohen's (1988) words."""
LEAST_CURVED = 0.1
"""The least share of the variance of ranks that a curve has to account for."""
_RATE_OF_PAIRS = 0.001
"""More than elsewhere is put up with: the best that eight rows can show is 2 in 8!, 1 in 20,160."""
_LEAST_ROWS = 8
_LEAST_ROWS_OF_A_CURVE = 80
_MOST_COLUMNS = 400
_MOST_CURVED = 60
_BINS = 8
_LEAST_OFF_MODE = 10
_CLUSTER = 4
_ALONG = LEAST_CORRELATION
"""Ranks that go together as much lie along a line, whether that is beyond chance or not."""
_SLOW = 0.15
_BENT_BY_TIME = 0.5
_WANDERS, _WANDERING = 0.3, 100.0
"""What a line leaves over wanders where a row keeps so much of the row before it.

Of 99 in 100 tables that are sorted by one of two columns, or by a third, it is less than the first
where they have forty rows or more; n (1 - rho) of two random walks lies below the second.
"""
_IN_STEP = 1e-4
_ALL_BUT_ONE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Related:
    """Two columns whose ranks go together beyond chance."""

    pair: tuple[str, str]
    rho: float
    r: float
    n: int
    p: float


def related(table: Table, explained: frozenset[Pair]) -> list[Related]:
    """Every pair of numeric columns that correlate, told by their ranks (Spearman).

    Ranks need no assumption of how values are distributed. Rows are worth fewer the slower both
    columns change over time (Bartlett 1935), and what two slow columns share has to show from one
    step to the next as well: two trends alone make a spurious correlation (Yule 1926). Where the
    table has no times, its rows may stand in their order or be sorted by a column: there, slow is a
    pair of which what a line leaves over wanders (Granger and Newbold 1974), but not one whose
    columns both sort it. Benjamini and Yekutieli's correction is over all pairs.
    """
    some = table.sample
    columns = _comparable(some)
    if len(columns) < 2 or table.height < _LEAST_ROWS:
        return []
    values = np.column_stack([column.values for column in columns])
    rho, sizes = _rank_correlations(values)
    slow = slowness(some, columns)
    paces = np.outer(slow, slow)
    parallel = np.minimum.outer(slow, slow) > _SLOW
    if some.clock is None:
        left_over = _left_over(values, rho)
        sorts = np.array([column.is_sorted for column in columns])
        told_apart = sorts.any() | (sizes >= _WANDERING)
        left_over = np.where(np.logical_and.outer(sorts, sorts), 0.0, left_over)
        paces = np.where(told_apart, left_over, paces)
        parallel &= left_over > np.maximum(_WANDERS, 1 - _WANDERING / np.maximum(sizes, 1))
    in_step, steps = (
        _rank_correlations(np.diff(values[_order(some)], axis=0))
        if parallel.any()
        else (np.zeros_like(rho), np.zeros_like(sizes))
    )
    candidates: list[tuple[int, int, float]] = []
    for i, j in zip(*np.triu_indices(len(columns), 1), strict=True):
        if abs(rho[i, j]) < 0.9 * LEAST_CORRELATION or sizes[i, j] < _LEAST_ROWS:
            continue
        if frozenset((columns[i].name, columns[j].name)) in explained:
            continue
        n = effective_rows(float(sizes[i, j]), float(paces[i, j]))
        p = correlation_p_value(float(rho[i, j]), n)
        if parallel[i, j]:
            same = math.copysign(1, rho[i, j]) * float(in_step[i, j])
            p_of_steps = _p_of_steps(same, int(steps[i, j]))
            if p_of_steps > _IN_STEP:
                continue
            p = min(1.0, 2 * min(p, p_of_steps))
        candidates.append((int(i), int(j), p))
    tests = len(columns) * (len(columns) - 1) // 2
    holds = benjamini_yekutieli([c[2] for c in candidates], tests=tests, rate=_RATE_OF_PAIRS)
    found = (
        _measured(table.named(columns[i].name), table.named(columns[j].name), p)
        for (i, j, p), hold in zip(candidates, holds, strict=True)
        if hold
    )
    return [one for one in found if abs(one.rho) >= LEAST_CORRELATION]


def correlations(table: Table, found: list[Related]) -> Iterator[Insight]:
    """A sentence for each pair; four columns or more that all go together have one for them all."""
    clusters = _clusters(found)
    inside = {frozenset(pair) for names in clusters for pair in combinations(names, 2)}
    for names in clusters:
        yield _cluster(table, names, [f for f in found if set(f.pair) <= set(names)])
    for one in found:
        if frozenset(one.pair) not in inside:
            yield _correlated(table, one)


def _correlated(table: Table, one: Related) -> Insight:
    left, right = one.pair
    line = abs(one.r) >= LEAST_CORRELATION and abs(one.r) >= 0.9 * abs(one.rho)
    sign, value = ("Pearson r", one.r) if line else ("Spearman rho", one.rho)
    moves = "rise and fall together" if value > 0 else "move in opposite directions"
    by_name = {column.name: column for column in table.columns}
    return Insight(
        kind=InsightKind.CORRELATION,
        sentence=f"{left} and {right} {moves} ({sign} = {coefficient(value)}, n = {one.n:,}, "
        f"{chance(one.p)}).",
        figures={"pearson_r": one.r, "spearman_rho": one.rho, "n": one.n, "p_value": one.p},
        evidence=table.evidence(left, right),
        strength=bounded(abs(value)),
        surprise=0.6,
        chart=charts.points(by_name[left].values, by_name[right].values, one.pair),
    )


def _cluster(table: Table, names: list[str], found: list[Related]) -> Insight:
    strongest = max(found, key=lambda f: abs(f.rho))
    weakest = min(found, key=lambda f: abs(f.rho))
    by_name = {column.name: column for column in table.columns}
    left, right = strongest.pair
    return Insight(
        kind=InsightKind.CORRELATION,
        sentence=f"{listed(names, most=8)} go together, each with each: from |Spearman rho| = "
        f"{coefficient(abs(weakest.rho))} ({' and '.join(weakest.pair)}) to "
        f"{coefficient(abs(strongest.rho))} ({left} and {right}); all {chance(_largest_p(found))}.",
        figures={
            "columns": len(names),
            "pairs": len(found),
            "least_rho": abs(weakest.rho),
            "most_rho": abs(strongest.rho),
            "largest_p_value": _largest_p(found),
        },
        evidence=table.evidence(*names),
        strength=bounded(abs(strongest.rho)),
        surprise=0.6,
        chart=charts.points(by_name[left].values, by_name[right].values, strongest.pair),
    )


def _largest_p(found: list[Related]) -> float:
    return max(one.p for one in found)


def curves(table: Table, found: list[Related], explained: frozenset[Pair]) -> Iterator[Insight]:
    """Numbers that depend on others along a curve that neither rises nor falls on the whole.

    Two columns that both change slowly over time lie on some curve by chance: they are left out,
    in a table without times where what the curve leaves over is slow as well.
    """
    columns = _comparable(table)[:_MOST_CURVED]
    if len(columns) < 2 or table.height < _LEAST_ROWS_OF_A_CURVE:
        return
    known = {frozenset(one.pair) for one in found} | explained
    slow = slowness(table, columns)
    ordered = [_ranked(column.values) for column in columns]
    candidates: list[tuple[int, int, Effect]] = []
    for i, across in enumerate(columns):
        bins = _binned(across.values)
        for j, up in enumerate(columns):
            if bins is None or i == j or frozenset((across.name, up.name)) in known:
                continue
            pace = float(slow[i] * slow[j])
            if min(slow[i], slow[j]) > _SLOW:
                pace = 1.0 if table.clock else _left_by_bins(bins, ordered[j])
            effect = _bent(bins, ordered[j], pace)
            if effect.size >= LEAST_CURVED and abs(_along(ordered[i], ordered[j])) < _ALONG:
                candidates.append((i, j, effect))
    tests = len(columns) * (len(columns) - 1)
    holds = benjamini_yekutieli([c[2].p for c in candidates], tests=tests, rate=ERROR_RATE)
    best: dict[Pair, tuple[int, int, Effect]] = {}
    for candidate, hold in zip(candidates, holds, strict=True):
        pair = frozenset((columns[candidate[0]].name, columns[candidate[1]].name))
        if hold and (pair not in best or candidate[2].size > best[pair][2].size):
            best[pair] = candidate
    for i, j, effect in best.values():
        yield _curved(table, columns[i], columns[j], effect)


def _bent(bins: NDArray[np.intp], ordered: Numbers, rho: float) -> Effect:
    """How much of the variance of ranks lies between the bins of another column.

    Nothing is made of what follows from row to row by more than half.
    """
    both = (bins >= 0) & np.isfinite(ordered)
    n = int(both.sum())
    if n < _LEAST_ROWS_OF_A_CURVE or rho > _BENT_BY_TIME:
        return Effect(0.0, 1.0)
    return group_effect(ordered[both], bins[both], n=effective_rows(float(n), rho))


def _along(x: Numbers, y: Numbers) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    return pearson(x[both], y[both])


def _curved(table: Table, across: Column, up: Column, effect: Effect) -> Insight:
    bins = _binned(across.values)
    assert bins is not None
    both = (bins >= 0) & np.isfinite(up.values)
    middles = [float(np.median(up.values[both & (bins == b)])) for b in np.unique(bins[both])]
    peak = int(np.argmax(middles))
    inner = 0 < peak < len(middles) - 1
    shape = "is highest" if inner else "is lowest"
    turning = peak if inner else int(np.argmin(middles))
    edges = across.values[both & (bins == np.unique(bins[both])[turning])]
    return Insight(
        kind=InsightKind.CURVE,
        sentence=f"{up.name} depends on {across.name}, but not along a line: it {shape} where "
        f"{across.name} lies around {charts.shown(float(np.median(edges))):,} ({across.name} "
        f"accounts for {effect.size:.0%} of the variance of its ranks, n = {int(both.sum()):,}, "
        f"{chance(effect.p)}).",
        figures={"epsilon_squared": effect.size, "n": int(both.sum()), "p_value": effect.p},
        evidence=table.evidence(across.name, up.name),
        strength=bounded(math.sqrt(effect.size)),
        surprise=0.85,
        chart=charts.points(across.values, up.values, (across.name, up.name)),
    )


def _comparable(table: Table) -> list[Column]:
    """Numeric columns that vary in more than a few rows."""
    return [c for c in table.of(Role.NUMBER) if _varies(c.present)][:_MOST_COLUMNS]


def _varies(present: Numbers) -> bool:
    if len(present) < _LEAST_ROWS:
        return False
    _, counts = np.unique(present, return_counts=True)
    off = len(present) - int(counts.max())
    return (
        len(counts) >= 3
        and off >= min(_LEAST_OFF_MODE, len(present) - 3)
        and off >= 0.05 * len(present)
    )


def _ranked(values: Numbers) -> Numbers:
    out = np.full(len(values), np.nan)
    there = np.isfinite(values)
    out[there] = ranks(values[there])
    return out


def _rank_correlations(values: Numbers) -> tuple[Numbers, Numbers]:
    """Correlations of ranks over the rows both columns have, and how many these are."""
    ordered = np.column_stack([_ranked(column) for column in values.T])
    ordered -= np.nanmean(ordered, axis=0)
    there = np.isfinite(ordered).astype(np.float64)
    filled = np.where(there > 0, ordered, 0.0)
    n = there.T @ there
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = filled.T @ there, there.T @ filled
        squares = (filled**2).T @ there
        covariance = filled.T @ filled - left * right / n
        spread = np.sqrt((squares - left**2 / n) * (squares.T - right**2 / n))
        rho = np.where(spread > 0, covariance / spread, 0.0)
    return np.clip(np.nan_to_num(rho), -1, 1), n


def slowness(table: Table, columns: list[Column]) -> Numbers:
    """How much of each column's ranks a row keeps of the row before it, in the order of time.

    The order of time is that of the rows where the table has no times.
    """
    order = _order(table)
    found = []
    for column in columns:
        ordered = column.values[order]
        found.append(max(0.0, lag_one(ranks(ordered[np.isfinite(ordered)]))))
    return np.array(found)


def _order(table: Table) -> NDArray[np.intp]:
    clock = table.clock
    return np.arange(table.height) if clock is None else np.argsort(clock.values, kind="stable")


def _left_over(values: Numbers, rho: Numbers) -> Numbers:
    """How much a row keeps of the row before it of what a line through the ranks leaves over.

    Of the two lines through each pair the one that leaves less: in a table that is sorted by one
    of the two, that is the other's noise.
    """
    scaled = np.column_stack([_ranked(column) for column in values.T])
    scaled -= np.nanmean(scaled, axis=0)
    scaled = np.nan_to_num(scaled / np.nanstd(scaled, axis=0))
    later = scaled[1:].T @ scaled[:-1]
    squares = np.diag(scaled.T @ scaled)
    own, other = np.diag(later)[:, None], np.diag(later)[None, :]
    crossed = rho * (later + later.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        up = (own - crossed + rho**2 * other) / (squares[:, None] * (1 - rho**2))
    up = np.where(rho**2 < _ALL_BUT_ONE, np.nan_to_num(up), 0.0)
    return np.clip(np.minimum(up, up.T), 0.0, 1.0)


def _left_by_bins(bins: NDArray[np.intp], ordered: Numbers) -> float:
    """The same of what the bins of another column leave over; rows are in their order."""
    both = (bins >= 0) & np.isfinite(ordered)
    if not both.any():
        return 0.0
    codes, values = bins[both], ordered[both]
    means = np.bincount(codes, weights=values) / np.maximum(np.bincount(codes), 1)
    return lag_one(values - means[codes])


def _p_of_steps(rho: float, n: int) -> float:
    """The p-value of what two columns' changes share from one row to the next, in that sense."""
    if n < _LEAST_ROWS or rho <= 0:
        return 1.0
    worth = n / 1.5  # changes of noise turn back: their lag-one correlation is -1/2
    return correlation_p_value(rho, worth)


def _measured(left: Column, right: Column, p: float) -> Related:
    both = np.isfinite(left.values) & np.isfinite(right.values)
    x, y = left.values[both], right.values[both]
    return Related((left.name, right.name), spearman(x, y), pearson(x, y), len(x), p)


def _binned(values: Numbers) -> NDArray[np.intp] | None:
    """Each value's bin of eight that hold as many values each, -1 for none."""
    there = np.isfinite(values)
    edges = np.unique(np.quantile(values[there], np.linspace(0, 1, _BINS + 1)[1:-1]))
    if len(edges) < 3:
        return None
    bins = np.searchsorted(edges, values, side="right")
    return np.where(there, bins, -1).astype(np.intp)


def _clusters(found: list[Related]) -> list[list[str]]:
    """Groups of four columns or more in which every pair was found, the strongest first."""
    linked = {frozenset(one.pair) for one in found}
    taken: set[str] = set()
    clusters = []
    for one in sorted(found, key=lambda f: -abs(f.rho)):
        if taken & set(one.pair):
            continue
        members = list(one.pair)
        others = {name for pair in linked for name in pair} - taken - set(members)
        for name in sorted(others):
            if all(frozenset((name, member)) in linked for member in members):
                members.append(name)
        if len(members) >= _CLUSTER:
            clusters.append(members)
            taken |= set(members)
    return clusters
