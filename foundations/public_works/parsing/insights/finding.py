"""Finds what is worth saying of a parsed file, ranks it, and caps it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from foundations.public_works.parsing.insights.model import (
    ColumnFacts,
    Insight,
    InsightKind,
    InsightsResult,
)
from foundations.public_works.parsing.insights.ranking import ranked
from foundations.public_works.parsing.models import ParseResult

if TYPE_CHECKING:
    from foundations.public_works.parsing.insights.tables.columns import Table

_NOTHING_IN_TABLE = (
    "Nothing unusual stands out: the data are clean as far as can be seen, and no relation, "
    "difference or change is strong enough to tell."
)
_NOTHING_IN_TEXT = "The text is too short to say more of it."
MOST_COLUMNS = 200
"""So many columns are shown at a glance; what is journalled stays small."""
_LEAST_WORDS = 40
"""Fewer in a file of tables are titles and notes, of which there is nothing to tell."""
_LEAST_ROWS = 10
"""Tables of documents with fewer share what they share because they are about one thing."""
_PLAIN = frozenset({InsightKind.LANGUAGE, InsightKind.STRUCTURE})


def find(parsed: ParseResult, artifacts: Mapping[str, Path]) -> InsightsResult:
    """The insights of a file, from its artifacts: name to path."""
    overviews: list[Insight] = []
    found: list[Insight] = []
    columns: list[ColumnFacts] = []
    if parsed.tables:
        from foundations.public_works.parsing.insights.tables import table
        from foundations.public_works.parsing.insights.tables.columns import stored_table
        from foundations.public_works.parsing.insights.tables.totals import without_totals

        seen = [without_totals(stored_table(artifacts[one.artifact], one)) for one in parsed.tables]
        overviews += [table.overview(one) for one in seen]
        columns += [facts for one in seen for facts in table.facts(one)]
        found += [insight for one in seen for insight in table.of_table(one)]
        least = 0 if parsed.kind == "table" else _LEAST_ROWS
        found += _between([one for one in seen if one.height >= least])
    if parsed.kind == "text" or parsed.word_count >= _LEAST_WORDS:
        from foundations.public_works.parsing.insights.texts import text

        place = 0 if parsed.kind == "text" else len(overviews)
        overviews.insert(place, text.overview(parsed, artifacts))
        found += text.of_text(parsed, artifacts)
    kept, left_out = ranked(found)
    nothing = _NOTHING_IN_TEXT if parsed.kind == "text" else _NOTHING_IN_TABLE
    if all(one.kind in _PLAIN for one in kept):
        overviews.append(
            Insight(kind=InsightKind.NOTHING_UNUSUAL, sentence=nothing, strength=0.0, surprise=0.0)
        )
    return InsightsResult(
        file_name=parsed.name,
        insights=(*overviews, *kept),
        columns=tuple(columns[:MOST_COLUMNS]),
        left_out=left_out,
    )


def _between(tables: Sequence["Table"]) -> Iterator[Insight]:
    """What tables of one file refer to, and what changed where they are versions of each other.

    Tables of the same columns that share no rows, such as a sheet for each month, are neither.
    """
    from foundations.public_works.parsing.insights.tables import drift, keys

    for before, after in combinations([keys.Source(one) for one in tables], 2):
        if not drift.are_versions(before, after):
            yield from keys.references([before, after], InsightKind.FOREIGN_KEY)
        elif drift.share_rows(before, after):
            yield from drift.drift(before, after)
