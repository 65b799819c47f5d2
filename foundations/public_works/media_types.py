"""What a file really is, told from its content; the name only breaks ties between kinds of text."""

import codecs
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from foundations.public_works import archives, messages
from foundations.public_works.archives import Encrypted, Truncated
from utilities.errors import ErrorKind, PlatformError

_LEGACY = (
    "cp1251",
    "koi8_r",
    "cp1253",
    "cp1255",
    "cp1256",
    "shift_jis",
    "gb18030",
    "big5",
    "euc_kr",
)
_TELLING = 20  # bytes beyond ASCII
_HEAD = 64 * 1024
_CHUNK = 1024 * 1024


class MediaType(BaseModel):
    """A supported media type. `encoding` is set for text ("utf-8-sig" where there is a BOM)."""

    model_config = ConfigDict(frozen=True)

    name: str
    encoding: str = ""
    warnings: tuple[str, ...] = ()


class UnsupportedFile(PlatformError):
    """This kind of file is not supported."""

    kind = ErrorKind.UNSUPPORTED


class EmptyFile(PlatformError):
    """The file is empty."""

    kind = ErrorKind.INVALID


CSV = "text/csv"
TSV = "text/tab-separated-values"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"
NDJSON = "application/x-ndjson"
PDF = "application/pdf"
RTF = "application/rtf"
HTML = "text/html"
EML = "message/rfc822"
TXT = "text/plain"
MARKDOWN = "text/markdown"
ZIP = "application/zip"
FORMATS = {
    "csv": CSV, "tsv": TSV, "xlsx": XLSX, "docx": DOCX, "pptx": PPTX, "odt": ODT, "ods": ODS,
    "parquet": PARQUET, "json": JSON, "ndjson": NDJSON, "pdf": PDF, "rtf": RTF, "html": HTML,
    "eml": EML, "txt": TXT, "markdown": MARKDOWN, "zip": ZIP,
}  # fmt: skip
"""What people call the media types."""

_SUFFIXES = {
    ".csv": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".xlsx": XLSX,
    ".docx": DOCX,
    ".pptx": PPTX,
    ".odt": ODT,
    ".ods": ODS,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".json": JSON,
    ".jsonl": NDJSON,
    ".ndjson": NDJSON,
    ".pdf": PDF,
    ".rtf": RTF,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".eml": EML,
    ".txt": TXT,
    ".text": TXT,
    ".log": TXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".zip": ZIP,
}
_TEXT_SUFFIXES = {CSV, TSV, JSON, NDJSON, TXT, MARKDOWN}
SUPPORTED = frozenset(_SUFFIXES.values())
_MARKED_UP = {".md", ".markdown", ".txt"}
_OFFICE = {"xl/workbook.xml": XLSX, "word/document.xml": DOCX, "ppt/presentation.xml": PPTX}
_OPEN_DOCUMENT = {ODT, ODS}

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
    (b"ARROW1", "an Arrow file"),
    (b"!<arch>", "an archive of object files"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_ACTIVE = re.compile(
    rb"<\s*script\b(?![^>]*\btype\s*=\s*[\"']?application/(?:ld\+)?json)"
    rb"|<\s*(?:iframe|object|embed|applet|foreignobject|meta[^>]+http-equiv\s*=\s*[\"']?refresh)\b"
    rb"|\bon[a-z]{3,20}\s*=\s*[\"']|[\"'=]\s*(?:javascript|vbscript):",
    re.IGNORECASE,
)
_MARKUP = re.compile(rb"<(?:!doctype|\?xml|\?php|html|svg|head|body|script)\b", re.IGNORECASE)
_HTML = re.compile(
    rb"(?:<\?xml\b[^>]*\?>|<!--(?:[^-]|-(?!->))*-->|\s)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE,
)
_RTF_ACTIVE = re.compile(
    rb"\\(?:objdata|objemb|objlink|objautlink|objocx|objupdate|objhtml)\b"
    rb"|\\\*\s*\\template\b"
    rb"|\\fldinst\b[^}]{0,80}\b(?:DDE|DDEAUTO|INCLUDEPICTURE|INCLUDETEXT)\b",
    re.IGNORECASE,
)
_JSON_START = re.compile(r"\s*(?:\{\s*(?:\"|\})|\[\s*(?:[\[{\"\]\d-]|true\b|false\b|null\b))")
_STATED_DELIMITER = re.compile(r"\ufeff?sep=[^\w\s]\r?\n|\ufeff?sep=\t\r?\n", re.IGNORECASE)
_NUMBERED_LINK = re.compile(r"\s*\[[^\]\n]*\]\(")
_MARKDOWN_MARKS = re.compile(r"^(?:#{1,6} \S|```|\s{0,3}[-*] \[|\|.+\|\s*$|>\s)", re.MULTILINE)


def detect(path: Path, name: str = "") -> MediaType:
    """Tell what the file at `path`, called `name` by its sender, is.

    A name that says something else than the content is a warning, never decisive.

    Raises:
        UnsupportedFile: it is none of the supported kinds; says which kind it is instead.
        EmptyFile: there is nothing in it.
        Encrypted: it is an office document or an archive under a password.
        DecompressionLimit, DamagedArchive: it is an archive whose directory is too big or broken.
        Truncated: its end is missing.
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
        encoding=encoding,
        warnings=_mismatch(suffix, found),
    )


def encoding_of(path: Path) -> str:
    """The encoding of a text, told by its mark or by reading it to the end; "" for binary data.

    UTF-16 and UTF-8 marks are believed; else UTF-8 when every byte is valid; else what the bytes
    look like, which is Windows-1252 as long as most letters are of the Latin alphabet.
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
            return _legacy(head + chunk[:_HEAD])
    return "utf-8"


def _legacy(sample: bytes) -> str:
    """The encoding of a text older than UTF-8: a Latin one while few letters are beyond ASCII."""
    high = sum(byte >= 0x80 for byte in sample)
    letters = high + sum(chr(byte).isalpha() for byte in sample if byte < 0x80)
    if high < _TELLING or high < letters * 0.3:
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(
        sample[: sample.rfind(b"\n") + 1] or sample, cp_isolation=list(_LEGACY), threshold=0.5
    ).best()
    return best.encoding if best else "cp1252"


def _binary(path: Path, head: bytes) -> tuple[str, str] | None:
    for magic, what in _REFUSED_MAGIC:
        if head.startswith(magic) and not _is_plain(head, magic):
            raise _unsupported(what)
    if head.startswith(_OLE):
        raise _ole(path)
    if head.startswith((archives.ZIP_MAGIC, b"PK\x05\x06")):
        return _package(path), ""
    if b"%PDF-" in head[:1024]:
        return _ended(path, PDF, b"%%EOF", within=64 * 1024), ""
    if head.startswith(b"PAR1") and not _is_plain(head, b"PAR1"):
        return _ended(path, PARQUET, b"PAR1", within=4), ""
    if head.startswith(b"{\\rtf"):
        _refuse_active(path, _RTF_ACTIVE, "an RTF document with an embedded or linked object")
        return RTF, ""
    if b"ustar" in head[257:263]:
        raise _unsupported("a tar archive")
    if messages.is_message(head):
        return EML, ""
    return None


def _ended(path: Path, found: str, mark: bytes, *, within: int) -> str:
    """The type itself, when the mark that ends such a file is there."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - within))
        if mark in file.read():
            return found
    raise Truncated("the end of the file is missing", hint="send the file again; it was cut off")


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


def _package(path: Path) -> str:
    """What a ZIP archive is: an office document by what it must hold, else an archive of files."""
    listing = archives.listing(path)
    if listing.encrypted:
        raise Encrypted("the file is protected by a password", hint="save it without one")
    names = set(listing.names)
    if "[Content_Types].xml" in names:
        found = next((kind for part, kind in _OFFICE.items() if part in names), "")
        if not found:
            raise _unsupported("an office document of another kind")
        return found
    if listing.mimetype:
        if listing.mimetype not in _OPEN_DOCUMENT:
            raise _unsupported(f"a package of the kind {listing.mimetype[:80]!r}")
        return listing.mimetype
    if "META-INF/MANIFEST.MF" in names or "AndroidManifest.xml" in names:
        raise _unsupported("a program for Java or Android")
    return ZIP


def _text(path: Path, head: bytes, suffix: str) -> tuple[str, str]:
    encoding = encoding_of(path)
    if not encoding or (encoding == "cp1252" and _looks_binary(head)):
        raise _unsupported("binary data")
    plain = head.replace(b"\x00", b"").removeprefix(codecs.BOM_UTF8)
    plain = plain.removeprefix(codecs.BOM_UTF16_LE).removeprefix(codecs.BOM_UTF16_BE).lstrip()
    if _HTML.match(plain) or (plain.startswith(b"<") and _SUFFIXES.get(suffix) == HTML):
        _refuse_active(path, _ACTIVE, "HTML with active content")
        return HTML, encoding
    _refuse_markup(plain, suffix)
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


def _refuse_active(path: Path, pattern: re.Pattern[bytes], what: str) -> None:
    """Refuse a document that has something run, opened or fetched, wherever it stands in it."""
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            data = tail + chunk.replace(b"\x00", b"")
            if found := pattern.search(data):
                shown = re.sub(r"[^ -~]", "", found[0][:20].decode("latin-1"))
                raise _unsupported(f"{what}: {shown}", "save it without that, or as PDF")
            tail = data[-1024:]


def _refuse_markup(start: bytes, suffix: str) -> None:
    if not start.startswith(b"<"):
        return
    if _MARKUP.match(start) or _ACTIVE.search(start) or suffix not in _MARKED_UP:
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
    lines = [line for line in sample.split("\n")[:20] if line.strip()]
    whole = [line.strip() for line in lines if line.strip()[:1] == "{" and line.strip()[-1:] == "}"]
    if len(lines) > 1 and len(whole) >= len(lines) - 1 and sample.lstrip().startswith("{"):
        return NDJSON
    if named in (MARKDOWN, TXT, CSV) and not sample.lstrip().startswith(('{"', "[{", "{\n", "[\n")):
        return named
    return JSON


def _kind_of_table(sample: str) -> str:
    """CSV or TSV when five lines or more hold the same number, two or more, of one delimiter.

    Or when its first line says which delimiter it has, as Excel writes it.
    """
    if _STATED_DELIMITER.match(sample):
        return CSV
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


def _unsupported(what: str, hint: str = "") -> UnsupportedFile:
    return UnsupportedFile(
        f"the file is {what}",
        hint=hint
        or "supported are CSV, TSV, XLSX, ODS, Parquet, JSON, NDJSON, PDF, DOCX, ODT, PPTX, RTF, "
        "HTML, e-mail (EML), plain text, Markdown, and ZIP archives of these",
    )
