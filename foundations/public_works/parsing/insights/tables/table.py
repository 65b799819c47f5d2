"""Everything worth saying of one table."""

import numpy as np
import polars as pl

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.model import ColumnFacts, Insight, InsightKind
from foundations.public_works.parsing.insights.tables import (
    duplicates,
    groups,
    keys,
    outliers,
    pairs,
    quality,
    shape,
    times,
)
from foundations.public_works.parsing.insights.tables.columns import Column, Role, Table
from foundations.public_works.parsing.insights.tables.drawing import Drawn, told_of_drawn
from foundations.public_works.parsing.insights.tables.rules import rules
from foundations.public_works.parsing.insights.tables.totals import noted, told_totals
from foundations.public_works.parsing.insights.words import counted, listed, percent
from foundations.public_works.parsing.profiles import scalar

_MOST_CHARTED = 40
_DRIFTING = 0.5


def of_table(table: Table) -> list[Insight]:
    """What stands out in a table, unranked; empty when nothing does."""
    if not table.height:
        return []
    return [told_of_drawn(insight, table.drawn) for insight in _found(table)]


def _found(table: Table) -> list[Insight]:
    ruled = rules(table)
    related = pairs.related(table, ruled.explained)
    strange = outliers.outliers(table)
    differing = groups.differences(table, ruled.explained)
    changing = list(times.over_time(table))
    known = {one.of.name for one in differing} | {
        insight.evidence.columns[1] for insight in changing
    }
    numbers = table.sample.of(Role.NUMBER) if table.clock else []
    slow = pairs.slowness(table.sample, numbers)
    known |= {column.name for column, pace in zip(numbers, slow, strict=True) if pace > _DRIFTING}
    return [
        *quality.missing(table),
        *quality.mixed_types(table),
        *quality.placeholders(table),
        *quality.invalid(table),
        *quality.constants(table),
        *(() if table.drawn else quality.nearly_constants(table)),
        *(() if table.drawn else quality.stuck(table)),
        *(() if table.drawn else quality.gaps(table)),
        *duplicates.duplicates(table),
        *(() if table.drawn else duplicates.near_duplicates(table)),
        *duplicates.variants(table),
        *keys.keys(table),
        *ruled.insights,
        *told_totals(table),
        *outliers.told_outliers(table, strange),
        *outliers.combinations_of_columns(table, related, strange),
        *pairs.correlations(table, related),
        *pairs.curves(table.sample, related, ruled.explained),
        *groups.told_differences(table, differing),
        *groups.associations(table, ruled.explained),
        *changing,
        *shape.two_groups(table.sample, known),
        *shape.concentration(table, ruled.factors),
        *shape.benford(table),
    ]


def overview(table: Table) -> Insight:
    """How large a table is, how full, and what identifies its rows."""
    frame, drawn = table.frame, table.drawn
    rows = drawn.known.row_count if drawn else frame.height
    cells = rows * frame.width
    missing = _missing(table)
    numeric = len([c for c in table.columns if c.type.value in ("integer", "number")])
    full = (
        f"{percent(1 - missing / cells)} of its cells are filled" if missing else "no cell is empty"
    )
    figures: dict[str, float | int | str] = {
        "rows": rows,
        "columns": frame.width,
        "numeric_columns": numeric,
        "missing_cells": missing,
    }
    if drawn:
        figures |= {"rows_drawn": frame.height, "margin": drawn.margin}
    named = keys.identifying(table)
    verb = "identifies" if len(named) == 1 else "each identify"
    by = f"; {listed(named, most=3)} {verb} its rows" if named else ""
    return Insight(
        kind=InsightKind.OVERVIEW,
        sentence=f"{table.name} has {counted(rows, 'row')}{noted(table)} and "
        f"{counted(frame.width, 'column')}, {numeric} of them numeric; {full}{by}."
        f"{_how_drawn(drawn) if drawn else ''}",
        figures=figures,
        evidence=table.evidence(*named),
        strength=1.0,
        surprise=0.0,
    )


def _missing(table: Table) -> int:
    """How many cells are empty, of all rows."""
    missing = 0
    for series in table.frame:
        known = table.drawn and table.drawn.column(series.name)
        missing += known.missing if known else series.null_count()
    return missing


def _how_drawn(drawn: Drawn) -> str:
    return (
        f" {len(drawn.rows):,} of the rows, drawn by lot, were looked at for what follows: shares, "
        f"and the ranks of quantiles, are within {100 * drawn.margin:.1f} percentage points of "
        f"those of all rows in 19 of 20 draws; what is in fewer than {drawn.least_seen:,} rows "
        "may be missed."
    )


def facts(table: Table) -> list[ColumnFacts]:
    """Every column at a glance."""
    return [_facts(table, column, place) for place, column in enumerate(table.columns)]


def _facts(table: Table, column: Column, place: int) -> ColumnFacts:
    ordered = column.role in (Role.NUMBER, Role.TIME)
    present = column.present if ordered else np.empty(0)
    figures: dict[str, object] = {}
    if ordered:
        figures = {"minimum": scalar(column.filled.min()), "maximum": scalar(column.filled.max())}
    known = table.drawn and table.drawn.column(column.name)
    counts = {
        "rows": table.height,
        "missing": column.raw.null_count(),
        "distinct": column.raw.drop_nulls().n_unique(),
    }
    if known and table.drawn:
        counts = {
            "rows": table.drawn.known.row_count,
            "missing": known.missing,
            "distinct": known.distinct,
        }
    if known and ordered and column.cleaned.series is column.raw:
        figures = known.model_dump(include={"minimum", "maximum", "q1", "median", "mean", "q3"})
    elif column.role is Role.NUMBER:
        q1, median, q3 = (float(q) for q in np.quantile(present, [0.25, 0.5, 0.75]))
        figures |= {"q1": q1, "median": median, "q3": q3, "mean": float(present.mean())}
    return ColumnFacts.model_validate(
        {
            "table": table.name,
            "name": column.name,
            "type": column.type,
            "role": column.role.value,
            "unit": column.unit,
            "chart": _chart(column) if place < _MOST_CHARTED else {},
            **counts,
            **figures,
        }
    )


def _chart(column: Column) -> charts.Chart:
    if column.role is Role.NUMBER:
        return charts.histogram(column.present, column.name)
    if column.role in (Role.CATEGORY, Role.LABELS):
        top = column.filled.cast(pl.String).alias("v").value_counts(name="n")
        top = top.sort(["n", "v"], descending=[True, False]).head(10)
        labels = [str(scalar(label)) for label in top["v"]]
        return charts.bars(labels, top["n"].to_list(), (column.name, "rows"))
    return {}
