"""The formulas insights rest on, over numpy arrays without missing values."""

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def tukey_fences(values: Numbers) -> tuple[float, float]:
    """Lower and upper fence for outliers: quartiles minus and plus 1.5 interquartile ranges.

    Tukey, Exploratory Data Analysis (1977); quartiles by linear interpolation (type 7 of Hyndman
    and Fan, 1996).
    """
    q1, q3 = np.quantile(values, [0.25, 0.75])
    reach = 1.5 * (q3 - q1)
    return float(q1 - reach), float(q3 + reach)


def robust_z(values: Numbers) -> Numbers:
    """Distances from the median in robust standard deviations: 0.6745 (x - median) / MAD.

    Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), who call |z| > 3.5 an outlier.
    Where the MAD is 0, 1.253314 mean absolute deviations take its place, as they propose.
    """
    off = values - np.median(values)
    mad = float(np.median(np.abs(off)))
    if mad > 0:
        return np.asarray(0.6745 * off / mad)
    mean_off = float(np.mean(np.abs(off)))
    return np.asarray(off / (1.253314 * mean_off)) if mean_off > 0 else np.zeros_like(off)


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


def correlation_p_value(r: float, n: int) -> float:
    """Two-sided p-value of a correlation by Fisher's z transform (an approximation; n > 3).

    Fisher, On the probable error of a coefficient of correlation (1921): atanh(r) has a standard
    error of 1 / sqrt(n - 3).
    """
    if n <= 3:
        return 1.0
    if abs(r) >= 1.0:
        return 0.0
    return math.erfc(abs(math.atanh(r)) * math.sqrt(n - 3) / math.sqrt(2))


def explained_by_groups(values: Numbers, groups: NDArray[np.intp]) -> float:
    """Eta squared: the share of the variance of `values` that lies between groups (0 to 1).

    Fisher, Statistical Methods for Research Workers (1925): sum of squares between over total.
    """
    total = float(((values - values.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=values) / np.maximum(counts, 1)
    return float((counts * (means - values.mean()) ** 2).sum()) / total
