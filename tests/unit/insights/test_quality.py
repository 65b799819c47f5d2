"""What is wrong with data is told with its rows, and nothing is told of what is right."""

import datetime as dt
from typing import Any

import pytest

from foundations.public_works.parsing.insights.model import InsightKind as K
from tests.support.insights import all_told, noise, told

WORDS = [f"{a}{b}{c}" for a in "pqrs" for b in "aeiou" for c in ("lan", "mor", "tis")]


def days(n: int) -> list[dt.date]:
    return [dt.date(2024, 1, 1) + dt.timedelta(days=k) for k in range(n)]


def test_missing_values_are_counted_with_their_rows() -> None:
    (insight,) = told({"a": [1, None, 3, None], "b": list("wxyz")}, K.MISSING)

    assert insight.sentence == "a is missing in 2 of 4 rows (50.0%)."
    assert insight.evidence.rows == (2, 4)
    assert insight.figures == {"missing": 2, "rows": 4, "share": 0.5, "columns": 1}


def test_columns_that_are_missing_in_the_same_rows_are_told_together() -> None:
    (insight,) = told({"a": [1, None, 3], "b": ["x", None, "z"], "c": [1, 2, 3]}, K.MISSING)

    assert insight.sentence == "a and b are missing together in 1 of 3 rows (33.3%)."
    assert insight.evidence.columns == ("a", "b")


def test_column_that_is_empty_throughout_says_so() -> None:
    (insight,) = told({"a": [1, 2, 3], "b": [None] * 3}, K.MISSING)

    assert insight.sentence == "b is empty in every row."


def test_share_that_is_nearly_all_is_not_rounded_to_all() -> None:
    (insight,) = told({"a": [1, *[None] * 2999]}, K.MISSING)

    assert "(99.97%)" in insight.sentence


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (1, "1 row repeats an earlier one of t in every column."),
        (2, "2 rows repeat earlier ones of t in every column."),
    ],
)
def test_duplicate_rows_are_found(extra: int, sentence: str) -> None:
    values, words = noise(30), WORDS[:30]
    (insight,) = told(
        {"a": [*values, *[values[4]] * extra], "b": [*words, *[words[4]] * extra]}, K.DUPLICATE
    )

    assert insight.sentence == sentence
    assert insight.evidence.rows == tuple(range(31, 31 + extra))


def test_rows_of_few_labels_repeat_by_chance() -> None:
    assert told({"a": ["x", "y"] * 20, "b": ["p", "p", "q", "q"] * 10}, K.DUPLICATE) == []


def test_rows_that_differ_in_their_number_alone_are_told() -> None:
    values, words = noise(40), WORDS[:40]
    columns: dict[str, list[Any]] = {
        "id": list(range(1000, 1041)),
        "who": [*words, words[7]],
        "sum": [*values, values[7]],
        "day": [*days(40), days(40)[7]],
    }

    (insight,) = told(columns, K.NEAR_DUPLICATE)

    assert insight.evidence.rows == (8, 41)
    assert insight.evidence.columns == ("id",)
    assert "which numbers the rows" in insight.sentence


def test_rows_that_differ_in_spelling_alone_are_told() -> None:
    values = noise(41)
    columns: dict[str, list[Any]] = {
        "who": [*[f"Person {w}" for w in WORDS[:40]], "person  PALAN"],
        "sum": [*values[:40], values[0]],
        "day": [*days(40), days(40)[0]],
    }

    found = told(columns, K.NEAR_DUPLICATE)

    assert [insight.evidence.rows for insight in found] == [(1, 41)]
    assert "“Person palan” and “person  PALAN” for who" in found[0].sentence


def test_stray_text_among_numbers_is_told_and_the_rest_counts() -> None:
    values = [str(round(value, 2)) for value in noise(30)]

    (insight,) = told({"a": [*values, "n/a", "ask Bo"]}, K.MIXED_TYPES)

    assert insight.evidence.rows == (31, 32)
    assert "“n/a” and “ask Bo” (first in row 31)" in insight.sentence
    assert [cell.value for cell in insight.evidence.cells] == ["n/a", "ask Bo"]


COUNTS = {0: 1, 5: 4, 6: 9, 7: 9, 8: 20, 9: 7, 10: 12, 11: 8, 12: 6, 13: 5, 14: 4, 16: 2}
"""How often each number of events came, where nine are usual."""


def test_no_event_is_not_strange_among_counts() -> None:
    counts = [value for value, times in COUNTS.items() for _ in range(times)]

    assert told({"a": counts, "b": noise(len(counts))}, K.OUTLIER) == []


def test_nothing_is_strange_where_all_else_is_much() -> None:
    values = [100 + value for value in noise(60)]
    values[7] = 0.0

    [told_one] = told({"a": values, "b": noise(60, 2)}, K.OUTLIER)
    assert told_one.evidence.rows == (8,)


def test_placeholder_is_told_and_no_outlier() -> None:
    values = [20 + value for value in noise(60)]
    for row in (3, 17, 40):
        values[row] = -999.0

    found = all_told({"a": values, "b": noise(60, 2)})

    (insight,) = [one for one in found if one.kind is K.PLACEHOLDER]
    assert insight.figures == {"value": -999.0, "rows": 3}
    assert insight.evidence.rows == (4, 18, 41)
    assert [one for one in found if one.kind is K.OUTLIER] == []


@pytest.mark.parametrize(("value", "shown"), [(4, 4), ("x", "x"), (True, "True")])
def test_constant_column_is_told(value: object, shown: object) -> None:
    (insight,) = told({"a": [value] * 3, "c": [1, 2, 3]}, K.CONSTANT)

    assert insight.figures == {"value": shown}


def test_sensor_that_is_stuck_is_told_with_its_rows() -> None:
    values = noise(100)
    values[30:42] = [values[30]] * 12

    (insight,) = told({"a": values}, K.STUCK)

    assert insight.figures["first_row"] == 31
    assert insight.figures["rows"] == 12
    assert insight.evidence.rows == tuple(range(31, 43))


def test_runs_of_a_common_value_are_no_stuck_sensor() -> None:
    zeros = [0.0 if value < 1.0 else value for value in noise(300)]

    assert told({"a": zeros}, K.STUCK) == []


@pytest.mark.parametrize(
    ("name", "good", "bad", "says"),
    [
        ("latitude", 48.5, 95.0, "between -90 and 90"),
        ("patient_age", 44, -3, "between 0 and 125"),
        ("quantity", 5, -2, "cannot be negative"),
        ("humidity_percent", 60.0, 130.0, "between 0 and 100"),
    ],
)
def test_values_that_cannot_be_are_told(name: str, good: float, bad: float, says: str) -> None:
    values: list[Any] = [good + k % 7 for k in range(30)]
    values[12] = bad

    (insight,) = told({name: values}, K.INVALID)

    assert says in insight.sentence
    assert insight.evidence.rows == (13,)


def test_malformed_mail_addresses_are_told() -> None:
    mails = [f"{word}@example.org" for word in WORDS[:30]]
    mails[4] = "nobody at home"

    (insight,) = told({"email": mails}, K.INVALID)

    assert insight.evidence.rows == (5,)


def test_gap_in_regular_days_is_told() -> None:
    kept = [day for k, day in enumerate(days(100)) if not 40 <= k < 47]

    (insight,) = told({"day": kept, "a": noise(93)}, K.GAP)

    assert insight.figures == {"gaps": 1, "steps_lacking": 7}
    assert "between 2024-02-09 and 2024-02-17 in day" in insight.sentence


def test_irregular_days_have_no_gaps() -> None:
    kept = [day for k, day in enumerate(days(300)) if k * k % 7 < 3]

    assert told({"day": kept, "a": noise(len(kept))}, K.GAP) == []


@pytest.mark.parametrize(
    ("labels", "rare"),
    [
        (["Munich"] * 40 + ["Cologne"] * 40, "Munihc"),
        (["Munich"] * 40 + ["Cologne"] * 40, "Colonge"),
        (["Munich"] * 40 + ["Cologne"] * 40, " munich "),
    ],
)
def test_labels_written_otherwise_are_told(labels: list[str], rare: str) -> None:
    (insight,) = told({"city": [*labels, rare]}, K.VARIANT)

    assert insight.evidence.rows == (81,)
    assert rare in insight.sentence


def test_labels_that_only_look_alike_are_left_alone() -> None:
    labels = ["Station A"] * 90 + ["Station B"] * 2 + ["Line 10"] * 40 + ["Line 11"]

    assert told({"city": labels}, K.VARIANT) == []


def test_number_given_twice_is_told() -> None:
    ids = [f"A{k:04d}" for k in range(60)]
    ids[50] = ids[10]

    (insight,) = told({"order_id": ids, "a": noise(60)}, K.KEY)

    assert insight.evidence.rows == (51,)
    assert "“A0010” stands in rows 11 and 51" in insight.sentence


def test_columns_may_have_the_names_that_are_used_inside() -> None:
    names = ("v", "n", "h", "k", "i", "j", "rows", "label", "code", "value", "count")
    columns: dict[str, list[Any]] = {name: noise(60, k) for k, name in enumerate(names)}
    columns |= {f"{name} ": [WORDS[k % 9] for k in range(60)] for name in names[:4]}

    assert {insight.kind for insight in all_told(columns)} <= {K.RULE, K.DUPLICATE}


@pytest.mark.parametrize("usual", ["EU", 1.5, 7])
def test_value_that_nearly_all_rows_have_is_told_with_the_others(usual: object) -> None:
    other = "US" if usual == "EU" else 2
    cells = [usual] * 400
    cells[99] = other

    (insight,) = told({"kind": cells}, K.CONSTANT)

    assert f"in all rows but 1: row 100 has “{other}" in insight.sentence
    assert insight.evidence.rows == (100,)


def test_rare_value_that_many_rows_have_is_no_slip() -> None:
    assert told({"kind": ["no"] * 390 + ["yes"] * 10}, K.CONSTANT) == []
