"""Hostile files at the parsers' door, by their number: each gets its own clear answer."""

from pathlib import Path

import pytest

from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.parsing.models import ParseResult
from foundations.public_works.settings import Settings
from tests.support import hostile_files as hostile
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[2] / "data"
PARSERS = ChildProcessParsers(settings=Settings())
FAR_CELLS = (
    b'<sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
)
BLANK_PAGES = 2_000


def blank_pdf() -> bytes:
    kids = " ".join(f"{n} 0 R" for n in range(3, 3 + BLANK_PAGES))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {BLANK_PAGES} >>",
        *["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>"] * BLANK_PAGES,
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return out + end.encode() + f"startxref\n{len(out)}\n%%EOF\n".encode()


def data(name: str) -> bytes:
    return (DATA / name).read_bytes()


async def parsed(folder: Path, name: str, content: bytes) -> ParseResult:
    path = folder / "upload"
    path.write_bytes(content)
    return await PARSERS.parse(path, folder, name=name)


@pytest.mark.parametrize(
    ("number", "name", "content", "code"),
    [
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
        ("u26", "a.pdf", blank_pdf(), "no_text"),
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
