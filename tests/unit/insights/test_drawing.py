"""What is told of a table too large to be looked at whole, beside what is true of all of it."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from foundations.public_works.parsing.insights.comparing import ParsedFile, compare
from foundations.public_works.parsing.insights.finding import find
from foundations.public_works.parsing.insights.model import Insight, InsightKind, InsightsResult
from foundations.public_works.parsing.insights.tables import drawing
from foundations.public_works.parsing.insights.tables.drawing import read_or_drawn
from foundations.public_works.parsing.models import DEFAULT, ParseResult, TableProfile
from foundations.public_works.parsing.reading import read

ROWS = 20_000
DRAWN = 5_000


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_ROWS", ROWS - 1)
    monkeypatch.setattr(drawing, "DRAWN", DRAWN)
    monkeypatch.setattr(drawing, "_SLICE_ROWS", 3_000)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    lots = np.random.default_rng(7)
    load = lots.normal(50, 10, ROWS)
    frame = pl.DataFrame(
        {
            "reading_id": np.arange(ROWS),
            "load": load,
            "heat": 3 * load + lots.normal(0, 10, ROWS),
            "state": lots.choice(["open", "shut", "held"], ROWS, p=[0.6, 0.3, 0.1]),
            "seldom": ["usual"] * (ROWS - 1) + ["once"],
        }
    )
    return frame.with_columns(
        pl.when(pl.int_range(ROWS) % 5 > 0).then(pl.col("heat")),
        pl.when(pl.int_range(ROWS) == ROWS - 2)
        .then(ROWS - 3)
        .otherwise("reading_id")
        .alias("reading_id"),
    )


def parsed(frame: pl.DataFrame, folder: Path, name: str = "plant.csv") -> ParsedFile:
    folder.mkdir()
    frame.write_csv(folder / "upload")
    result = read(folder / "upload", folder, name=name, options=DEFAULT)
    return ParsedFile(result, {artifact: folder / artifact for artifact in result.artifacts})


@pytest.fixture
def file(frame: pl.DataFrame, tmp_path: Path) -> ParsedFile:
    return parsed(frame, tmp_path / "a")


def found(file: ParsedFile) -> InsightsResult:
    return find(file.parsed, file.artifacts)


def of_kind(insights: tuple[Insight, ...], kind: InsightKind) -> list[Insight]:
    return [one for one in insights if one.kind is kind]


def test_overview_states_how_far_off_it_may_be(file: ParsedFile) -> None:
    overview = found(file).insights[0]

    assert overview.figures["rows"] == ROWS
    assert overview.figures["missing_cells"] == ROWS // 5
    assert overview.figures["rows_drawn"] == DRAWN
    assert overview.figures["margin"] == pytest.approx(0.0192, abs=1e-4)
    assert "within 1.9 percentage points" in overview.sentence
    assert "fewer than 12 rows may be missed" in overview.sentence


def test_columns_are_told_of_all_rows(file: ParsedFile, frame: pl.DataFrame) -> None:
    columns = {column.name: column for column in found(file).columns}
    heat = frame["heat"].drop_nulls()

    assert (columns["heat"].rows, columns["heat"].missing) == (ROWS, ROWS // 5)
    assert columns["heat"].distinct == heat.n_unique()
    assert columns["heat"].maximum == heat.max()
    assert columns["heat"].median == heat.median()
    assert columns["seldom"].distinct == 2


def test_findings_say_of_how_many_rows_they_are(file: ParsedFile) -> None:
    [related] = of_kind(found(file).insights, InsightKind.CORRELATION)

    assert related.sentence.startswith(f"Of {DRAWN:,} rows drawn by lot: ")
    assert related.figures["rows_drawn"] == DRAWN


def test_shares_are_within_the_margin(file: ParsedFile) -> None:
    [missing] = of_kind(found(file).insights, InsightKind.MISSING)

    assert float(missing.figures["share"]) == pytest.approx(0.2, abs=0.0192)


def test_number_given_twice_is_told_of_all_rows(file: ParsedFile) -> None:
    [twice] = of_kind(found(file).insights, InsightKind.KEY)

    assert (
        twice.sentence == "reading_id should identify each row, but 1 row repeats an earlier one."
    )


def test_column_that_once_says_something_else_is_no_constant(file: ParsedFile) -> None:
    assert not of_kind(found(file).insights, InsightKind.CONSTANT)


def test_rows_are_told_by_their_numbers_in_the_file(file: ParsedFile, frame: pl.DataFrame) -> None:
    [missing] = of_kind(found(file).insights, InsightKind.MISSING)

    assert len(missing.evidence.rows) > 10
    assert all(frame["heat"][row - 1] is None for row in missing.evidence.rows)


def test_farthest_value_has_its_row_in_the_file(frame: pl.DataFrame, tmp_path: Path) -> None:
    strange = pl.when(pl.int_range(ROWS) % 200 < 2).then(1e4 + pl.int_range(ROWS))
    file = parsed(frame.with_columns(strange.otherwise("load").alias("load")), tmp_path / "f")
    [told] = of_kind(found(file).insights, InsightKind.OUTLIER)

    row = int(told.figures["farthest_row"])
    assert told.figures["farthest"] == 1e4 + row - 1


def test_rows_that_repeat_are_counted_over_all(frame: pl.DataFrame, tmp_path: Path) -> None:
    file = parsed(pl.concat([frame, frame.head(7)]), tmp_path / "b")
    [twice] = of_kind(found(file).insights, InsightKind.DUPLICATE)

    assert twice.sentence.startswith("7 rows repeat earlier ones")
    assert not twice.evidence.rows


def test_versions_are_not_compared_by_rows_that_were_drawn(
    frame: pl.DataFrame, file: ParsedFile, tmp_path: Path
) -> None:
    later = parsed(frame.with_columns(pl.col("load") + 20), tmp_path / "b", "plant-2.csv")
    told = compare([file, later]).insights

    assert [one.evidence.columns[-1] for one in told] == ["load"]
    assert all(one.sentence.startswith("Of 5,000 rows drawn by lot: ") for one in told)


def test_each_row_has_the_same_chance_to_be_drawn(file: ParsedFile) -> None:
    drawn_frame, drawn = read_or_drawn(file.artifacts["table-1.parquet"], _table(file.parsed))

    assert drawn is not None
    assert len(set(drawn.rows.tolist())) == drawn_frame.height == DRAWN
    counts = np.histogram(drawn.rows, bins=10, range=(0, ROWS))[0]
    assert ((counts - DRAWN / 10) ** 2 / (DRAWN / 10)).sum() < 27.9  # chi-square of 9, 0.1 %


def test_table_that_is_not_too_large_is_read_whole(
    file: ParsedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "MOST_ROWS", ROWS)
    frame, drawn = read_or_drawn(file.artifacts["table-1.parquet"], _table(file.parsed))

    assert drawn is None
    assert frame.height == ROWS


def _table(result: ParseResult) -> TableProfile:
    return result.tables[0]
