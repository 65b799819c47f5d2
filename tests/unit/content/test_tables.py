"""Delimited text and workbooks become tables with types; every liberty taken is told."""

import datetime as dt
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import pytest

from foundations.public_works.archives import Truncated
from foundations.public_works.media_types import detect
from foundations.public_works.parsing import csv_reading, even_rows, workbooks
from foundations.public_works.parsing.faults import (
    CellLimit,
    ColumnLimit,
    FieldLimit,
    NoData,
    UnreadableFile,
)
from foundations.public_works.parsing.models import DEFAULT, ParseOptions
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Table
from foundations.public_works.parsing.tables import delimited
from foundations.public_works.parsing.workbooks import workbook
from tests.support import hostile_files as hostile

moment = dt.datetime.fromisoformat


class Reader:
    """Reads what it is given, and keeps the warnings."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "upload"
        self.notes = Notes()

    def csv(self, data: str | bytes, options: ParseOptions = DEFAULT) -> pl.DataFrame:
        table = self.csv_table(data, options)
        return table.frame if table.stored is None else pl.read_parquet(table.stored.path)

    def csv_table(self, data: str | bytes, options: ParseOptions = DEFAULT) -> Table:
        self._path.write_bytes(data if isinstance(data, bytes) else data.encode())
        encoding = options.encoding or detect(self._path, "t.csv").encoding
        source = delimited(
            self._path,
            "t",
            scratch=self._path.parent,
            encoding=encoding,
            options=options,
            notes=self.notes,
        )
        return source.tables[0]

    def xlsx(self, data: bytes, options: ParseOptions = DEFAULT) -> list[Table]:
        self._path.write_bytes(data)
        return workbook(self._path, options=options, notes=self.notes).tables

    @property
    def told(self) -> list[tuple[int, str]]:
        return [(warning.line, warning.detail) for warning in self.notes.warnings()]


@pytest.fixture(params=[even_rows.BLOCK, 24], ids=["whole", "in blocks"])
def reader(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Reader:
    """Reads tables at once, and again as those too large for memory are read."""
    monkeypatch.setattr(even_rows, "BLOCK", request.param)
    return Reader(tmp_path)


def cells(frame: pl.DataFrame, name: str) -> list[Any]:
    return frame[name].to_list()


# --- rows, headers, delimiters ------------------------------------------------------------------


def test_no_row_is_lost_where_the_sample_ends(reader: Reader) -> None:
    frame = reader.csv("n\n" + "".join(f"{n}\n" for n in range(1_000)))

    assert cells(frame, "n") == list(range(1_000))


def test_rows_beyond_a_block_are_kept_in_order(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reading, "_CHUNK_ROWS", 7)

    assert cells(reader.csv("n\n" + "".join(f"{n}\n" for n in range(21))), "n") == list(range(21))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_by_the_evenness_of_rows(reader: Reader, delimiter: str) -> None:
    frame = reader.csv(f'a{delimiter}b\n1{delimiter}"two words, and more"\n2{delimiter}x\n')

    assert frame.columns == ["a", "b"]
    assert cells(frame, "b")[1] == "x"


def test_delimiter_can_be_given(reader: Reader) -> None:
    assert reader.csv("a:b\n1:2\n", ParseOptions(delimiter=":")).columns == ["a", "b"]


def test_single_column_has_no_delimiter(reader: Reader) -> None:
    assert cells(reader.csv("word\nhello\nthere\n"), "word") == ["hello", "there"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_read(reader: Reader, end: str) -> None:
    assert cells(reader.csv(end.join(["a,b", "1,2", "3,4", ""])), "b") == [2, 4]


def test_quoted_cells_may_hold_delimiters_quotes_and_lines(reader: Reader) -> None:
    frame = reader.csv('a,b\n"x, y","say ""hi""\nthere"\nz,w\n')

    assert frame.rows() == [("x, y", 'say "hi"\nthere'), ("z", "w")]


def test_u22_ragged_rows_follow_the_stated_policy(reader: Reader) -> None:
    frame = reader.csv("a,b,c\n1,2,3\n4,5\n6,7,8,9\n\n7,8,9,,\n")

    assert frame.rows() == [(1, 2, 3), (4, 5, None), (7, 8, 9)]
    assert reader.told == [
        (3, "the row has 2 cells of 3; the rest is read as missing"),
        (4, "the row has 4 cells where 3 are expected; it is left out"),
    ]


def test_u22_duplicate_and_empty_headers_follow_the_stated_policy(reader: Reader) -> None:
    frame = reader.csv("a,a,,a_2\n1,2,3,4\n")

    assert frame.columns == ["a", "a_2", "column_3", "a_2_2"]
    assert reader.told == [
        (1, "column 2 repeats the name 'a'; it is called a_2"),
        (1, "column 4 repeats the name 'a_2'; it is called a_2_2"),
        (1, "column 3 is called column_3"),
    ]


def test_names_lose_their_control_characters(reader: Reader) -> None:
    assert reader.csv("\x1b[31mred,two  \twords\n1,2\n").columns == ["[31mred", "two words"]


def test_a_thousand_faults_are_a_short_list(reader: Reader) -> None:
    reader.csv("a,b\n1,2\n" + "1\n" * 500 + "1,2\n" * 900)

    assert len(reader.told) == 11
    assert reader.told[-1][1].startswith("and 490 more")


def test_header_shorter_than_the_rows_is_lengthened(reader: Reader) -> None:
    frame = reader.csv("x,y\nr1,1,2\nr2,3,4\n")

    assert frame.columns == ["x", "y", "column_3"]
    assert frame.height == 2


def test_first_row_of_numbers_is_data(reader: Reader) -> None:
    frame = reader.csv("2024-01-01,1\n2024-01-02,2\n")

    assert frame.columns == ["column_1", "column_2"]
    assert frame.height == 2
    assert reader.told == [(1, "the first row holds data; columns are called column_N")]


@pytest.mark.parametrize(("header", "height"), [(True, 1), (False, 2)])
def test_header_can_be_stated(reader: Reader, header: bool, height: int) -> None:
    assert reader.csv("1,x\n2,y\n", ParseOptions(header=header)).height == height
    assert reader.told == []


def test_rows_beyond_the_cap_are_told(reader: Reader) -> None:
    table = reader.csv_table("a\nx\ny\nz\n", ParseOptions(max_rows=2))

    assert (table.frame.height, table.truncated) == (2, True)
    assert reader.told == [(4, "only the first 2 rows were read")]


@pytest.mark.parametrize("data", ["a,b\n", "a,b", "\n\n,,\n"])
def test_table_without_rows_is_refused(reader: Reader, data: str) -> None:
    with pytest.raises(NoData):
        reader.csv(data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_read(reader: Reader, encoding: str) -> None:
    frame = reader.csv("näme,n\nJosé,1\nZoë,2\n".encode(encoding))

    assert frame.rows() == [("José", 1), ("Zoë", 2)]
    assert frame.columns == ["näme", "n"]


def test_wrong_encoding_says_where(reader: Reader) -> None:
    with pytest.raises(UnreadableFile, match="line 0 the text is no ascii"):
        reader.csv("é\n1\n".encode(), ParseOptions(encoding="ascii"))


def test_nul_byte_in_the_middle_says_where(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(even_rows, "BLOCK", max(even_rows.BLOCK, 4096))
    with pytest.raises(UnreadableFile, match="line 20002 holds a NUL"):
        reader.csv(b"a,b\n" + b"1,2\n" * 20_000 + b"1,\0\n")


# --- hostile -------------------------------------------------------------------------------------


def test_u19_cells_like_formulas_stay_text(reader: Reader) -> None:
    odd = ['=HYPERLINK("x")', "@SUM(A1)", "+", "\tx", "-1+1", "=1+1"]
    frame = reader.csv(
        "n,c\n" + "".join(f'1,"{cell.replace(chr(34), chr(34) * 2)}"\n' for cell in odd)
    )

    assert cells(frame, "c") == odd


def test_u20_one_line_without_end_is_refused(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reading, "MAX_LINE", 100_000)

    with pytest.raises(FieldLimit) as caught:
        reader.csv("x," * 60_000)
    assert caught.value.code == "field_limit"


def test_u20_one_field_too_long_is_refused(reader: Reader) -> None:
    with pytest.raises(FieldLimit, match="line 2"):
        reader.csv("a,b\n1," + "x" * 1_000_001 + "\n")


def test_u20_hundred_thousand_columns_are_refused(reader: Reader) -> None:
    with pytest.raises(ColumnLimit) as caught:
        reader.csv(",".join(["a"] * 100_000) + "\n1\n")
    assert caught.value.code == "column_limit"


@pytest.mark.parametrize("count", [1, 2, 3, 1_000, 2_000_001])
def test_u20_only_quotes_are_refused(reader: Reader, count: int) -> None:
    with pytest.raises((NoData, FieldLimit, UnreadableFile)):
        reader.csv('"' * count)


def test_quote_left_open_is_told(reader: Reader) -> None:
    frame = reader.csv('a,b\n1,"x\n')

    assert cells(frame, "b") == ["x\n"]
    assert "a quote is not closed" in reader.told[0][1]


def test_quote_left_open_swallows_no_more_than_the_cap(reader: Reader) -> None:
    with pytest.raises(FieldLimit):
        reader.csv('a,b\n1,"x\n' + "2,y\n" * 300_000)


# --- types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1", "2.5", "1e3", ".5"], [1.0, 2.5, 1000.0, 0.5]),
        ([" 1", "2 "], [1, 2]),
        (["007", "008"], ["007", "008"]),
        (["01.5", "2.5"], ["01.5", "2.5"]),
        (["1e400", "1"], ["1e400", "1"]),
        (["99999999999999999999", "1"], [1e20, 1.0]),
        (["10000000000000000001", "10000000000000000002"],) * 2,
        (["1,234", "5", "1,234.5"], [1234.0, 5.0, 1234.5]),
        (["1,23", "5"], [1.23, 5.0]),
        (["1.234", "5.678,5"], [1234.0, 5678.5]),
        (["1 234", "5"], [1234, 5]),
        (["1'234.50", "5"], [1234.5, 5.0]),
        (["1,23", "5.1"], ["1,23", "5.1"]),
        (["inf", "1"], ["inf", "1"]),
        (["true", "False"], [True, False]),
        (["Yes", "no"], [True, False]),
        (["2024-02-29", "2025-01-01"], [dt.date(2024, 2, 29), dt.date(2025, 1, 1)]),
        (["2024-02-30", "2025-01-01"], ["2024-02-30", "2025-01-01"]),
        (["2024/2/9", "2025/1/1"], [dt.date(2024, 2, 9), dt.date(2025, 1, 1)]),
        (["31/12/2024", "1/2/2024"], [dt.date(2024, 12, 31), dt.date(2024, 2, 1)]),
        (["12/31/2024", "1/2/2024"], [dt.date(2024, 12, 31), dt.date(2024, 1, 2)]),
        (["1/2/2024", "3/4/2024"], ["1/2/2024", "3/4/2024"]),
        (["1.2.2024", "3.4.2024"], [dt.date(2024, 2, 1), dt.date(2024, 4, 3)]),
        (["13/12/2024", "12/13/2024"], ["13/12/2024", "12/13/2024"]),
        (
            ["2024-01-01T10:00", "2024-01-01 10:00:05.5"],
            [
                moment("2024-01-01 10:00:00"),
                moment("2024-01-01 10:00:05.500000"),
            ],
        ),
        (
            ["2024-01-01T10:00Z", "2024-01-01 10:00:00+02:00"],
            [
                dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC),
                dt.datetime(2024, 1, 1, 8, tzinfo=dt.UTC),
            ],
        ),
        (
            ["31.12.2024 17:45", "1.2.2025, 3:04:05"],
            [moment("2024-12-31 17:45:00"), moment("2025-02-01 03:04:05")],
        ),
        (
            ["12/31/2024 5:45 PM", "1/2/2025 11:05:09am"],
            [moment("2024-12-31 17:45:00"), moment("2025-01-02 11:05:09")],
        ),
        (["1/2/2024 10:00", "3/4/2024 9:00"], ["1/2/2024 10:00", "3/4/2024 9:00"]),
        (["31.12.2024 1:45 PM", "1.2.2025 13:04"], ["31.12.2024 1:45 PM", "1.2.2025 13:04"]),
        (["9:05", "12:30:01"], [dt.time(9, 5), dt.time(12, 30, 1)]),
        (["NA", "N/A"], ["NA", "N/A"]),
        (["NA", "word"], ["NA", "word"]),
        (["NA", "3"], [None, 3]),
        (["25:99", "12:30"], ["25:99", "12:30"]),
    ],
)
def test_column_has_a_type_only_when_every_cell_agrees(
    reader: Reader, given: list[str], read: list[Any]
) -> None:
    frame = reader.csv("key,c\n" + "".join(f'k,"{cell}"\n' for cell in given))

    assert cells(frame, "c") == read


def test_decimal_commas_are_read_where_the_comma_is_no_delimiter(reader: Reader) -> None:
    assert cells(reader.csv("a;b\nx;1,5\ny;1.234,5\nz;2\n"), "b") == [1.5, 1234.5, 2.0]


def test_words_read_as_missing_are_told(reader: Reader) -> None:
    reader.csv("a,b\nx,1\ny,NA\nz,-\n")

    assert reader.told == [(0, "2 cells of 'b' say -, NA; they are read as missing")]


def test_cell_that_spoils_a_column_of_numbers_is_told(reader: Reader) -> None:
    reader.csv("a,b\n" + "x,1\n" * 20 + "y,unknown\n")

    assert reader.told == [
        (
            0,
            "'b' is read as text because 1 of 21 cells are no numbers, such as 'unknown' in row 21",
        )
    ]


def test_empty_column_stays_empty(reader: Reader) -> None:
    assert cells(reader.csv("a,b\n1,\n2,  \n"), "b") == [None, None]


# --- workbooks -----------------------------------------------------------------------------------


def test_workbook_of_numbers_and_words(reader: Reader) -> None:
    data = hostile.xlsx(hostile.rows(("name", "n", "x"), ("a", 1, 1.5), ("b", 2, None)))

    (table,) = reader.xlsx(data)

    assert table.name == "Sheet1"
    assert table.frame.rows() == [("a", 1, 1.5), ("b", 2, None)]
    assert table.frame.schema["n"] == pl.Int64


def test_workbook_without_a_header_counts_its_columns(reader: Reader) -> None:
    (table,) = reader.xlsx(hostile.xlsx(hostile.rows((1, 2), (3, 4))))

    assert table.frame.columns == ["column_1", "column_2"]
    assert table.frame.height == 2


def test_workbook_rows_above_the_table_are_passed_over(reader: Reader) -> None:
    (table,) = reader.xlsx(hostile.xlsx(hostile.rows((), (), ("a", "a"), (1, 2))))

    assert table.frame.rows() == [(1, 2)]
    assert reader.told == [(3, "column 2 repeats the name 'a'; it is called a_2")]


@pytest.mark.parametrize(
    "sheet",
    [
        b"<sheetData/>",
        b'<dimension ref="A1:XFD1048576"/><sheetData/>',
        hostile.rows(("only", "names")),
    ],
)
def test_u17_empty_sheet_gives_no_table_whatever_it_claims(reader: Reader, sheet: bytes) -> None:
    assert reader.xlsx(hostile.xlsx(sheet)) == []


def test_u17_cells_far_apart_are_refused_before_they_are_laid_out(reader: Reader) -> None:
    sheet = b'<sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576">'
    sheet += b'<c r="XFD1048576"><v>1</v></c></row></sheetData>'

    with pytest.raises(CellLimit, match="1,048,576 rows and 16,384 columns"):
        reader.xlsx(hostile.xlsx(sheet))


def test_workbook_with_too_many_columns_is_refused(reader: Reader) -> None:
    sheet = (
        b'<sheetData><row r="1"><c r="A1"><v>1</v></c><c r="XFD1"><v>1</v></c></row></sheetData>'
    )

    with pytest.raises(ColumnLimit):
        reader.xlsx(hostile.xlsx(sheet))


def test_u19_formula_like_cell_of_a_workbook_stays_text(reader: Reader) -> None:
    (table,) = reader.xlsx(hostile.xlsx(hostile.rows(("a", "b"), ("x", "=1+1"), ("y", "@SUM"))))

    assert cells(table.frame, "b") == ["=1+1", "@SUM"]


def test_workbook_rows_beyond_the_cap_are_told(reader: Reader) -> None:
    data = hostile.xlsx(hostile.rows(("a",), ("x",), ("y",), ("z",)))

    (table,) = reader.xlsx(data, ParseOptions(max_rows=2))

    assert (table.frame.height, table.truncated) == (2, True)
    assert reader.told == [(0, "only the first 2 rows of Sheet1 were read")]


def test_u26_damaged_workbook_is_refused(reader: Reader) -> None:
    with pytest.raises(UnreadableFile):
        reader.xlsx(hostile.xlsx(b"<sheetData><row><c"))
    with pytest.raises(Truncated):
        reader.xlsx(hostile.xlsx(b"<sheetData/>")[:-40])


def test_sheets_beyond_the_cap_are_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "_MAX_SHEETS", 0)

    assert reader.xlsx(hostile.xlsx(hostile.rows(("a",), (1,)))) == []
    assert reader.told == [(0, "only the first 0 worksheets were read")]


def test_workbook_column_that_mixes_what_cannot_be_mixed_is_text(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = fastexcel.read_excel

    class Mixed:
        def __init__(self, path: Path) -> None:
            self._reader = opened(path)
            self.sheet_names = self._reader.sheet_names

        def load_sheet(self, name: str, **options: Any) -> Any:
            if "dtypes" not in options:
                raise fastexcel.UnsupportedColumnTypeCombinationError
            return self._reader.load_sheet(name, **options)

    monkeypatch.setattr(fastexcel, "read_excel", Mixed)

    (table,) = reader.xlsx(hostile.xlsx(hostile.rows(("a", "b"), ("x", 1), ("y", 2))))

    assert table.frame.rows() == [("x", 1), ("y", 2)]


@pytest.mark.parametrize(
    ("stored", "known"),
    [
        ([moment("2024-01-01 00:00:00"), None], [dt.date(2024, 1, 1), None]),
        ([moment("2024-01-01 05:00:00")], [moment("2024-01-01 05:00:00")]),
        ([moment("1899-12-31 09:30:00")], [dt.time(9, 30)]),
        ([dt.timedelta(hours=30)], [30.0]),
        ([None], [None]),
        ([1.0, 2.0], [1, 2]),
        ([1.0, 2.5], [1.0, 2.5]),
        ([1e300], [1e300]),
        (["x"], ["x"]),
    ],
)
def test_what_spreadsheets_store_becomes_what_it_stands_for(
    stored: list[Any], known: list[Any]
) -> None:
    assert workbooks._as_known(pl.Series("c", stored)).to_list() == known
