"""Insights of a file are ranked and capped; a dull file says so; columns are shown at a glance."""

import datetime as dt
import json
import statistics as reference
from pathlib import Path

import pytest

from foundations.public_works.parsing.insights.finding import find
from foundations.public_works.parsing.insights.model import ColumnFacts, Insight, InsightsResult
from foundations.public_works.parsing.insights.model import InsightKind as K
from foundations.public_works.parsing.insights.ranking import (
    MOST_OF_A_KIND,
    MOST_READ,
    ranked,
    worth,
)
from foundations.public_works.parsing.insights.tables.columns import unit_of
from foundations.public_works.parsing.insights.words import coefficient, figure, listed, percent
from foundations.public_works.parsing.models import ColumnType
from tests.support.insights import noise, table_file


def found_in(folder: Path, columns: dict[str, list[object]]) -> InsightsResult:
    file = table_file(folder, "t", columns)
    return find(file.parsed, file.artifacts)


def test_dull_table_says_so(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"a": [1, 2], "b": ["x", "y"]})

    assert [one.kind for one in found.insights] == [K.OVERVIEW, K.NOTHING_UNUSUAL]
    assert found.insights[0].sentence == (
        "t has 2 rows and 2 columns, 1 of them numeric; no cell is empty."
    )
    assert found.insights[1].sentence.startswith("Nothing unusual stands out")


def test_overview_says_what_identifies_the_rows(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"code": [f"K{k}" for k in range(9)], "a": [*noise(8), None]})

    assert found.insights[0].sentence == (
        "t has 9 rows and 2 columns, 1 of them numeric; 94.4% of its cells are filled; "
        "code identifies its rows."
    )


def test_no_more_is_told_than_is_worth_reading(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        f"c{k}": [None if row % (k + 2) == 0 else row * k % 7 for row in range(40)]
        for k in range(30)
    }

    found = found_in(tmp_path, columns)

    told = found.insights[1:]
    assert len(told) <= MOST_READ
    assert sum(one.kind is K.MISSING for one in told) == MOST_OF_A_KIND
    assert found.left_out > 0
    assert [worth(one) for one in told] == sorted(map(worth, told), reverse=True)


def test_surprise_counts_beside_strength() -> None:
    dull = Insight(kind=K.MISSING, sentence="dull", strength=0.8, surprise=0.0)
    odd = Insight(kind=K.OUTLIER, sentence="odd", strength=0.7, surprise=1.0)

    kept, left_out = ranked([dull, odd])

    assert [one.sentence for one in kept] == ["odd", "dull"]
    assert left_out == 0


def test_columns_are_shown_with_role_unit_and_figures(tmp_path: Path) -> None:
    values = noise(40)
    found = found_in(
        tmp_path,
        {
            "wind_kmh": [*values[:39], None],
            "day": [dt.date(2024, 1, 1) + dt.timedelta(days=k) for k in range(40)],
            "kind": ["a", "b"] * 20,
            "ref": [f"R{k}" for k in range(40)],
            "same": [1] * 40,
            "none": [None] * 40,
        },
    )

    assert {one.name: one.role for one in found.columns} == {
        "wind_kmh": "number",
        "day": "time",
        "kind": "category",
        "ref": "identifier",
        "same": "constant",
        "none": "empty",
    }
    wind = found.columns[0]
    q1, median, q3 = reference.quantiles(values[:39], n=4, method="inclusive")
    assert (wind.unit, wind.missing, wind.distinct) == ("km/h", 1, 39)
    assert (wind.q1, wind.median, wind.q3) == pytest.approx((q1, median, q3))
    assert sum(row["rows"] for row in wind.chart["data"]["values"]) == 39
    assert found.columns[1].minimum == "2024-01-01"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("price (EUR)", "EUR"),
        ("Share %", "%"),
        ("temp [°C]", "°C"),
        ("speed (m/s)", "m/s"),
        ("weight_kg", "kg"),
        ("percent", "%"),
        ("name (old)", ""),
        ("m", ""),
        ("form", ""),
    ],
)
def test_units_are_read_from_names(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_figures_are_not_rounded_into_what_is_not_true() -> None:
    assert percent(0.99997) == "99.997%"
    assert percent(0.00001) == "0.001%"
    assert percent(1.0) == "100.0%"
    assert coefficient(-0.99996) == "-0.99996"
    assert coefficient(0.0) == "0.000"
    assert figure(12345.678) == "12,346"
    assert figure(float("inf")) == "more than can be computed"
    assert figure(1e20) == "1e+20"
    assert listed(["a"]) == "a"
    assert listed(list("abcd"), most=2) == "a, b and 2 more"


def test_empty_table_is_no_fault(tmp_path: Path) -> None:
    assert found_in(tmp_path, {"a": [], "b": []}).insights[0].figures["rows"] == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, as in the children that read
def test_values_that_overflow_are_told_without_what_no_number_holds(tmp_path: Path) -> None:
    columns = {
        "wide": [(-1) ** at * (1.7e308 - at * 1e305) for at in range(60)],
        "near": [1.7e18 + 256 * (at % 12) for at in range(60)],
        "tiny": [5e-324 * (at % 12) for at in range(60)],
    }
    file = table_file(tmp_path, "t", columns)

    found = find(file.parsed, file.artifacts)

    assert json.dumps(found.model_dump(mode="json"), allow_nan=False)
    assert [(one.role, one.chart) for one in found.columns] == [("number", {})] * 3
    assert found.columns[0].maximum == 1.7e308


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e301])
def test_facts_are_such_as_json_and_charts_can_hold(value: float) -> None:
    chart = {"mark": "bar", "data": {"values": [{"x": 1.0, "n": 3}, {"x": value, "n": 1}]}}

    facts = ColumnFacts(
        table="t", name="n", type=ColumnType.NUMBER, role="number", rows=2, missing=0, distinct=2,
        mean=value, median=1.0, chart=chart,
    )  # fmt: skip

    assert facts.chart == {}
    assert (facts.mean, facts.median) == (value if value == 1e301 else None, 1.0)
