"""Documents by the libraries people use: python-docx, python-pptx, odfpy, reportlab, pypdf."""

import io
from pathlib import Path
from typing import Any

from tests.data.making.made import Made, steady, table

DATA = Path(__file__).parents[1]
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODT = "application/vnd.oasis.opendocument.text"
PDF = "application/pdf"


def files() -> dict[str, Made]:
    return {
        "minutes.docx": minutes(),
        "bread-zh.docx": bread(),
        "rivers.pptx": rivers(),
        "walk.odt": walk(),
        "lake-survey.pdf": survey(),
        "truncated.pdf": truncated(),
    }


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return steady(out.getvalue())


def minutes() -> Made:
    from docx import Document

    rows: list[list[Any]] = [["roof", 1200], ["paint", 340], ["benches", 95]]
    document = Document()
    document.core_properties.title = "Minutes of the spring meeting"
    document.core_properties.author = "the secretary"
    document.core_properties.language = "en"
    document.add_heading("Minutes of the spring meeting", 0)
    document.add_heading("Repairs", 1)
    document.add_paragraph("The meeting votes for the repairs by 14 to 3.")
    grid = document.add_table(rows=1, cols=2)
    grid.rows[0].cells[0].text, grid.rows[0].cells[1].text = "work", "euros"
    for work, euros in rows:
        cells = grid.add_row().cells
        cells[0].text, cells[1].text = work, str(euros)
    document.add_heading("Next meeting", 1)
    document.add_paragraph("It takes place on 12 June 2026 in the old mill.")
    document.add_paragraph("Bring the keys", style="List Bullet")
    return Made(
        saved(document),
        {
            "kind": "text",
            "media_type": DOCX,
            "properties": {
                "title": "Minutes of the spring meeting",
                "authors": ["the secretary"],
                "language": "en",
            },
            "tables": [
                table(
                    "Repairs",
                    {"work": "text", "euros": "integer"},
                    rows,
                    place="Repairs",
                )
            ],
            "passages": [
                {
                    "place": "Repairs",
                    "contains": "votes for the repairs by 14 to 3.",
                },
                {
                    "place": "Next meeting",
                    "contains": "12 June 2026 in the old mill",
                },
            ],
        },
        plain=False,
    )


def bread() -> Made:
    """Chinese: no blanks between words, other marks at the ends of sentences."""
    from docx import Document

    lines = [
        "面包是很古老的食物。它用面粉、水和盐做成。",
        "面团要放两个小时吗？是的，放在温暖的地方。",
    ]
    document = Document()
    document.add_heading("做面包", 1)
    for line in lines:
        document.add_paragraph(line)
    told = "做面包" + "".join(lines)
    return Made(
        saved(document),
        {
            "kind": "text",
            "media_type": DOCX,
            "words": sum("\u4e00" <= letter <= "\u9fff" for letter in told),
            "sentences": 5,
            "passages": [{"place": "做面包", "contains": "面团要放两个小时吗？"}],
        },
        plain=False,
    )


def rivers() -> Made:
    """Titles, texts, a table, notes of the speaker; the second slide was moved to the end."""
    from pptx import Presentation
    from pptx.util import Inches

    rows: list[list[Any]] = [["Nile", 6650], ["Amazon", 6400], ["Yangtze", 6300]]
    show = Presentation()
    show.core_properties.title = "Long rivers"
    show.core_properties.author = "the geography class"
    first = show.slides.add_slide(show.slide_layouts[0])
    first.shapes.title.text, first.placeholders[1].text = "Long rivers", "A short talk"
    last = show.slides.add_slide(show.slide_layouts[1])
    last.shapes.title.text, last.placeholders[1].text = "Questions", "Ask now\nor later"
    figures = show.slides.add_slide(show.slide_layouts[5])
    figures.shapes.title.text = "Lengths"
    grid = figures.shapes.add_table(4, 2, Inches(1), Inches(2), Inches(5), Inches(2)).table
    for at, line in enumerate([["river", "kilometres"], *rows]):
        for column, cell in enumerate(line):
            grid.cell(at, column).text = str(cell)
    figures.notes_slide.notes_text_frame.text = "Say that nobody agrees on the lengths."
    order = show.slides._sldIdLst
    moved = order[1]
    order.remove(moved)
    order.append(moved)
    return Made(
        saved(show),
        {
            "kind": "text",
            "media_type": PPTX,
            "metadata": {"slide_count": 3},
            "properties": {"title": "Long rivers", "authors": ["the geography class"]},
            "tables": [
                table(
                    "Lengths",
                    {"river": "text", "kilometres": "integer"},
                    rows,
                    place="slide 2 > Lengths",
                )
            ],
            "passages": [
                {"place": "slide 1 > Long rivers", "contains": "A short talk"},
                {"place": "slide 2 > Lengths", "contains": "Say that nobody agrees"},
                {"place": "slide 3 > Questions", "contains": "or later"},
            ],
        },
        plain=False,
    )


def walk() -> Made:
    from odf import dc, meta
    from odf.opendocument import OpenDocumentText
    from odf.table import Table, TableCell, TableRow
    from odf.text import H, P

    rows: list[list[Any]] = [["station", 0.0], ["chapel", 2.5], ["summit", 7.25]]
    document = OpenDocumentText()
    document.meta.addElement(dc.Title(text="A walk to the summit"))
    document.meta.addElement(meta.InitialCreator(text="the walkers"))
    document.meta.addElement(dc.Language(text="en-GB"))
    document.text.addElement(H(outlinelevel=1, text="A walk to the summit"))
    document.text.addElement(P(text="It takes four hours. Take water with you."))
    document.text.addElement(H(outlinelevel=2, text="Way points"))
    grid = Table(name="Points")
    for line in [["place", "kilometres"], *rows]:
        row = TableRow()
        for cell in line:
            written = TableCell(valuetype="string")
            written.addElement(P(text=str(cell)))
            row.addElement(written)
        grid.addElement(row)
    document.text.addElement(grid)
    return Made(
        saved(document),
        {
            "kind": "text",
            "media_type": ODT,
            "properties": {
                "title": "A walk to the summit",
                "authors": ["the walkers"],
                "language": "en-GB",
            },
            "tables": [
                table(
                    "Way points",
                    {"place": "text", "kilometres": "number"},
                    rows,
                    place="A walk to the summit > Way points",
                )
            ],
            "passages": [
                {"place": "A walk to the summit", "contains": "It takes four hours."},
                {"place": "A walk to the summit > Way points", "contains": "summit; 7.25"},
            ],
        },
        plain=False,
    )


def survey() -> Made:
    """Four pages with a title and an author; the third is blank."""
    from reportlab.lib.pagesizes import A5
    from reportlab.pdfgen.canvas import Canvas

    pages = [
        ["Survey of the lake", "The survey took nine days in May 2025."],
        [
            "Depths",
            "The lake is 42 metres deep at the island.",
            "It holds 3.1 million cubic metres.",
        ],
        [],
        ["Fish", "Perch and pike were seen on 17 of 20 stations."],
    ]
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A5, invariant=1)
    canvas.setTitle("Survey of the lake")
    canvas.setAuthor("the surveyors")
    for lines in pages:
        for at, line in enumerate(lines):
            canvas.drawString(50, 500 - 24 * at, line)
        canvas.showPage()
    canvas.save()
    return Made(
        out.getvalue(),
        {
            "kind": "text",
            "media_type": PDF,
            "metadata": {"page_count": 4},
            "properties": {"title": "Survey of the lake", "authors": ["the surveyors"]},
            "words": sum(len(line.split()) for lines in pages for line in lines),
            "passages": [
                {"place": "page 1", "contains": "nine days in May 2025"},
                {"place": "page 2", "contains": "42 metres deep"},
                {"place": "page 4", "contains": "17 of 20 stations"},
            ],
            "places": ["page 1", "page 2", "page 4"],
        },
        plain=False,
    )


def truncated() -> Made:
    """A document whose sending was cut off."""
    whole = (DATA / "declaration.pdf").read_bytes()
    return Made(whole[: len(whole) // 2], {"fault": "truncated"})
