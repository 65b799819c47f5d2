"""How good the data in a parsed file is, in the data steward's terms."""

from foundations.public_works.parsing.models import ParseResult, TableProfile
from smart_city.data_steward.api import QualityReport


def quality_of(parsed: ParseResult) -> QualityReport:
    """Completeness and counts over all tables of a file; a text is complete as it is.

    Completeness is the share of cells that hold a value.
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
    return QualityReport(
        completeness=1 - missing / cells if cells else 1.0,
        measures={name: float(figure) for name, figure in measures.items()},
        issues=tuple(warning.detail for warning in parsed.warnings),
    )


def _missing(table: TableProfile) -> int:
    return sum(column.missing for column in table.columns)
