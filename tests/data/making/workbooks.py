"""Workbooks: XLSX by openpyxl, ODS by odfpy."""

import datetime as dt
import io
from random import Random
from typing import Any

from tests.data.making.made import Made, Truth, steady, table

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODS = "application/vnd.oasis.opendocument.spreadsheet"


def files() -> dict[str, Made]:
    return {
        "harvest.xlsx": harvest(),
        "uncalculated.xlsx": uncalculated(),
        "late-start.xlsx": late_start(),
        "ledger.ods": ledger(),
        "sparse.ods": sparse(),
    }


def saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return steady(out.getvalue())


def truth(media: str, *tables: Truth, **more: Any) -> Truth:
    return {"kind": "table", "media_type": media, "tables": list(tables), **more}


def harvest() -> Made:
    """Three worksheets with rows, one without; dates, yes and no, cells left empty."""
    from openpyxl import Workbook

    draw = Random(21)
    picked: list[list[Any]] = [
        [
            dt.date(2025, 8, 1) + dt.timedelta(days=n),
            draw.choice(["apple", "pear", "plum"]),
            None if n == 9 else round(draw.uniform(5, 60), 1),
            n % 3 == 0,
        ]
        for n in range(45)
    ]
    prices: list[list[Any]] = [["apple", 2.4], ["pear", 3.1], ["plum", 4.75]]
    people: list[list[Any]] = [["morning", 4], ["noon", 2], ["evening", 5]]
    book = Workbook()
    book.properties.title = "Harvest 2025"
    book.properties.creator = "the orchard"
    book.properties.language = "en"
    sheet = book.active
    sheet.title = "Picked"
    sheet.append(["day", "fruit", "kilograms", "rain"])
    for row in picked:
        sheet.append(row)
    for name, header, rows in (
        ("Prices", ["fruit", "euros a kilogram"], prices),
        ("Empty", [], []),
        ("People", ["shift", "hands"], people),
    ):
        sheet = book.create_sheet(name)
        for line in [header, *rows] if header else []:
            sheet.append(line)
    return Made(
        saved(book),
        truth(
            XLSX,
            table(
                "Picked",
                {"day": "date", "fruit": "text", "kilograms": "number", "rain": "boolean"},
                picked,
            ),
            table("Prices", {"fruit": "text", "euros a kilogram": "number"}, prices),
            table("People", {"shift": "text", "hands": "integer"}, people),
            metadata={"worksheets": 4},
            properties={"title": "Harvest 2025", "authors": ["the orchard"], "language": "en"},
        ),
        plain=False,
    )


def uncalculated() -> Made:
    """Formulas that no spreadsheet program ever calculated: openpyxl writes no values for them."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "Sums"
    sheet.append(["a", "b", "sum"])
    for n in range(2, 14):
        sheet.append([n, n * 2, f"=A{n}+B{n}"])
    rows: list[list[Any]] = [[n, n * 2, None] for n in range(2, 14)]
    known = table("Sums", {"a": "integer", "b": "integer", "sum": "empty"}, rows)
    return Made(saved(book), truth(XLSX, known, warnings=["formulas_not_calculated"]), plain=False)


def late_start() -> Made:
    """A table that begins in the fourth row, and times of day."""
    from openpyxl import Workbook

    rows: list[list[Any]] = [[f"train {n}", dt.time(6 + n, 15), 12 * n + 1] for n in range(12)]
    book = Workbook()
    sheet = book.active
    sheet.title = "Timetable"
    for at, line in enumerate([["train", "leaves", "minutes"], *rows], start=4):
        for column, cell in enumerate(line, start=1):
            sheet.cell(at, column, cell)
    known = table("Timetable", {"train": "text", "leaves": "time", "minutes": "integer"}, rows)
    return Made(saved(book), truth(XLSX, known), plain=False)


def ledger() -> Made:
    rows: list[list[Any]] = [
        [dt.date(2025, 12, 1 + n), ["rent", "seed", "tools"][n % 3], round(40 + 7.35 * n, 2)]
        for n in range(24)
    ]
    accounts: list[list[Any]] = [["rent", 1], ["seed", 2], ["tools", 3]]
    book, _ = opened("Ledger")
    book.spreadsheet.addElement(sheet("Entries", ["day", "account", "amount"], rows))
    book.spreadsheet.addElement(sheet("Accounts", ["account", "number"], accounts))
    return Made(
        saved(book),
        truth(
            ODS,
            table("Entries", {"day": "date", "account": "text", "amount": "number"}, rows),
            table("Accounts", {"account": "text", "number": "integer"}, accounts),
            properties={"title": "Ledger", "authors": ["the treasurer"]},
        ),
        plain=False,
    )


def sparse() -> Made:
    """The rest of the sheet is written as one empty row that repeats a million times."""
    from odf.table import TableCell, TableRow

    rows: list[list[Any]] = [[n, n / 4] for n in range(1, 9)]
    book, _ = opened("Sparse")
    made = sheet("Sheet1", ["n", "quarter"], rows)
    rest = TableRow(numberrowsrepeated=1_048_567)
    rest.addElement(TableCell(numbercolumnsrepeated=16_384))
    made.addElement(rest)
    book.spreadsheet.addElement(made)
    known = table("Sheet1", {"n": "integer", "quarter": "number"}, rows)
    return Made(saved(book), truth(ODS, known), plain=False)


def opened(title: str) -> tuple[Any, Any]:
    from odf import dc, meta
    from odf.opendocument import OpenDocumentSpreadsheet

    book = OpenDocumentSpreadsheet()
    book.meta.addElement(dc.Title(text=title))
    book.meta.addElement(meta.InitialCreator(text="the treasurer"))
    return book, book.spreadsheet


def sheet(name: str, header: list[str], rows: list[list[Any]]) -> Any:
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    made = Table(name=name)
    for line in [header, *rows]:
        row = TableRow()
        for cell in line:
            match cell:
                case dt.date():
                    written = TableCell(valuetype="date", datevalue=cell.isoformat())
                case int() | float():
                    written = TableCell(valuetype="float", value=cell)
                case _:
                    written = TableCell(valuetype="string")
            written.addElement(P(text=str(cell)))
            row.addElement(written)
        made.addElement(row)
    return made
