"""What changes over time: trends, seasons and breaks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.distributions import normal_two_sided
from foundations.public_works.parsing.insights.numerics.effects import (
    Numbers,
    correlation_p_value,
    effective_rows,
    explained_by_groups,
    group_effect,
    lag_one,
    ranks,
    spearman,
)
from foundations.public_works.parsing.insights.numerics.multiplicity import ERROR_RATE, holm
from foundations.public_works.parsing.insights.tables.columns import TEMPORAL, Column, Role, Table
from foundations.public_works.parsing.insights.words import (
    bounded,
    chance,
    coefficient,
    figure,
    percent,
)
from foundations.public_works.parsing.profiles import scalar

LEAST_TREND = 0.3
"""The least |rho| of values with time that is told."""
LEAST_SEASON = 0.15
"""The least share of the variance about the slow course that a season has to account for."""
LEAST_SHIFT = 1.0
"""The least shift that is told, in standard deviations of what is left."""
_LEAST_POINTS = 20
_EDGE = 0.05
_MOST_POINTS = 20_000
_SLOPES = 300
_STEADY = 20250101
_WANDERING = 42.0, 58.0
_WANDERING_ABOUT_STEPS = 48.0, 64.0
"""Where n (1 - rho) of a random walk about a line, and about its best step, seldom lies.

At least the first, and the second less a share that few points take from it; Dickey and Fuller's
1 % point about a line is 29. Of 20,000 random walks for each of n = 250, 613 and 900 none lay
beyond the first; of as many for n = 100, 250, 424 and 800 two or three were told as breaks.
"""
_FEWER_POINTS = 1300.0
_HOUR, _DAY, _WEEK, _MONTH, _QUARTER, _YEAR = 1 / 24, 1.0, 7.0, 30.44, 91.3, 365.25
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Course:
    """The values of a column over time: one for each different time, the mean of its rows."""

    name: str
    times: Numbers
    values: Numbers
    stamps: pl.Series
    rows: int


@dataclass(frozen=True, slots=True)
class _Season:
    course: Course
    word: str
    labels: tuple[str, ...]
    places: NDArray[np.intp]
    means: Numbers
    """How far each label lies off the slow course on average."""
    size: float
    p: float


@dataclass(frozen=True, slots=True)
class _Change:
    """A line or a step through a course."""

    course: Course
    kind: InsightKind
    size: float
    p: float
    fit: Numbers
    place: int = 0


def over_time(table: Table) -> Iterator[Insight]:
    """Seasons, then trends or breaks of what is left without them, each told where it is real.

    Holm's correction is over all columns and questions. Points of a series are worth fewer the more
    they follow the one before (Bartlett 1935), so that a random walk has no trend.
    """
    clock = table.clock
    if clock is None:
        return
    some = table.sample
    assert some.clock is not None
    courses = list(_courses(some, some.clock))
    tested = [season for course in courses for season in _seasons(course, clock)]
    tests = max(1, len(tested))
    strong = [season for season in tested if season.size >= LEAST_SEASON]
    holds = holm([season.p for season in strong], tests=tests, rate=ERROR_RATE)
    seasons = [season for season, hold in zip(strong, holds, strict=True) if hold]
    for season in seasons:
        yield _told_season(table, clock, season)
    changes = [c for c in map(_change, (_without(c, seasons) for c in courses)) if c is not None]
    holds = holm([change.p for change in changes], tests=max(1, 2 * len(courses)), rate=ERROR_RATE)
    for change, hold in zip(changes, holds, strict=True):
        if hold:
            told = _told_trend if change.kind is InsightKind.TREND else _told_break
            yield told(table, clock, change)


def _courses(table: Table, clock: Column) -> Iterator[Course]:
    for column in table.of(Role.NUMBER):
        there = np.isfinite(column.values) & np.isfinite(clock.values)
        if int(there.sum()) < _LEAST_POINTS:
            continue
        times, first, inverse = np.unique(
            clock.values[there], return_index=True, return_inverse=True
        )
        if len(times) < _LEAST_POINTS:
            continue
        sums = np.bincount(inverse, weights=column.values[there])
        means = sums / np.bincount(inverse)
        places = np.flatnonzero(there)[first]
        step = max(1, math.ceil(len(times) / _MOST_POINTS))
        stamps = clock.series.gather(places[::step])
        course = Course(column.name, times[::step], means[::step], stamps, int(there.sum()))
        if len(np.unique(course.values)) >= 5:
            yield replace(course, values=_tamed(course.values))


def _tamed(values: Numbers) -> Numbers:
    """The values with single wild ones drawn to five robust deviations of the median."""
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    if spread == 0:
        return values
    return np.clip(values, middle - 5 * spread, middle + 5 * spread)


def _seasons(course: Course, clock: Column) -> Iterator[_Season]:
    """Each season that the course is dense and long enough for, tested."""
    if clock.type not in TEMPORAL:
        return
    step = float(np.median(np.diff(course.times)))
    span = float(course.times[-1] - course.times[0])
    stamps = course.stamps
    if step <= 1.5 * _HOUR and span >= 4 * _DAY:
        zone = " UTC" if clock.zoned else ""
        hours = tuple(f"{h}:00{zone}" for h in range(24))
        yield _season(course, "hour", stamps.dt.hour(), hours, _DAY / step)
    if step <= 1.5 * _DAY and span >= 6 * _WEEK:
        yield _season(course, "weekday", stamps.dt.weekday() - 1, _WEEKDAYS, _WEEK / step)
    if step <= 1.2 * _MONTH and span >= 2.9 * _YEAR:
        yield _season(course, "month", stamps.dt.month() - 1, _MONTHS, _YEAR / step)
    elif 1.2 * _MONTH < step <= 1.2 * _QUARTER and span >= 3.7 * _YEAR:
        labels = tuple(f"quarter {q}" for q in range(1, 5))
        yield _season(course, "quarter", stamps.dt.quarter() - 1, labels, _YEAR / step)


def _season(
    course: Course, word: str, places: pl.Series, labels: tuple[str, ...], period: float
) -> _Season:
    """Where a whole period lies about each point: half of one says little of the slow course."""
    codes = places.to_numpy().astype(np.intp)
    window = min(len(codes), max(3, round(period)))
    inner = slice(window // 2, len(codes) - (window - window // 2) + 1)
    quick = course.values[inner] - _slow(course.values, window)
    means = _means(quick, codes[inner], len(labels))
    rest = quick - means[codes[inner]]
    # each mean that is taken out takes some of what follows from point to point with it
    n = effective_rows(len(quick), lag_one(rest) * (1 + 4 * len(labels) / len(quick)))
    effect = group_effect(ranks(quick), codes[inner], n=n)
    size = group_effect(quick, codes[inner]).size
    return _Season(course, word, labels, codes, means, min(size, effect.size), effect.p)


def _slow(values: Numbers, window: int) -> Numbers:
    """The moving average over a window, wherever a whole one lies."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray((sums[window:] - sums[:-window]) / window)


def _means(values: Numbers, codes: NDArray[np.intp], labels: int) -> Numbers:
    counts = np.bincount(codes, minlength=labels)
    sums = np.bincount(codes, weights=values, minlength=labels)
    return np.asarray(sums / np.maximum(counts, 1))


def _without(course: Course, seasons: list[_Season]) -> Course:
    """The course less its seasons."""
    for season in seasons:
        if season.course.name == course.name:
            course = replace(course, values=course.values - season.means[season.places])
    return course


def _change(course: Course) -> _Change | None:
    """The line or the step that fits a course better, where it is large enough."""
    line, step = _line(course), _step(course)
    if step is None:
        return line if line.size >= LEAST_TREND else None
    left_by_line = float(((course.values - line.fit) ** 2).sum())
    left_by_step = float(((course.values - step.fit) ** 2).sum())
    if left_by_step < 0.9 * left_by_line:
        return step if step.size >= LEAST_SHIFT else None
    return line if line.size >= LEAST_TREND else None


def _line(course: Course) -> _Change:
    times, values = course.times, course.values
    slope, start = np.polyfit(times - times[0], values, 1)
    fit = np.asarray(start + slope * (times - times[0]))
    rho = spearman(times, values)
    rest = values - fit
    p = (
        _p_of_drift(values)
        if _wanders(rest, _WANDERING)
        else correlation_p_value(rho, _worth(rest))
    )
    return _Change(course, InsightKind.TREND, abs(rho), p, fit)


def _step(course: Course) -> _Change | None:
    """The best split into two levels; its p-value counts how many splits were tried."""
    values, n = course.values, len(course.values)
    edge = max(6, int(_EDGE * n))
    if n < 4 * edge // 2 or n - 2 * edge < 2:
        return None
    sums = np.cumsum(values)
    places = np.arange(edge, n - edge)
    low = sums[places - 1] / places
    high = (sums[-1] - sums[places - 1]) / (n - places)
    best = int(np.argmax(places * (n - places) * (high - low) ** 2))
    place = int(places[best])
    fit = np.where(np.arange(n) < place, low[best], high[best])
    rest = values - fit
    spread = float(rest.std())
    shift = abs(float(high[best] - low[best])) / spread if spread > 0 else math.inf
    worth = 0.0 if _wanders(rest, _WANDERING_ABOUT_STEPS) else _worth(rest)
    r = math.sqrt(explained_by_groups(values, (np.arange(n) >= place).astype(np.intp)))
    p = min(1.0, len(places) * correlation_p_value(r, worth))
    return _Change(course, InsightKind.BREAK, shift, p, fit, place)


def _wanders(rest: Numbers, limits: tuple[float, float]) -> bool:
    """Whether a series cannot be told from a random walk (Dickey and Fuller 1979): n (1 - rho)."""
    n = len(rest)
    return n * (1 - lag_one(rest)) < max(limits[0], limits[1] - _FEWER_POINTS / n)


def _p_of_drift(values: Numbers) -> float:
    """The p-value that the steps of a random walk have a mean other than zero."""
    steps = np.diff(values)
    spread = float(steps.std(ddof=1))
    if spread == 0:
        return 0.0
    return normal_two_sided(float(steps.mean()) / spread * math.sqrt(len(steps)))


def _worth(rest: Numbers) -> float:
    """The effective number of points, the lag-one correlation corrected for its bias."""
    n = len(rest)
    rho = lag_one(rest)
    return effective_rows(n, rho + (1 + 4 * rho) / n if rho > 0 else 0.0)


def _told_season(table: Table, clock: Column, season: _Season) -> Insight:
    course = season.course
    means = season.means
    seen = np.unique(season.places)
    top, bottom = int(seen[np.argmax(means[seen])]), int(seen[np.argmin(means[seen])])
    level = float(course.values.mean())
    levels = {int(code): level + float(means[code]) for code in seen}
    per = {"hour": "the hour of the day", "weekday": "the weekday", "month": "the month"}
    return Insight(
        kind=InsightKind.SEASON,
        sentence=f"{course.name} goes with {per.get(season.word, 'the quarter')}: highest in "
        f"{season.labels[top]} (on average {figure(levels[top])}), lowest in "
        f"{season.labels[bottom]} ({figure(levels[bottom])}); that accounts for "
        f"{percent(season.size, 0)} of what varies about its slow course "
        f"(n = {len(course.values):,}, {chance(season.p)}).".replace(
            "highest in", "highest on" if season.word == "weekday" else "highest in"
        ).replace("lowest in", "lowest on" if season.word == "weekday" else "lowest in"),
        figures={
            "share": season.size,
            "highest": season.labels[top],
            "highest_mean": levels[top],
            "lowest": season.labels[bottom],
            "lowest_mean": levels[bottom],
            "n": len(course.values),
            "p_value": season.p,
        },
        evidence=table.evidence(clock.name, course.name),
        strength=bounded(math.sqrt(season.size)),
        surprise=0.6,
        chart=charts.bars(
            [season.labels[int(code)] for code in seen],
            [levels[int(code)] for code in seen],
            (season.word, course.name),
        ),
    )


def _clear(value: float, among: Numbers) -> float:
    """A value, but nothing where it is only what computing left over."""
    return 0.0 if abs(value) < 1e-9 * float(np.abs(among).max()) else value


def _told_trend(table: Table, clock: Column, change: _Change) -> Insight:
    course = change.course
    slope = _middle_slope(course)
    per, word = _per(course, clock)
    moves = "rises" if slope > 0 else "falls"
    first, last = (_clear(float(end), change.fit) for end in (change.fit[0], change.fit[-1]))
    rho = math.copysign(change.size, slope)
    return Insight(
        kind=InsightKind.TREND,
        sentence=f"{course.name} {moves} over time, along {clock.name}: by "
        f"{figure(abs(slope) * per)} a {word}, from about {figure(first)} to about {figure(last)} "
        f"(Spearman rho = {coefficient(rho)}, n = {len(course.values):,}, {chance(change.p)}).",
        figures={
            "spearman_rho": rho,
            f"slope_per_{word}": slope * per,
            "fitted_first": first,
            "fitted_last": last,
            "n": len(course.values),
            "p_value": change.p,
        },
        evidence=table.evidence(clock.name, course.name),
        strength=bounded(change.size),
        surprise=0.6,
        chart=charts.line(
            course.stamps.to_list(), course.values, (clock.name, course.name), fit=change.fit
        ),
    )


def _told_break(table: Table, clock: Column, change: _Change) -> Insight:
    course = change.course
    before, after = float(change.fit[0]), float(change.fit[-1])
    at = course.stamps[change.place]
    row = int(np.flatnonzero(clock.values == course.times[change.place])[0])
    moves = "jumps" if after > before else "drops"
    return Insight(
        kind=InsightKind.BREAK,
        sentence=f"{course.name} {moves} at {scalar(at)}: on average {figure(before)} before, "
        f"{figure(after)} from then on, {change.size:.1f} standard deviations apart "
        f"(n = {len(course.values):,}, {chance(change.p)}).",
        figures={
            "mean_before": before,
            "mean_after": after,
            "at": str(scalar(at)),
            "shift_in_deviations": change.size,
            "n": len(course.values),
            "p_value": change.p,
        },
        evidence=table.evidence(clock.name, course.name, rows=[row]),
        strength=bounded(0.5 + change.size / 10),
        surprise=0.85,
        chart=charts.line(
            course.stamps.to_list(), course.values, (clock.name, course.name), fit=change.fit, at=at
        ),
    )


def _middle_slope(course: Course) -> float:
    """The median of the slopes between all pairs of (some) points (Theil 1950, Sen 1968)."""
    places = np.arange(len(course.times))
    if len(places) > _SLOPES:
        places = np.sort(np.random.default_rng(_STEADY).choice(places, _SLOPES, replace=False))
    i, j = np.triu_indices(len(places), 1)
    times, values = course.times[places], course.values[places]
    return float(np.median((values[j] - values[i]) / (times[j] - times[i])))


def _per(course: Course, clock: Column) -> tuple[float, str]:
    """The unit of time that a slope is told by: how many of the clock's units, and its name."""
    if clock.type not in TEMPORAL:
        return 1.0, "year"
    span = float(course.times[-1] - course.times[0])
    for days, word in ((_YEAR, "year"), (_MONTH, "month"), (_WEEK, "week"), (_DAY, "day")):
        if span >= 2 * days:
            return days, word
    return _HOUR, "hour"
