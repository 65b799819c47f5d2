"""How good the data in a parsed file is, in the data steward's terms: a score, and its reasons."""

from collections.abc import Iterable, Iterator

from foundations.public_works.parsing.models import ColumnType, ParseResult, TableProfile
from smart_city.data_steward.api import Deduction, QualityReport

MISSING, EMPTY, DUPLICATE, CONSTANT, MISREAD, CUT, UNREAD, WORDLESS = 40, 15, 20, 5, 15, 10, 30, 60
"""The most points that each fault takes; of cells, rows, columns or files it takes its share."""
_NAMED = 10
_CUTS = frozenset({"row_cap", "table_cap", "sheet_cap", "slide_cap", "passage_cap", "file_cap"})
_OF_STYLE = frozenset({"name_mismatch", "no_header"})
"""Warnings that say nothing against the data."""


def quality_of(parsed: ParseResult) -> QualityReport:
    """Score, completeness and counts over all tables of a file.

    Completeness is the share of cells that hold a value; a text is complete as it is. Each
    deduction takes its share of the most it may: half of all rows repeated takes half of 20 points.
    """
    cells = sum(table.row_count * table.column_count for table in parsed.tables)
    missing = sum(_missing(table) for table in parsed.tables)
    measures = {
        "tables": len(parsed.tables),
        "rows": sum(table.row_count for table in parsed.tables),
        "missing_values": missing,
        "duplicate_rows": sum(table.duplicate_rows for table in parsed.tables),
        "passages": parsed.passage_count,
        "warnings": sum(warning.count for warning in parsed.warnings),
    }
    deductions = sorted(_deductions(parsed), key=lambda one: (-one.points, one.name))
    return QualityReport(
        score=round(max(0.0, 100 - sum(one.points for one in deductions)), 1),
        deductions=tuple(deductions),
        completeness=1 - missing / cells if cells else 1.0,
        measures={name: float(figure) for name, figure in measures.items()},
        issues=tuple(warning.detail for warning in parsed.warnings),
    )


def _deductions(parsed: ParseResult) -> Iterator[Deduction]:
    found = (
        *_of_tables(parsed),
        _misread(parsed),
        _cut(parsed),
        _unread(parsed),
        _wordless(parsed),
    )
    return (one for one in found if one is not None)


def _of_tables(parsed: ParseResult) -> Iterator[Deduction | None]:
    tables = parsed.tables
    columns = [(table, column) for table in tables for column in table.columns]
    rows = sum(table.row_count for table in tables)
    empty = [(t, c) for t, c in columns if c.type is ColumnType.EMPTY and t.row_count]
    holey = [(t, c) for t, c in columns if c.missing and c.type is not ColumnType.EMPTY]
    same = [(t, c) for t, c in columns if c.distinct == 1 and not c.missing and t.row_count > 1]
    cells = sum(t.row_count for t, c in columns if c.type is not ColumnType.EMPTY)
    missing = sum(column.missing for _, column in holey)
    worst = sorted(holey, key=lambda one: -one[1].missing / one[0].row_count)
    yield _taken(
        "missing_values",
        MISSING,
        missing / cells if cells else 0,
        f"{missing:,} of {cells:,} values are missing",
        (f"{t.name}.{c.name}" for t, c in worst),
    )
    yield _taken(
        "empty_columns",
        EMPTY,
        len(empty) / len(columns) if columns else 0,
        f"{len(empty):,} of {len(columns):,} columns hold nothing",
        (f"{t.name}.{c.name}" for t, c in empty),
    )
    yield _taken(
        "constant_columns",
        CONSTANT,
        len(same) / len(columns) if columns else 0,
        f"{len(same):,} of {len(columns):,} columns hold one value throughout",
        (f"{t.name}.{c.name}" for t, c in same),
    )
    repeated = sum(table.duplicate_rows for table in tables)
    yield _taken(
        "duplicate_rows",
        DUPLICATE,
        repeated / rows if rows else 0,
        f"{repeated:,} of {rows:,} rows repeat an earlier one",
        (t.name for t in tables if t.duplicate_rows),
    )


def _misread(parsed: ParseResult) -> Deduction | None:
    """What was read otherwise than it stands there, against the rows or passages there are."""
    noted = [w for w in parsed.warnings if w.code not in _CUTS | _OF_STYLE]
    count = sum(warning.count for warning in noted)
    size = sum(table.row_count for table in parsed.tables) + parsed.passage_count
    told = "; ".join(dict.fromkeys(warning.detail for warning in noted[:3]))
    return _taken("misread", MISREAD, count / size if size else min(count, 1), told)


def _cut(parsed: ParseResult) -> Deduction | None:
    cuts = [warning.detail for warning in parsed.warnings if warning.code in _CUTS]
    return _taken("cut_off", CUT, min(len(cuts), 1), "; ".join(dict.fromkeys(cuts[:3])))


def _unread(parsed: ParseResult) -> Deduction | None:
    unread = [file for file in parsed.files if file.problem]
    share = len(unread) / len(parsed.files) if parsed.files else 0
    reason = f"{len(unread):,} of {len(parsed.files):,} files inside could not be read"
    return _taken("unread_files", UNREAD, share, reason, (file.name for file in unread))


def _wordless(parsed: ParseResult) -> Deduction | None:
    nothing = not parsed.tables and not parsed.word_count
    return _taken("no_words", WORDLESS, int(nothing), "the text has no word")


def _taken(
    name: str, most: int, share: float, reason: str, where: Iterable[str] = ()
) -> Deduction | None:
    """A deduction, or None where it would not show in one decimal."""
    points = round(most * min(share, 1.0), 1)
    if points <= 0:
        return None
    return Deduction(name=name, points=points, reason=reason, where=tuple(where)[:_NAMED])


def _missing(table: TableProfile) -> int:
    return sum(column.missing for column in table.columns)
