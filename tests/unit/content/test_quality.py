"""The quality of a file is a score of 100 less what is named, each with its share."""

import pytest

from foundations.public_works.parsing.models import (
    ColumnProfile,
    ColumnType,
    FileWithin,
    ParseResult,
    ParseWarning,
    TableProfile,
)
from realms.business_enablement.quality import quality_of


def column(name: str, *, missing: int = 0, distinct: int = 5, empty: bool = False) -> ColumnProfile:
    kind = ColumnType.EMPTY if empty else ColumnType.TEXT
    return ColumnProfile(name=name, type=kind, missing=missing, distinct=distinct)


def table(*columns: ColumnProfile, rows: int = 10, duplicates: int = 0) -> TableProfile:
    return TableProfile(
        name="t", row_count=rows, column_count=len(columns), columns=columns, artifact="t.parquet",
        duplicate_rows=duplicates,
    )  # fmt: skip


def parsed(*tables: TableProfile, **more: object) -> ParseResult:
    return ParseResult.model_validate(
        {"kind": "table", "name": "t.csv", "media_type": "text/csv", "tables": tables, **more}
    )


def test_clean_table_has_the_full_score() -> None:
    report = quality_of(parsed(table(column("a"), column("b"))))

    assert (report.score, report.deductions, report.completeness) == (100.0, (), 1.0)


def test_every_fault_takes_its_share_and_is_named_with_its_columns() -> None:
    report = quality_of(
        parsed(
            table(
                column("half", missing=5),
                column("none", missing=10, distinct=0, empty=True),
                column("same", distinct=1),
                column("good"),
                duplicates=2,
            )
        )
    )

    told = {one.name: (one.points, one.where) for one in report.deductions}
    assert told == {
        "missing_values": (6.7, ("t.half",)),
        "empty_columns": (3.8, ("t.none",)),
        "duplicate_rows": (4.0, ("t",)),
        "constant_columns": (1.2, ("t.same",)),
    }
    assert report.score == pytest.approx(100 - 6.7 - 3.8 - 4.0 - 1.2)
    assert report.deductions[0].name == "missing_values"
    assert report.deductions[0].reason == "5 of 30 values are missing"
    assert report.completeness == pytest.approx(25 / 40)


def test_what_was_misread_cut_off_or_not_read_is_named() -> None:
    warnings = (
        ParseWarning(detail="3 rows are short", code="short_row", count=5),
        ParseWarning(detail="only the first 10 rows were read", code="row_cap"),
        ParseWarning(detail="it is called .txt", code="name_mismatch"),
    )
    files = (FileWithin(name="a.csv"), FileWithin(name="b.csv", problem="encrypted"))

    report = quality_of(parsed(table(column("a")), warnings=warnings, files=files))

    told = {one.name: (one.points, one.reason) for one in report.deductions}
    assert told == {
        "misread": (7.5, "3 rows are short"),
        "cut_off": (10.0, "only the first 10 rows were read"),
        "unread_files": (15.0, "1 of 2 files inside could not be read"),
    }


def test_score_is_never_below_nothing() -> None:
    empty = [column(f"c{at}", missing=10, distinct=0, empty=True) for at in range(3)]
    warnings = (ParseWarning(detail="cut", code="row_cap"), ParseWarning(detail="odd", count=99))
    files = (FileWithin(name="b.csv", problem="encrypted"),)
    worst = parsed(
        table(column("a", missing=9, distinct=1), *empty, duplicates=9),
        warnings=warnings,
        files=files,
    )

    assert 0 <= quality_of(worst).score < 25


def test_text_without_a_word_is_told() -> None:
    report = quality_of(parsed(kind="text", word_count=0))
    words = quality_of(parsed(kind="text", word_count=9, passage_count=1))

    assert [(one.name, one.points) for one in report.deductions] == [("no_words", 60.0)]
    assert words.score == 100.0
