"""How the values of a column are distributed, where that is worth a sentence."""

import math
from collections.abc import Collection, Iterator

import numpy as np

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.distributions import chi_square_upper
from foundations.public_works.parsing.insights.numerics.effects import Numbers, gini, lag_one
from foundations.public_works.parsing.insights.numerics.robust import evened
from foundations.public_works.parsing.insights.tables.columns import Column, Role, Table
from foundations.public_works.parsing.insights.words import (
    bounded,
    chance,
    counted,
    figure,
    percent,
)

TOP_ROWS, LEAST_IN_TOP_ROWS = 0.1, 0.6
"""Three fifths of a sum have to stand in a tenth of the rows to be told."""
LEAST_OF_ONE = 0.5
"""One of five parties or more has to have half of a sum, in half as many rows, to be told."""
LEAST_BENFORD = 0.015
"""The mean deviation from Benford's shares that Nigrini (2012) calls nonconformity."""
_LEAST_ROWS = 100
_LEAST_FOR_BENFORD = 300
_LEAST_PARTIES = 5
_LEAST_SEPARATION = 3.0
_LEAST_MODE = 0.1
_DEEP = 0.25
_LEAST_PEAK = 20
_WANDERS = 0.5
_RATES = frozenset({"%", "°C", "°F", "K", "km/h", "m/s", "mph", "hPa"})


def two_groups(table: Table, known: Collection[str]) -> Iterator[Insight]:
    """Numbers that fall into two groups with hardly anything between them.

    On the scale where they lie most evenly they are told apart by Otsu's threshold (1979); Ashman's
    D (1994) has to be 3 at least, each has a tenth of the values, and between them the histogram
    sinks to a quarter of the lower one. A column that wanders from row to row within both goes
    through many places and stays a while in some: those are no groups.
    """
    for column in table.of(Role.NUMBER):
        values = column.present
        if column.name in known or len(values) < _LEAST_ROWS:
            continue
        counts = np.unique(values, return_counts=True)[1]
        if len(counts) < 20 or counts.max() > _LEAST_MODE * len(values):
            continue
        scaled = evened(values)
        if scaled is None:
            continue
        below = scaled <= _threshold(scaled)
        low, high = scaled[below], scaled[~below]
        if min(len(low), len(high)) < _LEAST_MODE * len(values):
            continue
        spread = math.sqrt((float(low.var()) + float(high.var())) / 2)
        separation = math.sqrt(2) * float(high.mean() - low.mean()) / (2 * spread or 1e-12)
        separation *= math.sqrt(2)
        if separation < _LEAST_SEPARATION or not _valley(scaled, low, high):
            continue
        off = scaled - np.where(below, low.mean(), high.mean())
        if lag_one(off) > _WANDERS and not column.is_sorted:
            continue
        low, high = values[below], values[~below]
        yield Insight(
            kind=InsightKind.DISTRIBUTION,
            sentence=f"{column.name} falls into two groups: {percent(len(low) / len(values), 0)} "
            f"of the values lie around {figure(float(np.median(low)))}, the others around "
            f"{figure(float(np.median(high)))}, few between.",
            figures={
                "lower_median": float(np.median(low)),
                "upper_median": float(np.median(high)),
                "share_of_lower": len(low) / len(values),
                "ashman_d": separation,
                "n": len(values),
            },
            evidence=table.evidence(column.name),
            strength=bounded(min(1.0, separation / 8)),
            surprise=0.7,
            chart=charts.histogram(values, column.name),
        )


def _threshold(values: Numbers) -> float:
    """The split with the most variance between its two sides, by Otsu."""
    ordered = np.sort(values)
    n = len(ordered)
    sums = np.cumsum(ordered)
    below = np.arange(1, n)
    means_low = sums[:-1] / below
    means_high = (sums[-1] - sums[:-1]) / (n - below)
    between = below * (n - below) * (means_high - means_low) ** 2
    return float(ordered[int(np.argmax(between))])


def _valley(values: Numbers, low: Numbers, high: Numbers) -> bool:
    """Whether the middle between the two groups is nearly empty."""
    left, right = float(np.median(low)), float(np.median(high))
    width = (right - left) / 5
    if width <= 0:
        return False

    def rows(middle: float) -> int:
        return int(((values >= middle - width / 2) & (values < middle + width / 2)).sum())

    peak = min(rows(left), rows(right))
    if peak < _LEAST_PEAK:
        return False
    lowest = min(
        rows(left + share * (right - left)) for share in (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
    )
    return lowest <= _DEEP * peak


def concentration(table: Table, parts: Collection[str]) -> Iterator[Insight]:
    """Sums that few rows, or few parties, hold most of; `parts` of a product are not summed."""
    parties = [
        c
        for c in table.of(Role.LABELS, Role.CATEGORY, Role.IDENTIFIER)
        if _LEAST_PARTIES <= c.filled.n_unique() <= len(c.filled) / 2
    ]
    for column in table.of(Role.NUMBER):
        values = column.present
        if (
            column.name in parts
            or column.unit in _RATES
            or len(values) < 50
            or values.min() < 0
            or values.sum() <= 0
        ):
            continue
        told = [one for party in parties for one in _of_parties(table, column, party)]
        yield from told or _of_rows(table, column)


def _of_parties(table: Table, column: Column, party: Column) -> Iterator[Insight]:
    there = (party.codes >= 0) & np.isfinite(column.values)
    sums = np.bincount(
        party.codes[there], weights=column.values[there], minlength=len(party.labels)
    )
    total = float(sums.sum())
    order = np.argsort(-sums, kind="stable")
    share = float(sums[order[0]]) / total if total > 0 else 0.0
    rows = float(np.mean(party.codes[there] == order[0]))
    if share < LEAST_OF_ONE or len(sums) < _LEAST_PARTIES or rows > share / 2:
        return
    top = party.labels[int(order[0])]
    yield Insight(
        kind=InsightKind.CONCENTRATION,
        sentence=f"{top} alone has {percent(share)} of all {column.name} "
        f"({figure(float(sums[order[0]]))} of {figure(total)}), in {percent(rows)} of the rows; "
        f"there are {len(sums):,} different {party.name}.",
        figures={
            "share": share,
            "sum": float(sums[order[0]]),
            "total": total,
            "parties": len(sums),
        },
        evidence=table.evidence(
            party.name, column.name, rows=np.flatnonzero(party.codes == order[0])
        ),
        strength=bounded(share),
        surprise=0.8,
        chart=charts.bars(
            [party.labels[int(code)][:80] for code in order],
            [float(sums[code]) for code in order],
            (party.name, f"sum of {column.name}"),
        ),
    )


def _of_rows(table: Table, column: Column) -> Iterator[Insight]:
    count = math.ceil(TOP_ROWS * len(column.present))
    total = float(column.present.sum())
    share = float(np.partition(column.present, -count)[-count:].sum()) / total
    if share < LEAST_IN_TOP_ROWS or np.mean(column.present > 0) < LEAST_IN_TOP_ROWS:
        return  # where most rows have nothing, that few have something is no news
    rows = np.flatnonzero(np.isfinite(column.values))
    order = rows[np.argsort(-column.values[rows], kind="stable")]
    running = np.cumsum(column.values[order]) / total
    steps = np.unique(np.linspace(0, len(order) - 1, 60).astype(int))
    yield Insight(
        kind=InsightKind.CONCENTRATION,
        sentence=f"{percent(share)} of all {column.name} stand in {counted(count, 'row')}, a tenth "
        f"of those that have a value (Gini coefficient {gini(column.present):.2f}).",
        figures={"share": share, "rows": count, "total": total, "gini": gini(column.present)},
        evidence=table.evidence(column.name, rows=order[:count]),
        strength=bounded(share),
        surprise=0.6,
        chart=charts.line(
            [charts.shown((step + 1) / len(order)) for step in steps],
            running[steps],
            ("share of the rows, largest first", f"share of all {column.name}"),
        ),
    )


def benford(table: Table) -> Iterator[Insight]:
    """First digits that are not as Benford's law has them, where it applies.

    It applies to positive numbers of a wide range: here three hundred or more, whose middle half
    alone spans a factor of ten.
    """
    for column in table.of(Role.NUMBER):
        values = column.present[column.present > 0]
        if len(values) < _LEAST_FOR_BENFORD or len(values) < 0.95 * len(column.present):
            continue
        q1, q3 = np.quantile(values, [0.25, 0.75])
        if q3 < 10 * q1:
            continue
        digits = _first_digits(values)
        observed = np.bincount(digits, minlength=10)[1:] / len(values)
        law = np.log10(1 + 1 / np.arange(1, 10))
        deviation = float(np.abs(observed - law).mean())
        chi = float(len(values) * ((observed - law) ** 2 / law).sum())
        p = chi_square_upper(chi, 8)
        if deviation < LEAST_BENFORD or p > 1e-6:
            continue
        worst = int(np.argmax(observed - law))
        rows = np.flatnonzero(np.isfinite(column.values) & (column.values > 0))
        yield Insight(
            kind=InsightKind.BENFORD,
            sentence=f"The first digits of {column.name} are not as such numbers usually have them "
            f"(Benford's law): {percent(float(observed[worst]))} begin with {worst + 1}, where "
            f"{percent(float(law[worst]))} are usual (mean deviation {deviation:.3f}, "
            f"n = {len(values):,}, {chance(p)}).",
            figures={
                "mean_deviation": deviation,
                "p_value": p,
                "digit": worst + 1,
                "observed": float(observed[worst]),
                "usual": float(law[worst]),
            },
            evidence=table.evidence(column.name, rows=rows[digits == worst + 1]),
            strength=bounded(0.5 + 10 * deviation),
            surprise=0.9,
            chart=charts.bars(
                [str(digit) for digit in range(1, 10)],
                [float(share) for share in observed],
                (f"first digit of {column.name}", "share"),
            ),
        )


def _first_digits(values: Numbers) -> np.ndarray:
    scaled = values / 10.0 ** np.floor(np.log10(values))
    return np.clip(np.floor(scaled + 1e-9), 1, 9).astype(np.intp)
