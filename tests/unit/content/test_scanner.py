"""What the scanner finds, and what it leaves alone."""

from pathlib import Path
from random import Random

import pytest

from foundations.public_works.adapters.yara_scanner import YaraScanner
from foundations.public_works.archives import DecompressionLimit, UnsafeMarkup
from foundations.public_works.scanner import Malware, ScanReport
from tests.support import hostile_documents as documents
from tests.support import hostile_files as hostile
from tests.support.data_files import readable_files

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[2] / "data"
SCANNER = YaraScanner()
PDF = (DATA / "declaration.pdf").read_bytes()
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100


async def scanned(path: Path, data: bytes) -> ScanReport:
    path.write_bytes(data)
    return await SCANNER.scan(path)


@pytest.mark.parametrize("name", readable_files())
async def test_real_files_are_clean(name: str) -> None:
    report = await SCANNER.scan(DATA / name)

    assert report.clean
    report.require_clean()


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (hostile.EICAR, "eicar"),
        (b"some words before " + hostile.EICAR, "eicar"),
        (hostile.LINUX_PROGRAM, "linux_program"),
        (hostile.WINDOWS_PROGRAM, "windows_program"),
        (b"\xcf\xfa\xed\xfe" + b"\0" * 50, "macos_program"),
        (OLE + "_VBA_PROJECT".encode("utf-16-le"), "office_macros"),
        (
            PDF.replace(b"/Type /Catalog", b"/Type /Catalog /OpenAction << /S /JavaScript >>"),
            "pdf_script",
        ),
        (PDF + b"<< /S /#4aava#53cript /JS (x) >>", "pdf_script"),
        (PDF + b"<< /S /Launch /F (cmd.exe) >>", "pdf_launch"),
        (PDF + hostile.zipped({"a": b"b"}), "pdf_and_archive"),
    ],
)
async def test_u10_u11_what_is_harmful_is_found(tmp_path: Path, data: bytes, rule: str) -> None:
    report = await scanned(tmp_path / "upload", data)

    assert [finding.rule for finding in report.findings] == [rule]
    with pytest.raises(Malware) as caught:
        report.require_clean()
    assert caught.value.code == "malware"


@pytest.mark.parametrize(
    ("entry", "data", "rule"),
    [
        ("xl/vbaProject.bin", OLE, "office_macros"),
        ("Basic/Standard/Module1.xml", b"<a/>", "office_macros"),
        ("xl/ole.bin", OLE + "\x01Ole10Native".encode("utf-16-le"), "packaged_object"),
        ("xl/media/image1.png", hostile.WINDOWS_PROGRAM, "windows_program"),
        ("xl/notes.xml", b"<a>" + hostile.EICAR + b"</a>", "eicar"),
        ("xl/big.bin", Random(1).randbytes(2**22 - 9) + hostile.EICAR, "eicar"),
    ],
)
async def test_what_is_harmful_inside_a_document_is_found_where_it_is(
    tmp_path: Path, entry: str, data: bytes, rule: str
) -> None:
    report = await scanned(tmp_path / "upload", hostile.xlsx(b"", {entry: data}))

    found = [(finding.rule, finding.where) for finding in report.findings]
    assert found[-1] == (rule, entry)
    assert {name for name, _ in found} == {rule}
    with pytest.raises(Malware, match=entry):
        report.require_clean()


@pytest.mark.parametrize(
    "text", [b"Never open a file that speaks of /JavaScript.", b"MZ and nothing more of a program"]
)
async def test_words_about_harm_are_no_harm(tmp_path: Path, text: bytes) -> None:
    assert (await scanned(tmp_path / "upload", text)).clean


async def test_limits_of_archives_hold_while_scanning(tmp_path: Path) -> None:
    with pytest.raises(DecompressionLimit):
        await scanned(tmp_path / "bomb", hostile.bomb(3 * 2**20))
    with pytest.raises(UnsafeMarkup):
        await scanned(tmp_path / "xml", hostile.docx(extra={"word/a.xml": hostile.BILLION_LAUGHS}))


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (documents.message_with_a_virus(), "notes.txt"),
        (documents.eml(documents.attachment(hostile.zipped({"in.txt": hostile.EICAR}))), "in.txt"),
        (hostile.zipped({"mail.eml": documents.message_with_a_virus()}), "notes.txt"),
        (
            documents.eml(documents.attachment(documents.message_with_a_virus(), "old.eml")),
            "notes.txt",
        ),
        (documents.eml(documents.attachment(hostile.WINDOWS_PROGRAM, "photo.png")), "photo.png"),
    ],
)
async def test_u11_what_is_harmful_is_found_in_mail_and_archives(
    tmp_path: Path, data: bytes, where: str
) -> None:
    report = await scanned(tmp_path / "upload", data)

    assert where in {finding.where for finding in report.findings}
