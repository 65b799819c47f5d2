"""Rows and labels that say the same thing twice: exactly, or all but."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.numerics.distributions import poisson_at_least
from foundations.public_works.parsing.insights.tables.columns import Column, Role, Table
from foundations.public_works.parsing.insights.words import (
    bounded,
    quoted,
)

_BY_CHANCE = 1e-4
_SO_MANY_BY_CHANCE = 1e-3
_SELDOM = 0.5
"""Pairs that a column is taken to have in which no two rows agree."""
_MOST_COLUMNS = 60
_MOST_ROWS = 500_000
_MOST_LABELS = 400
_LEAST_LETTERS = 5
_SHOWN = 4

Hashes = NDArray[np.uint64]


def duplicates(table: Table) -> Iterator[Insight]:
    """Rows that repeat earlier ones, where so many would not do so by chance."""
    if table.frame.width < 2 or table.height < 3:
        return
    again = ~table.frame.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    drawn_twice = int(again.sum())
    rows = table.drawn.known.row_count if table.drawn else table.height
    count = table.drawn.known.duplicate_rows if table.drawn else drawn_twice
    by_chance = _expected_pairs(table.frame.get_columns(), known=drawn_twice, of=rows)
    if not count or poisson_at_least(count, by_chance) > _SO_MANY_BY_CHANCE:
        return
    verb = "row repeats an earlier one" if count == 1 else "rows repeat earlier ones"
    yield Insight(
        kind=InsightKind.DUPLICATE,
        sentence=f"{count:,} {verb} of {table.name} in every column.",
        figures={"duplicate_rows": count, "rows": rows},
        evidence=table.evidence(rows=() if table.drawn else again.arg_true()),
        strength=bounded(0.6 + 0.4 * count / rows),
        surprise=0.7,
    )


def near_duplicates(table: Table) -> Iterator[Insight]:
    """Rows that agree in all columns but one, or but for how their text is written."""
    usable = [c for c in table.columns if c.role is not Role.EMPTY][:_MOST_COLUMNS]
    if len(usable) < 3 or not 3 <= table.height <= _MOST_ROWS:
        return
    hashes = [_hashes(column) for column in usable]
    total = np.zeros(table.height, dtype=np.uint64)
    for one in hashes:
        total += one
    numbered = {
        c.name for c in usable if c.role is Role.IDENTIFIER or c.filled.n_unique() == len(c.filled)
    }
    exact = ~table.frame.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
    yield from _written_otherwise(table, total, exact)
    found: list[tuple[str, list[tuple[int, int]]]] = []
    for column, own in zip(usable, hashes, strict=True):
        others = [c.raw for c in usable if c is not column]
        if _expected_pairs(others) > _BY_CHANCE:
            continue
        pairs = _pairs(total - own, exact, own)
        if pairs:
            found.append((column.name, pairs))
    yield from _all_but_one(table, found, numbered)


def _all_but_one(
    table: Table, found: list[tuple[str, list[tuple[int, int]]]], numbered: set[str]
) -> Iterator[Insight]:
    for name, pairs in found:
        first, second = pairs[0]
        series = table.frame[name]
        count = len(pairs)
        if count > table.height // 10:
            continue
        verb = "row agrees with an earlier one" if count == 1 else "rows agree with earlier ones"
        why = ", which numbers the rows" if name in numbered else ""
        one, other = table.number(first), table.number(second)
        yield Insight(
            kind=InsightKind.NEAR_DUPLICATE,
            sentence=f"{count:,} {verb} in every column but {name}{why}: rows {one:,} and "
            f"{other:,} differ by {quoted(series[first])} and {quoted(series[second])} alone.",
            figures={"near_duplicates": count, "rows": table.height},
            evidence=table.evidence(name, rows=[row for pair in pairs for row in pair]),
            strength=bounded(0.65 + 0.3 * count / table.height),
            surprise=0.8,
        )


def _written_otherwise(table: Table, total: Hashes, exact: NDArray[np.bool_]) -> Iterator[Insight]:
    """Rows that are the same once case, spaces, accents and punctuation are left out."""
    texts = [c for c in table.columns if c.raw.dtype == pl.String]
    if not texts or _expected_pairs(table.frame.get_columns()) > _BY_CHANCE:
        return
    raw = np.zeros(table.height, dtype=np.uint64)
    for column in texts:
        raw += _raw_hashes(column)
    pairs = [(first, second) for first, second in _pairs(total, exact, raw)]
    if not pairs:
        return
    first, second = pairs[0]
    differing = [c.name for c in texts if table.frame[c.name][first] != table.frame[c.name][second]]
    count = len(pairs)
    verb = (
        "row says the same as an earlier one" if count == 1 else "rows say the same as earlier ones"
    )
    yield Insight(
        kind=InsightKind.NEAR_DUPLICATE,
        sentence=f"{count:,} {verb}, written otherwise: rows {table.number(first):,} "
        f"and {table.number(second):,} have "
        f"{quoted(table.frame[differing[0]][first])} and "
        f"{quoted(table.frame[differing[0]][second])} for {differing[0]}.",
        figures={"near_duplicates": count, "rows": table.height},
        evidence=table.evidence(*differing, rows=[row for pair in pairs for row in pair]),
        strength=bounded(0.65 + 0.3 * count / table.height),
        surprise=0.8,
    )


def _pairs(keys: Hashes, exact: NDArray[np.bool_], own: Hashes) -> list[tuple[int, int]]:
    """Rows with the key of an earlier row, and that row; rows that repeat exactly are left out."""
    places = np.flatnonzero(~exact)
    order = places[np.argsort(keys[places], kind="stable")]
    same = keys[order][1:] == keys[order][:-1]
    differ = own[order][1:] != own[order][:-1]
    pairs = [(int(order[i]), int(order[i + 1])) for i in np.flatnonzero(same & differ)]
    return sorted((min(pair), max(pair)) for pair in pairs)


def _expected_pairs(columns: Sequence[pl.Series], *, known: int = 0, of: int = 0) -> float:
    """How many pairs of rows would agree by chance, if the columns knew nothing of each other.

    Pairs of rows that are `known` to agree say nothing of what the columns do by themselves. The
    columns may be drawn from a table `of` more rows.
    """
    height = len(columns[0])
    if height < 2:
        return 0.0
    rows = of or height
    log = np.log(rows * (rows - 1) / 2)
    for column in columns:
        counts = column.alias("v").value_counts(name="n")["n"].to_numpy().astype(np.float64)
        pairs = float((counts * (counts - 1)).sum()) - 2 * known
        log += np.log(max(pairs, _SELDOM) / (height * (height - 1)))
    return float(np.exp(log))


def _hashes(column: Column) -> Hashes:
    """A number for every cell; text that differs only in how it is written has the same."""
    if column.raw.dtype != pl.String:
        return _raw_hashes(column)
    different = column.raw.unique()
    plain = pl.Series([_plainly(value) for value in different.to_list()], dtype=pl.String)
    hashed = plain.hash(seed=_seed(column))
    joined = pl.DataFrame({"v": column.raw}).join(
        pl.DataFrame({"v": different, "h": hashed}),
        on="v",
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return joined["h"].to_numpy().astype(np.uint64)


def _raw_hashes(column: Column) -> Hashes:
    return column.raw.hash(seed=_seed(column)).to_numpy().astype(np.uint64)


def _seed(column: Column) -> int:
    return int.from_bytes(column.name.encode()[-7:], "big")


def _plainly(text: str | None) -> str | None:
    """Text without case, accents, punctuation and spaces."""
    if text is None:
        return None
    bare = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in bare if c.isalnum()) or text


def variants(table: Table) -> Iterator[Insight]:
    """Labels of a column that are one label written in several ways, or misspelt."""
    for column in table.of(Role.CATEGORY, Role.LABELS):
        if column.series.dtype != pl.String or column.filled.n_unique() > 20 * _MOST_LABELS:
            continue
        counts: Counter[str] = Counter(
            dict(column.filled.alias("v").value_counts(name="n").iter_rows())
        )
        groups = [*_same_but_for_writing(counts), *_misspelt(counts, column.role)]
        if groups:
            yield _variants(table, column, counts, groups)


def _same_but_for_writing(counts: Counter[str]) -> list[list[str]]:
    written: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        written[_plainly(label) or label].append(label)
    return [
        sorted(labels, key=lambda label: (-counts[label], label))
        for labels in written.values()
        if len(labels) > 1 and not any(c.isdigit() or c in "+-#<>" for c in "".join(labels))
    ]


def _misspelt(counts: Counter[str], role: Role) -> list[list[str]]:
    """A rare label with one letter lacking, added, exchanged or swapped against a frequent one.

    Among very many labels, such as names, an exchanged letter makes another name.
    """
    if len(counts) > _MOST_LABELS:
        return []
    found = []
    for one, other in combinations(sorted(counts), 2):
        rare, frequent = sorted((one, other), key=lambda label: counts[label])
        if (
            counts[rare] <= max(1, counts[frequent] // 25)
            and counts[frequent] >= 8
            and _one_off(rare.casefold(), frequent.casefold(), exchanged=role is Role.CATEGORY)
        ):
            found.append([frequent, rare])
    return found


def _one_off(one: str, other: str, *, exchanged: bool) -> bool:
    """Whether one letter of one word of five letters or more is all that differs."""
    ours, theirs = one.split(), other.split()
    if len(ours) != len(theirs):
        return False
    differing = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    if len(differing) != 1:
        return False
    a, b = differing[0]
    if not (a.isalpha() and b.isalpha() and min(len(a), len(b)) >= _LEAST_LETTERS):
        return False
    return _edits(a, b) == 1 and (exchanged or len(a) != len(b) or sorted(a) == sorted(b))


def _edits(a: str, b: str) -> int:
    """1 when one edit makes a of b, else 2 or more (Damerau 1964, adjacent swaps included)."""
    if abs(len(a) - len(b)) > 1:
        return 2
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    x, y = a[start:], b[start:]
    if x[1:] == y[1:] or x[1:] == y or x == y[1:]:
        return 1
    return 1 if x[:2] == y[:2][::-1] and x[2:] == y[2:] else 2


def _variants(
    table: Table, column: Column, counts: Counter[str], groups: list[list[str]]
) -> Insight:
    shown = "; ".join(
        " and ".join(f"{quoted(label)} ({counts[label]:,})" for label in group[:3])
        for group in groups[:_SHOWN]
    )
    rare = [label for group in groups for label in group[1:]]
    rows = column.raw.is_in(rare).fill_null(value=False).arg_true()
    many = f", {len(groups) - _SHOWN:,} more" if len(groups) > _SHOWN else ""
    return Insight(
        kind=InsightKind.VARIANT,
        sentence=f"{column.name} probably writes the same in several ways: {shown}{many}.",
        figures={"labels": len(groups), "variants": len(rare), "rows": len(rows)},
        evidence=table.evidence(column.name, rows=rows).model_copy(
            update={"cells": table.cells(column.name, rows)}
        ),
        strength=bounded(0.6 + 0.3 * len(rows) / table.height),
        surprise=0.7,
    )
