"""Messages and archives: files that hold files."""

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from tests.data.making import delimited, texts
from tests.data.making.made import Made, Truth, table, zipped

DATA = Path(__file__).parents[1]
EML = "message/rfc822"
ZIP = "application/zip"


def files() -> dict[str, Made]:
    return {
        "order.eml": order(),
        "forwarded.eml": forwarded(),
        "newsletter.eml": newsletter(),
        "bundle.zip": bundle(),
        "tables.zip": tables(),
        "locked.zip": locked(),
        "locked.xlsx": locked_workbook(),
    }


def message(subject: str, sender: str, day: int) -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = "shop@example.org, stock@example.org"
    made["Subject"] = subject
    made["Date"] = f"Mon, {day:02} Mar 2026 09:30:00 +0100"
    made["Message-ID"] = f"<{day}@example.org>"
    return made


def settled(made: EmailMessage) -> bytes:
    """The message with boundaries that are the same each time."""
    groups = [
        part
        for part in made.walk()
        if part.is_multipart() and "multipart" in part.get_content_type()
    ]
    for number, part in enumerate(groups):
        part.set_boundary(f"=={number}==")
    return made.as_bytes()


def order() -> Made:
    """A text, the same as a web page, and a table attached; umlauts in the subject."""
    rows: list[list[Any]] = [["apples", 12, 3.5], ["bread", 2, 4.25], ["cheese", 1, 11.0]]
    types = {"item": "text", "count": "integer", "euros": "number"}
    made = message("Bestellung für März", "Käufer <buyer@example.org>", 2)
    made.set_content("Please deliver what is attached.\n\nIt is 27.50 euros in all.\n")
    made.add_alternative("<p>Please deliver what is attached.</p>", subtype="html")
    made.add_attachment(delimited.written(list(types), rows), subtype="csv", filename="order.csv")
    known = table("order", types, rows, place="order.csv")
    return Made(
        settled(made),
        {
            "kind": "text",
            "media_type": EML,
            "properties": {
                "title": "Bestellung für März",
                "authors": ["Käufer <buyer@example.org>"],
                "created_at": "2026-03-02T09:30:00+01:00",
            },
            "metadata": {"attachments": 1, "to": "shop@example.org, stock@example.org"},
            "tables": [known],
            "passages": [
                {"place": "message", "contains": "It is 27.50 euros in all."},
                {"place": "order", "contains": "Table order: 3 rows"},
            ],
            "files": {"order.csv": ""},
        },
    )


def forwarded() -> Made:
    """A message in a message, with documents of three kinds, one of which nobody reads."""
    inner = message("The garden", "gardener@example.org", 9)
    inner.set_content("The page about the garden is attached.\n")
    inner.add_attachment(
        texts.garden().data, maintype="text", subtype="html", filename="garden.html"
    )
    made = message("Fwd: The garden", "friend@example.org", 16)
    made.set_content("See below.\n")
    made.add_attachment(inner)
    made.add_attachment(
        (DATA / "annual-report.docx").read_bytes(),
        maintype="application",
        subtype="octet-stream",
        filename="report.docx",
    )
    made.add_attachment(
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40, maintype="image", subtype="png", filename="bloom.png"
    )
    return Made(
        settled(made),
        {
            "kind": "text",
            "media_type": EML,
            "properties": {"title": "Fwd: The garden"},
            "passages": [
                {"place": "message", "contains": "See below."},
                {
                    "place": "The garden: message",
                    "contains": "The page about the garden is attached.",
                },
                {
                    "place": "garden.html: The spring garden > Care",
                    "contains": "Cut nothing that is green.",
                },
                {"place": "report.docx: Wind", "contains": "148 km/h"},
            ],
            "files": {"garden.html": "", "report.docx": "", "bloom.png": "unsupported_file"},
            "warnings": ["unsupported_file"],
        },
    )


def newsletter() -> Made:
    """Only a web page, in quoted-printable."""
    made = message("What is new", "news@example.org", 23)
    made.set_content(
        "<html><head><title>News</title></head><body><h1>What is new</h1>"
        "<p>The café by the lake opens again \u2013 on Sundays only.</p></body></html>\n",
        subtype="html",
        cte="quoted-printable",
    )
    return Made(
        settled(made),
        {
            "kind": "text",
            "media_type": EML,
            "properties": {"title": "What is new"},
            "passages": [
                {
                    "place": "message.html: What is new",
                    "contains": "The café by the lake opens again \u2013 on Sundays only.",
                }
            ],
        },
    )


def bundle() -> Made:
    """A text, a table and another archive; beside them what operating systems leave."""
    notes = "# Notes\n\nThe bundle was packed in January.\n"
    inner = zipped({"sonnet.txt": texts.SONNET.encode()})
    tides = delimited.tides()
    data = zipped(
        {
            "notes.md": notes.encode(),
            "data/tides.tsv": tides.data,
            "more.zip": inner,
            "__MACOSX/._notes.md": b"\0\5\x16\7",
            ".DS_Store": b"\0\0\0\1Bud1",
        }
    )
    known: Truth = tides.truth["tables"][0]
    return Made(
        data,
        {
            "kind": "table",
            "media_type": ZIP,
            "metadata": {"files": 3},
            "tables": [known | {"place": "data/tides.tsv"}],
            "passages": [
                {"place": "notes.md: Notes", "contains": "packed in January"},
                {"place": "more.zip: sonnet.txt: line 1", "contains": "darling buds of May"},
            ],
            "files": {
                "notes.md": "",
                "data/tides.tsv": "",
                "more.zip": "",
                "more.zip/sonnet.txt": "",
            },
        },
    )


def tables() -> Made:
    """Two tables that share a key."""
    beds = delimited.beds()
    crops: list[list[Any]] = [["beans", 0.9], ["leeks", 2.1], ["kale", 1.4], ["beets", 2.2]]
    types = {"crop": "text", "kilograms a square metre": "number"}
    data = zipped(
        {"beds.csv": beds.data, "crops.csv": delimited.written(list(types), crops).encode()}
    )
    known: Truth = beds.truth["tables"][0]
    return Made(
        data,
        {
            "kind": "table",
            "media_type": ZIP,
            "tables": [
                known | {"name": "beds", "place": "beds.csv"},
                table("crops", types, crops, place="crops.csv"),
            ],
        },
    )


def locked() -> Made:
    """An archive whose entries say that they need a password."""
    data = bytearray(zipped({"secret.txt": b"nothing to see"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return Made(bytes(data), {"fault": "encrypted"})


def locked_workbook() -> Made:
    """The head of a workbook under a password: an OLE file that holds the encrypted package."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504
    entry = "EncryptedPackage".encode("utf-16-le")
    return Made(head + entry + b"\0" * (1024 - len(entry)), {"fault": "encrypted"})
