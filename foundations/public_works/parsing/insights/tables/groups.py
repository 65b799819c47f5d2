"""Labels that go together with numbers, and with other labels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.effects import (
    Codes,
    Effect,
    contingency,
    cramers_v,
    effective_rows,
    explained_by_groups,
    group_effect,
    lag_one,
    ranks,
)
from foundations.public_works.parsing.insights.numerics.multiplicity import (
    ERROR_RATE,
    benjamini_yekutieli,
)
from foundations.public_works.parsing.insights.tables.columns import Column, Role, Table
from foundations.public_works.parsing.insights.tables.rules import Pair
from foundations.public_works.parsing.insights.words import (
    bounded,
    chance,
    coefficient,
    figure,
    percent,
)

LEAST_EXPLAINED = 0.06
"""The least share of the variance of ranks between groups that is told: medium (Cohen 1988)."""
LEAST_ASSOCIATION = 0.2
"""The least V of Cramer, corrected for bias, that is told."""
_LEAST_ROWS = 12
_LEAST_IN_GROUP = 3
_LEAST_EXPECTED, _MEAN_EXPECTED = 1.0, 6.0
"""Rows expected in a cell for chi-square to hold (Roscoe and Byars 1971: six on average)."""
_LEAST_LABEL = 5
_MOST_COLUMNS = 100
_OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Difference:
    """Numbers that differ between groups beyond chance."""

    by: Column
    of: Column
    effect: Effect


def differences(table: Table, explained: frozenset[Pair]) -> list[Difference]:
    """Pairs of labels and numbers: analysis of variance of ranks (Kruskal and Wallis 1952).

    Of labels that fix one another only those that account for most are taken.
    """
    some = table.sample
    categories = some.of(Role.CATEGORY)[:_MOST_COLUMNS]
    numbers = some.of(Role.NUMBER)[:_MOST_COLUMNS]
    tested = [(by, of, _difference(some, by, of)) for by in categories for of in numbers]
    strong = [(by, of, effect) for by, of, effect in tested if effect.size >= LEAST_EXPLAINED]
    holds = benjamini_yekutieli(
        [e.p for _, _, e in strong], tests=max(1, len(tested)), rate=ERROR_RATE
    )
    found = [
        Difference(table.named(by.name), table.named(of.name), effect)
        for (by, of, effect), hold in zip(strong, holds, strict=True)
        if hold
    ]
    return [one for one in found if not _said_by_another(one, found, explained)]


def _said_by_another(one: Difference, found: list[Difference], explained: frozenset[Pair]) -> bool:
    return any(
        frozenset((one.by.name, other.by.name)) in explained
        and other.of is one.of
        and (other.effect.size, other.by.name) > (one.effect.size, one.by.name)
        for other in found
        if other is not one
    )


def _difference(table: Table, by: Column, of: Column) -> Effect:
    there = (by.codes >= 0) & np.isfinite(of.values)
    codes, values = by.codes[there], of.values[there]
    sizes = np.bincount(codes, minlength=1)
    large = sizes[codes] >= _LEAST_IN_GROUP
    codes, values = codes[large], values[large]
    if len(values) < _LEAST_ROWS or len(np.unique(codes)) < 2:
        return Effect(0.0, 1.0)
    n = float(len(values))
    if table.clock is not None:
        order = np.argsort(table.clock.values[there][large], kind="stable")
        n = effective_rows(n, lag_one(ranks(values[order])) * _persistence(codes[order]))
    return group_effect(ranks(values), codes, n=n)


def _persistence(codes: Codes) -> float:
    """How much more often a row has the label of the row before it than by chance (0 to 1)."""
    shares = np.bincount(codes) / len(codes)
    by_chance = float((shares**2).sum())
    same = float(np.mean(codes[1:] == codes[:-1]))
    return max(0.0, (same - by_chance) / (1 - by_chance)) if by_chance < 1 else 0.0


def told_differences(table: Table, found: list[Difference]) -> Iterator[Insight]:
    """A sentence for each difference, by means where these tell it, else by medians."""
    for one in found:
        yield _told(table, one)


def _told(table: Table, one: Difference) -> Insight:
    by, of = one.by, one.of
    there = (by.codes >= 0) & np.isfinite(of.values)
    codes, values = by.codes[there], of.values[there]
    sizes = np.bincount(codes, minlength=len(by.labels))
    eta = explained_by_groups(values, codes)
    means = eta >= LEAST_EXPLAINED / 2
    middle = np.mean if means else np.median
    large = [c for c in range(len(by.labels)) if sizes[c] >= _LEAST_IN_GROUP]
    heights = {c: float(middle(values[codes == c])) for c in large}
    order = sorted(large, key=lambda c: (-heights[c], by.labels[c]))
    top, bottom = order[0], order[-1]
    word, share = ("on average", eta) if means else ("in the middle", one.effect.size)
    what = "its variance" if means else "the variance of its ranks"
    name = "mean" if means else "median"
    return Insight(
        kind=InsightKind.DIFFERENCE,
        sentence=f"{of.name} differs by {by.name}: {word} {figure(heights[top])} for "
        f"{_label(by.labels[top])}, {figure(heights[bottom])} for {_label(by.labels[bottom])}; "
        f"{by.name} accounts for {percent(share, 0)} of {what} (n = {len(values):,}, "
        f"{chance(one.effect.p)}).",
        figures={
            "eta_squared": eta,
            "epsilon_squared_of_ranks": one.effect.size,
            f"highest_{name}": heights[top],
            "highest_group": _label(by.labels[top]),
            f"lowest_{name}": heights[bottom],
            "lowest_group": _label(by.labels[bottom]),
            "groups": len(large),
            "n": len(values),
            "p_value": one.effect.p,
        },
        evidence=table.evidence(by.name, of.name),
        strength=bounded(math.sqrt(max(eta, one.effect.size))),
        surprise=0.5,
        chart=charts.bars(
            [_label(by.labels[c]) for c in order],
            [heights[c] for c in order],
            (by.name, f"{name} of {of.name}"),
        ),
    )


def associations(table: Table, explained: frozenset[Pair]) -> Iterator[Insight]:
    """Labels of two columns that come together more, or less, often than by chance."""
    columns = table.of(Role.CATEGORY)[:_MOST_COLUMNS]
    tested: list[tuple[Column, Column, _Crossed]] = []
    count = 0
    for place, left in enumerate(columns):
        for right in columns[place + 1 :]:
            count += 1
            if frozenset((left.name, right.name)) in explained:
                continue
            crossed = _crossed(table, left, right)
            if crossed is not None and crossed.effect.size >= LEAST_ASSOCIATION:
                tested.append((left, right, crossed))
    p_values = [crossed.effect.p for _, _, crossed in tested]
    holds = benjamini_yekutieli(p_values, tests=max(1, count), rate=ERROR_RATE)
    for (left, right, crossed), hold in zip(tested, holds, strict=True):
        if hold:
            yield _associated(table, left, right, crossed)


@dataclass(frozen=True, slots=True)
class _Crossed:
    counts: NDArray[np.float64]
    rows: list[str]
    columns: list[str]
    effect: Effect


def _crossed(table: Table, left: Column, right: Column) -> _Crossed | None:
    both = (left.codes >= 0) & (right.codes >= 0)
    if int(both.sum()) < _LEAST_ROWS:
        return None
    ours, rows = _common(left.codes[both], left.labels)
    theirs, columns = _common(right.codes[both], right.labels)
    counts = contingency(ours, theirs)
    n = float(counts.sum())
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    if (
        min(counts.shape) < 2
        or expected.min() < _LEAST_EXPECTED
        or expected.mean() < _MEAN_EXPECTED
    ):
        return None
    worth = 1.0
    if table.clock is not None:
        order = np.argsort(table.clock.values[both], kind="stable")
        rho = _persistence(ours[order]) * _persistence(theirs[order])
        worth = effective_rows(n, rho) / n
    effect = cramers_v(counts)
    if worth < 1.0:
        effect = Effect(effect.size, cramers_v(counts * worth).p)
    return _Crossed(counts, rows, columns, effect)


def _common(codes: Codes, labels: list[str]) -> tuple[Codes, list[str]]:
    """Codes with the rare labels made one."""
    sizes = np.bincount(codes, minlength=len(labels))
    kept = [code for code in range(len(labels)) if sizes[code] >= _LEAST_LABEL]
    mapping = np.full(len(labels), len(kept))
    mapping[kept] = np.arange(len(kept))
    named = [labels[code] for code in kept]
    rare = bool((mapping[codes] == len(kept)).any())
    return mapping[codes].astype(np.intp), [*named, _OTHERS] if rare else named


def _associated(table: Table, left: Column, right: Column, crossed: _Crossed) -> Insight:
    counts, effect = crossed.counts, crossed.effect
    n = float(counts.sum())
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    far = (counts - expected) / np.sqrt(expected)
    i, j = (int(place) for place in np.unravel_index(int(np.argmax(far)), far.shape))
    inside = counts[i, j] / counts[i].sum()
    overall = counts[:, j].sum() / n
    shares = counts / counts.sum(axis=1, keepdims=True)
    return Insight(
        kind=InsightKind.ASSOCIATION,
        sentence=f"{left.name} and {right.name} go together (Cram\u00e9r's V = "
        f"{coefficient(effect.size)}, n = {int(n):,}, {chance(effect.p)}): {right.name} is "
        f"{_label(crossed.columns[j])} in {percent(inside, 0)} of the rows where {left.name} is "
        f"{_label(crossed.rows[i])}, in {percent(overall, 0)} of all.",
        figures={
            "cramers_v": effect.size,
            "n": int(n),
            "p_value": effect.p,
            "share_there": float(inside),
            "share_overall": float(overall),
        },
        evidence=table.evidence(left.name, right.name),
        strength=bounded(effect.size),
        surprise=0.6,
        chart=charts.squares(
            [_label(label) for label in crossed.rows],
            [_label(label) for label in crossed.columns],
            shares.tolist(),
            (left.name, right.name, "share of the row"),
        ),
    )


def _label(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "\u2026"
