"""Hostile files at the parsers' door, by their number: each gets its own clear answer."""

import io
from pathlib import Path

import polars as pl
import pytest

from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.parsing.models import ParseResult
from foundations.public_works.settings import Settings
from tests.support import hostile_documents as documents
from tests.support import hostile_files as hostile
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[2] / "data"
PARSERS = ChildProcessParsers(settings=Settings())
FAR_CELLS = (
    b'<sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
)


def data(name: str) -> bytes:
    return (DATA / name).read_bytes()


async def parsed(folder: Path, name: str, content: bytes) -> ParseResult:
    path = folder / "upload"
    path.write_bytes(content)
    return await PARSERS.parse(path, folder, name=name)


def parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"a": range(3_000), "b": ["x"] * 3_000}).write_parquet(out)
    return out.getvalue()


FULL = documents.row(documents.cell(columns=16_384), rows=1_048_576)
WIDE_PAGE = b"<html><table>" + (b"<tr>" + b"<td>1" * 5_000) * 3 + b"</table>"
WIDE_GRID = b"[[" + b",".join([b"1"] * 100_000) + b"],[" + b",".join([b"1"] * 100_000) + b"]]"
PARTS = [b"Content-Type: text/plain\r\n\r\nx"] * 1_001
OUTSIDE = {"ppt/slides/_rels/slide1.xml.rels": hostile.FETCHES_A_TEMPLATE}
LOCKED = {"META-INF/manifest.xml": b"<manifest><manifest:encryption-data/></manifest>"}


@pytest.mark.parametrize(
    ("number", "name", "content", "code"),
    [
        ("u10", "a.csv", rb"{\rtf1 {\object\objemb{\*\objdata 01}}}", "unsupported_file"),
        ("u10", "a.zip", hostile.zipped({"a.html": b"<html><script>"}), "unsupported_file"),
        ("u10", "a.pdf", b"%PDF-1.4\n<html><script>alert(1)</script>%%EOF", "unreadable_file"),
        ("u13", "a.zip", hostile.bomb(3 * 2**20), "decompression_limit"),
        ("u13", "a.zip", hostile.nested(3), "decompression_limit"),
        ("u13", "a.zip", hostile.many_entries(10_001), "decompression_limit"),
        ("u13", "a.ods", documents.ods("", {"a": b"\0" * 2**21}), "decompression_limit"),
        ("u13", "a.odt", documents.odt(extra={"a": b"\0" * 2**21}), "decompression_limit"),
        ("u13", "a.pptx", documents.pptx(extra={"a": b"\0" * 2**21}), "decompression_limit"),
        ("u13", "a.eml", documents.messages_in_messages(6), "decompression_limit"),
        ("u13", "a.eml", documents.eml(*PARTS), "message_limit"),
        ("u13", "a.eml", documents.groups_in_groups(5_000), "message_limit"),
        ("u14", "a.zip", hostile.lying(b"\0" * 5_000_000), "damaged_archive"),
        ("u14", "a.zip", hostile.overlapping(), "damaged_archive"),
        ("u16", "a.ods", documents.ods("", {"x.xml": hostile.BILLION_LAUGHS}), "unsafe_markup"),
        ("u16", "a.ods", documents.ods("", {"x.y": hostile.BILLION_LAUGHS}), "unsafe_markup"),
        ("u16", "a.odt", documents.odt(extra={"x.xml": hostile.BILLION_LAUGHS}), "unsafe_markup"),
        ("u16", "a.pptx", documents.pptx(extra={"x.xml": hostile.BILLION_LAUGHS}), "unsafe_markup"),
        ("u16", "a.pptx", documents.pptx(extra=OUTSIDE), "unsafe_markup"),
        ("u17", "a.ods", documents.ods(FULL), "cell_limit"),
        (
            "u17",
            "a.ods",
            documents.ods(documents.row(documents.cell(columns=5_000))),
            "column_limit",
        ),
        ("u20", "a.html", WIDE_PAGE, "column_limit"),
        ("u20", "a.json", WIDE_GRID, "column_limit"),
        ("u20", "a.tsv", b"\t".join([b"a"] * 100_000), "column_limit"),
        ("u23", "a.pdf", documents.circular_outlines(), "parser_crashed"),
        ("u23", "a.pdf", documents.circular_pages(), "unreadable_file"),
        ("u26", "a.odt", documents.odt(extra=LOCKED), "encrypted"),
        ("u26", "a.parquet", parquet()[:-20], "truncated"),
        ("u26", "a.pptx", documents.pptx()[:-30], "truncated"),
        ("u26", "a.json", b'[{"a": 1}, {"a"', "truncated"),
        ("u28", "a.png", documents.pixel_bomb(), "unsupported_file"),
        ("u28", "a.svg", b"<svg><foreignObject/></svg>", "unsupported_file"),
        (
            "footer",
            "a.parquet",
            documents.parquet_with_footer(parquet(), 2**31 - 1),
            "unreadable_file",
        ),
        ("footer", "a.parquet", documents.parquet_with_footer(parquet(), 100), "unreadable_file"),
        (
            "footer",
            "a.parquet",
            documents.parquet_with_rows(parquet(), 3_000, 2_000_000_000),
            "unreadable_file",
        ),
        ("empty", "a.zip", hostile.zipped({}), "no_data"),
        ("empty", "a.pptx", documents.pptx(text=""), "no_text"),
        ("empty", "a.eml", b"From: a@example.org\nTo: b\nDate: x\nSubject:\n\n", "no_data"),
        ("u10", "a.pdf", b"<html><script>alert(1)</script></html>", "unsupported_file"),
        ("u10", "a.pdf", hostile.LINUX_PROGRAM, "unsupported_file"),
        ("u13", "a.xlsx", hostile.xlsx(b"", {"xl/a.bin": b"\0" * 2**21}), "decompression_limit"),
        ("u16", "a.docx", hostile.docx(extra={"a.xml": hostile.BILLION_LAUGHS}), "unsafe_markup"),
        (
            "u16",
            "a.docx",
            hostile.docx(extra={"a.rels": hostile.FETCHES_A_TEMPLATE}),
            "unsafe_markup",
        ),
        ("u17", "a.xlsx", hostile.xlsx(b'<dimension ref="A1:XFD1048576"/><sheetData/>'), "no_data"),
        ("u17", "a.xlsx", hostile.xlsx(FAR_CELLS), "cell_limit"),
        ("u20", "a.csv", b"x" * 20_000_000, "field_limit"),
        ("u20", "a.csv", b",".join([b"a"] * 100_000), "column_limit"),
        ("u20", "a.csv", b'"' * 3_000_000, "field_limit"),
        ("u26", "a.pdf", data("encrypted.pdf"), "encrypted"),
        ("u26", "a.pdf", data("scanned.pdf"), "no_text"),
        ("u26", "a.pdf", documents.blank_pdf(10_000), "no_text"),
        ("u26", "a.pdf", data("declaration.pdf")[:4000], "truncated"),
        ("u26", "a.xlsx", data("planets.xlsx")[:4000], "truncated"),
        ("empty", "a.csv", b"", "empty_file"),
        ("empty", "a.docx", hostile.docx(body=""), "no_text"),
        ("nul", "a.csv", b"a,b\n" + b"1,2\n" * 20_000 + b"\0,3\n", "unreadable_file"),
        ("nul", "a.csv", b"a,b\n1,\0\n", "unsupported_file"),
        ("json", "a.json", b"[" * 100_000, "too_deep"),
        ("json", "a.json", b'[{"a": NaN}]', "unreadable_file"),
    ],
)
async def test_hostile_file_gets_its_own_code(
    tmp_path: Path, number: str, name: str, content: bytes, code: str
) -> None:
    with pytest.raises(PlatformError) as caught:
        await parsed(tmp_path, name, content)

    assert caught.value.code == code, number
    assert caught.value.kind in (ErrorKind.INVALID, ErrorKind.UNSUPPORTED)
    assert str(tmp_path) not in caught.value.detail


async def test_u19_formulas_are_text_and_sampled_as_such(tmp_path: Path) -> None:
    result = await parsed(tmp_path, "a.csv", b'a,b\n1,"=HYPERLINK(""x"")"\n2,@SUM\n')

    assert result.tables[0].sample == ((1, '=HYPERLINK("x")'), (2, "@SUM"))


async def test_u22_ragged_file_is_read_with_its_faults_told(tmp_path: Path) -> None:
    result = await parsed(tmp_path, "a.csv", b"a,a,\n1,2,3\n4\n5,6,7,8\n")

    assert result.tables[0].row_count == 2
    assert [warning.line for warning in result.warnings] == [1, 1, 3, 4]


async def test_u23_circular_pdf_ends(tmp_path: Path) -> None:
    result = await parsed(tmp_path, "a.pdf", hostile.circular_pdf(data("declaration.pdf")))

    assert result.word_count == 1335


async def test_u25_character_map_named_as_a_path_is_never_opened(tmp_path: Path) -> None:
    planted = tmp_path / "evil.pickle.gz"
    planted.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")

    result = await parsed(
        tmp_path, "a.pdf", documents.crafted_cmap(str(planted).replace("/", "#2F"))
    )

    assert result.passage_count == 1
    assert not (tmp_path / "owned").exists()


async def test_u28_picture_too_large_inside_a_document_is_not_unpacked(tmp_path: Path) -> None:
    result = await parsed(tmp_path, "a.docx", documents.docx_with_a_pixel_bomb())

    assert result.word_count == 2


async def test_entity_of_a_web_page_is_not_expanded(tmp_path: Path) -> None:
    page = b'<!DOCTYPE html [<!ENTITY x "&y;&y;">]><html><p>&x; words</p></html>'

    assert (await parsed(tmp_path, "a.html", page)).word_count == 2


async def test_parquet_of_few_bytes_and_many_rows_is_read_up_to_the_cap(tmp_path: Path) -> None:
    frame = pl.select(a=pl.repeat(7, 30_000_000, dtype=pl.Int64))
    frame.write_parquet(tmp_path / "rows")

    result = await parsed(tmp_path, "a.parquet", (tmp_path / "rows").read_bytes())

    assert result.tables[0].row_count == 1_000_000
    assert result.warnings[0].code == "row_cap"


async def test_archive_with_a_few_bad_files_is_read_and_tells_of_each(tmp_path: Path) -> None:
    files = {
        "good.csv": b"a,b\n1,2\n",
        "script.html": b"<html><script>alert(1)</script>",
        "scan.pdf": data("scanned.pdf"),
        "locked.pdf": data("encrypted.pdf"),
        "cut.json": b'{"a": ',
        "../../escape.txt": b"words outside",
    }

    result = await parsed(tmp_path, "a.zip", hostile.zipped(files))

    assert {file.name: file.problem for file in result.files} == {
        "good.csv": "",
        "script.html": "unsupported_file",
        "scan.pdf": "no_text",
        "locked.pdf": "encrypted",
        "cut.json": "truncated",
        "../../escape.txt": "",
    }
    assert {warning.code for warning in result.warnings} == {
        "unsupported_file",
        "no_text",
        "encrypted",
        "truncated",
    }
    assert not (tmp_path.parent.parent / "escape.txt").exists()


async def test_message_in_an_unknown_encoding_is_read_as_well_as_can_be(tmp_path: Path) -> None:
    part = b"Content-Type: text/plain; charset=martian\r\n\r\nGr\xfc\xdfe"
    result = await parsed(
        tmp_path, "a.eml", documents.eml(part, fields=f"X-Long: {'x' * 1_000_000}\r\n")
    )

    assert (result.word_count, result.properties.title) == (2, "parts")


async def test_utf16_csv_is_read(tmp_path: Path) -> None:
    result = await parsed(tmp_path, "a.csv", "stadt;höhe\nOslo;23,5\nRom;37\n".encode("utf-16"))

    assert result.encoding == "utf-16"
    assert result.tables[0].columns[1].maximum == 37.0


async def test_name_that_lies_is_a_warning_in_the_result(tmp_path: Path) -> None:
    result = await parsed(tmp_path, "picture.png", b"a,b,c\n" + b"1,2,3\n" * 9)

    assert result.warnings[0].detail == "the name is called '.png', the content is text/csv"


async def test_huge_width_still_gives_a_small_result(tmp_path: Path) -> None:
    names = ",".join(f"a rather long name of column {n}" for n in range(1_500))
    row = ",".join("a value of some length" for _ in range(1_500))

    result = await parsed(tmp_path, "a.csv", f"{names}\n{row}\n{row}\n".encode())

    assert len(result.model_dump_json()) <= 150_000
    assert result.tables[0].column_count == 1_500
    assert len(result.tables[0].columns) < 1_500
