"""Seasons have the means of their labels; rows in the order of time make no relations by chance."""

import datetime as dt
import math

import numpy as np
import pytest

from foundations.public_works.parsing.insights.model import InsightKind as K
from tests.support.insights import all_told, noise, told

RELATIONS = {K.CORRELATION, K.CURVE, K.DISTRIBUTION, K.COMBINATION}


def _walks(count: int, rows: int, seed: int) -> dict[str, list[float]]:
    lots = np.random.default_rng(seed)
    return {f"w{k}": np.cumsum(lots.normal(0, 1, rows)).tolist() for k in range(count)}


def test_months_of_a_daily_series_have_their_means() -> None:
    day = [dt.date(2020, 1, 1) + dt.timedelta(days=k) for k in range(4 * 365 + 1)]
    warm = [15 - 10 * math.cos(2 * math.pi * (d.timetuple().tm_yday - 15) / 365.25) for d in day]
    heat = [w + n for w, n in zip(warm, noise(len(day)), strict=True)]

    (season,) = told({"day": day, "heat": heat}, K.SEASON)

    assert (season.figures["highest"], season.figures["lowest"]) == ("July", "January")
    assert season.figures["highest_mean"] == pytest.approx(25, abs=0.5)
    assert season.figures["lowest_mean"] == pytest.approx(5, abs=0.5)


def test_hours_of_quarter_hourly_values_have_their_means() -> None:
    start = dt.datetime.fromisoformat("2024-03-01T00:00:00")
    times = [start + dt.timedelta(minutes=15 * k) for k in range(96 * 14)]
    load = [50 + 20 * (8 <= t.hour < 20) + n for t, n in zip(times, noise(96 * 14), strict=True)]

    (season,) = told({"time": times, "load": load}, K.SEASON)

    assert season.figures["highest_mean"] == pytest.approx(70, abs=1)
    assert season.figures["lowest_mean"] == pytest.approx(50, abs=1)


def test_break_shows_beside_a_season() -> None:
    day = [dt.date(2020, 1, 1) + dt.timedelta(days=k) for k in range(1500)]
    heat = [
        15 + 10 * math.sin(2 * math.pi * k / 365.25) + 2 * n + 4 * (k >= 900)
        for k, n in enumerate(noise(1500))
    ]

    (insight,) = told({"day": day, "heat": heat}, K.BREAK)

    assert abs(dt.date.fromisoformat(str(insight.figures["at"])) - day[900]) < dt.timedelta(days=14)
    assert float(insight.figures["mean_after"]) - float(
        insight.figures["mean_before"]
    ) == pytest.approx(4, abs=0.5)


def test_hours_of_times_with_a_zone_say_which() -> None:
    start = dt.datetime.fromisoformat("2024-03-01T00:00:00+00:00")
    times = [start + dt.timedelta(hours=k) for k in range(480)]
    load = [
        5 + 4 * math.sin(t.hour * math.pi / 12) + n / 9
        for t, n in zip(times, noise(480), strict=True)
    ]

    (season,) = told({"time": times, "load": load}, K.SEASON)

    assert season.figures["highest"] == "6:00 UTC"


@pytest.mark.parametrize("rows", [30, 60, 300, 1000])
def test_walks_without_times_have_no_relations(rows: int) -> None:
    for seed in range(8):
        found = {insight.kind for insight in all_told(_walks(6, rows, seed))}
        assert found & RELATIONS == set(), seed


def test_walks_that_share_their_steps_correlate_without_times() -> None:
    (walk,) = _walks(1, 300, 1).values()
    other = [2 * w + n / 2 for w, n in zip(walk, noise(300), strict=True)]

    (insight,) = [one for one in all_told({"a": walk, "b": other}) if one.kind in RELATIONS]

    assert insight.kind is K.CORRELATION


def test_table_that_is_sorted_keeps_its_relations() -> None:
    """Of 120 places by their wealth: what follows it is slow from row to row, and real."""
    lots = np.random.default_rng(4)
    wealth = np.sort(lots.lognormal(9, 1, 120))
    level = np.log(wealth)
    table = {
        "wealth": wealth.tolist(),
        "life": (60 + 4 * level + lots.normal(0, 3, 120)).tolist(),
        "net": (10 * level + lots.normal(0, 8, 120)).tolist(),
        "arch": (-((level - 9) ** 2) + lots.normal(0, 0.5, 120)).tolist(),
    }

    found = [one for one in all_told(table) if one.kind in RELATIONS]

    assert {one.evidence.columns for one in found if one.kind is K.CORRELATION} == {
        ("wealth", "life"),
        ("wealth", "net"),
        ("life", "net"),
    }
    assert ("wealth", "arch") in {one.evidence.columns for one in found if one.kind is K.CURVE}


def test_walk_over_three_years_has_no_season() -> None:
    day = [dt.date(2021, 1, 1) + dt.timedelta(days=k) for k in range(1062)]

    assert told({"day": day, **_walks(8, 1062, 125)}, K.SEASON) == []
