"""What a file really is, told from its content; the name only breaks ties between kinds of text."""

import codecs
import re
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from foundations.public_works import archives
from utilities.errors import ErrorKind, PlatformError

_HEAD = 64 * 1024
_CHUNK = 1024 * 1024


class Family(StrEnum):
    """How a file is read: as tables, as text, or as JSON, which may be either."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"


class MediaType(BaseModel):
    """A supported media type. `encoding` is set for text ("utf-8-sig" where there is a BOM)."""

    model_config = ConfigDict(frozen=True)

    name: str
    family: Family
    encoding: str = ""
    warnings: tuple[str, ...] = ()


class UnsupportedFile(PlatformError):
    """This kind of file is not supported."""

    kind = ErrorKind.UNSUPPORTED


class EmptyFile(PlatformError):
    """The file is empty."""

    kind = ErrorKind.INVALID


class Encrypted(PlatformError):
    """The file is protected by a password."""

    kind = ErrorKind.INVALID


CSV = "text/csv"
TSV = "text/tab-separated-values"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
JSON = "application/json"
NDJSON = "application/x-ndjson"
PDF = "application/pdf"
TXT = "text/plain"
MARKDOWN = "text/markdown"

FAMILIES = {
    CSV: Family.TABLE,
    TSV: Family.TABLE,
    XLSX: Family.TABLE,
    NDJSON: Family.JSON,
    JSON: Family.JSON,
    PDF: Family.TEXT,
    DOCX: Family.TEXT,
    TXT: Family.TEXT,
    MARKDOWN: Family.TEXT,
}
_SUFFIXES = {
    ".csv": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".xlsx": XLSX,
    ".docx": DOCX,
    ".json": JSON,
    ".jsonl": NDJSON,
    ".ndjson": NDJSON,
    ".pdf": PDF,
    ".txt": TXT,
    ".text": TXT,
    ".log": TXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
}
_TEXT_SUFFIXES = {CSV, TSV, JSON, NDJSON, TXT, MARKDOWN}

_REFUSED_MAGIC = (
    (b"\x7fELF", "a Linux program"),
    (b"MZ", "a Windows program"),
    (b"\xfe\xed\xfa\xce", "a macOS program"),
    (b"\xfe\xed\xfa\xcf", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a macOS or Java program"),
    (b"\x00asm", "a WebAssembly program"),
    (b"#!", "a script"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"{\\rtf", "an RTF document"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_ACTIVE = re.compile(
    rb"<\s*(?:script|iframe|object|embed|foreignobject|meta[^>]+http-equiv)\b"
    rb"|\bon[a-z]{3,20}\s*=\s*[\"']|javascript:",
    re.IGNORECASE,
)
_MARKUP = re.compile(rb"<(?:!doctype|\?xml|\?php|html|svg|head|body|script)\b", re.IGNORECASE)
_JSON_START = re.compile(r"\s*(?:\{\s*(?:\"|\})|\[\s*(?:[\[{\"\]\d-]|true\b|false\b|null\b))")
_NUMBERED_LINK = re.compile(r"\s*\[[^\]\n]*\]\(")
_MARKDOWN_MARKS = re.compile(r"^(?:#{1,6} \S|```|\s{0,3}[-*] \[|\|.+\|\s*$|>\s)", re.MULTILINE)


def detect(path: Path, name: str = "") -> MediaType:
    """Tell what the file at `path`, called `name` by its sender, is.

    A name that says something else than the content is a warning, never decisive.

    Raises:
        UnsupportedFile: it is none of the supported kinds; says which kind it is instead.
        EmptyFile: there is nothing in it.
        Encrypted: it is an office document under a password.
        DecompressionLimit, DamagedArchive: it is an archive whose directory is too big or broken.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip(b"\x00 \t\r\n"):
        raise EmptyFile("the file holds no content", hint="send a file with something in it")
    name = name or path.name
    suffix = Path(name).suffix.lower()
    found, encoding = _binary(path, head) or _text(path, head, suffix)
    return MediaType(
        name=found,
        family=FAMILIES[found],
        encoding=encoding,
        warnings=_mismatch(suffix, found),
    )


def encoding_of(path: Path) -> str:
    """The encoding of a text, told by its mark or by reading it to the end; "" for binary data.

    UTF-16 and UTF-8 marks are believed; else UTF-8 when every byte is valid; else Windows-1252.
    """
    with path.open("rb") as file:
        start = file.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        file.seek(0)
        head = file.read(_HEAD)
        if b"\x00" in head:
            return _utf16_without_mark(head)
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _binary(path: Path, head: bytes) -> tuple[str, str] | None:
    for magic, what in _REFUSED_MAGIC:
        if head.startswith(magic) and not _is_plain(head, magic):
            raise _unsupported(what)
    if head.startswith(_OLE):
        raise _ole(path)
    if head.startswith((archives.ZIP_MAGIC, b"PK\x05\x06")):
        return _office(path), ""
    if b"%PDF-" in head[:1024]:
        return PDF, ""
    if b"ustar" in head[257:263]:
        raise _unsupported("a tar archive")
    return None


def _is_plain(head: bytes, magic: bytes) -> bool:
    """Whether a magic of plain letters is the start of a word, as in a text that begins with MZ."""
    return magic in (b"MZ", b"BZh", b"PAR1", b"GIF8") and head[:512].isascii() and b"\0" not in head


def _ole(path: Path) -> PlatformError:
    with path.open("rb") as file:
        if _ENCRYPTED_PACKAGE in file.read(4 * _CHUNK):
            return Encrypted(
                "the office document is protected by a password", hint="save it without one"
            )
    return _unsupported("an office document of the old binary format")


def _office(path: Path) -> str:
    names = set(archives.names(path))
    if "[Content_Types].xml" in names:
        if "xl/workbook.xml" in names:
            return XLSX
        if "word/document.xml" in names:
            return DOCX
        raise _unsupported("an office document of another kind")
    raise _unsupported("a ZIP archive")


def _text(path: Path, head: bytes, suffix: str) -> tuple[str, str]:
    encoding = encoding_of(path)
    if not encoding or (encoding == "cp1252" and _looks_binary(head)):
        raise _unsupported("binary data")
    plain = head if encoding != "utf-16" else head.replace(b"\x00", b"")
    _refuse_markup(plain.removeprefix(codecs.BOM_UTF8).lstrip(), suffix)
    sample = head.decode(encoding, errors="replace")
    return _kind_of_text(sample, _SUFFIXES.get(suffix, "")), encoding


def _looks_binary(head: bytes) -> bool:
    """Whether bytes that are no UTF-8 hold control characters no text has."""
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return control > len(head) // 200


def _utf16_without_mark(head: bytes) -> str:
    """UTF-16 text of mostly Latin letters has a NUL at every other byte."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.7 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.7 and odd < half * 0.05:
        return "utf-16-be"
    return ""


def _refuse_markup(start: bytes, suffix: str) -> None:
    if not start.startswith(b"<"):
        return
    if _MARKUP.match(start) or _ACTIVE.search(start) or suffix not in {".md", ".markdown", ".txt"}:
        active = " with active content" if _ACTIVE.search(start) else ""
        raise _unsupported(f"HTML, SVG or XML{active}")


def _kind_of_text(sample: str, named: str) -> str:
    if _JSON_START.match(sample) and not _NUMBERED_LINK.match(sample):
        return _kind_of_json(sample, named)
    if named in (CSV, TSV, TXT, MARKDOWN):
        return named
    if (kind := _kind_of_table(sample)) and not _MARKDOWN_MARKS.search(sample):
        return kind
    return MARKDOWN if _MARKDOWN_MARKS.search(sample) else TXT


def _kind_of_json(sample: str, named: str) -> str:
    """One JSON document, or one per line."""
    lines = [line for line in sample.splitlines()[:20] if line.strip()]
    whole = [line.strip() for line in lines if line.strip()[:1] == "{" and line.strip()[-1:] == "}"]
    if len(lines) > 1 and len(whole) >= len(lines) - 1 and sample.lstrip().startswith("{"):
        return NDJSON
    if named in (MARKDOWN, TXT, CSV) and not sample.lstrip().startswith(('{"', "[{", "{\n", "[\n")):
        return named
    return JSON


def _kind_of_table(sample: str) -> str:
    """CSV or TSV when five lines or more hold the same number, two or more, of one delimiter."""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]
    if len(sample) >= _HEAD // 2:
        lines = lines[:-1]
    for delimiter, kind in (("\t", TSV), (",", CSV), (";", CSV), ("|", CSV)):
        counts = {line.count(delimiter) for line in lines}
        if len(lines) >= 5 and len(counts) == 1 and counts.pop() >= 2:
            return kind
    return ""


def _mismatch(suffix: str, found: str) -> tuple[str, ...]:
    named = _SUFFIXES.get(suffix, "")
    if named == found or (not named and found in _TEXT_SUFFIXES and not suffix):
        return ()
    said = f"is called {suffix!r}" if suffix else "has no suffix"
    return (f"the name {said}, the content is {found}",)


def _unsupported(what: str) -> UnsupportedFile:
    return UnsupportedFile(
        f"the file is {what}",
        hint="supported are CSV, XLSX, JSON, PDF, DOCX, plain text and Markdown",
    )
