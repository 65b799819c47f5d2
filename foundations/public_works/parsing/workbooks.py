"""XLSX workbooks: every worksheet with a row in it becomes a table."""

import re
from pathlib import Path

import fastexcel
import polars as pl

from foundations.public_works import archives
from foundations.public_works.parsing.csv_reading import MAX_COLUMNS, names_columns, unique_names
from foundations.public_works.parsing.faults import CellLimit, ColumnLimit, UnreadableFile
from foundations.public_works.parsing.models import ParseOptions, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Table, Tables
from foundations.public_works.parsing.typing_cells import typed

MAX_CELLS = 20_000_000
_MAX_SHEETS = 50
_CELL = re.compile(rb"<c [^>]*?\br=\"([A-Z]{1,3})([0-9]{1,7})\"")
_LOOKED_AT = 1_000


def workbook(path: Path, *, options: ParseOptions, notes: Notes) -> Tables:
    """The tables of a workbook. Formulas count as the values the program stored with them.

    Raises:
        CellLimit, ColumnLimit: a worksheet spans too much, whatever it says of itself.
        UnreadableFile: it is no workbook, or damaged.
    """
    _judge_span(path)
    try:
        reader = fastexcel.read_excel(path)
        names = reader.sheet_names[:_MAX_SHEETS]
        if len(reader.sheet_names) > _MAX_SHEETS:
            notes.add("sheets", f"only the first {_MAX_SHEETS} worksheets were read")
        found = [_sheet(reader, name, options, notes) for name in names]
    except fastexcel.FastExcelError as error:
        raise UnreadableFile(
            f"the workbook cannot be read: {_first_line(error)}",
            hint="open it in a spreadsheet program and save it anew",
        ) from error
    metadata: dict[str, Scalar] = {"worksheets": len(reader.sheet_names)}
    return Tables([table for table in found if table is not None], metadata)


def _judge_span(path: Path) -> None:
    """Refuse a sheet whose outermost cells span more than a reader should lay out in memory."""
    rows: dict[str, int] = {}
    columns: dict[str, int] = {}
    for piece in archives.walk(path):
        if not piece.entry.startswith("xl/worksheets/") or not piece.entry.endswith(".xml"):
            continue
        cells = _CELL.findall(piece.data)
        for letters in {column for column, _ in cells}:
            columns[piece.entry] = max(columns.get(piece.entry, 0), _column_number(letters))
        if cells:
            lowest = max(int(row) for _, row in cells)
            rows[piece.entry] = max(rows.get(piece.entry, 0), lowest)
    for entry, width in columns.items():
        if rows[entry] * width > MAX_CELLS:
            raise CellLimit(
                f"a worksheet spans {rows[entry]:,} rows and {width:,} columns; "
                f"{MAX_CELLS:,} cells are allowed",
                hint="delete stray cells far below or to the right of the table",
            )
        if width > MAX_COLUMNS:
            raise ColumnLimit(f"a worksheet has {width:,} columns; {MAX_COLUMNS:,} are allowed")


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
    frame = _cells(reader, name, start, options.max_rows + 1)
    truncated = frame.height > options.max_rows
    if truncated:
        notes.add("rows", f"only the first {options.max_rows:,} rows of {name} were read")
    frame = frame.head(options.max_rows).rename(dict(zip(frame.columns, made, strict=True)))
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
