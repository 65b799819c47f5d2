"""Finds what is worth saying of a parsed file, ranks it, and caps it."""

from collections.abc import Mapping
from pathlib import Path

from foundations.public_works.parsing.models import (
    Insight,
    InsightKind,
    InsightsResult,
    ParseResult,
)

MAX_INSIGHTS = 40
_NOTHING = {
    "table": "Nothing unusual stands out: no missing values, no outliers, no duplicates, "
    "no strong correlations or differences.",
    "text": "The text is too short to say more of it.",
}
_UNREMARKABLE = frozenset({InsightKind.OVERVIEW, InsightKind.PROFILE})


def find(parsed: ParseResult, artifacts: Mapping[str, Path]) -> InsightsResult:
    """The insights of a file, from its artifacts: name to path."""
    if parsed.kind == "table":
        from foundations.public_works.parsing.table_insights import of_tables

        found = of_tables(parsed, artifacts)
    else:
        from foundations.public_works.parsing.text_insights import of_text

        found = of_text(parsed, artifacts)
    return InsightsResult(
        file_name=parsed.name,
        insights=ranked(found, nothing=_NOTHING[parsed.kind])[:MAX_INSIGHTS],
        left_out=max(0, len(found) - MAX_INSIGHTS),
    )


def ranked(found: list[Insight], *, nothing: str) -> tuple[Insight, ...]:
    """The overview first, then by strength; a file with nothing unusual says so by `nothing`."""
    overview = [one for one in found if one.kind is InsightKind.OVERVIEW]
    others = sorted(
        (one for one in found if one.kind is not InsightKind.OVERVIEW),
        key=lambda one: -one.strength,
    )
    if all(one.kind in _UNREMARKABLE for one in others):
        overview.append(
            Insight(
                kind=InsightKind.NOTHING_UNUSUAL,
                sentence=nothing,
                strength=0.0,
            )
        )
    return (*overview, *others)
