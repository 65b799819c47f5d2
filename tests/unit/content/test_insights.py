"""Insights are computed: each is compared with figures worked out apart from the product."""

import datetime as dt
import math
import random
import statistics as reference
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from foundations.public_works.parsing import insights, statistics, table_insights, text_insights
from foundations.public_works.parsing.models import (
    Insight,
    InsightKind,
    KeyPhrase,
    ParseResult,
    Passage,
    SummarySentence,
)
from foundations.public_works.parsing.profiles import column_profile, profile, scalar
from foundations.public_works.parsing.reading import PASSAGES, write_passages
from foundations.public_works.parsing.table_words import describe_column, of_table, plain

moment = dt.datetime.fromisoformat
CHANCE = random.Random(7)
NOISE = [CHANCE.gauss(0, 1) for _ in range(200)]


def numbers(values: Sequence[float]) -> statistics.Numbers:
    return np.asarray(values, dtype=np.float64)


def of_kind(found: list[Insight], kind: InsightKind) -> list[Insight]:
    return [insight for insight in found if insight.kind is kind]


def told(columns: dict[str, Any], kind: InsightKind) -> list[Insight]:
    return of_kind(table_insights.of_table(pl.DataFrame(columns), "t"), kind)


# --- formulas ------------------------------------------------------------------------------------


def test_correlations_agree_with_the_standard_library() -> None:
    x = NOISE[:100]
    y = [value * 0.6 + other for value, other in zip(x, NOISE[100:], strict=True)]
    ties = [round(value) for value in x]

    assert statistics.pearson(numbers(x), numbers(y)) == pytest.approx(reference.correlation(x, y))
    assert statistics.spearman(numbers(ties), numbers(y)) == pytest.approx(
        reference.correlation(_ranks(ties), _ranks(y))
    )


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]


def test_correlation_with_what_does_not_vary_is_zero() -> None:
    assert statistics.pearson(numbers([1, 1, 1]), numbers([1, 2, 3])) == 0.0


def test_p_value_of_a_correlation_follows_fisher() -> None:
    # r = 0.5, n = 28: z = 0.5493 * 5 = 2.7465, two-sided 0.00602 by a normal table
    assert statistics.correlation_p_value(0.5, 28) == pytest.approx(0.00602, abs=1e-5)
    assert statistics.correlation_p_value(0.0, 100) == 1.0
    assert statistics.correlation_p_value(1.0, 10) == 0.0
    assert statistics.correlation_p_value(0.9, 3) == 1.0


def test_fences_are_one_and_a_half_ranges_beyond_the_quartiles() -> None:
    q1, _, q3 = reference.quantiles(NOISE, n=4, method="inclusive")

    low, high = statistics.tukey_fences(numbers(NOISE))

    assert low == pytest.approx(q1 - 1.5 * (q3 - q1))
    assert high == pytest.approx(q3 + 1.5 * (q3 - q1))


def test_robust_z_rests_on_the_median_deviation() -> None:
    middle = reference.median(NOISE)
    deviation = reference.median(abs(value - middle) for value in NOISE)

    assert statistics.robust_z(numbers(NOISE))[3] == pytest.approx(
        0.6745 * (NOISE[3] - middle) / deviation
    )


def test_robust_z_of_mostly_equal_values_uses_the_mean_deviation() -> None:
    z = statistics.robust_z(numbers([5] * 9 + [15]))

    assert z[9] == pytest.approx(10 / 1.253314)
    assert statistics.robust_z(numbers([5] * 9)).tolist() == [0.0] * 9


def test_share_explained_by_groups_is_between_over_total() -> None:
    values, groups = numbers([1, 2, 3, 7, 8, 9]), np.array([0, 0, 0, 1, 1, 1])

    assert statistics.explained_by_groups(values, groups) == pytest.approx(54 / 58)
    assert statistics.explained_by_groups(numbers([2, 2]), np.array([0, 1])) == 0.0


# --- tables --------------------------------------------------------------------------------------


def test_missing_values_are_counted_with_their_rows() -> None:
    (insight,) = told({"a": [1, None, 3, None], "b": list("wxyz")}, InsightKind.MISSING)

    assert insight.sentence == "a is missing in 2 of 4 rows (50.0%)."
    assert insight.evidence.rows == (2, 4)
    assert insight.figures == {"missing": 2, "rows": 4, "share": 0.5}


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (1, "1 row repeats an earlier one of t in every column."),
        (2, "2 rows repeat earlier ones of t in every column."),
    ],
)
def test_duplicate_rows_are_found(extra: int, sentence: str) -> None:
    (insight,) = told(
        {"a": [1, 2, None, *[1] * extra], "b": ["x", "y", None, *["x"] * extra]},
        InsightKind.DUPLICATE,
    )

    assert insight.sentence == sentence
    assert insight.evidence.rows == tuple(range(4, 4 + extra))


def test_values_that_repeat_in_a_single_column_are_no_duplicates() -> None:
    assert told({"a": [1, 1]}, InsightKind.DUPLICATE) == []


def test_constant_column_is_told() -> None:
    found = told({"a": [4, 4, 4], "b": ["x", "x", "x"], "c": [1, 2, 3]}, InsightKind.CONSTANT)

    assert [insight.figures for insight in found] == [{"value": 4}, {"value": "x"}]


def test_outlier_is_named_with_its_row() -> None:
    values = [*NOISE[:50], None, 40.0, *NOISE[50:90]]

    (insight,) = told({"a": values}, InsightKind.OUTLIER)

    assert insight.figures["farthest"] == 40.0
    assert insight.figures["farthest_row"] == 52
    assert insight.evidence.rows == (52,)
    assert "1 value lies far outside the usual range of a" in insight.sentence


def test_several_outliers_come_farthest_first() -> None:
    (insight,) = told({"a": [*NOISE, 30.0, -50.0]}, InsightKind.OUTLIER)

    assert insight.evidence.rows == (202, 201)
    assert "2 values lie" in insight.sentence


@pytest.mark.parametrize(
    "values",
    [[1, 2, 3, 900], [float(n) for n in range(100)], [0] * 70 + [5] * 30, [1, 2] * 10 + [900]],
)
def test_no_outlier_is_claimed_without_reason(values: list[float]) -> None:
    assert told({"a": values}, InsightKind.OUTLIER) == []


def test_a_tenth_of_all_values_are_no_outliers() -> None:
    assert told({"a": [*NOISE[:80], *[50.0 + n for n in range(20)]]}, InsightKind.OUTLIER) == []


def test_correlation_has_its_figures() -> None:
    x = NOISE[:60]
    y = [-2 * value + other / 5 for value, other in zip(x, NOISE[60:120], strict=True)]

    (insight,) = told({"x": x, "y": y}, InsightKind.CORRELATION)

    r = reference.correlation(x, y)
    assert insight.figures["pearson_r"] == pytest.approx(r, abs=1e-6)
    assert insight.figures["n"] == 60
    assert f"x and y move in opposite directions (Pearson r = {r:.3f}, n = 60, p < 0.001)" in (
        insight.sentence
    )
    assert insight.strength == pytest.approx(abs(r), abs=1e-4)


def test_correlation_uses_rows_that_have_both() -> None:
    x = [*map(float, range(20)), None, 5.0]
    y = [*map(float, range(0, 40, 2)), 9.0, None]

    (insight,) = told({"x": x, "y": y}, InsightKind.CORRELATION)

    assert insight.figures["n"] == 20


def test_what_rises_over_time_is_a_trend() -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(30)]

    (insight,) = told({"day": days, "n": [3 * n for n in range(30)]}, InsightKind.TREND)

    assert insight.sentence.startswith("n rises over time, along day (Pearson r = 1.000, n = 30")


def test_trend_is_told_whatever_the_order_of_columns() -> None:
    days = [moment("2024-01-01 00:00:00") + dt.timedelta(days=n) for n in range(30)]

    (insight,) = told({"n": [-3 * n for n in range(30)], "day": days}, InsightKind.TREND)

    assert insight.sentence.startswith("n falls over time, along day")


def test_curve_that_only_ranks_see_is_told_by_them() -> None:
    (insight,) = told(
        {"x": range(40), "y": [-(3.0**n) for n in range(40)]}, InsightKind.CORRELATION
    )

    assert insight.sentence.startswith("x and y move in opposite directions (Spearman rho = -1.000")
    assert insight.figures["pearson_r"] == pytest.approx(
        reference.correlation(range(40), [-(3.0**n) for n in range(40)]), abs=1e-6
    )


def test_very_long_columns_are_not_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_insights, "_RANKED", 10)

    (insight,) = told({"x": range(40), "y": range(40)}, InsightKind.CORRELATION)

    assert set(insight.figures) == {"pearson_r", "n", "p_value"}


def test_noise_correlates_with_nothing() -> None:
    columns = {f"c{n}": NOISE[n * 20 : n * 20 + 20] for n in range(10)}

    assert told(columns, InsightKind.CORRELATION) == []


def test_too_few_or_too_equal_values_correlate_with_nothing() -> None:
    assert told({"a": [1, 2, 3], "b": [1, 2, 3]}, InsightKind.CORRELATION) == []
    assert told({"a": [1, 2] * 9, "b": [1, 2] * 9}, InsightKind.CORRELATION) == []


def test_wide_table_compares_its_first_sixty_numeric_columns() -> None:
    frame = pl.DataFrame({f"c{n}": [1.0, 2.0, 3.0] for n in range(70)})

    assert len(table_insights._comparable(frame)) == 60


def test_difference_between_groups_has_its_means() -> None:
    groups = ["a"] * 10 + ["b"] * 10
    values = [10.0 + n / 10 for n in range(10)] + [20.0 + n / 10 for n in range(10)]

    (insight,) = told({"g": groups, "v": values}, InsightKind.DIFFERENCE)

    assert insight.figures["highest_group"] == "b"
    assert insight.figures["highest_mean"] == pytest.approx(reference.mean(values[10:]))
    assert insight.figures["lowest_mean"] == pytest.approx(reference.mean(values[:10]))
    assert "on average 20.45 for b, 10.45 for a" in insight.sentence


@pytest.mark.parametrize(
    ("groups", "values"),
    [
        (["a", "b"] * 10, NOISE[:20]),
        (["a"] * 19 + ["b"], [1.0] * 19 + [99.0]),
        ([str(n) for n in range(20)], NOISE[:20]),
        (["a", "b"] * 3, [1.0, 2.0] * 3),
    ],
)
def test_no_difference_is_claimed_without_reason(groups: list[str], values: list[float]) -> None:
    assert told({"g": groups, "v": values}, InsightKind.DIFFERENCE) == []


def test_every_column_has_its_plain_fact() -> None:
    found = told(
        {
            "n": [1, 2, 6],
            "w": ["x", "x", "y"],
            "u": ["p", "q", "r"],
            "d": [dt.date(2024, 1, n) for n in (3, 1, 2)],
            "t": [dt.time(n) for n in (3, 1, 2)],
            "e": [None] * 3,
        },
        InsightKind.PROFILE,
    )

    assert [insight.sentence for insight in found] == [
        "n lies between 1 and 6, with a mean of 3 and a median of 2.",
        "w has 2 different values, most often x (2 times).",
        "u has 3 different values, each in one row only.",
        "d runs from 2024-01-01 to 2024-01-03.",
    ]


def test_dull_table_says_so() -> None:
    found = table_insights.of_table(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "t")

    ranked = insights.ranked(found, nothing="dull")

    assert [insight.kind for insight in ranked[:2]] == [
        InsightKind.OVERVIEW,
        InsightKind.NOTHING_UNUSUAL,
    ]
    assert ranked[0].sentence == "t has 2 rows and 2 columns, 1 of them numeric; no cell is empty."
    assert ranked[1].sentence == "dull"


def test_insights_are_ranked_and_capped(tmp_path: Path) -> None:
    frame = pl.DataFrame({f"c{n}": [n, None, n + 1, n] for n in range(60)})
    frame.write_parquet(tmp_path / "t.parquet")
    table = profile(frame, "t", artifact="t.parquet", truncated=False)
    parsed = ParseResult(kind="table", name="t.csv", media_type="text/csv", tables=(table,))

    found = insights.find(parsed, {"t.parquet": tmp_path / "t.parquet"})

    strengths = [insight.strength for insight in found.insights]
    assert strengths == sorted(strengths, reverse=True)
    assert len(strengths) == insights.MAX_INSIGHTS
    assert found.left_out == 1 + 1 + 60 + 60 - insights.MAX_INSIGHTS  # + overview and duplicates


# --- profiles and words --------------------------------------------------------------------------


def test_profile_of_numbers_agrees_with_the_standard_library() -> None:
    found = column_profile(pl.Series("c", [*NOISE, None]))

    assert (found.missing, found.distinct) == (1, 200)
    assert found.mean == pytest.approx(reference.mean(NOISE))
    assert found.std == pytest.approx(reference.stdev(NOISE))
    q1, median, q3 = reference.quantiles(NOISE, n=4, method="inclusive")
    assert (found.q1, found.median, found.q3) == pytest.approx((q1, median, q3))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1], "integer"),
        ([1.5], "number"),
        ([True], "boolean"),
        ([dt.date(2024, 1, 1)], "date"),
        ([moment("2024-01-01 00:00:00")], "datetime"),
        ([dt.time(1)], "time"),
        (["x"], "text"),
        ([None], "empty"),
    ],
)
def test_types_have_names_users_know(values: list[Any], kind: str) -> None:
    assert column_profile(pl.Series("c", values)).type == kind


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, None),
        (True, True),
        (float("nan"), None),
        (moment("2024-01-01 05:00:00"), "2024-01-01 05:00:00"),
        (dt.datetime(2024, 1, 1, 5, tzinfo=dt.UTC), "2024-01-01 05:00:00Z"),
        (dt.time(5), "05:00:00"),
        ("x" * 100, "x" * 79 + "…"),
        (b"x", "b'x'"),
    ],
)
def test_cells_are_shown_as_json_can_carry_them(cell: object, shown: object) -> None:
    assert scalar(cell) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.0, "3"),
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (12345.678, "12,346"),
        (0.00001234, "1.234e-05"),
        (1e20, "1e+20"),
        (True, "True"),
        ("word", "word"),
    ],
)
def test_figures_are_written_as_people_write_them(value: object, shown: str) -> None:
    assert plain(value) == shown


def test_table_is_put_into_words_that_search_can_find() -> None:
    frame = pl.DataFrame({"city": ["Oslo", "Rome", None], "temp": [1.5, 11.0, 2.0]})
    table = profile(frame, "t", artifact="a", truncated=False)

    words = list(of_table(table, frame, rows=2))

    assert words[0] == ("t", "Table t: 3 rows and 2 columns: city, temp.")
    assert words[3:] == [
        ("t, row 1", "t, row 1: city: Oslo; temp: 1.5."),
        ("t, row 2", "t, row 2: city: Rome; temp: 11.0."),
    ]
    assert words[2][1] == (
        "Column temp of t holds numbers from 1.5 to 11 with a mean of 4.833 and a median of 2; "
        "3 different values."
    )
    assert describe_column(table.columns[0], table).endswith(
        "2 different values; 1 of 3 are missing."
    )


def test_words_about_a_very_wide_row_are_cut() -> None:
    frame = pl.DataFrame({f"column {n} " + "x" * 80: ["y" * 70] for n in range(40)})
    table = profile(frame, "t", artifact="a", truncated=False)

    assert all(len(text) <= 1000 for _, text in of_table(table, frame, rows=1))


# --- texts ---------------------------------------------------------------------------------------


def text_told(folder: Path, *texts: str, **facts: Any) -> list[Insight]:
    made = [Passage(number=n, place="x", text=text) for n, text in enumerate(texts, start=1)]
    write_passages(folder, made)
    words = sum(len(text.split()) for text in texts)
    parsed = ParseResult(
        kind="text", name="t.txt", media_type="text/plain", word_count=words, **facts
    )
    return list(insights.find(parsed, {PASSAGES: folder / PASSAGES}).insights)


def test_text_is_counted(tmp_path: Path) -> None:
    found = text_told(tmp_path, "One two three. Four five.", metadata={"page_count": 2})

    assert (
        found[0].sentence == "t.txt holds 5 words in 2 sentences on 2 pages, 2.5 words a sentence."
    )


def test_amounts_are_quoted_with_their_sentence(tmp_path: Path) -> None:
    found = text_told(tmp_path, "It cost $1,250.50, 8 % less. Chapter 7 is short.", "No amount.")

    (figure,) = of_kind(found, InsightKind.FIGURE)
    assert figure.sentence == "It states $1,250.50, 8 %: “It cost $1,250.50, 8 % less.”"
    assert figure.figures == {"$1,250.50": 1250.5, "8 %": 8}
    assert figure.evidence.passages == (1,)


def test_amounts_are_capped_and_long_sentences_cut(tmp_path: Path) -> None:
    found = text_told(tmp_path, *["word " * 90 + "of 5 kg."] * 12)

    figures = of_kind(found, InsightKind.FIGURE)
    assert len(figures) == text_insights._FIGURES
    assert figures[0].sentence.endswith("…”")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("It began in 1951 and ended in 1999.", "It names the years from 1951 to 1999."),
        ("It began in 1951.", "It names the year 1951."),
    ],
)
def test_years_are_told(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in [insight.sentence for insight in text_told(tmp_path, text)]


@pytest.mark.parametrize("text", ["Call 1951-1234.", "It weighs 1,951 kg.", "At 1951.5 m it ends."])
def test_numbers_that_only_look_like_years_are_none(tmp_path: Path, text: str) -> None:
    assert not any("the year" in insight.sentence for insight in text_told(tmp_path, text))


def test_repeated_paragraphs_are_told(tmp_path: Path) -> None:
    paragraph = (
        "This paragraph is long enough to be worth telling when it stands in a text twice over."
    )

    (insight,) = of_kind(text_told(tmp_path, paragraph, "Other.", paragraph), InsightKind.DUPLICATE)

    assert insight.sentence == "1 passage in it is repeated word for word."
    assert insight.evidence.passages == (1, 3)


def test_summary_and_phrases_keep_their_places(tmp_path: Path) -> None:
    found = text_told(
        tmp_path,
        "A sentence.",
        summary=(SummarySentence(sentence="A sentence.", passage=1),),
        key_phrases=(KeyPhrase(phrase="rain", count=1, score=2.0, passages=(1,)),),
    )

    assert [insight.sentence for insight in found[1:]] == [
        "In its own words: A sentence.",
        "It speaks most of rain (once).",
    ]


def test_text_with_little_to_say_says_so(tmp_path: Path) -> None:
    found = text_told(tmp_path, "Hello.")

    assert found[1].sentence == "The text is too short to say more of it."
    assert math.isclose(found[1].strength, 0.0)
