"""How strong a relation is: coefficients between columns, and how likely chance gives them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundations.public_works.parsing.insights.numerics.distributions import (
    chi_square_upper,
    f_upper,
    student_two_sided,
)

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Effect:
    """A size between 0 and 1, and the probability of one as large under chance alone."""

    size: float
    p: float


def pearson(x: Numbers, y: Numbers) -> float:
    """Pearson's correlation coefficient; 0.0 when one side does not vary."""
    dx, dy = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(dx @ dx) * float(dy @ dy))
    return max(-1.0, min(1.0, float(dx @ dy) / scale)) if scale > 0 else 0.0


def spearman(x: Numbers, y: Numbers) -> float:
    """Spearman's rank correlation: Pearson's coefficient of the ranks, ties averaged."""
    return pearson(ranks(x), ranks(y))


def ranks(values: Numbers) -> Numbers:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])


def correlation_p_value(r: float, n: float) -> float:
    """Two-sided p-value of a correlation by Student's t with n - 2 degrees of freedom.

    Not below 2 / n!, the chance that two orders of n agree or are reversed: what t says of a
    perfect rank correlation of few rows is too good (Kendall and Gibbons, Rank Correlation Methods,
    1990). `n` may be an effective number of rows.
    """
    if n <= 3:
        return 1.0
    least = math.exp(math.log(2) - math.lgamma(n + 1))
    if abs(r) >= 1.0:
        return min(1.0, least)
    t = r * math.sqrt((n - 2) / (1 - r * r))
    return min(1.0, max(least, student_two_sided(t, n - 2)))


def explained_by_groups(values: Numbers, groups: Codes) -> float:
    """Eta squared: the share of the variance of `values` that lies between groups (0 to 1).

    Fisher, Statistical Methods for Research Workers (1925): sum of squares between over total.
    """
    total = float(((values - values.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=values) / np.maximum(counts, 1)
    return min(1.0, float((counts * (means - values.mean()) ** 2).sum()) / total)


def group_effect(values: Numbers, groups: Codes, *, n: float | None = None) -> Effect:
    """Epsilon squared and the p-value of a one-way analysis of variance.

    Epsilon squared is eta squared less what chance gives (Kelley, An unbiased correlation ratio
    measure, 1935). `n` is the effective number of rows where they are not independent.
    """
    n = float(len(values)) if n is None else n
    k = len(np.unique(groups))
    if n <= k + 1:
        return Effect(0.0, 1.0)
    eta = explained_by_groups(values, groups)
    size = max(0.0, 1 - (1 - eta) * (n - 1) / (n - k))
    if eta >= 1.0:
        return Effect(1.0, 0.0)
    f = (eta / (k - 1)) / ((1 - eta) / (n - k))
    return Effect(size, f_upper(f, k - 1, n - k))


def contingency(left: Codes, right: Codes) -> NDArray[np.float64]:
    """How often each pair of codes occurs, as a table of counts."""
    width = int(right.max()) + 1
    counts = np.bincount(left * width + right, minlength=(int(left.max()) + 1) * width)
    return counts.reshape(-1, width).astype(np.float64)


def cramers_v(table: NDArray[np.float64]) -> Effect:
    """Cramer's V with Bergsma's correction for bias, and the p-value of the chi-square test.

    Bergsma, A bias-correction for Cramer's V and Tschuprow's T (2013).
    """
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    rows, columns = table.shape
    n = float(table.sum())
    if min(rows, columns) < 2 or n < 2:
        return Effect(0.0, 1.0)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    chi = float(((table - expected) ** 2 / expected).sum())
    phi = max(0.0, chi / n - (rows - 1) * (columns - 1) / (n - 1))
    rows_left = rows - (rows - 1) ** 2 / (n - 1)
    columns_left = columns - (columns - 1) ** 2 / (n - 1)
    size = math.sqrt(phi / max(1e-12, min(rows_left, columns_left) - 1))
    return Effect(min(1.0, size), chi_square_upper(chi, (rows - 1) * (columns - 1)))


def lag_one(values: Numbers) -> float:
    """The correlation of a series with itself one step later, 0.0 for one that does not vary."""
    off = values - values.mean()
    total = float(off @ off)
    return float(off[1:] @ off[:-1]) / total if total > 0 else 0.0


def effective_rows(n: float, rho: float) -> float:
    """How many independent rows a series of n is worth whose steps correlate by `rho`.

    Bartlett, Some aspects of the time-correlation problem (1935): n (1 - rho) / (1 + rho). For the
    correlation of two series `rho` is the product of theirs. A negative one changes nothing.
    """
    rho = min(0.999, max(0.0, rho))
    return n * (1 - rho) / (1 + rho)


def gini(values: Numbers) -> float:
    """The Gini coefficient of values that are not negative: 0 all equal, near 1 one has all."""
    total = float(values.sum())
    n = len(values)
    if total <= 0:
        return 0.0
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float((weights * np.sort(values)).sum()) / (n * total)
