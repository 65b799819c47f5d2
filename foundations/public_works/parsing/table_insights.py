"""Insights of tables, each computed from the table's Parquet file."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from foundations.public_works.parsing import statistics
from foundations.public_works.parsing.models import (
    ColumnType,
    Evidence,
    Insight,
    InsightKind,
    ParseResult,
)
from foundations.public_works.parsing.profiles import column_type, scalar
from foundations.public_works.parsing.statistics import Numbers
from foundations.public_works.parsing.table_words import plain

_ROWS_SHOWN = 20
_LEAST_FOR_OUTLIERS = 8
_LEAST_FOR_CORRELATION = 8
_LEAST_CORRELATION = 0.5
_RANKED = 100_000
_COLUMNS_COMPARED = 60
_LEAST_EXPLAINED = 0.14  # eta squared that Cohen (1988) calls a large effect
_MOST_GROUPS = 20
_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)
_TEMPORAL = (ColumnType.DATE, ColumnType.DATETIME)


def of_tables(parsed: ParseResult, artifacts: Mapping[str, Path]) -> list[Insight]:
    """Everything worth saying about every table, unranked."""
    found: list[Insight] = []
    for table in parsed.tables:
        frame = pl.read_parquet(artifacts[table.artifact])
        found += of_table(frame, table.name)
    return found


def of_table(frame: pl.DataFrame, name: str) -> list[Insight]:
    """Everything worth saying about one table."""
    return [
        _overview(frame, name),
        *_missing(frame, name),
        *_duplicates(frame, name),
        *_constants(frame, name),
        *_outliers(frame, name),
        *_correlations(frame, name),
        *_differences(frame, name),
        *_profiles(frame, name),
    ]


def _overview(frame: pl.DataFrame, name: str) -> Insight:
    cells = frame.height * frame.width
    missing = sum(series.null_count() for series in frame)
    kinds = [column_type(series) for series in frame]
    numeric = sum(kind in _NUMERIC for kind in kinds)
    filled = f"{1 - missing / cells:.1%} of its cells are filled" if missing else "no cell is empty"
    return Insight(
        kind=InsightKind.OVERVIEW,
        sentence=f"{name} has {_count(frame.height, 'row')} and {_count(frame.width, 'column')}, "
        f"{numeric} of them numeric; {filled}.",
        figures={
            "rows": frame.height,
            "columns": frame.width,
            "numeric_columns": numeric,
            "missing_cells": missing,
        },
        evidence=Evidence(table=name),
        strength=1.0,
    )


def _missing(frame: pl.DataFrame, name: str) -> Iterator[Insight]:
    for series in frame:
        missing = series.null_count()
        if not missing:
            continue
        share = missing / frame.height
        yield Insight(
            kind=InsightKind.MISSING,
            sentence=f"{series.name} is missing in {missing:,} of {_count(frame.height, 'row')} "
            f"({share:.1%}).",
            figures={"missing": missing, "rows": frame.height, "share": round(share, 6)},
            evidence=_evidence(name, series.name, rows=series.is_null().arg_true()),
            strength=_bounded(0.45 + 0.5 * share),
        )


def _duplicates(frame: pl.DataFrame, name: str) -> Iterator[Insight]:
    again = ~frame.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    count = int(again.sum())
    if not count or frame.width < 2:
        return
    verb = "row repeats an earlier one" if count == 1 else "rows repeat earlier ones"
    yield Insight(
        kind=InsightKind.DUPLICATE,
        sentence=f"{count:,} {verb} of {name} in every column.",
        figures={"duplicate_rows": count, "rows": frame.height},
        evidence=Evidence(table=name, rows=_row_numbers(again.arg_true())),
        strength=_bounded(0.6 + 0.4 * count / frame.height),
    )


def _constants(frame: pl.DataFrame, name: str) -> Iterator[Insight]:
    for series in frame:
        filled = series.drop_nulls()
        if len(filled) >= 3 and filled.n_unique() == 1:
            value = scalar(filled[0])
            yield Insight(
                kind=InsightKind.CONSTANT,
                sentence=f"{series.name} is {plain(value)} in every row that has a value.",
                figures={"value": value if isinstance(value, int | float) else str(value)},
                evidence=Evidence(table=name, columns=(series.name,)),
                strength=0.3,
            )


def _outliers(frame: pl.DataFrame, name: str) -> Iterator[Insight]:
    """Values beyond Tukey's fences that also have a robust z above 3.5, the farthest named."""
    for series in frame:
        if column_type(series) not in _NUMERIC:
            continue
        places = series.is_not_null().arg_true().to_numpy()
        values = series.drop_nulls().cast(pl.Float64).to_numpy()
        if len(values) < _LEAST_FOR_OUTLIERS or series.n_unique() < 4:
            continue
        low, high = statistics.tukey_fences(values)
        z = statistics.robust_z(values)
        beyond = ((values < low) | (values > high)) & (np.abs(z) > 3.5)
        count = int(beyond.sum())
        if not count or count > len(values) // 10:
            continue
        order = np.flatnonzero(beyond)[np.argsort(-np.abs(z[beyond]), kind="stable")]
        farthest = int(order[0])
        verb = "value lies" if count == 1 else "values lie"
        yield Insight(
            kind=InsightKind.OUTLIER,
            sentence=f"{count:,} {verb} far outside the usual range of {series.name} "
            f"({plain(low)} to {plain(high)}); the farthest is {plain(float(values[farthest]))} "
            f"in row {int(places[farthest]) + 1:,}.",
            figures={
                "outliers": count,
                "values": len(values),
                "lower_fence": low,
                "upper_fence": high,
                "farthest": float(values[farthest]),
                "farthest_row": int(places[farthest]) + 1,
                "robust_z": round(float(z[farthest]), 4),
            },
            evidence=_evidence(name, series.name, rows=places[order]),
            strength=_bounded(0.6 + min(abs(float(z[farthest])), 35) / 100),
        )


def _correlations(frame: pl.DataFrame, name: str) -> Iterator[Insight]:
    """Pairs of columns that move together, beyond what chance gives among so many pairs."""
    columns = _comparable(frame)
    pairs = list(combinations(columns, 2))
    for left, right in pairs:
        both = columns[left].is_not_null() & columns[right].is_not_null()
        x = columns[left].filter(both).to_numpy()
        y = columns[right].filter(both).to_numpy()
        if len(x) < _LEAST_FOR_CORRELATION:
            continue
        found = _coefficient(x, y, least_p=0.01 / len(pairs))
        if found is not None:
            yield _correlated(frame, name, (left, right), found)


@dataclass(frozen=True, slots=True)
class _Coefficient:
    """A correlation worth telling: by Pearson where the relation is a line, else by Spearman."""

    measure: str
    value: float
    n: int
    p: float
    others: dict[str, float]


def _coefficient(x: Numbers, y: Numbers, *, least_p: float) -> _Coefficient | None:
    """The coefficient that is strong and beyond chance; ranks of very long columns are not made."""
    n, found = len(x), {"pearson_r": statistics.pearson(x, y)}
    if n <= _RANKED:
        found["spearman_rho"] = statistics.spearman(x, y)
    for measure, value in found.items():
        p = statistics.correlation_p_value(value, n)
        if abs(value) >= _LEAST_CORRELATION and p <= least_p:
            return _Coefficient(measure, value, n, p, found)
    return None


def _correlated(
    frame: pl.DataFrame, name: str, pair: tuple[str, str], found: _Coefficient
) -> Insight:
    """A sentence for two columns; a time column makes it a trend."""
    left, right = pair
    times = [column for column in pair if column_type(frame[column]) in _TEMPORAL]
    sign = "Pearson r" if found.measure == "pearson_r" else "Spearman rho"
    basis = f"({sign} = {found.value:.3f}, n = {found.n:,}, {_p(found.p)})"
    if len(times) == 1:
        other = right if times[0] == left else left
        moves = "rises" if found.value > 0 else "falls"
        sentence = f"{other} {moves} over time, along {times[0]} {basis}."
        kind = InsightKind.TREND
    else:
        moves = "rise and fall together" if found.value > 0 else "move in opposite directions"
        sentence = f"{left} and {right} {moves} {basis}."
        kind = InsightKind.CORRELATION
    rounded = {measure: round(value, 6) for measure, value in found.others.items()}
    return Insight(
        kind=kind,
        sentence=sentence,
        figures={**rounded, "n": found.n, "p_value": found.p},
        evidence=Evidence(table=name, columns=pair),
        strength=_bounded(abs(found.value)),
    )


def _differences(frame: pl.DataFrame, name: str) -> Iterator[Insight]:
    """Numbers whose mean differs much between the groups a text column makes."""
    numeric = [series for series in frame if column_type(series) in _NUMERIC]
    for by in frame:
        if column_type(by) not in (ColumnType.TEXT, ColumnType.BOOLEAN):
            continue
        if not 2 <= by.drop_nulls().n_unique() <= min(_MOST_GROUPS, frame.height // 3):
            continue
        for series in numeric[:_COLUMNS_COMPARED]:
            yield from _difference(by, series, name)


def _difference(by: pl.Series, series: pl.Series, name: str) -> Iterator[Insight]:
    pair = pl.DataFrame(
        {"group": by.cast(pl.String), "value": series.cast(pl.Float64)}
    ).drop_nulls()
    groups = (
        pair.group_by("group")
        .agg(mean=pl.col("value").mean(), n=pl.len())
        .sort("mean", "group", descending=[True, False])
    )
    if pair.height < 12 or groups.height < 2 or min(groups["n"].to_list()) < 3:
        return
    codes = pair["group"].rank("dense").to_numpy().astype(np.intp) - 1
    explained = statistics.explained_by_groups(pair["value"].to_numpy(), codes)
    if explained < _LEAST_EXPLAINED:
        return
    top, bottom = groups.row(0, named=True), groups.row(-1, named=True)
    yield Insight(
        kind=InsightKind.DIFFERENCE,
        sentence=f"{series.name} differs by {by.name}: on average {plain(top['mean'])} for "
        f"{_name(top['group'])}, {plain(bottom['mean'])} for {_name(bottom['group'])}; "
        f"{by.name} accounts for {explained:.0%} of its variance (n = {pair.height:,}).",
        figures={
            "eta_squared": round(explained, 6),
            "highest_mean": float(top["mean"]),
            "highest_group": _name(top["group"]),
            "lowest_mean": float(bottom["mean"]),
            "lowest_group": _name(bottom["group"]),
            "groups": groups.height,
            "n": pair.height,
        },
        evidence=Evidence(table=name, columns=(by.name, series.name)),
        strength=_bounded(0.95 * math.sqrt(explained)),
    )


def _profiles(frame: pl.DataFrame, name: str) -> Iterator[Insight]:
    """One plain fact per column, the weakest of all insights."""
    for series in frame.iter_columns():
        filled = series.drop_nulls()
        kind = column_type(series)
        if filled.is_empty() or filled.n_unique() < 2:
            continue
        if kind in _NUMERIC:
            yield _numeric_profile(series, filled, name)
        elif kind in _TEMPORAL:
            first, last = str(scalar(filled.min())), str(scalar(filled.max()))
            yield Insight(
                kind=InsightKind.PROFILE,
                sentence=f"{series.name} runs from {first} to {last}.",
                figures={"first": first, "last": last},
                evidence=Evidence(table=name, columns=(series.name,)),
                strength=0.2,
            )
        elif kind is ColumnType.TEXT:
            yield _text_profile(series, filled, name)


def _numeric_profile(series: pl.Series, filled: pl.Series, name: str) -> Insight:
    figures = {
        "minimum": filled.min(),
        "maximum": filled.max(),
        "mean": filled.mean(),
        "median": filled.median(),
        "std": filled.std(),
        "n": len(filled),
    }
    return Insight(
        kind=InsightKind.PROFILE,
        sentence=f"{series.name} lies between {plain(figures['minimum'])} and "
        f"{plain(figures['maximum'])}, with a mean of {plain(figures['mean'])} and a median of "
        f"{plain(figures['median'])}.",
        figures={key: value for key, value in figures.items() if isinstance(value, int | float)},
        evidence=Evidence(table=name, columns=(series.name,)),
        strength=0.2,
    )


def _text_profile(series: pl.Series, filled: pl.Series, name: str) -> Insight:
    distinct = filled.n_unique()
    counted = filled.alias("value").value_counts(name="count")
    value, count = counted.sort(["count", "value"], descending=[True, False]).row(0)
    often = (
        "each in one row only"
        if count == 1
        else f"most often {_name(str(value))} ({count:,} times)"
    )
    return Insight(
        kind=InsightKind.PROFILE,
        sentence=f"{series.name} has {distinct:,} different values, {often}.",
        figures={"distinct": distinct, "most_frequent": _name(str(value)), "count": count},
        evidence=Evidence(table=name, columns=(series.name,)),
        strength=0.15,
    )


def _comparable(frame: pl.DataFrame) -> dict[str, pl.Series]:
    """Numeric columns, and times as numbers, of three different values or more."""
    found: dict[str, pl.Series] = {}
    for series in frame:
        kind = column_type(series)
        if kind not in _NUMERIC + _TEMPORAL or series.drop_nulls().n_unique() < 3:
            continue
        known = series.to_physical() if kind in _TEMPORAL else series
        found[series.name] = known.cast(pl.Float64)
        if len(found) == _COLUMNS_COMPARED:
            break
    return found


def _evidence(table: str, column: str, *, rows: Any) -> Evidence:
    return Evidence(table=table, columns=(column,), rows=_row_numbers(rows))


def _row_numbers(places: Any) -> tuple[int, ...]:
    return tuple(int(place) + 1 for place in places[:_ROWS_SHOWN])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _name(value: str) -> str:
    return str(scalar(value))


def _bounded(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)
