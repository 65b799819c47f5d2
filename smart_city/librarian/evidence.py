"""What is shown of a passage that was found: a part of it, and the words that were asked for."""

from collections.abc import Sequence

from foundations.public_works.words import spans_of
from smart_city.librarian.api import Span

SHOWN = 240
"""Characters of a snippet."""


def evidence(texts: Sequence[str], words: Sequence[str]) -> list[tuple[str, tuple[Span, ...]]]:
    """For each text its part around most of `words`, on one line, and where they stand in it."""
    lines = [" ".join(text.split()) for text in texts]
    found = spans_of(lines, words)
    return [_shown(line, spans) for line, spans in zip(lines, found, strict=True)]


def _shown(line: str, spans: Sequence[tuple[int, int]]) -> tuple[str, tuple[Span, ...]]:
    begin = _best_begin(line, spans)
    end = min(len(line), begin + SHOWN)
    before, after = "…" if begin else "", "…" if end < len(line) else ""
    shift = len(before) - begin
    inside = tuple(
        Span(start=start + shift, end=stop + shift)
        for start, stop in spans
        if begin <= start and stop <= end
    )
    return f"{before}{line[begin:end].rstrip()}{after}", inside


def _best_begin(line: str, spans: Sequence[tuple[int, int]]) -> int:
    """Where the part with the most different words begins, a little before the first of them."""
    last = max(0, len(line) - SHOWN)
    if not last or not spans:
        return 0
    best, most = 0, 0
    for start, _ in spans:
        begin = _word_start(line, max(0, min(start - SHOWN // 4, last)))
        inside = [s for s in spans if begin <= s[0] and s[1] <= begin + SHOWN]
        different = len({line[s:e].casefold() for s, e in inside})
        if different > most:
            best, most = begin, different
    return best


def _word_start(line: str, at: int) -> int:
    """The next beginning of a word, where one is near."""
    if at == 0 or line[at - 1] == " ":
        return at
    space = line.find(" ", at, at + 20)
    return at if space < 0 else space + 1
