"""Tables as people lay them out: titles, groups of columns, units, several on a sheet, notes."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from foundations.public_works.parsing.heads import head_of, looks_numeric
from foundations.public_works.parsing.models import DEFAULT
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sheet_layout import Block, layout_of
from foundations.public_works.parsing.sources import Source
from foundations.public_works.parsing.tables import delimited
from foundations.public_works.parsing.workbooks import workbook
from tests.support import hostile_documents
from tests.support import hostile_files as hostile

BODY = [["2024-01-01", "North", "3", "4.5"], ["2024-01-02", "South", "5", "1.5"]] * 3


def rows(*lines: Sequence[str]) -> list[list[str]]:
    """Rows as wide as the widest."""
    width = max(map(len, lines))
    return [[*line, *[""] * (width - len(line))] for line in lines]


def test_lines_above_the_names_of_columns_are_titles() -> None:
    head = head_of(rows(["Sales"], ["of", "2024"], ["Day", "Region", "Units", "Price"], *BODY))

    assert head.titles == ("Sales", "of 2024")
    assert head.names == ("Day", "Region", "Units", "Price")
    assert head.body == 3


def test_text_that_a_merged_cell_repeats_is_one_title() -> None:
    head = head_of(rows(["Staff"] * 3, ["Office", "Women", "Men"], ["North", "12", "9"]))

    assert (head.titles, head.names) == (("Staff",), ("Office", "Women", "Men"))


def test_names_stand_below_those_of_their_groups() -> None:
    head = head_of(
        rows(
            ["Station", "", "Temperature", "", "Rain"],
            ["Id", "Name", "min", "max", "sum"],
            *[[str(n), f"Hill {n}", "1.5", "9.5", "20"] for n in range(5)],
        )
    )

    assert head.names == (
        "Station Id",
        "Station Name",
        "Temperature min",
        "Temperature max",
        "Rain sum",
    )
    assert head.body == 2


def test_groups_of_columns_below_a_title_are_no_title() -> None:
    head = head_of(
        rows(
            ["Weather of the valley"],
            ["", "", "Temperature", "", ""],
            ["Id", "Name", "min", "max", "mean"],
            *[[str(n), f"Hill {n}", "1.5", "9.5", "5"] for n in range(5)],
        )
    )

    assert head.titles == ("Weather of the valley", "Temperature")
    assert head.names == ("Id", "Name", "min", "max", "mean")


def test_groups_that_fill_few_columns_below_a_title_are_groups() -> None:
    head = head_of(
        rows(
            ["Weather of the valley"],
            ["", "", "Temperature", "", "Rain"],
            ["Id", "Name", "min", "max", "sum"],
            *[[str(n), f"Hill {n}", "1.5", "9.5", "20"] for n in range(5)],
        )
    )

    assert head.titles == ("Weather of the valley",)
    assert head.names == ("Id", "Name", "Temperature min", "Temperature max", "Rain sum")


def test_units_below_the_names_become_part_of_them() -> None:
    head = head_of(rows(["Name", "Wind", "Price"], ["", "[m/s]", "EUR"], ["a", "3.5", "4"]))

    assert head.names == ("Name", "Wind (m/s)", "Price (EUR)")
    assert head.body == 2


@pytest.mark.parametrize(
    "lines",
    [
        [["id"], ["1", "a", "b"], ["2", "c", "d"]],  # a head too short, and its rows
        [["Name", "City"], ["Mia", "Bern"], ["Ben", "Ulm"]],
        [["Name", "Size"], ["m", "l"], ["s", "m"]],  # sizes, no units
        [["Name", "Note"], ["Mia", ""], ["Ben", ""], ["Eva", "late"]],
    ],
)
def test_first_row_names_the_columns_where_nothing_stands_above_it(lines: list[list[str]]) -> None:
    head = head_of(rows(*lines))

    assert (head.titles, head.at, head.body) == ((), 0, 1)


def test_whoever_says_where_the_names_are_is_believed() -> None:
    lines = rows(["Sales"], ["Day", "Region", "Units", "Price"], *BODY)

    assert head_of(lines, header=True).names == ("Sales", "", "", "")
    assert head_of(lines, header=False).body == 0


def test_tables_below_and_beside_each_other_are_apart() -> None:
    lines = rows(
        ["Month", "Visitors", "", "Room", "Seats"],
        ["Jan", "900", "", "Hall 1", "50"],
        ["Feb", "800", "", "Hall 2", "70"],
        ["Mar", "950"],
        [],
        ["Staff of the house"],
        ["Name", "Hours"],
        ["Mia", "38"],
        ["Ben", "20"],
    )

    assert layout_of(lines).blocks == [
        Block(0, 4, (0, 1)),
        Block(0, 3, (3, 4)),
        Block(5, 9, (0, 1)),
    ]


def test_blank_rows_and_columns_within_a_table_do_not_cut_it() -> None:
    lines = rows(["Name", "", "Size"], ["a", "", "1"], [], ["b", "", "2"], ["c", "", "3"])

    assert layout_of(lines).blocks == [Block(0, 5, (0, 2))]


def test_notes_below_a_table_are_no_rows_of_it() -> None:
    lines = rows(["Name", "Size", "Price"], ["a", "1", "2"], ["b", "2", "3"], [], ["Source: books"])
    found = layout_of(lines)

    assert found.blocks == [Block(0, 3, (0, 1, 2))]
    assert found.notes == ["Source: books"]


def test_labels_of_groups_among_the_rows_are_no_notes() -> None:
    lines = rows(
        ["Name", "Size", "Price"], ["Sum of North"], ["a", "1", "2"], ["b", "2", "3"], ["Of South"]
    )

    assert layout_of(lines).blocks == [Block(0, 5, (0, 1, 2))]


def test_sheet_of_sentences_is_text() -> None:
    found = layout_of(rows(["Figures are net of tax."], [], ["Ask the office for more."]))

    assert (found.blocks, len(found.notes)) == ([], 2)


def read(tmp_path: Path, data: bytes) -> tuple[Source, list[str]]:
    path, notes = tmp_path / "book", Notes()
    path.write_bytes(data)
    source = workbook(path, options=DEFAULT, notes=notes)
    return source, [one.code for one in notes.warnings()]


def test_titles_of_a_worksheet_are_text_and_its_columns_keep_their_types(tmp_path: Path) -> None:
    sheet = hostile.rows(("Sales of the year",), (), ("Name", "n", "x"), ("a", 1, 1.5), ("b", 2, 2))
    source, codes = read(tmp_path, hostile.xlsx(sheet))

    (table,) = source.tables
    assert table.frame.to_dict(as_series=False) == {
        "Name": ["a", "b"],
        "n": [1, 2],
        "x": [1.5, 2.0],
    }
    assert [(str(one.place), one.text) for one in source.sections] == [
        (table.name, "Sales of the year")
    ]
    assert codes == ["title_lines"]


def test_cell_merged_downwards_says_the_same_in_each_row_it_covers(tmp_path: Path) -> None:
    sheet = hostile.rows(("Dept", "n"), ("Parks", 1), (None, 2), ("Roads", 3), (None, 4))
    sheet += b'<mergeCells><mergeCell ref="A2:A3"/><mergeCell ref="A4:A5"/></mergeCells>'
    source, _ = read(tmp_path, hostile.xlsx(sheet))

    assert source.tables[0].frame["Dept"].to_list() == ["Parks", "Parks", "Roads", "Roads"]


def test_cell_merged_downwards_in_an_ods_says_the_same_in_each_row(tmp_path: Path) -> None:
    def said(text: str, more: str = "") -> str:
        kind = 'office:value-type="string"'
        return f"<table:table-cell {kind} {more}><text:p>{text}</text:p></table:table-cell>"

    spanned = said("Parks", 'table:number-rows-spanned="2" table:number-columns-spanned="1"')
    lines = [
        said("Dept") + said("n"),
        spanned + hostile_documents.cell(1),
        "<table:covered-table-cell/>" + hostile_documents.cell(2),
        said("Roads") + hostile_documents.cell(3),
    ]
    source, _ = read(tmp_path, hostile_documents.ods("".join(map(hostile_documents.row, lines))))

    assert source.tables[0].frame["Dept"].to_list() == ["Parks", "Parks", "Roads"]


def test_lines_above_the_names_in_delimited_text_are_told_and_no_rows(tmp_path: Path) -> None:
    path, notes = tmp_path / "report.csv", Notes()
    path.write_text("Report of sales\n\nday;units\n2024-01-01;3\n2024-01-02;4\n")
    source = delimited(
        path, "report", scratch=tmp_path, encoding="utf-8", options=DEFAULT, notes=notes
    )

    assert source.tables[0].frame["units"].to_list() == [3, 4]
    assert [one.code for one in notes.warnings()] == ["title_lines"]


def test_a_cell_of_blanks_behind_a_number_is_looked_at_in_linear_time() -> None:
    begun = time.process_time()

    assert not looks_numeric("1" + " " * 32_000 + "x")

    assert time.process_time() - begun < 0.5
