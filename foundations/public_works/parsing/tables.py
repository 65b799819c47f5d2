"""Delimited text, and rows of cells found in documents, as tables with types."""

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from tempfile import NamedTemporaryFile

import polars as pl

from foundations.public_works.parsing.csv_reading import (
    MAX_COLUMNS,
    CsvRows,
    delimiter_of,
    note_titles,
    read_csv,
    unique_names,
)
from foundations.public_works.parsing.faults import ColumnLimit, NoData
from foundations.public_works.parsing.heads import head_of
from foundations.public_works.parsing.models import ParseOptions, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Source, Table
from foundations.public_works.parsing.typing_cells import decimal_mark, typed


def delimited(
    path: Path, title: str, *, scratch: Path, encoding: str, options: ParseOptions, notes: Notes
) -> Source:
    """The one table of a CSV or TSV file; one too large for memory is written into `scratch`.

    Raises:
        NoData: it has no rows, or none below its header; and what `read_csv` raises.
    """
    delimiter = options.delimiter or delimiter_of(path, encoding)
    table, mark = read_csv(
        path,
        encoding=encoding,
        delimiter=delimiter,
        options=options,
        notes=notes,
        take=lambda rows: _table(rows, scratch, title[:100], comma_is_decimal=delimiter != ","),
    )
    metadata: dict[str, Scalar] = {"delimiter": "tab" if delimiter == "\t" else delimiter}
    if mark:
        metadata["decimal_mark"] = mark
    return Source("table", tables=[table], metadata=metadata)


def _table(
    rows: CsvRows, scratch: Path, title: str, *, comma_is_decimal: bool
) -> tuple[Table, str]:
    """The rows as a table, and the mark before its decimals."""
    blocks = iter(rows)
    begun = list(islice(blocks, 2))
    if not begun:
        raise NoData("the table has a header and no rows", hint="is the file complete?")
    if len(begun) == 1:
        strings = begun[0].rechunk()  # figures summed over chunks differ in their last digits
        frame = typed(strings, rows.notes, comma_is_decimal=comma_is_decimal)
        return Table(title, frame, rows.truncated), decimal_mark(strings)
    from foundations.public_works.parsing import large_tables

    with NamedTemporaryFile(dir=scratch, suffix=".parquet", delete=False) as file:
        place = Path(file.name)
    stored, first, mark = large_tables.store(
        rows, chain(begun, blocks), place, comma_is_decimal=comma_is_decimal
    )
    return Table(title, first, rows.truncated, stored=stored), mark


def of_cells(
    rows: Sequence[Sequence[str]],
    name: str,
    *,
    place: str,
    options: ParseOptions,
    notes: Notes,
    mark: str = "",
) -> Table | None:
    """A table out of rows of text in a document; None when it has no row below its header.

    `mark` is what the document has before decimals, where it tells.

    Raises:
        ColumnLimit: it is too wide.
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    width = max((len(row) for row in filled), default=0)
    if width > MAX_COLUMNS:
        raise ColumnLimit(f"{name} has {width:,} columns; {MAX_COLUMNS:,} are allowed")
    even = [[*row, *[""] * (width - len(row))] for row in filled]
    if not even:
        return None
    head = head_of(even, header=options.header)
    body = even[head.body :]
    if not body:
        return None
    note_titles(head, notes, of=name)
    names = unique_names(head.names or [""] * width, notes if head.names else Notes())
    truncated = len(body) > options.most_rows
    if truncated:
        notes.add(
            "rows", f"only the first {options.most_rows:,} rows of {name} were read", code="row_cap"
        )
    frame = pl.DataFrame(
        [
            pl.Series(column, [cell.strip() or None for cell in cells], pl.String)
            for column, cells in zip(
                names, zip(*body[: options.most_rows], strict=True), strict=True
            )
        ]
    )
    return Table(name[:100], typed(frame, notes, mark=mark), truncated, place, told=True)
