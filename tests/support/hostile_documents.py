"""Builds hostile presentations, OpenDocument files, messages, web pages, PDF and Parquet files."""

import base64
import struct
import zlib
from collections.abc import Iterable, Mapping

from tests.support.hostile_files import CONTENT_TYPES, EICAR, docx, zipped

_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_NAMES = (
    f'xmlns:office="{_ODF}:office:1.0" xmlns:table="{_ODF}:table:1.0" '
    f'xmlns:text="{_ODF}:text:1.0" office:version="1.3"'
)
_PRESENTATION = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"


def ods(rows: str, extra: Mapping[str, bytes] | None = None) -> bytes:
    """A workbook of one sheet, whose rows are given as they stand in the file."""
    body = (
        f'<office:spreadsheet><table:table table:name="S">{rows}</table:table></office:spreadsheet>'
    )
    return _open_document("spreadsheet", body, extra)


def odt(text: str = "A sentence.", extra: Mapping[str, bytes] | None = None) -> bytes:
    return _open_document("text", f"<office:text><text:p>{text}</text:p></office:text>", extra)


def cell(value: int = 1, *, columns: int = 1) -> str:
    return (
        f'<table:table-cell office:value-type="float" office:value="{value}" '
        f'table:number-columns-repeated="{columns}"><text:p>{value}</text:p></table:table-cell>'
    )


def row(cells: str, *, rows: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{rows}">{cells}</table:table-row>'


def _open_document(kind: str, body: str, extra: Mapping[str, bytes] | None) -> bytes:
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(),
            "META-INF/manifest.xml": b"<manifest/>",
            "content.xml": (
                f'<?xml version="1.0"?><office:document-content {_NAMES}><office:body>{body}'
                "</office:body></office:document-content>"
            ).encode(),
            **(extra or {}),
        }
    )


def pptx(text: str = "A sentence.", extra: Mapping[str, bytes] | None = None) -> bytes:
    """A presentation of one slide."""
    return zipped(
        {
            "[Content_Types].xml": CONTENT_TYPES,
            "ppt/presentation.xml": (
                f'<p:presentation xmlns:p="{_PRESENTATION}" xmlns:r="{_OFFICE}"><p:sldIdLst>'
                '<p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>'
            ).encode(),
            "ppt/_rels/presentation.xml.rels": (
                f'<Relationships xmlns="{_RELS}"><Relationship Id="r1" Type="{_OFFICE}/slide" '
                'Target="slides/slide1.xml"/></Relationships>'
            ).encode(),
            "ppt/slides/slide1.xml": (
                f'<p:sld xmlns:p="{_PRESENTATION}" xmlns:a="{_DRAWING}"><p:cSld><p:spTree><p:sp>'
                f"<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree>"
                "</p:cSld></p:sld>"
            ).encode(),
            **(extra or {}),
        }
    )


def eml(*parts: bytes, fields: str = "") -> bytes:
    """A message of these parts, each with its own fields."""
    head = (
        "From: a@example.org\r\nTo: b@example.org\r\nSubject: parts\r\n"
        f"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n{fields}"
        'Content-Type: multipart/mixed; boundary="cut"\r\n\r\n'
    )
    body = b"".join(b"--cut\r\n" + part + b"\r\n" for part in parts)
    return head.encode() + body + b"--cut--\r\n"


def attachment(data: bytes, name: str = "a.bin") -> bytes:
    fields = (
        f'Content-Type: application/octet-stream; name="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return fields.encode() + base64.encodebytes(data)


def message_with_a_virus() -> bytes:
    return eml(b"Content-Type: text/plain\r\n\r\nSee attached.", attachment(EICAR, "notes.txt"))


def messages_in_messages(depth: int) -> bytes:
    data = b"words"
    for _ in range(depth):
        data = eml(attachment(data, "inner.eml"))
    return data


def groups_in_groups(depth: int) -> bytes:
    """Parts nested as no mail program nests them."""
    head = b"From: a@example.org\nTo: b@example.org\nSubject: x\n"
    opened = b"".join(
        f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n'.encode() for n in range(depth)
    )
    return head + opened + b"\nwords\n"


def pixel_bomb() -> bytes:
    """A PNG of 50,000 x 50,000 pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def docx_with_a_pixel_bomb() -> bytes:
    return docx("A picture.", {"word/media/image1.png": pixel_bomb()})


def pdf(objects: Iterable[str]) -> bytes:
    """A document of these objects, numbered from 1; the first is the catalogue."""
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(places) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return out + end.encode() + f"startxref\n{len(out)}\n%%EOF\n".encode()


def blank_pdf(pages: int) -> bytes:
    kids = " ".join(f"{n} 0 R" for n in range(3, 3 + pages))
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
            *["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>"] * pages,
        ]
    )


_SAYING = "BT /F1 12 Tf 10 50 Td (A sentence.) Tj ET"
_STREAM = f"<< /Length {len(_SAYING)} >>\nstream\n{_SAYING}\nendstream"


def circular_outlines() -> bytes:
    """Outlines whose first entry is its own next and child (pypdf's CVE-2026-24688)."""
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            (
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R "
                "/Resources << /Font << /F1 7 0 R >> >> >>"
            ),
            _STREAM,
            "<< /Type /Outlines /First 6 0 R /Last 6 0 R /Count 9 >>",
            "<< /Title (x) /Parent 5 0 R /Next 6 0 R /Prev 6 0 R /First 6 0 R /Last 6 0 R >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def circular_pages() -> bytes:
    """A tree of pages that is its own child (pypdf's CVE-2026-27024)."""
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000 /Parent 2 0 R >>",
        ]
    )


def crafted_cmap(path: str) -> bytes:
    """A font whose character map is named as a path (pdfminer's CVE-2025-64512)."""
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            (
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R "
                "/Resources << /Font << /F1 5 0 R >> >> >>"
            ),
            _STREAM,
            (
                f"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /{path} "
                "/DescendantFonts [6 0 R] >>"
            ),
            (
                "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X "
                "/CIDSystemInfo << /Registry (A) /Ordering (B) /Supplement 0 >> >>"
            ),
        ]
    )


def parquet_with_footer(whole: bytes, length: int) -> bytes:
    """The file, its footer said to be `length` bytes long."""
    return whole[:-8] + struct.pack("<I", length) + b"PAR1"


def parquet_with_rows(whole: bytes, old: int, new: int) -> bytes:
    """The file, every count of `old` in its footer made `new` (thrift's zigzag varints)."""
    size = struct.unpack("<I", whole[-8:-4])[0]
    footer = whole[-8 - size : -8].replace(_varint(old), _varint(new))
    return whole[: -8 - size] + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _varint(number: int) -> bytes:
    left = number << 1
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])
