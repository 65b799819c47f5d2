"""XLSX and ODS workbooks: every worksheet with a row in it becomes a table."""

import re
from pathlib import Path
from xml.parsers import expat

import fastexcel
import polars as pl

from foundations.public_works import archives
from foundations.public_works.parsing import properties
from foundations.public_works.parsing.csv_reading import MAX_COLUMNS, names_columns, unique_names
from foundations.public_works.parsing.faults import CellLimit, ColumnLimit, UnreadableFile
from foundations.public_works.parsing.models import ParseOptions, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Source, Table
from foundations.public_works.parsing.typing_cells import typed

MAX_CELLS = 20_000_000
_MAX_SHEETS = 50
_CELL = re.compile(rb"<c [^>]*?\br=\"([A-Z]{1,3})([0-9]{1,7})\"")
_UNCALCULATED = re.compile(
    rb"<c (?![^>]*\bt=\"str\")"  # a formula whose text came out empty was calculated
    rb"[^>]*?\br=\"([A-Z]{1,3}[0-9]{1,7})\"[^>]*>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)"
    rb"\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)
_LOOKED_AT = 1_000


def workbook(path: Path, *, options: ParseOptions, notes: Notes) -> Source:
    """The tables of a workbook. Formulas count as the values the program stored with them.

    Formulas that no program ever calculated have no value: their cells are read as missing, and a
    warning says so.

    Raises:
        CellLimit, ColumnLimit: a worksheet spans too much, whatever it says of itself.
        UnreadableFile: it is no workbook, or damaged.
    """
    _judge(path, notes)
    try:
        reader = fastexcel.read_excel(path)
        names = reader.sheet_names[:_MAX_SHEETS]
        if len(reader.sheet_names) > _MAX_SHEETS:
            notes.add(
                "sheets", f"only the first {_MAX_SHEETS} worksheets were read", code="sheet_cap"
            )
        found = [_sheet(reader, name, options, notes) for name in names]
    except fastexcel.FastExcelError as error:
        raise UnreadableFile(
            f"the workbook cannot be read: {_first_line(error)}",
            hint="open it in a spreadsheet program and save it anew",
        ) from error
    metadata: dict[str, Scalar] = {"worksheets": len(reader.sheet_names)}
    return Source(
        "table",
        tables=[table for table in found if table is not None],
        metadata=metadata,
        properties=properties.of_package(path),
    )


def _judge(path: Path, notes: Notes) -> None:
    """Refuse sheets whose outermost cells span more than a reader should lay out in memory."""
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


class _Span:
    """How far the cells of one worksheet reach."""

    def __init__(self) -> None:
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
                self.spans.append(_Span())
                self._row = 0
            case "table-row":
                self._column, self._filled = 0, False
                self._times = _repeated(attributes, "number-rows-repeated")
            case "table-cell" if self.spans:
                self._column += _repeated(attributes, "number-columns-repeated")
                if any(key.endswith(" value-type") for key in attributes):
                    self._filled = True
                    self.spans[-1].columns = max(self.spans[-1].columns, self._column)

    def _end(self, name: str) -> None:
        if name.endswith(" table-row"):
            self._row += self._times
            if self._filled and self.spans:
                self.spans[-1].rows = self._row


def _repeated(attributes: dict[str, str], name: str) -> int:
    """How often a cell or row stands there, once when it does not say."""
    told = next((value for key, value in attributes.items() if key.endswith(f" {name}")), "1")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 1


def _sheet(
    reader: fastexcel.ExcelReader, name: str, options: ParseOptions, notes: Notes
) -> Table | None:
    """One worksheet, from its first row that is not empty; None when there is no row of data."""
    top = reader.load_sheet(
        name, header_row=None, skip_rows=0, n_rows=_LOOKED_AT, dtypes="string"
    ).to_polars()
    at = next((i for i, row in enumerate(top.iter_rows()) if any(row)), None)
    if at is None:
        return None
    first = ["" if cell is None else str(cell) for cell in top.row(at)]
    has_header = names_columns(first) if options.header is None else options.header
    start = at + 1 if has_header else at
    if start >= top.height:
        return None
    names = first if has_header else [""] * len(first)
    made = unique_names(names, notes if has_header else Notes(), line=at + 1)
    frame = _cells(reader, name, start, options.most_rows + 1)
    truncated = frame.height > options.most_rows
    if truncated:
        notes.add(
            "rows", f"only the first {options.most_rows:,} rows of {name} were read", code="row_cap"
        )
    frame = frame.head(options.most_rows).rename(dict(zip(frame.columns, made, strict=True)))
    frame = typed(pl.DataFrame([_as_known(series) for series in frame]), notes)
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return Table(name[:100], frame, truncated) if frame.height else None


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
