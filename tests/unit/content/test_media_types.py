"""What a file is, told from its content."""

from pathlib import Path

import pytest

from foundations.public_works.archives import Encrypted, Truncated
from foundations.public_works.media_types import (
    EmptyFile,
    UnsupportedFile,
    detect,
    encoding_of,
)
from tests.support import hostile_files as hostile

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("weather.csv", "text/csv"),
        ("planets.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("elements.json", "application/json"),
        ("settings.json", "application/json"),
        ("declaration.pdf", "application/pdf"),
        (
            "annual-report.docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("gettysburg.txt", "text/plain"),
        ("rain-gauge.md", "text/markdown"),
    ],
)
def test_every_real_file_is_told_without_its_name(name: str, found: str) -> None:
    assert detect(DATA / name).name == found
    assert detect(DATA / name).warnings == ()
    assert detect(DATA / name, "unnamed").name == found


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (hostile.LINUX_PROGRAM, "a Linux program"),
        (hostile.WINDOWS_PROGRAM, "a Windows program"),
        (b"\xcf\xfa\xed\xfe" + b"\0" * 50, "a macOS program"),
        (b"#!/bin/sh\nrm -rf /\n", "a script"),
        (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "active content"),
        (
            b"<html>" + b"quiet " * 400_000 + b"<a href='javascript:x'>",
            "active content",
        ),
        ("<html><iframe src=x></html>".encode("utf-16"), "active content"),
        (b'<html><meta http-equiv="refresh" content="0;url=x"></html>', "active content"),
        (b'<svg xmlns="x" onload="alert(1)"/>', "active content"),
        (b'<?xml version="1.0"?><a/>', "HTML, SVG or XML"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "a PNG picture"),
        (b"\x1f\x8b\x08" + b"\0" * 20, "a gzip archive"),
        (b"a" * 257 + b"ustar" + b"a" * 100, "a tar archive"),
        (b"\x00\x01\x02\x03" * 100, "binary data"),
        (b"\x80\x81\x02\x03\x05" * 100, "binary data"),
        (hostile.zipped({"[Content_Types].xml": b"x", "ppt/p.xml": b"x"}), "another kind"),
        (hostile.zipped({"mimetype": b"application/epub+zip"}), "a package of the kind"),
        (hostile.zipped({"META-INF/MANIFEST.MF": b"x", "A.class": b"x"}), "a program for Java"),
        (rb"{\rtf1 {\object\objemb{\*\objdata 0105}}}", "an embedded or linked object"),
        (rb"{\rtf1 {\*\template http://169.254.169.254/x}}", "an embedded or linked object"),
        (rb"{\rtf1 {\field{\*\fldinst DDEAUTO cmd}}}", "an embedded or linked object"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "the old binary format"),
    ],
)
def test_u10_what_is_not_supported_is_refused_by_its_content(
    file: Path, data: bytes, what: str
) -> None:
    file.write_bytes(data)

    with pytest.raises(UnsupportedFile, match=what):
        detect(file, "harmless.pdf")


def test_markup_with_a_handler_is_refused_under_a_markdown_name(file: Path) -> None:
    file.write_bytes(b'<p align="center"><img src=x onerror="alert(1)"></p>\n# Title\n')

    with pytest.raises(UnsupportedFile):
        detect(file, "readme.md")


def test_markdown_may_begin_with_quiet_markup(file: Path) -> None:
    file.write_bytes(b'<p align="center">A title</p>\n\n# More\n')

    assert detect(file, "readme.md").name == "text/markdown"


def test_encrypted_office_document_says_so(file: Path) -> None:
    file.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
    )

    with pytest.raises(Encrypted):
        detect(file, "secret.xlsx")


@pytest.mark.parametrize("data", [b"", b"  \n\t\r\n", b"\0" * 5000])
def test_file_with_nothing_in_it_says_so(file: Path, data: bytes) -> None:
    file.write_bytes(data)

    with pytest.raises(EmptyFile):
        detect(file, "data.csv")


def test_archive_cut_off_says_so(file: Path) -> None:
    file.write_bytes((DATA / "planets.xlsx").read_bytes()[:3000])

    with pytest.raises(Truncated):
        detect(file, "planets.xlsx")


@pytest.mark.parametrize(
    ("name", "data", "warning"),
    [
        (
            "table.pdf",
            b"a,b,c\n" + b"1,2,3\n" * 9,
            "the name is called '.pdf', the content is text/csv",
        ),
        ("photo.png", b"plain words\n", "the name is called '.png', the content is text/plain"),
    ],
)
def test_name_that_says_something_else_is_a_warning(
    file: Path, name: str, data: bytes, warning: str
) -> None:
    file.write_bytes(data)

    assert detect(file, name).warnings == (warning,)


def test_pdf_without_a_suffix_is_a_warning() -> None:
    assert detect(DATA / "declaration.pdf", "declaration").warnings == (
        "the name has no suffix, the content is application/pdf",
    )


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("é,ü\n".encode(), "utf-8"),
        ("é,ü\n".encode("utf-8-sig"), "utf-8-sig"),
        ("é,ü\n".encode("utf-16"), "utf-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), "utf-16-be"),
        ("é,ü\n".encode("cp1252"), "cp1252"),
        (b"a\0\0\0b\0c", ""),
    ],
)
def test_encoding_is_told_from_marks_and_bytes(file: Path, data: bytes, encoding: str) -> None:
    file.write_bytes(data)

    assert encoding_of(file) == encoding


def test_byte_that_is_no_utf8_far_into_the_file_changes_the_encoding(file: Path) -> None:
    file.write_bytes(b"a,b\n" * 600_000 + b"\xe9,1\n")

    assert encoding_of(file) == "cp1252"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("x", '{"a": 1}\n{"a": 2}\n{"a": 3}\n', "application/x-ndjson"),
        ("x", '[{"a": 1}]', "application/json"),
        ("x", "[a link](http://example.org) and more\n", "text/plain"),
        ("notes.txt", "[1] is a footnote\n", "text/plain"),
        ("x", "# Title\n\nwords\n", "text/markdown"),
        ("x", "a\tb\tc\n" * 6, "text/tab-separated-values"),
        ("x", "a;b;c\n" * 6, "text/csv"),
        ("x", "one, two, three.\nfour.\n", "text/plain"),
        ("MZ", "MZ is how this sentence begins.\n", "text/plain"),
    ],
)
def test_kinds_of_text_are_told_apart(file: Path, name: str, text: str, found: str) -> None:
    file.write_text(text)

    assert detect(file, name).name == found


def test_long_sample_ignores_its_last_cut_line(file: Path) -> None:
    file.write_text("a,b,c\n" + "1,2,3\n" * 20_000)

    media = detect(file, "x")
    assert media.name == "text/csv"
