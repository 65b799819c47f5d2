"""Builds files that mean harm, or that only look like it, out of the standard library."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
WINDOWS_PROGRAM = b"MZ" + b"\0" * 58 + struct.pack("<I", 64) + b"PE\0\0" + b"\0" * 200
LINUX_PROGRAM = b"\x7fELF\x02\x01\x01" + b"\0" * 100

CONTENT_TYPES = (
    b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    b'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
    b'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
    b'<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
    b'officedocument.spreadsheetml.sheet.main+xml"/>'
    b'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-'
    b'officedocument.spreadsheetml.worksheet+xml"/></Types>'
)
_RELS = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
_OFFICE = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def zipped(entries: Mapping[str, bytes], *, stored: bool = False) -> bytes:
    out = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def xlsx(sheet: bytes, extra: Mapping[str, bytes] | None = None) -> bytes:
    """A workbook of one worksheet, whose content is given as it stands in the file."""
    return zipped(
        {
            "[Content_Types].xml": CONTENT_TYPES,
            "_rels/.rels": _RELS
            + b'<Relationship Id="rId1" Type="'
            + _OFFICE
            + b'/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": b"<workbook "
            + _MAIN
            + b' xmlns:r="'
            + _OFFICE
            + b'"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _RELS
            + b'<Relationship Id="rId1" Type="'
            + _OFFICE
            + b'/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": b"<worksheet " + _MAIN + b">" + sheet + b"</worksheet>",
            **(extra or {}),
        }
    )


def rows(*lines: tuple[object, ...]) -> bytes:
    """The sheetData of some rows of cells: numbers as numbers, all else as inline text."""
    out = b"<sheetData>"
    for number, line in enumerate(lines, start=1):
        out += f'<row r="{number}">'.encode()
        for letter, cell in zip("ABCDEFGHIJ", line, strict=False):
            at = f"{letter}{number}"
            if cell is None:
                continue
            if isinstance(cell, int | float):
                out += f'<c r="{at}"><v>{cell}</v></c>'.encode()
            else:
                out += f'<c r="{at}" t="inlineStr"><is><t>{cell}</t></is></c>'.encode()
        out += b"</row>"
    return out + b"</sheetData>"


def docx(body: str = "A sentence.", extra: Mapping[str, bytes] | None = None) -> bytes:
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return zipped(
        {
            "[Content_Types].xml": CONTENT_TYPES.replace(
                b"/xl/workbook.xml", b"/word/document.xml"
            ).replace(b"spreadsheetml.sheet.main", b"wordprocessingml.document.main"),
            "_rels/.rels": _RELS
            + b'<Relationship Id="rId1" Type="'
            + _OFFICE
            + b'/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/document.xml": (
                f'<w:document xmlns:w="{main}"><w:body><w:p><w:r><w:t>{body}</w:t></w:r></w:p>'
                "</w:body></w:document>"
            ).encode(),
            **(extra or {}),
        }
    )


BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    b'<!ENTITY lol2 "&lol;&lol;&lol;">]><lolz>&lol2;</lolz>'
)
FETCHES_A_TEMPLATE = (
    _RELS + b'<Relationship Id="rId9" Type="' + _OFFICE + b'/attachedTemplate" '
    b'Target="http://169.254.169.254/latest" TargetMode="External"/></Relationships>'
)
LINKS_TO_A_PAGE = (
    _RELS + b'<Relationship Id="rId9" Type="' + _OFFICE + b'/hyperlink" '
    b'Target="http://example.org/" TargetMode="External"/></Relationships>'
)


def bomb(size: int) -> bytes:
    """One entry of zeros that inflates to `size` bytes, built without holding them."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w", force_zip64=True) as entry,
    ):
        for _ in range(size // 2**20):
            entry.write(b"\0" * 2**20)
    return out.getvalue()


def lying(data: bytes) -> bytes:
    """An archive whose one entry says it holds ten bytes, and holds `data`."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(data) + packed.flush()
    crc = zlib.crc32(data)
    fields = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0x21, crc, len(body), 10)
    local = b"PK\x03\x04" + fields + struct.pack("<HH", 1, 0) + b"a"
    head = b"PK\x01\x02" + struct.pack("<H", 20) + fields
    central = head + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(body), 0)
    return local + body + central + b"PK\x05\x06" + end


def overlapping() -> bytes:
    """An archive whose directory names the same bytes twice."""
    whole = zipped({"a": b"x" * 100, "b": b"y" * 100}, stored=True)
    directory = whole.index(b"PK\x01\x02")
    second = whole.index(b"PK\x01\x02", directory + 1)
    at = second + 42  # where the second entry says its local header is
    return whole[:at] + struct.pack("<I", 0) + whole[at + 4 :]


def nested(depth: int) -> bytes:
    """Archives inside of each other."""
    data = zipped({"a.txt": b"words"}, stored=True)
    for _ in range(depth - 1):
        data = zipped({"inner.zip": data}, stored=True)
    return data


@cache
def many_entries(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            archive.writestr(str(number), b"")
    return out.getvalue()


def circular_pdf(pdf: bytes) -> bytes:
    """The document with a `/Prev` that points at its own cross-reference table (U23)."""
    at = pdf[pdf.rindex(b"startxref") + 9 :].split()[0]
    return pdf.replace(b"trailer\n<<", b"trailer\n<<\n/Prev " + at, 1)
