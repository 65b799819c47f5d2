"""The lines of printed pages as running text, without what stands on each page again."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

_EDGE = 2
"""Lines at each end of a page that may be its head or its foot."""
_MOSTLY = 0.6
_NUMBER = re.compile(r"\d+")
_AMOUNT = re.compile(r"[(+-]?[€$£]?\d[\d.,'\u00a0]*[%€]?\)?")


def without_running_lines(pages: Sequence[str]) -> list[list[str]]:
    """The lines of each page, those at its edges that most pages have on the first of them only.

    Numbers in them may be those of the pages. On that first page they are paragraphs of their own.
    """
    lines = [[line.strip() for line in page.splitlines()] for page in pages]
    where: dict[str, list[int]] = {}
    for number, own in enumerate(lines):
        for at in _edges(own):
            where.setdefault(_without_page(own[at], number + 1, len(pages)), []).append(number)
    least = max(2.0, _MOSTLY * len(pages))
    first = {key: min(places) for key, places in where.items() if len(set(places)) >= least}
    kept: list[list[str]] = []
    for number, own in enumerate(lines):
        edges = set(_edges(own))
        page: list[str] = []
        for at, line in enumerate(own):
            key = _without_page(line, number + 1, len(pages))
            if at in edges and key in first:
                page += ["", line, ""] if first[key] == number else []
            else:
                page.append(line)
        kept.append(page)
    return kept


def reflowed(lines: Sequence[str]) -> str:
    """The lines of a printed page as paragraphs: a line much shorter than the longest ends one."""
    longest = max((len(line) for line in lines), default=0)
    flowing: list[str] = []
    first = next(filter(None, lines), "")
    for line, following in pairwise([*lines, ""]):
        flowing.append(line)
        heads = line is first and _heads(line, following)
        if not line or heads or _ends_paragraph(line, following, longest):
            flowing.append("\n\n")
        elif line.endswith("-") and following[:1].islower():
            flowing[-1] = line[:-1]
        else:
            flowing.append(" ")
    return re.sub(r"\n{3,}", "\n\n", "".join(flowing)).strip()


def _heads(line: str, following: str) -> bool:
    """Whether the first line of a page is its heading: a sentence goes on in small letters."""
    return line[:1].isupper() and following[:1].isupper() and line[-1] not in ".,;:!?-"


def _edges(lines: Sequence[str]) -> Iterator[int]:
    """Where the first and the last filled lines of a page are."""
    filled = [at for at, line in enumerate(lines) if line]
    edge = min(_EDGE, len(filled) // 4)  # what is most of a short page is its text
    if edge:
        yield from (*filled[:edge], *filled[-edge:])


def _without_page(line: str, page: int, pages: int) -> str:
    """A line without the numbers that count its page, and all of them."""
    own = {page, pages}
    return _NUMBER.sub(lambda found: "#" if int(found[0]) in own else found[0], line)


def _ends_paragraph(line: str, following: str, longest: int) -> bool:
    if _is_row(line) or _is_row(following):
        return True
    short = len(line) < 0.8 * longest
    return short and (line.endswith((".", ":", "!", "?", ";")) or following[:1].isupper())


def _is_row(line: str) -> bool:
    """Whether a line is one of a table: at least half of it are numbers, two and more."""
    words = line.split()
    numbers = sum(_AMOUNT.fullmatch(word) is not None for word in words)
    return numbers > 1 and 2 * numbers >= len(words)
