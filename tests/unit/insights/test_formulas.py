"""The formulas of insights, against published values, other ways to compute them, and by hand."""

import math
import random
import statistics as reference
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest

from foundations.public_works.parsing.insights.numerics import distributions as d
from foundations.public_works.parsing.insights.numerics import effects, robust
from foundations.public_works.parsing.insights.numerics.multiplicity import (
    benjamini_yekutieli,
    holm,
)

CHANCE = random.Random(7)
NOISE = [CHANCE.gauss(0, 1) for _ in range(200)]


def numbers(values: Sequence[float]) -> effects.Numbers:
    return np.asarray(values, dtype=np.float64)


def ranks_of(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]


def integral(f: Callable[[float], float], low: float, high: float, steps: int = 20_000) -> float:
    """Simpson's rule."""
    h = (high - low) / steps
    inner = sum((4 if k % 2 else 2) * f(low + k * h) for k in range(1, steps))
    return (f(low) + inner + f(high)) * h / 3


def beta_density(a: float, b: float, t: float) -> float:
    return float(t ** (a - 1) * (1 - t) ** (b - 1))


# --- tails ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "df", "p"),
    [(12.7062, 1, 0.05), (2.2281, 10, 0.05), (2.7500, 30, 0.01), (3.3905, 100, 0.001)],
)
def test_student_agrees_with_the_printed_tables(t: float, df: int, p: float) -> None:
    assert d.student_two_sided(t, df) == pytest.approx(p, rel=2e-4)
    assert d.student_two_sided(-t, df) == d.student_two_sided(t, df)


def test_student_of_one_degree_is_cauchy() -> None:
    for t in (0.1, 1.0, 5.0, 1e4):
        assert d.student_two_sided(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), rel=1e-9)


@pytest.mark.parametrize(
    ("f", "df1", "df2", "p"),
    [(4.9646, 1, 10, 0.05), (3.0984, 3, 20, 0.05), (2.8801, 3, 119, 0.0388)],
)
def test_f_agrees_with_the_printed_tables(f: float, df1: int, df2: int, p: float) -> None:
    assert d.f_upper(f, df1, df2) == pytest.approx(p, rel=2e-3)


def test_f_of_one_and_n_degrees_is_the_square_of_student() -> None:
    assert d.f_upper(2.5**2, 1, 17) == pytest.approx(d.student_two_sided(2.5, 17), rel=1e-12)


@pytest.mark.parametrize(
    ("x", "df", "p"), [(3.8415, 1, 0.05), (18.3070, 10, 0.05), (29.5883, 10, 0.001)]
)
def test_chi_square_agrees_with_the_printed_tables(x: float, df: int, p: float) -> None:
    assert d.chi_square_upper(x, df) == pytest.approx(p, rel=2e-4)


def test_chi_square_of_two_degrees_is_exponential_far_into_the_tail() -> None:
    for x in (0.5, 3.0, 40.0, 600.0):
        assert d.chi_square_upper(x, 2) == pytest.approx(math.exp(-x / 2), rel=1e-10)


def test_incomplete_beta_is_the_integral_it_is_named_for() -> None:
    for a, b, x in ((2.5, 4.0, 0.3), (7.0, 1.5, 0.8), (3.0, 3.0, 0.5)):
        whole = math.gamma(a) * math.gamma(b) / math.gamma(a + b)
        part = integral(partial(beta_density, a, b), 0.0, x)
        assert d.incomplete_beta(a, b, x) == pytest.approx(part / whole, rel=1e-6)
    assert d.incomplete_beta(2, 3, 0) == 0.0
    assert d.incomplete_beta(2, 3, 1) == 1.0


def test_both_sides_of_the_incomplete_gamma_make_one() -> None:
    for a in (0.5, 3.0, 25.0):
        for x in (0.0, 0.1, 3.0, 60.0):
            whole = d.incomplete_gamma_lower(a, x) + d.incomplete_gamma_upper(a, x)
            assert whole == pytest.approx(1)


def test_poisson_is_the_sum_of_its_terms() -> None:
    mean = 2.3
    below = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(5))

    assert d.poisson_at_least(5, mean) == pytest.approx(1 - below)
    assert d.poisson_at_least(0, mean) == 1.0
    assert d.poisson_at_least(1, 0.0) == 0.0


def test_normal_agrees_with_the_standard_library() -> None:
    normal = reference.NormalDist()

    for z in (0.3, 1.96, 4.0):
        assert d.normal_two_sided(z) == pytest.approx(2 * (1 - normal.cdf(z)))
    for p in (1e-5, 0.025, 0.3, 0.5, 0.9, 0.9999):
        assert d.normal_quantile(p) == pytest.approx(normal.inv_cdf(p), abs=1e-9)
    # far out, where 1 - cdf is no more: Abramowitz and Stegun, table 26.6
    assert d.normal_quantile(1e-9) == pytest.approx(-5.9978, abs=1e-4)


def test_kolmogorov_agrees_with_its_printed_critical_values() -> None:
    assert d.kolmogorov_upper(1.3581 / 100, 1e4) == pytest.approx(0.05, abs=5e-4)
    assert d.kolmogorov_upper(1.6276 / 100, 1e4) == pytest.approx(0.01, abs=5e-4)
    assert d.kolmogorov_upper(0.0001, 100) == 1.0


# --- many tests ----------------------------------------------------------------------------------


def test_benjamini_and_yekutieli_step_up_by_hand() -> None:
    # 4 tests, rate 0.05, 1 + 1/2 + 1/3 + 1/4 = 25/12: limits 0.006, 0.012, 0.018, 0.024
    assert benjamini_yekutieli([0.013, 0.017, 0.5, 0.001], tests=4, rate=0.05) == [
        True,
        True,
        False,
        True,
    ]
    assert benjamini_yekutieli([0.019, 0.5, 0.5, 0.5], tests=4, rate=0.05) == [False] * 4
    assert benjamini_yekutieli([], tests=1, rate=0.05) == []


def test_tests_that_are_not_given_count() -> None:
    assert benjamini_yekutieli([0.004], tests=1, rate=0.005) == [True]
    assert benjamini_yekutieli([0.004], tests=2, rate=0.005) == [False]


def test_holm_steps_down_by_hand() -> None:
    # limits 0.05 / 4, 0.05 / 3, ...: the first that fails ends it
    assert holm([0.012, 0.02, 0.001, 0.9], tests=4, rate=0.05) == [True, True, True, False]
    assert holm([0.013, 0.001], tests=5, rate=0.05) == [False, True]


# --- effects -------------------------------------------------------------------------------------


def test_correlations_agree_with_the_standard_library() -> None:
    x = NOISE[:100]
    y = [value * 0.6 + other for value, other in zip(x, NOISE[100:], strict=True)]
    ties = [round(value) for value in x]

    assert effects.pearson(numbers(x), numbers(y)) == pytest.approx(reference.correlation(x, y))
    assert effects.spearman(numbers(ties), numbers(y)) == pytest.approx(
        reference.correlation(ranks_of(ties), ranks_of(y))
    )
    assert effects.pearson(numbers([1, 1, 1]), numbers([1, 2, 3])) == 0.0


def test_p_value_of_a_correlation_follows_student() -> None:
    # r = 0.5, n = 28: t = 0.5 sqrt(26 / 0.75) = 2.9439 of 26 degrees
    p = d.student_two_sided(2.943920, 26)
    assert effects.correlation_p_value(0.5, 28) == pytest.approx(p, rel=1e-5)
    assert effects.correlation_p_value(0.0, 100) == pytest.approx(1.0)
    assert effects.correlation_p_value(0.9, 3) == 1.0


def test_perfect_order_of_few_rows_is_no_less_likely_than_it_is() -> None:
    assert effects.correlation_p_value(1.0, 8) == pytest.approx(2 / math.factorial(8))
    assert effects.correlation_p_value(-0.99999, 8) == pytest.approx(2 / math.factorial(8))


def test_share_explained_by_groups_is_between_over_total() -> None:
    values, groups = numbers([1, 2, 3, 7, 8, 9]), np.array([0, 0, 0, 1, 1, 1])

    assert effects.explained_by_groups(values, groups) == pytest.approx(54 / 58)
    assert effects.explained_by_groups(numbers([2, 2]), np.array([0, 1])) == 0.0


def test_effect_of_groups_is_less_what_chance_gives() -> None:
    values, groups = numbers([1, 2, 3, 7, 8, 9]), np.array([0, 0, 0, 1, 1, 1])

    effect = effects.group_effect(values, groups)

    assert effect.size == pytest.approx(1 - (4 / 58) * 5 / 4)
    assert effect.p == pytest.approx(d.f_upper((54 / 1) / (4 / 4), 1, 4))
    assert effects.group_effect(values[:2], groups[:2]).p == 1.0
    same = effects.group_effect(numbers([1, 1, 1, 2, 2, 2]), groups)
    assert (same.size, same.p) == (1.0, 0.0)


def test_cramers_v_is_corrected_as_bergsma_does() -> None:
    table = np.array([[20.0, 10.0], [5.0, 15.0]])
    chi = sum(
        (table[i][j] - e) ** 2 / e
        for i in range(2)
        for j in range(2)
        for e in [table[i].sum() * table[:, j].sum() / 50]
    )
    corrected = max(0.0, chi / 50 - 1 / 49)

    effect = effects.cramers_v(table)

    assert effect.size == pytest.approx(math.sqrt(corrected / (2 - 1 / 49 - 1)))
    assert effect.p == pytest.approx(d.chi_square_upper(chi, 1))
    assert effects.cramers_v(np.array([[3.0, 4.0]])).p == 1.0


def test_rows_that_follow_each_other_are_worth_fewer() -> None:
    series = numbers([1, 2, 3, 4, 5])

    assert effects.lag_one(series) == pytest.approx((2 + 0 + 0 + 2) / 10)
    assert effects.effective_rows(100, 0.5) == pytest.approx(100 / 3)
    assert effects.effective_rows(100, -0.9) == 100
    assert effects.lag_one(numbers([2, 2])) == 0.0


def test_gini_of_equals_is_zero_and_of_one_rich_near_one() -> None:
    assert effects.gini(numbers([3, 3, 3])) == pytest.approx(0)
    assert effects.gini(numbers([0, 0, 0, 10])) == pytest.approx(3 / 4)
    assert effects.gini(numbers([0, 0])) == 0.0
    pairs = sum(abs(a - b) for a in (1, 2, 6) for b in (1, 2, 6))
    assert effects.gini(numbers([1, 2, 6])) == pytest.approx(pairs / (2 * 9 * 3))


# --- strange values ------------------------------------------------------------------------------


def test_robust_z_rests_on_the_median_deviation() -> None:
    middle = reference.median(NOISE)
    deviation = reference.median(abs(value - middle) for value in NOISE)

    assert robust.robust_z(numbers(NOISE))[3] == pytest.approx(
        0.6745 * (NOISE[3] - middle) / deviation
    )


def test_robust_z_of_mostly_equal_values_uses_the_mean_deviation() -> None:
    z = robust.robust_z(numbers([5] * 9 + [15]))

    assert z[9] == pytest.approx(10 / 1.253314)
    assert robust.robust_z(numbers([5] * 9)).tolist() == [0.0] * 9


def test_strangers_are_found_farthest_first_with_what_is_usual() -> None:
    found = robust.strangers(numbers([*NOISE, 30.0, -50.0]))

    assert found is not None
    assert found.places.tolist() == [201, 200]
    assert (found.low, found.high) == (min(NOISE), max(NOISE))


def test_long_tails_are_not_strange_but_what_lies_beyond_them_is() -> None:
    tail = [math.exp(3 + value) for value in NOISE]

    assert robust.strangers(numbers(tail)) is None
    far = robust.strangers(numbers([*tail, 1e6]))
    assert far is not None
    assert far.places.tolist() == [200]


@pytest.mark.parametrize(
    "values",
    [
        [float(n) for n in range(100)],
        [0.0] * 70 + [5.0] * 30,
        [*NOISE, *[60.0 + n for n in range(20)]],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 20.0],
    ],
    ids=["even", "two values", "a tenth far off", "too few to say"],
)
def test_nobody_is_strange_without_reason(values: list[float]) -> None:
    assert robust.strangers(numbers(values)) is None
