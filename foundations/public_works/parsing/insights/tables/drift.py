"""What changed between two versions of a table: columns, rows, cells, and how values lie."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.model import Cell, Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.distributions import kolmogorov_upper
from foundations.public_works.parsing.insights.numerics.effects import Numbers, cramers_v
from foundations.public_works.parsing.insights.numerics.multiplicity import ERROR_RATE, holm
from foundations.public_works.parsing.insights.tables.columns import (
    ROWS_SHOWN,
    Column,
    Role,
)
from foundations.public_works.parsing.insights.tables.keys import Source
from foundations.public_works.parsing.insights.words import (
    bounded,
    chance,
    counted,
    figure,
    listed,
    percent,
    quoted,
)
from foundations.public_works.parsing.profiles import scalar

LEAST_DISTANCE = 0.15
"""The least Kolmogorov-Smirnov distance that is told."""
LEAST_SHIFT = 0.15
"""The least V of Cramer between version and label that is told."""
LEAST_MISSING = 0.1
_LEAST_IN_COMMON = 0.6
_LEAST_ROWS = 20
_LEAST_KEYS_IN_COMMON = 0.3


def are_versions(before: Source, after: Source) -> bool:
    """Whether two tables have most of their columns in common, and more than one."""
    ours = {c.name.casefold() for c in before.table.columns}
    theirs = {c.name.casefold() for c in after.table.columns}
    common = len(ours & theirs)
    return common >= 2 and common >= _LEAST_IN_COMMON * len(ours | theirs)


def share_rows(before: Source, after: Source) -> bool:
    """Whether a column names rows in both versions, and many of them are the same."""
    return _key(_pairs(before, after)) is not None


def same(before: Source, after: Source) -> Insight | None:
    """That two files hold the same table, where they do."""
    if before.table.drawn or after.table.drawn:
        return None
    if not before.table.frame.equals(after.table.frame):
        return None
    return Insight(
        kind=InsightKind.SIMILAR,
        sentence=f"{before.name} and {after.name} hold the same "
        f"{counted(before.table.height, 'row')}.",
        figures={"rows": before.table.height},
        evidence=before.evidence(),
        further=(after.evidence(),),
        strength=0.7,
        surprise=0.7,
    )


def drift(before: Source, after: Source) -> Iterator[Insight]:
    """Everything that changed from one version of a table to the other."""
    pairs = _pairs(before, after)
    yield from _columns(before, after)
    drawn = before.table.drawn or after.table.drawn
    key = None if drawn else _key(pairs)  # rows that were not drawn are not gone
    changed: set[str] = set()
    if key is not None:
        yield from _rows(before, after, key)
        for insight in _cells(before, after, key, pairs):
            changed.add(insight.evidence.columns[-1])
            yield insight
    yield from _missing(before, after, pairs)
    yield from _distributions(before, after, [p for p in pairs if p[0].name not in changed])


def _pairs(before: Source, after: Source) -> list[tuple[Column, Column]]:
    theirs = {c.name.casefold(): c for c in after.table.columns}
    return [
        (c, theirs[c.name.casefold()]) for c in before.table.columns if c.name.casefold() in theirs
    ]


def _columns(before: Source, after: Source) -> Iterator[Insight]:
    ours = {c.name.casefold(): c for c in before.table.columns}
    theirs = {c.name.casefold(): c for c in after.table.columns}
    new = [c.name for name, c in theirs.items() if name not in ours]
    gone = [c.name for name, c in ours.items() if name not in theirs]
    if new or gone:
        parts = [f"{listed(new)} came"] if new else []
        parts += [f"{listed(gone)} went"] if gone else []
        yield Insight(
            kind=InsightKind.DRIFT,
            sentence=f"The columns changed from {before.name} to {after.name}: {', '.join(parts)}.",
            figures={"new": len(new), "gone": len(gone)},
            evidence=before.evidence(*gone),
            further=(after.evidence(*new),),
            strength=0.8,
            surprise=0.7,
        )
    for old, now in _pairs(before, after):
        if old.type is not now.type and Role.EMPTY not in (old.role, now.role):
            yield Insight(
                kind=InsightKind.DRIFT,
                sentence=f"{old.name} holds {_holds(old)} in {before.name}, {_holds(now)} in "
                f"{after.name}.",
                evidence=before.evidence(old.name),
                further=(after.evidence(now.name),),
                strength=0.7,
                surprise=0.7,
            )


def _holds(column: Column) -> str:
    return {"integer": "whole numbers", "number": "numbers", "text": "text"}.get(
        column.type.value, f"values of type {column.type.value}"
    )


@dataclass(frozen=True, slots=True)
class _Key:
    """The column that names rows, and the rows of both versions that it pairs."""

    name: str
    old: NDArray[np.intp]
    now: NDArray[np.intp]
    gone: NDArray[np.intp]
    new: NDArray[np.intp]


def _key(pairs: list[tuple[Column, Column]]) -> _Key | None:
    for old, now in pairs:
        if old.role not in (Role.IDENTIFIER, Role.TEXT) or now.role is Role.EMPTY:
            continue
        ours, theirs = old.raw.cast(pl.String), now.raw.cast(pl.String)
        if any(s.null_count() or s.n_unique() != len(s) for s in (ours, theirs)):
            continue
        joined = (
            pl.DataFrame({"k": ours})
            .with_row_index("i")
            .join(pl.DataFrame({"k": theirs}).with_row_index("j"), on="k", how="full")
        )
        both = joined.drop_nulls(["i", "j"]).sort("i")
        if both.height < max(3, _LEAST_KEYS_IN_COMMON * min(len(ours), len(theirs))):
            continue
        return _Key(
            old.name,
            both["i"].to_numpy().astype(np.intp),
            both["j"].to_numpy().astype(np.intp),
            np.sort(joined.filter(pl.col("j").is_null())["i"].to_numpy()).astype(np.intp),
            np.sort(joined.filter(pl.col("i").is_null())["j"].to_numpy()).astype(np.intp),
        )
    return None


def _rows(before: Source, after: Source, key: _Key) -> Iterator[Insight]:
    if not len(key.gone) and not len(key.new):
        return
    came, went = counted(len(key.new), "row"), counted(len(key.gone), "row")
    yield Insight(
        kind=InsightKind.DRIFT,
        sentence=f"From {before.name} to {after.name}, by {key.name}: {came} came, {went} went, "
        f"{len(key.old):,} stayed.",
        figures={"came": len(key.new), "went": len(key.gone), "stayed": len(key.old)},
        evidence=before.evidence(key.name, rows=key.gone),
        further=(after.evidence(key.name, rows=key.new),),
        strength=bounded(0.6 + 0.4 * (len(key.new) + len(key.gone)) / max(1, len(key.old))),
        surprise=0.6,
    )


def _cells(
    before: Source, after: Source, key: _Key, pairs: list[tuple[Column, Column]]
) -> Iterator[Insight]:
    """Columns whose cells changed in rows that stayed."""
    for old, now in pairs:
        if old.name == key.name:
            continue
        ours, theirs = old.raw.gather(key.old), now.raw.gather(key.now)
        if old.type is not now.type:
            ours, theirs = ours.cast(pl.String), theirs.cast(pl.String)
        places = np.flatnonzero(ours.ne_missing(theirs).to_numpy())
        if len(places):
            yield _cell_changes(before, after, key, (old, now), places)


def _cell_changes(
    before: Source,
    after: Source,
    key: _Key,
    pair: tuple[Column, Column],
    places: NDArray[np.intp],
) -> Insight:
    old, now = pair
    rows, rows_now = key.old[places], key.now[places]
    was, became = old.raw[int(rows[0])], now.raw[int(rows_now[0])]
    name = before.table.frame[key.name][int(rows[0])]
    figures: dict[str, float | int | str] = {"changed": len(places), "rows": len(key.old)}
    change = ""
    if old.role is Role.NUMBER and now.role is Role.NUMBER:
        ratio = _ratios(old.values[rows], now.values[rows_now])
        if len(ratio):
            middle = float(np.median(ratio)) - 1
            figures["median_change"] = middle
            change = f", by {'+' if middle > 0 else ''}{middle:.1%} in the middle"
    share = percent(len(places) / len(key.old))
    return Insight(
        kind=InsightKind.DRIFT,
        sentence=f"From {before.name} to {after.name}, {old.name} changed in {len(places):,} of "
        f"{counted(len(key.old), 'row')} that stayed ({share}){change}: for {key.name} "
        f"{quoted(name)} "
        f"from {_cell(was)} to {_cell(became)}.",
        figures=figures,
        evidence=before.evidence(key.name, old.name, rows=rows).model_copy(
            update={"cells": _shown(before, old.name, rows)}
        ),
        further=(
            after.evidence(key.name, now.name, rows=rows_now).model_copy(
                update={"cells": _shown(after, now.name, rows_now)}
            ),
        ),
        strength=bounded(0.65 + 0.3 * len(places) / len(key.old)),
        surprise=0.8,
    )


def _ratios(was: Numbers, became: Numbers) -> Numbers:
    usable = np.isfinite(was) & np.isfinite(became) & (was != 0)
    return np.asarray(became[usable] / was[usable])


def _cell(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.10g}"
    return "nothing" if value is None else quoted(value)


def _shown(source: Source, column: str, rows: NDArray[np.intp]) -> tuple[Cell, ...]:
    series = source.table.frame[column]
    return tuple(
        Cell(row=source.table.number(int(row)), column=column, value=scalar(series[int(row)]))
        for row in rows[:ROWS_SHOWN]
    )


def _missing(
    before: Source, after: Source, pairs: list[tuple[Column, Column]]
) -> Iterator[Insight]:
    for old, now in pairs:
        if not before.table.height or not after.table.height:
            return
        was, is_now = old.raw.null_count() / len(old.raw), now.raw.null_count() / len(now.raw)
        if abs(is_now - was) < LEAST_MISSING or min(len(old.raw), len(now.raw)) < _LEAST_ROWS:
            continue
        yield Insight(
            kind=InsightKind.DRIFT,
            sentence=f"{old.name} is missing in {percent(was)} of the rows of {before.name}, in "
            f"{percent(is_now)} of {after.name}.",
            figures={"missing_before": was, "missing_after": is_now},
            evidence=before.evidence(old.name),
            further=(after.evidence(now.name),),
            strength=bounded(0.5 + abs(is_now - was)),
            surprise=0.7,
        )


def _distributions(
    before: Source, after: Source, pairs: list[tuple[Column, Column]]
) -> Iterator[Insight]:
    """Columns whose values lie otherwise: Kolmogorov and Smirnov's test, chi-square of labels."""
    tested = []
    for old, now in pairs:
        if old.role is Role.NUMBER and now.role is Role.NUMBER:
            size, p = _distance(old.present, now.present)
            least = LEAST_DISTANCE
        elif old.role is Role.CATEGORY and now.role is Role.CATEGORY:
            size, p = _label_shift(old, now)
            least = LEAST_SHIFT
        else:
            continue
        tested.append((old, now, size, p, least))
    strong = [one for one in tested if one[2] >= one[4]]
    holds = holm([one[3] for one in strong], tests=max(1, len(tested)), rate=ERROR_RATE)
    for (old, now, size, p, _), hold in zip(strong, holds, strict=True):
        if not hold:
            continue
        if old.role is Role.NUMBER:
            yield _moved(before, after, (old, now), size, p)
        else:
            yield _mixed_otherwise(before, after, (old, now), size, p)


def _distance(was: Numbers, is_now: Numbers) -> tuple[float, float]:
    """The largest distance of the two distribution functions, and its p-value."""
    if min(len(was), len(is_now)) < _LEAST_ROWS:
        return 0.0, 1.0
    all_values = np.sort(np.concatenate((was, is_now)))
    ours = np.searchsorted(np.sort(was), all_values, side="right") / len(was)
    theirs = np.searchsorted(np.sort(is_now), all_values, side="right") / len(is_now)
    size = float(np.abs(ours - theirs).max())
    return size, kolmogorov_upper(size, len(was) * len(is_now) / (len(was) + len(is_now)))


def _label_shift(old: Column, now: Column) -> tuple[float, float]:
    labels = sorted({*old.labels, *now.labels})
    counts = np.array([_counts(old, labels), _counts(now, labels)])
    counts = counts[:, counts.sum(axis=0) >= 5]
    if counts.shape[1] < 2 or counts.sum(axis=1).min() < _LEAST_ROWS:
        return 0.0, 1.0
    effect = cramers_v(counts)
    return effect.size, effect.p


def _counts(column: Column, labels: list[str]) -> list[float]:
    counted_labels = dict(
        column.filled.cast(pl.String).alias("v").value_counts(name="n").iter_rows()
    )
    return [float(counted_labels.get(label, 0)) for label in labels]


def _moved(
    before: Source, after: Source, pair: tuple[Column, Column], size: float, p: float
) -> Insight:
    old, now = pair
    was, is_now = float(np.median(old.present)), float(np.median(now.present))
    return Insight(
        kind=InsightKind.DRIFT,
        sentence=f"{old.name} lies otherwise in {after.name} than in {before.name}: the median "
        f"went from {figure(was)} to {figure(is_now)} (Kolmogorov-Smirnov distance {size:.2f}, "
        f"{chance(p)}).",
        figures={
            "median_before": was,
            "median_after": is_now,
            "mean_before": float(old.present.mean()),
            "mean_after": float(now.present.mean()),
            "distance": size,
            "p_value": p,
        },
        evidence=before.evidence(old.name),
        further=(after.evidence(now.name),),
        strength=bounded(0.4 + size),
        surprise=0.7,
        chart=charts.histogram(now.present, f"{now.name} in {after.name}"),
    )


def _mixed_otherwise(
    before: Source, after: Source, pair: tuple[Column, Column], size: float, p: float
) -> Insight:
    old, now = pair
    labels = sorted({*old.labels, *now.labels})
    was, is_now = np.array(_counts(old, labels)), np.array(_counts(now, labels))
    was, is_now = was / was.sum(), is_now / is_now.sum()
    most = int(np.argmax(np.abs(is_now - was)))
    return Insight(
        kind=InsightKind.DRIFT,
        sentence=f"{old.name} is made up otherwise in {after.name} than in {before.name}: "
        f"{labels[most]} went from {percent(float(was[most]))} to {percent(float(is_now[most]))} "
        f"of the rows (Cram\u00e9r's V = {size:.2f}, {chance(p)}).",
        figures={
            "label": labels[most][:80],
            "share_before": float(was[most]),
            "share_after": float(is_now[most]),
            "cramers_v": size,
            "p_value": p,
        },
        evidence=before.evidence(old.name),
        further=(after.evidence(now.name),),
        strength=bounded(0.4 + size),
        surprise=0.7,
    )
