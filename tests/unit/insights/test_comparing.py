"""Files laid beside each other: what can be joined, and what changed."""

import math
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.parsing.insights.comparing import compare
from foundations.public_works.parsing.insights.finding import find
from foundations.public_works.parsing.insights.model import Insight
from foundations.public_works.parsing.insights.model import InsightKind as K
from foundations.public_works.parsing.models import ParseResult
from tests.support.insights import noise, table_file, text_file

IDS = [f"C{100 + k}" for k in range(30)]


def drifts(folder: Path, old: dict[str, list[Any]], now: dict[str, list[Any]]) -> list[Insight]:
    before, after = table_file(folder, "old", old), table_file(folder, "now", now)
    return [one for one in compare([before, after]).insights if one.kind is K.DRIFT]


def test_reference_with_its_orphans_is_told(tmp_path: Path) -> None:
    customers = table_file(tmp_path, "customers", {"id": IDS, "name": [f"n {i}" for i in IDS]})
    asked = [IDS[k % 30] for k in range(90)]
    asked[55] = "C999"
    orders = table_file(tmp_path, "orders", {"customer_id": asked, "sum": noise(90)})

    (insight,) = compare([orders, customers]).insights

    assert insight.kind is K.JOIN
    assert insight.evidence.file == "orders.csv"
    assert insight.evidence.rows == (56,)
    assert insight.figures == {"rows": 90, "not_found": 1, "share": 89 / 90}
    assert "“C999” in row 56" in insight.sentence


def test_small_numbers_are_no_reference_without_a_name_in_common(tmp_path: Path) -> None:
    one = table_file(tmp_path, "one", {"shelf_id": list(range(1, 40)), "a": noise(39)})
    other = table_file(
        tmp_path, "other", {"floor_nr": [k % 9 + 1 for k in range(60)], "b": noise(60)}
    )

    assert compare([one, other]).insights == ()


def test_sheets_of_one_file_are_joined_too(tmp_path: Path) -> None:
    customers = table_file(tmp_path, "customers", {"id": IDS, "name": [f"n {i}" for i in IDS]})
    orders = table_file(tmp_path, "orders", {"customer_id": IDS * 3, "sum": noise(90)})
    book = ParseResult(
        kind="table",
        name="book.xlsx",
        media_type="x",
        tables=customers.parsed.tables + orders.parsed.tables,
    )

    found = find(book, {**customers.artifacts, **orders.artifacts}).insights

    assert [one.sentence for one in found if one.kind is K.FOREIGN_KEY] == [
        "orders and customers can be joined: customer_id of orders is id of customers in every row."
    ]


def test_rows_and_cells_that_changed_are_told(tmp_path: Path) -> None:
    prices = [10.0 + k for k in range(30)]
    now = [p * 1.5 if k in (4, 9) else p for k, p in enumerate(prices)]

    found = drifts(
        tmp_path,
        {"id": list(IDS), "price": list(prices)},
        {"id": [*IDS[1:], "C900", "C901"], "price": [*now[1:], 7.0, 8.0]},
    )

    rows = next(one for one in found if "came" in one.figures)
    assert {name: rows.figures[name] for name in ("came", "went", "stayed")} == {
        "came": 2,
        "went": 1,
        "stayed": 29,
    }
    assert (rows.evidence.rows, rows.further[0].rows) == ((1,), (30, 31))
    cells = next(one for one in found if "changed" in one.figures)
    assert cells.figures["changed"] == 2
    assert cells.figures["median_change"] == pytest.approx(0.5)
    assert cells.evidence.rows == (5, 10)
    assert [cell.value for cell in cells.further[0].cells] == [21.0, 28.5]


def test_columns_that_came_went_or_changed_their_type_are_told(tmp_path: Path) -> None:
    found = drifts(
        tmp_path,
        {"a": noise(30), "b": [*range(30)], "c": noise(30, 2), "gone": noise(30, 3)},
        {
            "a": noise(30),
            "b": [f"n{k % 4}" for k in range(30)],
            "c": noise(30, 2),
            "new": noise(30),
        },
    )

    assert sorted(one.sentence for one in found) == [
        "The columns changed from old to now: new came, gone went.",
        "b holds whole numbers in old, text in now.",
    ]


def test_values_that_lie_otherwise_are_told_with_their_distance(tmp_path: Path) -> None:
    old, now = noise(200), [v + 1 for v in noise(200, 2)]

    (insight,) = drifts(
        tmp_path, {"a": list(old), "b": noise(200, 3)}, {"a": list(now), "b": noise(200, 4)}
    )

    steps = sorted(old + now)
    distance = max(
        abs(sum(v <= s for v in old) / 200 - sum(v <= s for v in now) / 200) for s in steps
    )
    assert insight.evidence.columns == ("a",)
    assert insight.figures["distance"] == pytest.approx(distance)


def test_labels_and_gaps_that_shift_are_told(tmp_path: Path) -> None:
    labels = [*["x"] * 100, *["y"] * 100]
    fewer = [None if k % 3 == 0 else v for k, v in enumerate(noise(200))]

    found = drifts(
        tmp_path,
        {"g": list(labels), "a": noise(200)},
        {"g": [*["x"] * 30, *["y"] * 170], "a": list(fewer)},
    )

    by_column = {one.evidence.columns[0]: one for one in found}
    assert by_column["g"].figures["share_before"] == 0.5
    assert math.isclose(float(by_column["a"].figures["missing_after"]), 67 / 200)


def test_same_table_twice_is_told_once_and_has_not_changed(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"id": list(IDS), "a": list(noise(30))}
    files = [table_file(tmp_path, name, columns) for name in ("old", "copy")]
    later = table_file(tmp_path, "later", {**columns, "id": [*IDS[:-1], "C999"]})

    assert [one.sentence for one in compare([*files, later]).insights] == [
        "old and copy hold the same 30 rows.",
        "From old to later, by id: 1 row came, 1 row went, 29 stayed.",
    ]


@pytest.mark.parametrize("shared", [True, False])
def test_tables_of_one_file_are_versions_where_they_share_rows(
    tmp_path: Path, *, shared: bool
) -> None:
    others = IDS if shared else [f"D{k}" for k in range(30)]
    now = [2.0, *(float(k) for k in range(1, 30))]
    tables = [
        table_file(tmp_path, "may", {"id": IDS, "n": [float(k) for k in range(30)]}),
        table_file(tmp_path, "june", {"id": others, "n": now}),
    ]
    book = ParseResult(
        kind="table",
        name="book.zip",
        media_type="x",
        tables=tuple(table for one in tables for table in one.parsed.tables),
    )

    found = find(book, {k: v for one in tables for k, v in one.artifacts.items()}).insights

    assert [one.sentence for one in found if one.kind is K.DRIFT] == [
        "From may to june, n changed in 1 of 30 rows that stayed (3.3%): for id “C100” from 0 to 2."
    ] * shared
    assert not any(one.kind is K.FOREIGN_KEY for one in found)


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    one, other = text_file(tmp_path, "a.txt", "Hello."), text_file(tmp_path / "x", "a.txt", "Bye.")

    assert compare([one, other]).file_names == ("a.txt", "a.txt (2)")


def test_small_tables_of_a_document_are_no_references(tmp_path: Path) -> None:
    words = ["alpha centre", "beta centre", "gamma centre"]
    tables = [
        table_file(tmp_path, letters, {"centre": words, "is": list(letters)})
        for letters in ("abc", "abd")
    ]
    document = ParseResult(
        kind="table",
        name="a.md",
        media_type="x",
        tables=tuple(table for one in tables for table in one.parsed.tables),
    )
    artifacts = {k: v for one in tables for k, v in one.artifacts.items()}
    text = text_file(tmp_path, "a.md", "Some words stand here.")

    assert any(one.kind is K.DRIFT for one in find(document, artifacts).insights)
    found = find(document.model_copy(update={"kind": "text"}), {**artifacts, **text.artifacts})
    assert not any(one.kind in (K.DRIFT, K.FOREIGN_KEY) for one in found.insights)
