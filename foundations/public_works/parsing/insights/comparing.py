"""Lays parsed files beside each other: joins, versions of a table, passages, contradictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from foundations.public_works.parsing.insights.model import (
    ComparisonResult,
    Insight,
    InsightKind,
)
from foundations.public_works.parsing.insights.ranking import ranked
from foundations.public_works.parsing.models import ParseResult

MOST_TABLES = 40


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A parsed file and its artifacts: name to path."""

    parsed: ParseResult
    artifacts: Mapping[str, Path]


def compare(files: Sequence[ParsedFile]) -> ComparisonResult:
    """What only shows when files are laid beside each other, in the order the files are given."""
    names = _distinct([file.parsed.name for file in files])
    found = [*_of_tables(files, names), *_of_texts(files, names)]
    kept, left_out = ranked(found)
    return ComparisonResult(file_names=tuple(names), insights=kept, left_out=left_out)


def _distinct(names: Sequence[str]) -> list[str]:
    """Names with a number after those that come again."""
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told


def _of_tables(files: Sequence[ParsedFile], names: Sequence[str]) -> list[Insight]:
    chosen = [
        (name, file.artifacts[table.artifact], table)
        for name, file in zip(names, files, strict=True)
        for table in file.parsed.tables
    ][:MOST_TABLES]
    if len(chosen) < 2:
        return []
    from foundations.public_works.parsing.insights.tables.columns import stored_table
    from foundations.public_works.parsing.insights.tables.drawing import told_of_drawn
    from foundations.public_works.parsing.insights.tables.drift import are_versions, drift, same
    from foundations.public_works.parsing.insights.tables.keys import Source, references
    from foundations.public_works.parsing.insights.tables.totals import without_totals

    sources = [
        Source(without_totals(stored_table(path, table)), name) for name, path, table in chosen
    ]
    found: list[Insight] = []
    again: set[str] = set()
    for before, after in combinations(sources, 2):
        if before.file == after.file or before.name in again or after.name in again:
            continue
        if (told := same(before, after)) is not None:
            again.add(after.name)
            found.append(told)
        elif are_versions(before, after):
            drawn = before.table.drawn, after.table.drawn
            found += [told_of_drawn(insight, *drawn) for insight in drift(before, after)]
        else:
            found += references([before, after], InsightKind.JOIN)
    return found


def _of_texts(files: Sequence[ParsedFile], names: Sequence[str]) -> list[Insight]:
    texts = [
        (name, file) for name, file in zip(names, files, strict=True) if file.parsed.kind == "text"
    ]
    if len(texts) < 2:
        return []
    from foundations.public_works.parsing.insights.texts.contradictions import (
        contradictions,
        statements,
    )
    from foundations.public_works.parsing.insights.texts.similar import alike, told_across
    from foundations.public_works.parsing.insights.texts.text import pieces, running_text

    read = [(name, running_text(file.artifacts)) for name, file in texts]
    stated = [one for name, passages in read for one in statements(passages, name)]
    paragraphs = [one for name, passages in read for one in pieces(passages, name)]
    return [
        *(c for c in contradictions(stated) if c.evidence.file != c.further[0].file),
        *told_across(list(alike(paragraphs, across=True))),
    ]
