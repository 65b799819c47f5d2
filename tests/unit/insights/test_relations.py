"""Relations are told with figures that the standard library agrees with; noise is not told."""

import datetime as dt
import math
import random
import statistics as reference

import numpy as np
import pytest

from foundations.public_works.parsing.insights.model import InsightKind as K
from tests.support.insights import all_told, noise, told

RELATIONS = {K.CORRELATION, K.CURVE, K.DIFFERENCE, K.ASSOCIATION, K.TREND, K.SEASON, K.BREAK}


def days(n: int) -> list[dt.date]:
    return [dt.date(2023, 1, 2) + dt.timedelta(days=k) for k in range(n)]


def ranks(values: list[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(v) + 1.0 for v in values]


# --- numbers and numbers -------------------------------------------------------------------------


def test_correlation_has_its_figures() -> None:
    x = noise(60)
    y = [-2 * value + other / 2 for value, other in zip(x, noise(60, 2), strict=True)]

    (insight,) = told({"x": x, "y": y}, K.CORRELATION)

    r, rho = reference.correlation(x, y), reference.correlation(ranks(x), ranks(y))
    assert insight.figures["pearson_r"] == pytest.approx(r)
    assert insight.figures["spearman_rho"] == pytest.approx(rho)
    assert insight.figures["n"] == 60
    assert f"move in opposite directions (Pearson r = {r:.3f}, n = 60, p < 0.001)" in (
        insight.sentence
    )
    assert insight.chart["encoding"]["x"]["title"] == "x"


def test_correlation_uses_rows_that_have_both() -> None:
    x = [*noise(30), None, 5.0]
    y = [*[v + e / 3 for v, e in zip(noise(30), noise(30, 2), strict=True)], 9.0, None]

    (insight,) = told({"x": x, "y": y}, K.CORRELATION)

    assert insight.figures["n"] == 30


def test_curve_that_only_ranks_see_is_told_by_them() -> None:
    x = [k / 4 for k in range(40)]
    (insight,) = told({"x": x, "y": [-math.exp(v * v / 9) for v in x]}, K.CORRELATION)

    assert "(Spearman rho = -1.000, n = 40" in insight.sentence


def test_coefficient_that_is_nearly_one_is_not_rounded_to_one() -> None:
    x = [float(k) for k in range(50)]
    y = [v + e / 100 for v, e in zip(x, noise(50), strict=True)]

    (insight,) = told({"x": x, "y": y}, K.CORRELATION)

    assert "= 0.99999" in insight.sentence


def test_columns_that_all_go_together_have_one_sentence() -> None:
    common = noise(80)
    columns = {
        f"c{k}": [v + e / 3 for v, e in zip(common, noise(80, k + 2), strict=True)]
        for k in range(5)
    }

    (insight,) = told(columns, K.CORRELATION)

    found = [
        reference.correlation(ranks(columns[f"c{i}"]), ranks(columns[f"c{j}"]))
        for i in range(5)
        for j in range(i + 1, 5)
    ]
    assert insight.figures["pairs"] == 10
    assert insight.figures["least_rho"] == pytest.approx(min(found))
    assert insight.figures["most_rho"] == pytest.approx(max(found))


def test_arch_is_told_as_a_curve() -> None:
    x = [k / 50 - 1 for k in range(101)]
    y = [-v * v + e / 8 for v, e in zip(x, noise(101), strict=True)]

    (insight,) = told({"x": x, "y": y}, K.CURVE)

    assert "y depends on x, but not along a line: it is highest where x lies around" in (
        insight.sentence
    )


def test_noise_has_no_relations() -> None:
    columns: dict[str, list[float] | list[str]] = {f"c{k}": noise(150, k) for k in range(12)}
    lots = random.Random(3)
    columns |= {f"g{k}": [lots.choice("abc") for _ in range(150)] for k in range(3)}

    assert {insight.kind for insight in all_told(columns)} & RELATIONS == set()


def test_weak_correlation_of_many_rows_is_not_told() -> None:
    x = noise(5000)
    y = [v / 8 + e for v, e in zip(x, noise(5000, 2), strict=True)]

    assert reference.correlation(x, y) > 0.08  # real, and far beyond chance
    assert told({"x": x, "y": y}, K.CORRELATION) == []


def test_two_random_walks_do_not_correlate() -> None:
    for seed in range(20, 40):
        walks = {"day": days(300)} | {
            name: _walk(noise(300, seed * 7 + k)) for k, name in enumerate("abc")
        }
        found = {insight.kind for insight in all_told(walks)}
        assert found & {K.CORRELATION, K.CURVE, K.TREND, K.BREAK} == set(), seed


@pytest.mark.parametrize("seed", [69, 2203, 4217])
def test_walk_that_looks_like_a_line_or_a_step_is_neither(seed: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 1, 600)).tolist()

    found = {insight.kind for insight in all_told({"day": days(600), "walk": walk})}
    assert found & {K.TREND, K.BREAK} == set()


def _walk(steps: list[float]) -> list[float]:
    found = [0.0]
    for step in steps[1:]:
        found.append(found[-1] + step)
    return found


def test_series_that_share_their_steps_correlate() -> None:
    walk = _walk(noise(300))
    other = [v * 2 + e / 2 for v, e in zip(walk, noise(300, 5), strict=True)]

    (insight,) = told({"day": days(300), "a": walk, "b": other}, K.CORRELATION)

    assert insight.figures["pearson_r"] == pytest.approx(reference.correlation(walk, other))


# --- labels --------------------------------------------------------------------------------------


def test_difference_between_groups_has_its_means() -> None:
    groups = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    values = [v + 3 * "abc".index(g) for v, g in zip(noise(60), groups, strict=True)]

    (insight,) = told({"g": groups, "v": values}, K.DIFFERENCE)

    means = {g: reference.mean(values[k * 20 : k * 20 + 20]) for k, g in enumerate("abc")}
    total = sum((v - reference.mean(values)) ** 2 for v in values)
    between = sum(20 * (m - reference.mean(values)) ** 2 for m in means.values())
    assert insight.figures["highest_group"] == "c"
    assert insight.figures["highest_mean"] == pytest.approx(means["c"])
    assert insight.figures["lowest_mean"] == pytest.approx(means["a"])
    assert insight.figures["eta_squared"] == pytest.approx(between / total)


def test_labels_that_come_together_have_their_shares() -> None:
    lots = random.Random(4)
    left = [lots.choice("xyz") for _ in range(300)]
    right = [v if lots.random() < 0.6 else lots.choice("xyz") for v in left]

    (insight,) = told({"l": left, "r": right}, K.ASSOCIATION)

    label = insight.sentence.split("r is ")[1][0]
    inside = [r for v, r in zip(left, right, strict=True) if v == label]
    assert insight.figures["share_there"] == pytest.approx(inside.count(label) / len(inside))
    assert insight.figures["share_overall"] == pytest.approx(right.count(label) / 300)
    assert 0.5 < float(insight.figures["cramers_v"]) < 0.7


def test_labels_that_fix_others_are_a_rule_with_its_exceptions() -> None:
    towns = ["Bonn", "Kiel", "Lyon", "Nice", "Rome", "Turin"] * 10
    lands = [{"B": "D", "K": "D", "L": "F", "N": "F"}.get(town[0], "I") for town in towns]
    lands[13] = "I"

    found = told({"town": towns, "land": lands}, K.RULE)

    assert [insight.evidence.rows for insight in found] == [(14,)]
    assert "row 14 has “I” for “Kiel”, which else has “D”" in found[0].sentence


# --- arithmetic ----------------------------------------------------------------------------------


def test_product_that_does_not_hold_in_a_row_is_told() -> None:
    lots = random.Random(5)
    quantity = [lots.randint(1, 40) for _ in range(80)]
    price = [round(lots.uniform(1, 90), 2) for _ in range(80)]
    total = [round(q * p, 2) for q, p in zip(quantity, price, strict=True)]
    total[33] += 10

    found = all_told({"quantity": quantity, "price": price, "total": total})

    (insight,) = [one for one in found if one.kind is K.RULE]
    assert "total = quantity \u00d7 price in all rows but 1: row 34" in insight.sentence
    assert insight.figures["computed"] == pytest.approx(quantity[33] * price[33])
    assert insight.figures["stated"] == total[33]
    assert [one for one in found if one.kind is K.CORRELATION] == [], "they follow from the rule"


@pytest.mark.parametrize(
    ("factor", "plus", "says"),
    [
        (1.8, 32.0, "f is 1.8 times c plus 32 in every row"),
        (1.0, 0.0, "c and f are the same in every row"),
    ],
)
def test_column_that_is_another_one_is_told(factor: float, plus: float, says: str) -> None:
    c = [round(v, 1) for v in noise(40, spread=9)]

    (insight,) = told({"c": c, "f": [round(factor * v + plus, 4) for v in c]}, K.RULE)

    assert insight.sentence.startswith(says)


def test_small_whole_numbers_are_no_sums_by_chance() -> None:
    lots = random.Random(6)
    columns = {name: [lots.randint(0, 3) for _ in range(200)] for name in "abc"}

    assert told(columns, K.RULE) == []


# --- strange rows --------------------------------------------------------------------------------


def test_outlier_is_named_with_its_row() -> None:
    (insight,) = told({"a": [*noise(50), None, 40.0, *noise(40, 2)]}, K.OUTLIER)

    assert insight.figures["farthest"] == 40.0
    assert insight.figures["farthest_row"] == 52
    assert insight.evidence.rows == (52,)
    assert insight.evidence.cells[0].value == 40.0


def test_row_that_breaks_a_relation_is_told() -> None:
    x = noise(200)
    y = [v + e / 5 for v, e in zip(x, noise(200, 2), strict=True)]
    x[70], y[70] = 1.8, -1.8

    (insight,) = told({"x": x, "y": y}, K.COMBINATION)

    assert insight.evidence.rows == (71,)
    assert "row 71 has x = 1.8 with y = -1.8" in insight.sentence


# --- distributions -------------------------------------------------------------------------------


def test_two_groups_of_values_are_told() -> None:
    values = [10 + v for v in noise(120)] + [25 + v for v in noise(80, 2)]

    (insight,) = told({"a": values}, K.DISTRIBUTION)

    assert insight.figures["share_of_lower"] == pytest.approx(0.6)
    assert insight.figures["lower_median"] == pytest.approx(reference.median(values[:120]))
    assert insight.figures["upper_median"] == pytest.approx(reference.median(values[120:]))


def test_one_party_with_most_of_a_sum_is_told() -> None:
    who = [f"party {k % 12}" for k in range(120)]
    sums = [900.0 + k if k % 12 == 3 else 20.0 + k % 7 for k in range(120)]

    (insight,) = told({"who": who, "sum": sums}, K.CONCENTRATION)

    theirs = sum(s for s, w in zip(sums, who, strict=True) if w == "party 3")
    assert insight.figures["share"] == pytest.approx(theirs / sum(sums))
    assert insight.sentence.startswith("party 3 alone has")


def test_few_rows_with_most_of_a_sum_are_told() -> None:
    sums = [math.exp(2 * v) for v in noise(300)]

    (insight,) = told({"sum": sums}, K.CONCENTRATION)

    assert insight.figures["share"] == pytest.approx(
        sum(sorted(sums, reverse=True)[:30]) / sum(sums)
    )


def test_digits_that_somebody_made_up_are_told() -> None:
    lots = random.Random(8)
    honest = [10 ** lots.uniform(1, 5) for _ in range(600)]
    made_up = [lots.uniform(4, 5) * 10 ** lots.randint(1, 4) for _ in range(250)]

    assert told({"sum": honest}, K.BENFORD) == []
    (insight,) = told({"sum": honest + made_up}, K.BENFORD)
    fours = sum(str(value)[0] == "4" for value in honest + made_up) / 850
    assert insight.figures["digit"] == 4
    assert insight.figures["observed"] == pytest.approx(fours)
    assert insight.figures["usual"] == pytest.approx(math.log10(1 + 1 / 4))


# --- time ----------------------------------------------------------------------------------------


def test_trend_has_its_slope() -> None:
    values = [50 + 0.1 * k + v for k, v in enumerate(noise(200))]

    (insight,) = told({"day": days(200), "a": values}, K.TREND)

    assert insight.figures["slope_per_month"] == pytest.approx(0.1 * 30.44, rel=0.1)
    assert insight.sentence.startswith("a rises over time, along day: by ")


def test_trend_over_years_that_are_numbers_is_told() -> None:
    years = list(range(1980, 2020))

    (insight,) = told({"a": [-3 * y + v for y, v in zip(years, noise(40), strict=True)],
                       "year": years}, K.TREND)  # fmt: skip

    assert insight.figures["slope_per_year"] == pytest.approx(-3, rel=0.05)


def test_weekday_is_told_with_its_means() -> None:
    values = [10 + 3 * (day.weekday() == 5) + v / 2
              for day, v in zip(days(210), noise(210), strict=True)]  # fmt: skip

    (insight,) = told({"day": days(210), "a": values}, K.SEASON)

    assert insight.figures["highest"] == "Saturday"
    assert "highest on Saturday" in insight.sentence


def test_month_is_told_over_years() -> None:
    months = [dt.date(2015 + k // 12, k % 12 + 1, 1) for k in range(84)]
    values = [20 + 5 * (m.month in (6, 7)) + v / 2 for m, v in zip(months, noise(84), strict=True)]

    (insight,) = told({"month": months, "a": values}, K.SEASON)

    assert insight.figures["highest"] in ("June", "July")


def test_hour_is_told() -> None:
    start = dt.datetime.fromisoformat("2024-03-01T00:00:00")
    times = [start + dt.timedelta(hours=k) for k in range(240)]
    values = [5 + 4 * (8 <= t.hour < 18) + v / 2 for t, v in zip(times, noise(240), strict=True)]

    (insight,) = told({"time": times, "a": values}, K.SEASON)

    assert insight.sentence.startswith("a goes with the hour of the day")


def test_break_is_told_with_its_day() -> None:
    values = [v + 4 * (k >= 120) for k, v in enumerate(noise(200))]

    found = all_told({"day": days(200), "a": values})

    (insight,) = [one for one in found if one.kind is K.BREAK]
    assert insight.figures["at"] == str(days(200)[120])
    assert insight.figures["mean_before"] == pytest.approx(reference.mean(values[:120]), abs=0.2)
    assert insight.figures["mean_after"] == pytest.approx(reference.mean(values[120:]), abs=0.2)
    assert [one for one in found if one.kind is K.TREND] == []


def test_panel_is_followed_by_the_mean_of_each_day() -> None:
    stamps = [day for day in days(150) for _ in range(3)]
    values = [k // 3 * 0.2 + v for k, v in enumerate(noise(450))]

    (insight,) = told({"day": stamps, "a": values}, K.TREND)

    assert insight.figures["n"] == 150
