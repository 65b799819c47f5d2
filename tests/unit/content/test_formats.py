"""What each reader of a format makes of files that are right, odd or a little wrong."""

import datetime as dt
import zipfile
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from foundations.public_works import messages
from foundations.public_works.archives import Encrypted
from foundations.public_works.messages import MessageLimit, header, is_message
from foundations.public_works.parsing import (
    csv_reading,
    even_rows,
    large_tables,
    parquet_files,
    slides,
    web_pages,
    within,
)
from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.even_rows import read_even
from foundations.public_works.parsing.faults import (
    CellLimit,
    ColumnLimit,
    FieldLimit,
    NoData,
    UnreadableFile,
)
from foundations.public_works.parsing.markdown import sections_and_grids
from foundations.public_works.parsing.models import DEFAULT, ParseOptions, ParseResult
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.passages import count, sentences
from foundations.public_works.parsing.reading import read
from foundations.public_works.parsing.tables import of_cells
from foundations.public_works.parsing.typing_cells import decimal_mark
from tests.support import hostile_documents as documents
from tests.support import hostile_files as hostile
from tests.support.data_files import DATA, data_files
from utilities.errors import PlatformError


class Reader:
    """Reads files it is given the bytes of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, name: str, data: bytes | str, options: ParseOptions = DEFAULT
    ) -> ParseResult:
        path = self.folder / "upload"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read(path, self.folder, name=name, options=options)

    def parquet(self, frame: pl.DataFrame, options: ParseOptions = DEFAULT) -> ParseResult:
        frame.write_parquet(self.folder / "upload")
        return read(self.folder / "upload", self.folder, name="a.parquet", options=options)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


# --- delimited text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "mark"),
    [
        ([["1,5", "2"]], ","),
        ([["1.234,5"]], ","),
        ([["1.5"]], "."),
        ([["1,234.5"]], "."),
        ([["1 234,50"]], ","),
        ([["1,234"]], ""),
        ([["1.234", "5.678"]], ""),
        ([["1,5"], ["1.5"]], ""),
        ([["1,5", "some words"]], ""),
        ([["NA"]], ""),
    ],
)
def test_mark_before_decimals_is_told_by_numbers_that_show_it(
    columns: list[list[str]], mark: str
) -> None:
    longest = max(map(len, columns))
    frame = pl.DataFrame(
        {str(at): [*cells, *[None] * (longest - len(cells))] for at, cells in enumerate(columns)}
    )

    assert decimal_mark(frame) == mark


def test_stated_delimiter_wins_over_what_the_lines_look_like(reader: Reader) -> None:
    result = reader("a.csv", "sep=|\na,b|c\n1,5|2\n3,5|4\n")

    assert [column.name for column in result.tables[0].columns] == ["a,b", "c"]
    assert result.metadata["delimiter"] == "|"


def test_first_line_that_is_no_text_in_the_stated_encoding_is_refused(reader: Reader) -> None:
    with pytest.raises(UnreadableFile, match="ascii"):
        reader("a.csv", "é,b\n1,2\n", ParseOptions(encoding="ascii"))


# --- even rows -----------------------------------------------------------------------------------


def even(text: str | bytes, *, width: int = 2) -> Any:
    block = text if isinstance(text, bytes) else text.encode()
    frame = read_even(block, delimiter=",", width=width, longest=1_000)
    return None if frame is None else frame.rows()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,2\n", [("a", "b"), ("1", "2")]),
        ("a,b\r\n1,2", [("a", "b"), ("1", "2")]),
        ('a,b\n"x,y","p""q"\n', [("a", "b"), ("x,y", 'p"q')]),
        ('a,b\n"l1\nl2", \n', [("a", "b"), ("l1\nl2", None)]),
        ('a,b\n,\n"",\n , \n', [("a", "b"), (None, None)]),
    ],
)
def test_even_rows_are_read_at_once(text: str, rows: list[Any]) -> None:
    assert even(text) == rows


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1\n",
        "a,b\n1,2,3\n",
        "a,b\n1,2\n\n3,4\n",
        'a,b\n"1,2\n',
        'a,b\n"x"y,2\n',
        "a,b\r1,2\r",
        "a,b\n1,x\ry\n",
        "a,b\n1,\0\n",
        b"a,b\n1,\xff\n",
        f"a,b\n1,{'x' * 2_000}\n",
    ],
)
def test_rows_that_are_not_even_are_left_to_be_read_one_by_one(text: str | bytes) -> None:
    assert even(text) is None


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("a,b\r\n1,2\r\n33,4\r\n", ["a,b\r\n", "1,2\r\n", "33,4\r\n"]),
        ('a\n"b\nc"\nd\nef\n', ["a\n", '"b\nc"\nd\n', "ef\n"]),
        ('a\n"bcdefghijk\n\nl\n', ["a\n", '"bcdefghijk\n\n', "l\n"]),
        ("a\rb\rcdefg\rhijkl", ["a\rb\rcdefg\r", "hijkl"]),
    ],
)
def test_text_is_cut_where_rows_end(
    text: str, blocks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(even_rows, "BLOCK", 5)

    assert [b.decode() for b in even_rows.blocks_of_rows(BytesIO(text.encode()))] == blocks


def test_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(even_rows, "BLOCK", 5)

    with pytest.raises(FieldLimit, match="line"):
        list(even_rows.blocks_of_rows(BytesIO(b"a" * 20)))


DELIMITED = [name for name in data_files() if name.endswith((".csv", ".tsv"))]


@pytest.mark.parametrize("name", DELIMITED)
def test_both_ways_of_reading_rows_agree(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = read(DATA / name, tmp_path, name=name, options=DEFAULT)
    monkeypatch.setattr(csv_reading, "read_even", lambda *_, **__: None)

    assert read(DATA / name, tmp_path, name=name, options=DEFAULT) == quick


@pytest.mark.parametrize("blocks", [3, 50])
@pytest.mark.parametrize("name", DELIMITED)
def test_table_too_large_for_memory_is_read_and_profiled_as_any_other(
    tmp_path: Path, name: str, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = max(64, (DATA / name).stat().st_size // blocks)
    whole = read(DATA / name, tmp_path, name=name, options=DEFAULT)
    frame = pl.read_parquet(tmp_path / "table-1.parquet")
    monkeypatch.setattr(even_rows, "BLOCK", size)
    monkeypatch.setattr(large_tables, "_SLICE_ROWS", max(7, size // 200))

    assert read(DATA / name, tmp_path, name=name, options=DEFAULT) == whole
    assert_frame_equal(pl.read_parquet(tmp_path / "table-1.parquet"), frame)


LATE = {
    "a whole number, then one with decimals": ("12", "3.5"),
    "numbers, then a word": ("12", "pump"),
    "numbers, then a word that says missing": ("12", "N/A"),
    "numbers, then a code": ("12", "007"),
    "codes, then thousands": ("007", "1,234"),
    "numbers, then thousands": ("12", "1,234"),
    "numbers, then thousands set apart": ("12", "1 234"),
    "thousands set apart, then decimals": ("1 234", "1 234.5"),
    "numbers, then decimals behind a comma": ("1.234", "1.234,5"),
    "numbers, then an exponent": ("1.5", "1e5"),
    "numbers, then one beyond all": ("1.5", "1e999"),
    "dates, then one that no calendar has": ("2025-01-02", "2025-02-30"),
    "times with their day, then one with the month first": ("1/2/2025 10:00", "1/31/2025 9:00"),
    "times of half a day, then of a whole": ("1/31/2025 9:00 PM", "1/31/2025 21:00"),
    "times of a whole day, then of half": ("1/31/2025 21:00", "1/31/2025 9:00 PM"),
    "codes too long for a number, then a short one": ("12345678901234567890", "7"),
    "a number, then a long code": ("7", "12345678901234567890"),
    "dates, then one that tells day from month": ("1/2/2025", "1/13/2025"),
    "dates, then one that tells month from day": ("1/2/2025", "13/1/2025"),
    "dates, then a time": ("2025-01-02", "2025-01-02 10:00"),
    "yes and no, then perhaps": ("yes", "perhaps"),
    "blanks, then numbers": (" ", "1"),
    "nothing, then nothing": ("", ""),
    "text, then numbers": ("pump", "1"),
}


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_what_stands_late_in_a_large_table_counts_as_anywhere(
    tmp_path: Path, late: tuple[str, str], delimiter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, last = late
    rows = [[str(n), usual, "2.25", f"word {n % 7}"] for n in range(40)]
    rows[37][1], rows[38][3] = last, '"a; b\nc"'
    path = tmp_path / "upload"
    path.write_text("\n".join(delimiter.join(row) for row in [["n", "c", "x", "w"], *rows]))
    whole = read(path, tmp_path, name="a.csv", options=DEFAULT)
    frame = pl.read_parquet(tmp_path / "table-1.parquet")
    monkeypatch.setattr(even_rows, "BLOCK", 200)

    assert read(path, tmp_path, name="a.csv", options=DEFAULT) == whole
    assert_frame_equal(pl.read_parquet(tmp_path / "table-1.parquet"), frame)


# --- cells of documents --------------------------------------------------------------------------


def cells(*rows: list[str], options: ParseOptions = DEFAULT) -> Any:
    return of_cells(rows, "t", place="p", options=options, notes=Notes())


def test_rows_of_a_document_become_a_table_with_types() -> None:
    table = cells(["a", "b"], ["1", "x"], ["", ""], ["2"])

    assert table.frame.to_dicts() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_table_of_a_document_without_names_is_given_some() -> None:
    assert cells(["1", "2"], ["3", "4"]).frame.columns == ["column_1", "column_2"]
    assert cells(["a"], ["b"], options=ParseOptions(header=False)).frame.height == 2


@pytest.mark.parametrize("rows", [[], [["", ""]], [["a", "b"]]])
def test_table_of_a_document_without_rows_is_none(rows: list[list[str]]) -> None:
    assert cells(*rows) is None


def test_table_of_a_document_is_cut_and_capped() -> None:
    table = cells(["a"], ["1"], ["2"], options=ParseOptions(max_rows=1))

    assert (table.frame.height, table.truncated) == (1, True)
    with pytest.raises(ColumnLimit):
        cells(["a"] * 5_000, ["1"] * 5_000)


def test_lines_between_bars_without_a_ruler_are_no_table() -> None:
    found = sections_and_grids("| a | b |\n| c | d |\n| e | f |\n")

    assert found.grids == []
    assert found.sections[0].text == "a; b\nc; d\ne; f"


def test_tables_beyond_the_cap_are_told(reader: Reader) -> None:
    result = reader("a.md", "# T\n\n" + "| a | b |\n| - | - |\n| 1 | 2 |\n\n" * 60)

    assert len(result.tables) == 50
    assert len({table.name for table in result.tables}) == 50
    assert [warning.code for warning in result.warnings] == ["table_cap"]


# --- JSON ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ('[["a", "b"], [1, 2], [3, 4]]', ["a", "b"], 2),
        ("[[1, 2], [3, 4]]", ["column_1", "column_2"], 2),
        ('[["a", "a"], ["x", "y"]]', ["column_1", "column_2"], 2),
        ('{"header": ["x", "y"], "rows": [[1, 2], [3, 4]]}', ["x", "y"], 2),
        ('{"columns": ["x"], "rows": [[1, 2], [3, 4]]}', ["column_1", "column_2"], 2),
        ('{"a": {"b": {"c": [{"n": 1}, {"n": 2}, {"n": 3}]}}}', ["n"], 3),
    ],
)
def test_arrays_of_arrays_and_records_further_in_are_tables(
    reader: Reader, text: str, names: list[str], rows: int
) -> None:
    table = reader("a.json", text).tables[0]

    assert [column.name for column in table.columns] == names
    assert table.row_count == rows


def test_short_list_deep_in_a_document_is_a_detail(reader: Reader) -> None:
    assert reader("a.json", '{"a": {"b": [{"n": 1}, {"n": 2}]}, "c": "words"}').kind == "text"


def test_separator_of_lines_inside_of_a_record_is_no_end_of_it(reader: Reader) -> None:
    result = reader("a.jsonl", '{"a": "x\u2028y"}\n{"a": "z"}\n')

    assert result.tables[0].row_count == 2
    assert result.warnings == ()


# --- Parquet -------------------------------------------------------------------------------------


def test_columns_of_parquet_become_the_plainest_that_hold_them(reader: Reader) -> None:
    frame = pl.DataFrame(
        {
            "kind": pl.Series(["a", "b"], dtype=pl.Categorical),
            "long": [dt.timedelta(hours=3), dt.timedelta(minutes=30)],
            "when": [dt.time(9), dt.time(10)],
            "none": pl.Series([None, None], dtype=pl.Null),
        }
    )

    columns = {column.name: column for column in reader.parquet(frame).tables[0].columns}

    assert {name: column.type.value for name, column in columns.items()} == {
        "kind": "text",
        "long": "number",
        "when": "time",
        "none": "empty",
    }
    assert columns["long"].maximum == 3.0


def test_parquet_beyond_the_caps_is_refused(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ColumnLimit):
        reader.parquet(pl.DataFrame({f"c{n}": [1] for n in range(4_200)}))
    with pytest.raises(NoData):
        reader.parquet(pl.DataFrame({"a": []}))
    monkeypatch.setattr(parquet_files, "MAX_CELLS", 5)
    with pytest.raises(CellLimit) as caught:
        reader.parquet(pl.DataFrame({"a": range(10)}))
    assert "max_rows" in caught.value.hint


# --- presentations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [
        {"ppt/slides/slide1.xml": b"<broken"},
        {
            "ppt/_rels/presentation.xml.rels": b'<Relationships><Relationship Id="r1" '
            b'Target="nowhere.xml"/></Relationships>'
        },
    ],
)
def test_presentation_with_a_part_missing_or_broken_says_which(
    reader: Reader, extra: dict[str, bytes]
) -> None:
    with pytest.raises(UnreadableFile, match=r"slide1\.xml|nowhere\.xml"):
        reader("a.pptx", documents.pptx(extra=extra))


def test_slides_beyond_the_cap_are_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slides, "_MAX_SLIDES", 0)

    with pytest.raises(PlatformError):
        reader("a.pptx", documents.pptx())


def test_values_that_a_chart_draws_are_a_table(reader: Reader) -> None:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    drawing = "http://schemas.openxmlformats.org/drawingml/2006"

    def points(axis: str, *values: str) -> str:
        said = "".join(f'<c:pt idx="{n}"><c:v>{v}</c:v></c:pt>' for n, v in enumerate(values))
        return f"<c:{axis}><c:cache>{said}</c:cache></c:{axis}>"

    series = points("tx", "Output") + points("cat", "May", "June") + points("val", "12.5", "14")
    chart = f'<c:chartSpace xmlns:c="{drawing}/chart"><c:ser>{series}</c:ser></c:chartSpace>'
    slide = (
        '<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
        f'xmlns:c="{drawing}/chart" xmlns:r="{office}"><p:graphicFrame><c:chart r:id="r1"/>'
        '<c:chart r:id="r2"/></p:graphicFrame></p:sld>'
    )
    rels = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{office}/chart" Target="../charts/chart1.xml"/>'
        "</Relationships>"
    )
    extra = {
        "ppt/slides/slide1.xml": slide,
        "ppt/slides/_rels/slide1.xml.rels": rels,
        "ppt/charts/chart1.xml": chart,
    }

    result = reader("a.pptx", documents.pptx(extra={k: v.encode() for k, v in extra.items()}))

    (table,) = result.tables
    assert table.sample == (("May", 12.5), ("June", 14.0))
    assert [column.name for column in table.columns] == ["label", "Output"]


def test_what_is_no_number_in_parquet_is_missing(reader: Reader) -> None:
    result = reader.parquet(pl.DataFrame({"x": [1.5, float("nan"), None, 2.0]}))

    assert result.tables[0].columns[0].missing == 2


def test_number_too_large_for_json_says_what_to_do(reader: Reader) -> None:
    with pytest.raises(PlatformError) as caught:
        reader("a.json", '[{"a": 1e400}]')
    assert caught.value.hint == "write it as text, in quotes"


def test_relationship_that_nobody_lists_is_no_slide(reader: Reader) -> None:
    broken = documents.pptx(text="words <!-- -->", extra={"docProps/core.xml": b"<not closed"})

    result = reader("a.pptx", broken)

    assert result.metadata["slide_count"] == 1
    assert result.properties.title == ""


# --- web pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "title", "body"),
    [
        ("<html><head><title>A\n b</title></head><body>c", "A b", "<body>c"),
        ("<html><title>A</title></head>c", "A", "c"),
        ("<html>c", "", "<html>c"),
    ],
)
def test_head_of_a_page_is_told_apart_from_its_body(page: str, title: str, body: str) -> None:
    said, rest = web_pages.split(page)

    assert (said.title, rest) == (title, body)


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (b"From: a@b\r\nTo: c@d\r\nSubject: x\r\n\r\nwords", True),
        (b"Received: by x;\r\n\tdate\r\nFrom: a\r\nDate: x\r\n\r\n", True),
        (b"From: a@b\r\nTo: c@d\r\n\r\n", False),
        (b"To: c@d\r\nSubject: x\r\nDate: x\r\n\r\n", False),
        (b"From: here on\nwe go: away\nand nobody comes back\n", False),
        (b"words", False),
        (b"", False),
    ],
)
def test_message_is_told_by_its_fields(head: bytes, is_one: bool) -> None:
    assert is_message(head) is is_one


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("=?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("=?iso-8859-1?q?Gr=FC=DFe?= and more", "Grüße and more"),
        ("=?martian?q?x?=", "=?martian?q?x?="),
        ("two\r\n lines", "two lines"),
        (None, ""),
    ],
)
def test_header_is_decoded_as_far_as_it_can_be(raw: object, told: str) -> None:
    assert header(raw) == told


def test_message_too_big_is_refused(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_BYTES", 100)

    with pytest.raises(MessageLimit, match="MB"):
        reader("a.eml", documents.eml(b"Content-Type: text/plain\r\n\r\n" + b"words " * 50))


def test_message_for_its_receiver_only_is_encrypted(reader: Reader) -> None:
    head = "From: a@b\nTo: c@d\nDate: x\nSubject:\nContent-Type: application/pkcs7-mime\n"

    with pytest.raises(Encrypted):
        reader("a.eml", head + "Content-Transfer-Encoding: base64\n\nMIAG\n")


def test_signature_of_a_message_is_no_file_in_it(reader: Reader) -> None:
    signature = b"Content-Type: application/pgp-signature\r\n\r\n-----BEGIN"
    text = b"Content-Type: text/plain\r\n\r\nwords"

    result = reader("a.eml", documents.eml(text, signature))

    assert result.files == ()
    assert result.properties.created_at == "2026-03-02T10:00:00+00:00"


# --- archives ------------------------------------------------------------------------------------


def test_files_beyond_the_cap_are_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(within, "MAX_FILES", 2)

    result = reader("a.zip", hostile.zipped({f"{n}.txt": b"words" for n in range(5)}))

    assert [file.name for file in result.files] == ["0.txt", "1.txt"]
    assert result.metadata["files"] == 5
    assert [warning.code for warning in result.warnings] == ["file_cap"]


def test_file_without_a_name_in_an_archive_is_called_by_its_number(reader: Reader) -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(zipfile.ZipInfo("folder/"), b"")
        made.writestr(zipfile.ZipInfo(""), b"Some words.")

    (file,) = reader("a.zip", out.getvalue()).files

    assert (file.name, file.problem) == ("file 1", "")


def test_tables_of_one_name_are_called_by_where_they_lie(reader: Reader) -> None:
    files = {f"{year}/parts.csv": b"id,n\na,1\n" for year in (2023, 2024)} | {"sum.csv": b"x\n1\n"}

    result = reader("a.zip", hostile.zipped(files))

    assert [table.name for table in result.tables] == ["2023/parts", "2024/parts", "sum"]


def test_message_inside_a_message_is_a_text_of_its_own(reader: Reader) -> None:
    outer, inner = EmailMessage(), EmailMessage()
    for message, subject, text in ((outer, "Fwd", "See below."), (inner, "Roof", "Forty metres.")):
        message["From"], message["To"], message["Subject"] = "a@example.org", "b@c.org", subject
        message.set_content(text)
    outer.add_attachment(inner)

    reader("a.eml", outer.as_bytes())

    found = read_passages(reader.folder / PASSAGES)
    assert [(one.place.label, one.text) for one in found] == [
        ("message", "Fwd\n\nSee below."),
        ("Roof: message", "Roof\n\nForty metres."),
    ]


def test_warnings_of_files_within_carry_their_names(reader: Reader) -> None:
    files = {"a.csv": b"x,x\n1,2\n", "b.csv": b"y,y\n1,2\n"}

    told = [warning.detail for warning in reader("a.zip", hostile.zipped(files)).warnings]

    assert [detail.split(": ")[0] for detail in told] == ["a.csv", "b.csv"]


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two words", 2),
        ("道可道，非常道。", 6),
        ("東京 2026", 3),
        ("ひらがな", 4),
        ("هذا نص قصير", 3),
        ("한국어 문장", 2),
        ("、。", 0),
        ("", 0),
    ],
)
def test_words_are_counted_in_every_script(text: str, words: int) -> None:
    assert count(text) == words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("你好吗？我很好。", ["你好吗？", "我很好。"]),
        ("他说「好。」然后走了。", ["他说「好。", "然后走了。"]),
        ("هل جاء؟ نعم.", ["هل جاء؟", "نعم."]),
        ("这一\n行。", ["这一行。"]),
        ("यह है। वह है।", ["यह है।", "वह है।"]),
    ],
)
def test_sentences_end_in_every_script(text: str, found: list[str]) -> None:
    assert sentences(text) == found
