"""Profiles of tables, and the words about them, compared with figures worked out apart."""

import datetime as dt
import random
import statistics as reference
from typing import Any

import polars as pl
import pytest

from foundations.public_works.parsing.profiles import column_profile, profile, scalar
from foundations.public_works.parsing.table_words import describe_column, of_table, plain

moment = dt.datetime.fromisoformat
CHANCE = random.Random(7)
NOISE = [CHANCE.gauss(0, 1) for _ in range(200)]


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

    words = [(place.label, text) for place, text in of_table(table, frame, rows=2)]

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
