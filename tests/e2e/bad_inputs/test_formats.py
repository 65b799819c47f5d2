"""Hostile files of every format, by their numbers: at the upload, and when they are parsed."""

import time
from typing import Any

import httpx2
import pytest

from tests.support import hostile_documents as documents
from tests.support import hostile_files as hostile
from tests.support.data_files import DATA
from tests.support.oracle import check_problem
from tests.support.processes import Server

pytestmark = pytest.mark.slow

PARSE = "/api/business_enablement/content_analysis_orchestrator/parse_file"
PDF = (DATA / "declaration.pdf").read_bytes()
PARQUET = (DATA / "readings.parquet").read_bytes()
RTF_OBJECT = rb"{\rtf1 {\object\objemb{\*\objdata 01050000}}}"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><foreignObject/></svg>'
PAGE = b"<!DOCTYPE html><html><body><p onclick='x()'>words</p></body></html>"
LAUGHS = {"x.xml": hostile.BILLION_LAUGHS}
OUTSIDE = {"ppt/slides/_rels/slide1.xml.rels": hostile.FETCHES_A_TEMPLATE}
FULL_SHEET = documents.ods(documents.row(documents.cell(columns=16_384), rows=1_048_576))
WIDE = b"<html><table>" + (b"<tr>" + b"<td>1" * 5_000) * 3 + b"</table>"


def upload(client: httpx2.Client, name: str, content: bytes) -> httpx2.Response:
    return client.post("/api/files", files={"file": (name, content)})


def parse(client: httpx2.Client, name: str, content: bytes) -> httpx2.Response:
    answer = upload(client, name, content)
    assert answer.status_code == 201, answer.text
    return client.post(PARSE, json={"file_id": answer.json()["result"]["file_id"]})


def parsed(client: httpx2.Client, name: str, content: bytes) -> dict[str, Any]:
    answer = parse(client, name, content)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]["parse_result"]
    return found


@pytest.fixture(autouse=True)
def quick_and_tidy(server: Server) -> Any:
    """Every answer within 30 s, and no process left after it."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 30
    until = time.monotonic() + 5
    while server.readers and time.monotonic() < until:
        time.sleep(0.02)
    assert server.readers == []


@pytest.mark.parametrize(
    ("number", "name", "content", "status", "code"),
    [
        ("u10", "report.pdf", PAGE, 415, "unsupported_file"),
        ("u10", "picture.svg", SVG, 415, "unsupported_file"),
        ("u10", "letter.rtf", RTF_OBJECT, 415, "unsupported_file"),
        ("u10", "letter.pdf", PDF + hostile.zipped({"a": b"b"}), 422, "malware"),
        (
            "u10",
            "mail.eml",
            documents.eml(documents.attachment(hostile.LINUX_PROGRAM)),
            422,
            "malware",
        ),
        ("u10", "sheet.ods", documents.ods("", {"Basic/a.xml": b"<a/>"}), 422, "malware"),
        ("u11", "mail.eml", documents.message_with_a_virus(), 422, "malware"),
        (
            "u11",
            "a.zip",
            hostile.zipped({"a.eml": documents.message_with_a_virus()}),
            422,
            "malware",
        ),
        ("u11", "talk.pptx", documents.pptx(extra={"a.bin": hostile.EICAR}), 422, "malware"),
        ("u13", "a.zip", hostile.nested(3), 422, "decompression_limit"),
        ("u13", "a.zip", hostile.bomb(100 * 2**20), 422, "decompression_limit"),
        ("u13", "a.zip", hostile.many_entries(10_001), 422, "decompression_limit"),
        ("u13", "a.odt", documents.odt(extra={"a": b"\0" * 2**21}), 422, "decompression_limit"),
        ("u13", "a.eml", documents.messages_in_messages(6), 422, "decompression_limit"),
        ("u13", "a.eml", documents.groups_in_groups(5_000), 422, "message_limit"),
        ("u14", "a.zip", hostile.overlapping(), 422, "damaged_archive"),
        ("u14", "a.zip", hostile.lying(b"\0" * 5_000_000), 422, "damaged_archive"),
        ("u16", "a.ods", documents.ods("", LAUGHS), 422, "unsafe_markup"),
        ("u16", "a.odt", documents.odt(extra=LAUGHS), 422, "unsafe_markup"),
        ("u16", "a.pptx", documents.pptx(extra=OUTSIDE), 422, "unsafe_markup"),
        ("u16", "a.docx", hostile.docx(extra=LAUGHS), 422, "unsafe_markup"),
        ("u26", "a.zip", (DATA / "locked.zip").read_bytes(), 422, "encrypted"),
        ("u26", "a.xlsx", (DATA / "locked.xlsx").read_bytes(), 422, "encrypted"),
        ("u26", "a.parquet", PARQUET[:-100], 422, "truncated"),
        ("u26", "a.pdf", PDF[: len(PDF) // 2], 422, "truncated"),
        ("u28", "a.png", documents.pixel_bomb(), 415, "unsupported_file"),
    ],
)
def test_file_is_refused_at_the_door(
    server: Server,
    client: httpx2.Client,
    number: str,
    name: str,
    content: bytes,
    status: int,
    code: str,
) -> None:
    before = server.stored

    check_problem(upload(client, name, content), status, code)

    more = sorted(set(server.stored) - set(before))
    apart = 1 if code == "malware" else 0
    assert len(more) == apart, number
    assert all(key.startswith("quarantine/client/local/") for key in more), number


@pytest.mark.parametrize(
    ("number", "name", "content", "code"),
    [
        ("u17", "a.ods", FULL_SHEET, "cell_limit"),
        ("u20", "a.html", WIDE, "column_limit"),
        ("u20", "a.tsv", b"\t".join([b"a"] * 100_000), "column_limit"),
        ("u20", "a.csv", b"x" * 1_900_000, "field_limit"),
        ("u23", "a.pdf", documents.circular_outlines(), "parser_crashed"),
        ("u23", "a.pdf", documents.circular_pages(), "unreadable_file"),
        ("u26", "a.pdf", (DATA / "encrypted.pdf").read_bytes(), "encrypted"),
        ("u26", "a.pdf", (DATA / "scanned.pdf").read_bytes(), "no_text"),
        ("u26", "a.pdf", documents.blank_pdf(10_000), "no_text"),
        ("u26", "a.pptx", documents.pptx(text=""), "no_text"),
        ("u26", "a.zip", hostile.zipped({}), "no_data"),
        (
            "footer",
            "a.parquet",
            documents.parquet_with_footer(PARQUET, 2**31 - 1),
            "unreadable_file",
        ),
        (
            "footer",
            "a.parquet",
            documents.parquet_with_rows(PARQUET, 400, 2**40),
            "unreadable_file",
        ),
    ],
)
def test_file_that_cannot_be_parsed_says_why(
    client: httpx2.Client, number: str, name: str, content: bytes, code: str
) -> None:
    problem = check_problem(parse(client, name, content), 422, code)

    assert problem["hint"] or code == "column_limit", number


def test_u13_bombs_inside_of_mail_are_found_too(client: httpx2.Client) -> None:
    bomb = documents.attachment(hostile.bomb(3 * 2**20), "a.zip")

    check_problem(upload(client, "a.eml", documents.eml(bomb)), 422, "decompression_limit")


def test_u17_sheet_that_claims_to_be_full_and_is_empty_is_read(client: httpx2.Client) -> None:
    sheet = b'<dimension ref="A1:XFD1048576"/>' + hostile.rows(("a",), (1,), (2,))

    assert parsed(client, "a.xlsx", hostile.xlsx(sheet))["tables"][0]["row_count"] == 2


def test_u19_formulas_stay_text_in_every_table(client: httpx2.Client) -> None:
    for name, content in (
        ("a.csv", b'a,b\n1,"=1+1"\n2,@SUM\n3,+x\n4,"\t=2"\n'),
        ("a.tsv", b"a\tb\n1\t=1+1\n2\t@SUM\n3\t+x\n4\t=2\n"),
        ("a.md", b"# T\n\n| a | b |\n| - | - |\n| 1 | =1+1 |\n| 2 | @SUM |\n"),
    ):
        table = parsed(client, name, content)["tables"][0]
        assert table["columns"][1]["type"] == "text"
        assert table["sample"][0] == [1, "=1+1"]


def test_u22_rows_of_a_ragged_table_are_told_with_their_lines(client: httpx2.Client) -> None:
    result = parsed(client, "a.csv", (DATA / "ragged.csv").read_bytes())

    assert [(w["code"], w["line"]) for w in result["warnings"]] == [
        ("repeated_header", 1),
        ("nameless_header", 1),
        ("short_row", 3),
        ("long_row", 4),
    ]


def test_u25_character_map_named_as_a_path_runs_nothing(client: httpx2.Client) -> None:
    result = parsed(client, "a.pdf", documents.crafted_cmap("#2Ftmp#2Fevil.pickle"))

    assert result["passage_count"] == 1


def test_u28_picture_too_large_inside_a_document_is_not_unpacked(client: httpx2.Client) -> None:
    assert parsed(client, "a.docx", documents.docx_with_a_pixel_bomb())["word_count"] == 2


def test_web_page_is_never_served_to_be_shown(client: httpx2.Client) -> None:
    answer = upload(client, "garden.html", (DATA / "garden.html").read_bytes())

    content = client.get(f"{answer.headers['Location']}/content")
    assert content.headers["Content-Disposition"].startswith("attachment; ")
    assert content.headers["X-Content-Type-Options"] == "nosniff"


def test_files_within_that_are_bad_are_told_and_the_others_read(client: httpx2.Client) -> None:
    files = {
        "a.csv": b"a,b\n1,2\n",
        "../../escape.html": PAGE,
        "b.pdf": (DATA / "scanned.pdf").read_bytes(),
    }

    result = parsed(client, "a.zip", hostile.zipped(files))

    assert [(file["name"], file["problem"]) for file in result["files"]] == [
        ("a.csv", ""),
        ("../../escape.html", "unsupported_file"),
        ("b.pdf", "no_text"),
    ]
