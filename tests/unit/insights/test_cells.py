"""Cells are counted with as people write them: with currencies, units and dates of two styles."""

import polars as pl
import pytest

from foundations.public_works.parsing.insights.model import InsightKind as K
from foundations.public_works.parsing.insights.tables.columns import Role, says_identifier, table_of
from tests.support.insights import all_told, noise, told


@pytest.mark.parametrize(
    ("cells", "numbers", "unit"),
    [
        (["1.234,50 €", "2,75 €", "-17,00 €"], [1234.5, 2.75, -17], "EUR"),
        (["1.250 €", "990 €", "12.000 €"], [1250, 990, 12_000], "EUR"),
        (["$1,250.00", "-$3.10", "($8.00)"], [1250, -3.1, -8], "USD"),
        (["CHF 1'250.50", "CHF 3.10", "CHF -8.00"], [1250.5, 3.1, -8], "CHF"),
        (["12,5 %", "3 %", "\u22121,5 %"], [12.5, 3, -1.5], "%"),
        (["80.5kg", "71 kg", "1,200 kg"], [80.5, 71, 1200], "kg"),
        (["20.5 °C", "-3 °C", "7 °C"], [20.5, -3, 7], "°C"),
    ],
)
def test_numbers_with_their_unit_are_counted_with(
    cells: list[str], numbers: list[float], unit: str
) -> None:
    (column,) = table_of(pl.DataFrame({"a": cells * 5}), "t").columns

    assert column.series.to_list() == numbers * 5
    assert (column.role, column.unit) == (Role.NUMBER, unit)


@pytest.mark.parametrize(
    "cells",
    [
        ["12C", "14F", "3A", "7B"],
        ["500 g", "1 kg", "250 g", "2 kg"],
        ["Main St 5", "High St 7", "Long Rd 9", "Low Rd 3"],
        ["v1.2", "v1.3", "v2.0", "v2.1"],
        ["A 12", "B 13", "C 14", "D 15"],
        ["Q1 5 kg", "7 kg net", "8 of 9 kg", "9 kg?"],
        ["007 kg", "008 kg", "009 kg", "010 kg"],
    ],
)
def test_words_with_digits_are_no_numbers(cells: list[str]) -> None:
    (column,) = table_of(pl.DataFrame({"a": cells * 5}), "t").columns

    assert column.series.to_list() == cells * 5


def test_product_of_prices_is_a_rule_with_its_exception() -> None:
    price = [round(5 + abs(v) * 20, 2) for v in noise(60)]
    count = [k % 7 + 1 for k in range(60)]
    total = [p * c + 100 * (k == 20) for k, (p, c) in enumerate(zip(price, count, strict=True))]

    (rule,) = told(
        {"n": count, "price": [f"{p:.2f} €" for p in price], "sum": [f"€{t:.2f}" for t in total]},
        K.RULE,
    )

    assert rule.evidence.rows == (21,)
    assert rule.evidence.cells[0].value == f"€{total[20]:.2f}"


def test_units_that_are_mixed_are_told() -> None:
    weight = [
        f"{(75 + 5 * v) * (2.2 if k % 9 == 4 else 1):.1f} {'lb' if k % 9 == 4 else 'kg'}"
        for k, v in enumerate(noise(90))
    ]

    (insight,) = told({"weight": weight}, K.MIXED_TYPES)

    assert insight.sentence.startswith(
        "weight mixes units: 80 values are in kg, which are counted with, 10 in lb: "
    )
    assert insight.evidence.rows[0] == 5


def test_cell_without_the_unit_of_the_others_is_told() -> None:
    (insight,) = told({"a": [*(f"{v:.2f} €" for v in noise(30)), "on request"]}, K.MIXED_TYPES)

    assert insight.sentence == (
        "a holds numbers in EUR, but 1 value states none: \u201con request\u201d (first in row 31)."
    )


def test_dates_that_are_written_otherwise_are_told() -> None:
    day = [f"2024-01-{k:02}" for k in range(1, 31)]

    (insight,) = told({"day": [*day, "31.01.2024"], "a": noise(31)}, K.MIXED_TYPES)

    assert insight.sentence == (
        "day holds dates, but 1 value is not written as the others: \u201c31.01.2024\u201d "
        "(first in row 31)."
    )


def test_dates_that_no_calendar_has_stay_text() -> None:
    day = [*("2024-02-30" for _ in range(30)), "soon"]

    assert told({"day": day, "a": noise(31)}, K.MIXED_TYPES) == []


def test_text_among_two_numbers_is_told() -> None:
    (insight,) = told({"a": [*["1", "2"] * 20, "x"], "b": noise(41)}, K.MIXED_TYPES)

    assert insight.figures["values"] == 1


def test_cells_with_units_and_nothing_wrong_are_nothing_unusual() -> None:
    assert all_told({"a": [f"{v:.2f} €" for v in noise(40)], "b": noise(40, 2)}) == []


@pytest.mark.parametrize("name", ["Kundennummer", "Rechnungsnr", "Kundennr.", "OrderNumber", "ID#"])
def test_names_of_identifiers_are_known(name: str) -> None:
    assert says_identifier(name)


@pytest.mark.parametrize("name", ["Dollars", "piano", "Generation", "keyboards"])
def test_other_names_are_none_of_identifiers(name: str) -> None:
    assert not says_identifier(name)


def test_numbers_in_brackets_are_below_zero() -> None:
    (column,) = table_of(pl.DataFrame({"a": ["1,200.00", "(400.50)", None, "(3)"]}), "t").columns

    assert column.series.to_list() == [1200.0, -400.5, None, -3.0]


@pytest.mark.parametrize("cells", [["(1)", "(2)", "(3)"], ["(1)", "a", "2"], ["f(1)", "2", "3"]])
def test_labels_in_brackets_are_no_numbers(cells: list[str]) -> None:
    (column,) = table_of(pl.DataFrame({"a": cells}), "t").columns

    assert column.series.dtype == pl.String
