"""XLSX and ODS workbooks: every worksheet with a row in it becomes a table."""

import re
import zipfile
from pathlib import Path
from xml.parsers import expat

import fastexcel
import polars as pl

from foundations.public_works import archives
from foundations.public_works.parsing import packages, properties
from foundations.public_works.parsing.csv_reading import MAX_COLUMNS, note_titles, unique_names
from foundations.public_works.parsing.faults import CellLimit, ColumnLimit, UnreadableFile
from foundations.public_works.parsing.heads import Head, head_of
from foundations.public_works.parsing.models import ParseOptions, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.sheet_layout import Block, cells_of, layout_of
from foundations.public_works.parsing.sources import Section, Source, Table
from foundations.public_works.parsing.typing_cells import typed

MAX_CELLS = 20_000_000
_MAX_SHEETS = 50
_CELL = re.compile(rb"<c [^>]*?\br=\"([A-Z]{1,3})([0-9]{1,7})\"")
_UNCALCULATED = re.compile(
    rb"<c (?![^>]*\bt=\"str\")"  # a formula whose text came out empty was calculated
    rb"[^>]*?\br=\"([A-Z]{1,3}[0-9]{1,7})\"[^>]*>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)"
    rb"\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)
_MERGED = re.compile(rb"<mergeCell ref=\"([A-Z]{1,3})([0-9]{1,7}):[A-Z]{1,3}([0-9]{1,7})\"")
_FILLED = re.compile(
    rb"<c [^<>]{0,200}?\br=\"([A-Z]{1,3})([0-9]{1,7})\"[^<>]{0,200}(?<!/)>\s{0,20}<(?:v|is|f)\b"
)
_PIECE, _CELL_BYTES = 1 << 20, 500
_LOOKED_AT = 5_000
"""Rows among which the tables of a worksheet are told apart."""


def workbook(path: Path, *, options: ParseOptions, notes: Notes) -> Source:
    """The tables of a workbook. Formulas count as the values the program stored with them.

    Formulas that no program ever calculated have no value: their cells are read as missing, and a
    warning says so.

    Raises:
        CellLimit, ColumnLimit: a worksheet spans too much, whatever it says of itself.
        UnreadableFile: it is no workbook, or damaged.
    """
    spans = _judge(path, notes)
    try:
        reader = fastexcel.read_excel(path)
        names = reader.sheet_names[:_MAX_SHEETS]
        if len(reader.sheet_names) > _MAX_SHEETS:
            notes.add(
                "sheets", f"only the first {_MAX_SHEETS} worksheets were read", code="sheet_cap"
            )
        tables: list[Table] = []
        sections: list[Section] = []
        for name in names:
            found, said = _sheet(reader, name, spans.get(name, _Span()), options, notes)
            tables += found
            sections += said
    except fastexcel.FastExcelError as error:
        raise UnreadableFile(
            f"the workbook cannot be read: {_first_line(error)}",
            hint="open it in a spreadsheet program and save it anew",
        ) from error
    metadata: dict[str, Scalar] = {"worksheets": len(reader.sheet_names)}
    return Source(
        "table",
        tables=tables,
        sections=sections,
        metadata=metadata,
        properties=properties.of_package(path),
    )


def _judge(path: Path, notes: Notes) -> dict[str, "_Span"]:
    """Refuse sheets whose outermost cells span more than a reader should lay out in memory.

    What is known of each, by its name.
    """
    spans: dict[str, _Span] = {}
    opened = _OpenDocumentCells()
    for piece in archives.walk(path):
        if piece.depth > 1:
            continue
        if piece.entry.startswith("xl/worksheets/") and piece.entry.endswith(".xml"):
            spans.setdefault(piece.entry, _Span()).take(piece.data)
        elif piece.entry == "content.xml":
            opened.take(piece)
    for span in [*spans.values(), *opened.spans]:
        span.judge()
    uncalculated = sum(len(span.uncalculated) for span in spans.values())
    if uncalculated:
        notes.add(
            "formulas",
            f"{uncalculated:,} cells hold formulas that were never calculated; they are read as "
            "missing: open the workbook in a spreadsheet program and save it",
            code="formulas_not_calculated",
        )
    return {**_by_sheet(path, spans), **{span.name: span for span in opened.spans}}


def _by_sheet(path: Path, spans: dict[str, "_Span"]) -> dict[str, "_Span"]:
    """What is known of the parts of an XLSX workbook, by the names of their worksheets."""
    if not spans:
        return {}
    with zipfile.ZipFile(path) as package:
        parts = dict(packages.listed(package, "xl/workbook.xml", "sheets/{*}sheet"))
        for part, span in spans.items():
            if span.merged:  # where the cells begin counts for nothing else
                span.begin = _first_cell(package, part)
    return {sheet.get("name", ""): spans[part] for part, sheet in parts.items() if part in spans}


def _first_cell(package: zipfile.ZipFile, part: str) -> tuple[int, int]:
    """The first row and the first column in which a cell holds something, from 0."""
    rows, columns, rest = set[int](), set[bytes](), b""
    with package.open(part) as stream:
        while piece := stream.read(_PIECE):
            cells = _FILLED.findall(rest + piece)
            rows.update(int(row) for _, row in cells[:1])  # they stand in order
            columns.update(letters for letters, _ in cells)
            rest = piece[-_CELL_BYTES:]
    if not rows:
        return 0, 0
    return min(rows) - 1, min(map(_column_number, columns)) - 1


class _Span:
    """How far the cells of one worksheet reach, and which of them are merged downwards."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.begin = 0, 0
        self.merged: set[tuple[int, int, int]] = set()
        """Column, first row and the row beyond the last, from 0."""
        self.rows = 0
        self.columns = 0
        self.uncalculated: set[bytes] = set()

    def take(self, data: bytes) -> None:
        """Look at a piece of an XLSX worksheet; pieces overlap, so that no cell is cut."""
        cells = _CELL.findall(data)
        for letters in {column for column, _ in cells}:
            self.columns = max(self.columns, _column_number(letters))
        self.rows = max([self.rows, *(int(row) for _, row in cells)])
        self.uncalculated.update(_UNCALCULATED.findall(data))
        for left, top, bottom in _MERGED.findall(data):
            if top != bottom:
                self.merged.add((_column_number(left) - 1, int(top) - 1, int(bottom)))

    def filled_down(self, series: pl.Series, column: int, start: int) -> pl.Series:
        """A column from the row `start` on, what a merged cell says in each row it covers."""
        above, left = self.begin
        places = list(range(len(series)))
        for merged, top, bottom in self.merged:
            first = top - above - start
            if merged - left == column and 0 <= first < len(series):
                for place in range(first, min(bottom - above - start, len(series))):
                    places[place] = first
        return series.gather(places)

    def judge(self) -> None:
        if self.rows * self.columns > MAX_CELLS:
            raise CellLimit(
                f"a worksheet spans {self.rows:,} rows and {self.columns:,} columns; "
                f"{MAX_CELLS:,} cells are allowed",
                hint="delete stray cells far below or to the right of the table",
            )
        if self.columns > MAX_COLUMNS:
            raise ColumnLimit(
                f"a worksheet has {self.columns:,} columns; {MAX_COLUMNS:,} are allowed"
            )


class _OpenDocumentCells:
    """Counts the rows and columns of OpenDocument tables, repeated ones as often as they say.

    OpenDocument 1.3 part 3, 19.675 and 19.679. Repeated cells at the end that hold nothing are how
    programs write the rest of a sheet: they do not count.
    """

    def __init__(self) -> None:
        self.spans: list[_Span] = []
        self._seen = 0
        self._row = self._column = self._times = 0
        self._filled = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end

    def take(self, piece: archives.Piece) -> None:
        """Read on; a piece begins with some bytes of the one before."""
        fresh = piece.data if piece.first else piece.data[archives.OVERLAP :]
        try:
            self._parser.Parse(fresh)
        except expat.ExpatError as error:
            raise UnreadableFile(
                f"the workbook's content is broken: {error}",
                hint="open it in a spreadsheet program and save it anew",
            ) from error

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(" ")[2]:
            case "table":
                self.spans.append(_Span(_told(attributes, "name")))
                self._row = 0
            case "table-row":
                self._column, self._filled = 0, False
                self._times = _repeated(attributes, "number-rows-repeated")
            case "covered-table-cell":
                self._column += _repeated(attributes, "number-columns-repeated")
            case "table-cell" if self.spans:
                span, at = self.spans[-1], self._column
                self._column += _repeated(attributes, "number-columns-repeated")
                if (covered := _repeated(attributes, "number-rows-spanned")) > 1:
                    span.merged.add((at, self._row, self._row + covered))
                if _told(attributes, "value-type"):
                    row, column = span.begin if span.columns else (self._row, at)
                    span.begin = min(row, self._row), min(column, at)
                    self._filled = True
                    span.columns = max(span.columns, self._column)

    def _end(self, name: str) -> None:
        if name.endswith(" table-row"):
            self._row += self._times
            if self._filled and self.spans:
                self.spans[-1].rows = self._row


def _told(attributes: dict[str, str], name: str) -> str:
    return next((value for key, value in attributes.items() if key.endswith(f" {name}")), "")


def _repeated(attributes: dict[str, str], name: str) -> int:
    """How often a cell or row stands there, once when it does not say."""
    told = _told(attributes, name)
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 1


def _sheet(
    reader: fastexcel.ExcelReader, name: str, span: "_Span", options: ParseOptions, notes: Notes
) -> tuple[list[Table], list[Section]]:
    """The tables of one worksheet, and what else it says."""
    sheet = reader.load_sheet(
        name, header_row=None, skip_rows=0, n_rows=_LOOKED_AT, dtypes="string"
    )
    if sheet.visible != "visible":
        notes.add("worksheets", f"the worksheet {name} is hidden", code="hidden_sheet")
    rows = [
        [" ".join((cell or "").split()) for cell in row] for row in sheet.to_polars().iter_rows()
    ]
    layout = layout_of(rows)
    tables: list[Table] = []
    for block in layout.blocks:
        whole = block.bottom == len(rows) == _LOOKED_AT
        head = head_of(cells_of(rows, block), header=options.header)
        called = _called(name, head, alone=len(layout.blocks) == 1)
        note_titles(head, notes, of=called)
        layout.notes += head.titles
        bottom = None if whole else block.bottom
        table = _table(reader, (name, called), (block, head, bottom), span, options, notes)
        tables += [table] if table is not None else []
    said = "\n\n".join(dict.fromkeys(layout.notes))
    return tables, [Section(Place.name(name), said)] if said else []


def _called(sheet: str, head: Head, *, alone: bool) -> str:
    """A table by its sheet; of several on a sheet by its title too."""
    if alone or not head.titles:
        return sheet
    return f"{sheet}: {head.titles[-1]}"


def _table(
    reader: fastexcel.ExcelReader,
    named: tuple[str, str],
    placed: tuple[Block, Head, int | None],
    span: "_Span",
    options: ParseOptions,
    notes: Notes,
) -> Table | None:
    """A block of cells below its head; None when there is no row of data.

    The block ends above a row, or where the sheet ends.
    """
    (sheet, called), (block, head, bottom) = named, placed
    start = block.top + head.body
    if bottom is not None and start >= bottom:
        return None
    raw = head.names or [""] * len(block.columns)
    made = unique_names(raw, notes if head.names else Notes(), line=block.top + head.at + 1)
    most = options.most_rows + 1
    frame = _cells(reader, sheet, start, min(most, (bottom or start + most) - start))
    frame = frame.select(frame.columns[column] for column in block.columns)
    truncated = frame.height > options.most_rows
    if truncated:
        notes.add(
            "rows",
            f"only the first {options.most_rows:,} rows of {called} were read",
            code="row_cap",
        )
    frame = frame.head(options.most_rows)
    frame.columns = made
    frame = pl.DataFrame(
        [
            span.filled_down(series, column, start)
            for column, series in zip(block.columns, frame, strict=True)
        ]
    )
    frame = typed(pl.DataFrame([_as_known(series) for series in frame]), notes)
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return Table(called[:100], frame, truncated) if frame.height else None


def _cells(reader: fastexcel.ExcelReader, name: str, start: int, rows: int) -> pl.DataFrame:
    """The cells below `start`, typed by the program that wrote them; text where it mixed types."""
    try:
        sheet = reader.load_sheet(
            name, header_row=None, skip_rows=start, n_rows=rows, schema_sample_rows=None
        )
    except fastexcel.UnsupportedColumnTypeCombinationError:
        sheet = reader.load_sheet(
            name, header_row=None, skip_rows=start, n_rows=rows, dtypes="string"
        )
    frame: pl.DataFrame = sheet.to_polars()
    return frame


def _as_known(series: pl.Series) -> pl.Series:
    """Spreadsheets know floats and points in time only; make of them what they stand for."""
    filled = series.drop_nulls()
    if filled.is_empty():
        return series
    match series.dtype:
        case pl.Float64 if bool((filled == filled.round()).all() and (filled.abs() < 1e15).all()):
            return series.cast(pl.Int64)
        case t if t == pl.Duration:
            return (series.dt.total_seconds() / 3600).alias(series.name)  # in hours
        case t if t == pl.Datetime:
            if bool((filled.dt.year() <= 1900).all()):
                return series.dt.time()  # a time of day is a part of Excel's day 0
            if _at_midnight(filled):
                return series.dt.date()
    return series


def _at_midnight(series: pl.Series) -> bool:
    return bool((series == series.dt.truncate("1d")).all())


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
