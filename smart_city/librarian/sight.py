"""What a search has found for a reader from whom something is hidden: nothing by what is hidden."""

from collections.abc import Callable, Sequence

from foundations.public_works.words import spans_of
from smart_city.librarian.records import FoundPassage

Visible = Callable[[str], str]
"""A text as its reader sees it."""


def found_by_seen_words(
    found: Sequence[FoundPassage], words: Sequence[str], visible: Visible
) -> list[FoundPassage]:
    """Those that have a word of the question which their reader sees.

    Last come those that were found by words that are hidden, too: their rank tells nothing.
    """
    spoken = _words_in(found, words, str)
    seen = _words_in(found, words, visible)
    rows = [row for row in zip(found, spoken, seen, strict=True) if row[2]]
    return [one for one, before, after in sorted(rows, key=lambda row: bool(row[1] - row[2]))]


def _words_in(
    found: Sequence[FoundPassage], words: Sequence[str], visible: Visible
) -> list[set[str]]:
    """The words that stand in each text, its headings and the name of its file, as seen."""
    lines = [" ".join(map(visible, [one.text, one.name, *one.place.headings])) for one in found]
    return [
        {line[start:end].casefold() for start, end in spans}
        for line, spans in zip(lines, spans_of(lines, words), strict=True)
    ]
