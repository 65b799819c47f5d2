"""Insights of texts, each computed from the passages."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from foundations.public_works.parsing.insights.model import Evidence, Insight, InsightKind
from foundations.public_works.parsing.models import ParseResult, Passage
from foundations.public_works.parsing.passages import sentences
from foundations.public_works.parsing.phrases import CONSIDERED
from foundations.public_works.parsing.reading import PASSAGES, read_passages

_PHRASES = 5
_FIGURES = 8
_YEAR = re.compile(r"(?<![\d.,/-])(1[5-9]\d\d|20\d\d)(?![\d,/%-]|\.\d)")
_UNITS = (
    r"%|percent|euros?|dollars?|pounds?|EUR|USD|GBP|km/h|m/s|mm|cm|km|metres?|meters?|miles?|kg|"
    r"tonnes?|litres?|liters?|degrees?|hours?|minutes?|days?|weeks?|months?|years?|people|"
    r"thousand|million|billion"
)
_AMOUNT = re.compile(
    rf"(?<![\w.,/-])(?P<sign>[$\u20ac\u00a3]\s?)?(?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    rf"(?:\s?(?P<unit>{_UNITS})(?![\w/]))?"
)


def of_text(parsed: ParseResult, artifacts: Mapping[str, Path]) -> list[Insight]:
    """Everything worth saying about a text, unranked."""
    passages = read_passages(artifacts[PASSAGES])
    return [
        *_summary(parsed),
        *_key_phrases(parsed),
        *_figures(passages),
        *_years(passages),
        *_repeated(passages),
    ]


def overview(parsed: ParseResult, artifacts: Mapping[str, Path]) -> Insight:
    """How long a text is."""
    passages = read_passages(artifacts[PASSAGES])
    found = sum(len(sentences(passage.text)) for passage in passages)
    words = parsed.word_count
    pages = parsed.metadata.get("page_count")
    on = f" on {pages:,} pages" if isinstance(pages, int) and pages > 1 else ""
    return Insight(
        kind=InsightKind.OVERVIEW,
        sentence=f"{parsed.name} holds {_count(words, 'word')} in {_count(found, 'sentence')}{on}, "
        f"{words / found:.1f} words a sentence.",
        figures={"words": words, "sentences": found, "passages": len(passages)},
        strength=1.0,
    )


def _summary(parsed: ParseResult) -> Iterator[Insight]:
    if parsed.summary:
        said = " ".join(one.sentence for one in parsed.summary)
        yield Insight(
            kind=InsightKind.SUMMARY,
            sentence=f"In its own words: {said}",
            figures={"sentences": len(parsed.summary)},
            evidence=Evidence(passages=tuple(dict.fromkeys(s.passage for s in parsed.summary))),
            strength=0.9,
        )


def _key_phrases(parsed: ParseResult) -> Iterator[Insight]:
    best = parsed.key_phrases[:_PHRASES]
    if not best:
        return
    told = ", ".join(f"{one.phrase} ({_times(one.count)})" for one in best)
    cut = parsed.word_count > CONSIDERED
    yield Insight(
        kind=InsightKind.KEY_PHRASE,
        sentence=f"In its first {CONSIDERED:,} words it speaks most of {told}."
        if cut
        else f"It speaks most of {told}.",
        figures={one.phrase: one.count for one in best},
        evidence=Evidence(passages=tuple(sorted({n for one in best for n in one.passages})[:20])),
        strength=0.85,
    )


def _figures(passages: list[Passage]) -> Iterator[Insight]:
    """The amounts a text states, those with a unit, in their sentences."""
    stated = 0
    for passage in passages:
        for sentence in sentences(passage.text):
            amounts = [
                match for match in _AMOUNT.finditer(sentence) if match["unit"] or match["sign"]
            ]
            if not amounts:
                continue
            stated += 1
            if stated > _FIGURES:
                return
            shown = ", ".join(match[0].strip() for match in amounts[:6])
            quoted = sentence if len(sentence) <= 300 else sentence[:299] + "\u2026"
            yield Insight(
                kind=InsightKind.FIGURE,
                sentence=f"It states {shown}: \u201c{quoted}\u201d",
                figures={match[0].strip(): _value(match["number"]) for match in amounts[:6]},
                evidence=Evidence(passages=(passage.number,)),
                strength=0.5,
            )


def _years(passages: list[Passage]) -> Iterator[Insight]:
    where: dict[int, list[int]] = defaultdict(list)
    for passage in passages:
        for year in _YEAR.findall(passage.text):
            where[int(year)].append(passage.number)
    if where:
        first, last = min(where), max(where)
        named = f"the years from {first} to {last}" if first < last else f"the year {first}"
        yield Insight(
            kind=InsightKind.FIGURE,
            sentence=f"It names {named}.",
            figures={"first": first, "last": last, "different": len(where)},
            evidence=Evidence(passages=tuple(sorted({where[first][0], where[last][0]}))),
            strength=0.4,
        )


def _repeated(passages: list[Passage]) -> Iterator[Insight]:
    where: dict[str, list[int]] = defaultdict(list)
    for passage in passages:
        for paragraph in passage.text.split("\n\n"):
            if len(paragraph) > 80:
                where[" ".join(paragraph.split()).casefold()].append(passage.number)
    again = {text: numbers for text, numbers in where.items() if len(numbers) > 1}
    if again:
        count = len(again)
        yield Insight(
            kind=InsightKind.DUPLICATE,
            sentence=f"{_count(count, 'passage')} in it {'is' if count == 1 else 'are'} repeated "
            "word for word.",
            figures={"repeated_passages": count},
            evidence=Evidence(
                passages=tuple(sorted({n for ns in again.values() for n in ns})[:20])
            ),
            strength=0.6,
        )


def _value(number: str) -> float | int:
    bare = number.replace(",", "")
    return float(bare) if "." in bare else int(bare)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
