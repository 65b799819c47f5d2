"""Delimited text as a table with types."""

from pathlib import Path

from foundations.public_works.parsing.csv_reading import delimiter_of, read_csv
from foundations.public_works.parsing.faults import NoData
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Table, Tables
from foundations.public_works.parsing.typing_cells import typed


def delimited(
    path: Path, title: str, *, encoding: str, options: ParseOptions, notes: Notes
) -> Tables:
    """The one table of a CSV or TSV file.

    Raises:
        NoData: it has no rows, or none below its header; and what `read_csv` raises.
    """
    delimiter = options.delimiter or delimiter_of(path, encoding)
    strings, truncated = read_csv(
        path, encoding=encoding, delimiter=delimiter, options=options, notes=notes
    )
    if not strings.height:
        raise NoData("the table has a header and no rows", hint="is the file complete?")
    frame = typed(strings, notes, comma_is_decimal=delimiter != ",")
    shown = "tab" if delimiter == "\t" else delimiter
    return Tables([Table(title[:100], frame, truncated)], {"delimiter": shown})
