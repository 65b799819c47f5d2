"""Middle, spread and strange values, by measures that strange values do not move."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundations.public_works.parsing.insights.numerics.distributions import normal_quantile
from foundations.public_works.parsing.insights.numerics.effects import Numbers

LEAST_DISTANCE = 8.0
"""Robust standard deviations that the nearest of what is called an outlier is away, at least."""
_LEVELS = (0.75, 0.875, 0.95, 0.975)
_ENOUGH = 50_000
_POWERS = (1.0, 0.5, 1 / 3, 0.25, 0.0)
_HEADROOM = 1.7
_LEAST_GAP = 1.5
_FEW = 20.0
"""So many rows double the reach, because their quantiles are little to go by."""
_MOST_SHARE = 0.03
_OF_COUNTS = 0.5


@dataclass(frozen=True, slots=True)
class Strangers:
    """Values apart from all others: their places, farthest first, and where the others lie."""

    places: NDArray[np.intp]
    distances: Numbers
    """Of each of the places, in robust standard deviations of its side."""
    low: float
    high: float


def robust_z(values: Numbers) -> Numbers:
    """Distances from the median in robust standard deviations: 0.6745 (x - median) / MAD.

    Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993). Where the MAD is 0, 1.253314
    mean absolute deviations take its place, as they propose.
    """
    off = values - np.median(values)
    mad = float(np.median(np.abs(off)))
    if mad > 0:
        return np.asarray(0.6745 * off / mad)
    mean_off = float(np.mean(np.abs(off)))
    return np.asarray(off / (1.253314 * mean_off)) if mean_off > 0 else np.zeros_like(off)


def strangers(values: Numbers) -> Strangers | None:
    """Values that lie apart from the rest on the scale where the rest is most even.

    The scale is the power of Box and Cox (1964) that makes the quantiles of the values lie most
    evenly about their median, so that a long tail as such is not strange.
    """
    even = evened(values)
    return None if even is None else apart(even, values)


def apart(
    scaled: Numbers, values: Numbers, *, least: float = LEAST_DISTANCE, headroom: float = _HEADROOM
) -> Strangers | None:
    """Values that lie apart on a scale that is even already.

    The distance of a value counts in standard deviations of its side, the largest that the
    quartile, octile and outer quantiles of that side speak for, so that heavy tails are not strange
    either. Strange is what lies farther than `least` and than `headroom` times what the largest of
    so many normal values reaches once in a thousand times, more where the tails are heavy, with a
    gap before it. More than 3 % of
    all values are no strangers but a kind of their own.
    """
    n = len(scaled)
    z = _sided(scaled)
    reach = max(least, headroom * -normal_quantile(0.0005 / n))
    reach *= (1 + _FEW / n) * _heaviness(scaled) ** 2
    if not (np.abs(z) > reach).any():
        return None
    alone = _beyond_gap(z, reach) | _beyond_gap(-z, reach)
    count = int(alone.sum())
    if not count or count > max(1, _MOST_SHARE * n):
        return None
    places = np.flatnonzero(alone)
    places = places[np.argsort(-np.abs(z[places]), kind="stable")]
    usual = values[~alone]
    return Strangers(places, z[places], float(usual.min()), float(usual.max()))


def _heaviness(values: Numbers) -> float:
    """How much wider the outer quantiles are than those of a normal with the same quartiles."""
    wide = np.diff(np.quantile(values, [0.025, 0.975]))[0] / normal_quantile(0.975)
    middle = np.diff(np.quantile(values, [0.25, 0.75]))[0] / normal_quantile(0.75)
    return max(1.0, float(wide / middle)) if middle > 0 else 1.0


def evened(values: Numbers) -> Numbers | None:
    """The values on the power scale where they lie most evenly; None where most are the same."""
    low = float(values.min())
    powers = list(_POWERS) if low >= 0 and float(np.median(values)) > 0 else [1.0]
    if low == 0 and len(powers) > 1:
        powers.remove(0.0)
    some = values[:: max(1, len(values) // _ENOUGH)]
    best, least = None, math.inf
    for power in powers:
        unevenness = _unevenness(_scaled(some, power))
        if unevenness is not None and unevenness < least - 0.02:
            best, least = power, unevenness
    return None if best is None else _scaled(values, best)


def _scaled(values: Numbers, power: float) -> Numbers:
    """The values to a power, their logarithms for the power 0.

    Nothing lies far below all on small powers, whatever is above: there it counts as half of the
    least that is something. Counts are even to the power of one half.
    """
    if power < _OF_COUNTS and float(values.min()) == 0:
        values = np.maximum(values, float(values[values > 0].min()) / 2)
    if power == 1.0:
        return values
    if power == 0.0:
        return np.asarray(np.log(values))
    return np.asarray((values / (float(values.max()) or 1.0)) ** power)


def _unevenness(values: Numbers) -> float | None:
    """How unlike the two sides of the median are, over several quantiles; None without spread."""
    middle = float(np.median(values))
    worst = 0.0
    for level in _LEVELS:
        low, high = (float(q) for q in np.quantile(values, [1 - level, level]))
        if high - low <= 0:
            return None
        worst = max(worst, abs((high - middle) - (middle - low)) / (high - low))
    return worst


def _sided(values: Numbers) -> Numbers:
    """Distances from the median in the standard deviations of each value's side."""
    middle = float(np.median(values))
    off = values - middle
    up = _spread(values, middle)
    down = _spread(-values, -middle)
    widest = max(up, down)
    up, down = max(up, widest / 4), max(down, widest / 4)
    return np.where(off >= 0, off / up, off / down)


def _spread(values: Numbers, middle: float) -> float:
    usable = [level for level in _LEVELS if (1 - level) * len(values) >= 5 or level == _LEVELS[0]]
    return max(
        (float(np.quantile(values, level)) - middle) / normal_quantile(level) for level in usable
    )


def _beyond_gap(z: Numbers, reach: float) -> NDArray[np.bool_]:
    """What lies beyond the reach, and above the first gap wide enough there."""
    order = np.sort(z)
    above = order[order > reach]
    if not len(above):
        return np.zeros(len(z), dtype=bool)
    ordinary = order[order <= reach]
    edge = float(ordinary[-1]) if len(ordinary) else reach
    steps = np.diff(np.concatenate(([edge], above)))
    wide = np.flatnonzero(steps >= _LEAST_GAP)
    if not len(wide):
        return np.zeros(len(z), dtype=bool)
    return np.asarray(z >= above[wide[0]])
