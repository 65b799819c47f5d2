"""Everything worth saying of one text."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.insights.model import Evidence, Insight, InsightKind
from foundations.public_works.parsing.insights.texts.contradictions import (
    contradictions,
    statements,
)
from foundations.public_works.parsing.insights.texts.entities import Entity, EntityKind, entities
from foundations.public_works.parsing.insights.texts.similar import Piece, alike, told_within
from foundations.public_works.parsing.insights.words import counted, listed
from foundations.public_works.parsing.languages import language_of
from foundations.public_works.parsing.models import ParseResult, Passage
from foundations.public_works.parsing.passages import sentences
from foundations.public_works.parsing.phrases import CONSIDERED
from foundations.public_works.parsing.places import PlaceKind

Amount = tuple[EntityKind, float, str]
"""Of what kind, how much, of what: the same however it is written."""

_PHRASES = 5
_FIGURES = 4
_SHOWN = 4
_FEW = 3
"""So many amounts need no list of their own where the sentences that state them are told."""
_LEAST_PARAGRAPH = 80
_YEAR = re.compile(r"(?<![\d.,/-])(1[5-9]\d\d|20\d\d)(?![\d,/%-]|\.\d)")
_COUNTED = frozenset({PlaceKind.PAGE, PlaceKind.SLIDE, PlaceKind.LINE})
_NAMED = {
    EntityKind.DATE: (0.35, "dates"),
    EntityKind.MONEY: (0.55, "amounts of money"),
    EntityKind.PERCENTAGE: (0.45, "percentages"),
    EntityKind.MAIL: (0.4, "mail addresses"),
    EntityKind.WEB: (0.35, "web addresses"),
    EntityKind.IDENTIFIER: (0.45, "identifiers"),
}
_AMOUNTS = frozenset({EntityKind.MONEY, EntityKind.PERCENTAGE})


def overview(parsed: ParseResult, artifacts: Mapping[str, Path]) -> Insight:
    """How long a text is, and in which language."""
    passages = running_text(artifacts)
    found = sum(len(sentences(passage.text)) for passage in passages)
    words = parsed.word_count
    pages = parsed.metadata.get("page_count")
    on = f" on {pages:,} pages" if isinstance(pages, int) and pages > 1 else ""
    language = language_of(passage.text for passage in passages)
    spoken = f", in {language}" if language else ""
    return Insight(
        kind=InsightKind.OVERVIEW,
        sentence=f"{parsed.name} holds {counted(words, 'word')} in {counted(found, 'sentence')}"
        f"{on}, {words / max(1, found):.1f} words a sentence{spoken}.",
        figures={
            "words": words,
            "sentences": found,
            "passages": len(passages),
            "language": language or "unknown",
        },
        strength=1.0,
        surprise=0.0,
    )


def of_text(parsed: ParseResult, artifacts: Mapping[str, Path]) -> list[Insight]:
    """What stands in a text, unranked."""
    passages = running_text(artifacts)
    figures = list(_figures(passages, told=_in_summary(parsed)))
    return [
        *_summary(parsed),
        *_key_phrases(parsed),
        *_structure(passages),
        *contradictions(statements(passages)),
        *figures,
        *_years(passages),
        *_entities(_written(artifacts), told={*_in_summary(parsed), *_quoted(figures)}),
        *told_within(list(alike(pieces(passages), across=False))),
    ]


def running_text(artifacts: Mapping[str, Path]) -> list[Passage]:
    """The passages of a file, but those of its tables and of code."""
    passages = read_passages(artifacts[PASSAGES])
    return [passage for passage in passages if passage.place.is_prose]


def _written(artifacts: Mapping[str, Path]) -> list[Passage]:
    """The passages of a file that people wrote, the cells of a text's tables among them."""
    return [
        one
        for one in read_passages(artifacts[PASSAGES])
        if not one.place.table and one.place.kind is not PlaceKind.CODE
    ]


def pieces(passages: Sequence[Passage], file: str = "") -> list[Piece]:
    """The paragraphs of a text that are long enough to be compared."""
    return [
        Piece(paragraph, passage.number, file)
        for passage in passages
        for paragraph in passage.text.split("\n\n")
        if len(paragraph) > _LEAST_PARAGRAPH
    ]


def _summary(parsed: ParseResult) -> Iterator[Insight]:
    if parsed.summary:
        said = " ".join(one.sentence for one in parsed.summary)
        amounts = [
            one for sentence in parsed.summary for one in _amounts(sentence.sentence).values()
        ]
        yield Insight(
            kind=InsightKind.SUMMARY,
            sentence=f"In its own words: {said}",
            figures={"sentences": len(parsed.summary), **{one.text: one.value for one in amounts}},
            evidence=Evidence(passages=tuple(dict.fromkeys(s.passage for s in parsed.summary))),
            strength=1.0,
            surprise=0.9,
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
        surprise=0.5,
    )


def _structure(passages: Sequence[Passage]) -> Iterator[Insight]:
    """The sections a text names."""
    first: dict[str, int] = {}
    for passage in passages:
        if passage.place.headings or passage.place.kind not in _COUNTED:
            first.setdefault(passage.place.label.split(" > ")[-1], passage.number)
    if len(first) < 2:
        return
    yield Insight(
        kind=InsightKind.STRUCTURE,
        sentence=f"It has {len(first):,} sections: {listed(list(first), most=8)}.",
        figures={"sections": len(first)},
        evidence=Evidence(passages=tuple(first.values())[:20]),
        strength=0.4,
        surprise=0.2,
    )


def _figures(passages: Sequence[Passage], told: Set[Amount]) -> Iterator[Insight]:
    """Sentences that state amounts which neither those before them nor `told` have."""
    known = set(told)
    stated: list[tuple[str, int, list[Entity]]] = []
    for passage in passages:
        for sentence in sentences(passage.text):
            found = _amounts(sentence)
            if found.keys() - known:
                stated.append((sentence, passage.number, list(found.values())))
                known |= found.keys()
    for sentence, passage_number, amounts in stated[:_FIGURES]:
        shown = ", ".join(one.text for one in amounts[:6])
        quoted = sentence if len(sentence) <= 300 else sentence[:299] + "\u2026"
        yield Insight(
            kind=InsightKind.FIGURE,
            sentence=f"It states {shown}: \u201c{quoted}\u201d",
            figures={one.text: one.value for one in amounts[:6]},
            evidence=Evidence(passages=(passage_number,), quotes=(quoted,)),
            strength=0.5,
            surprise=0.4,
        )


def _amounts(sentence: str) -> dict[Amount, Entity]:
    """The amounts of a sentence, by what they are, however they are written."""
    return {_amount(one): one for one in entities(sentence) if _is_amount(one)}


def _amount(one: Entity) -> Amount:
    return one.kind, one.value, one.unit


def _in_summary(parsed: ParseResult) -> set[Amount]:
    return {amount for one in parsed.summary for amount in _amounts(one.sentence)}


def _quoted(figures: Iterable[Insight]) -> set[Amount]:
    quotes = (quote for one in figures for quote in one.evidence.quotes)
    return {amount for quote in quotes for amount in _amounts(quote)}


def _is_amount(one: Entity) -> bool:
    """Money, percentages, and quantities with a unit; `10 passages` is none."""
    return one.kind in (EntityKind.MONEY, EntityKind.PERCENTAGE) or (
        one.kind is EntityKind.QUANTITY and not one.text[-1].isdigit()
    )


def _entities(passages: Sequence[Passage], told: Set[Amount]) -> Iterator[Insight]:
    """A sentence for each kind of entity that is named; of few amounts none that `told` tells."""
    where: dict[EntityKind, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    values: dict[str, Entity] = {}
    for passage in passages:
        for one in entities(passage.text):
            if one.kind in _NAMED:
                where[one.kind][one.text].append(passage.number)
                values[one.text] = one
    for kind, named in where.items():
        strength, plural = _NAMED[kind]
        texts = list(named)
        known = all(_amount(values[text]) in told for text in texts)
        if known and kind in _AMOUNTS and len(texts) <= _FEW:
            continue
        if kind is EntityKind.MONEY:
            texts.sort(key=lambda text: -values[text].value)
        noun = counted(len(texts), kind.value, plural)
        figures: dict[str, float | int | str] = {kind.value: len(texts)}
        if values[texts[0]].value:
            figures |= {text: values[text].value for text in texts[:10]}
        yield Insight(
            kind=InsightKind.ENTITY,
            sentence=f"It names {noun}: {listed(texts, most=_SHOWN)}.",
            figures=figures,
            evidence=Evidence(
                passages=tuple(dict.fromkeys(n for text in texts for n in named[text]))[:20],
                quotes=tuple(texts[:20]),
            ),
            strength=strength,
            surprise=0.3,
        )


def _years(passages: Sequence[Passage]) -> Iterator[Insight]:
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
            strength=0.45,
            surprise=0.4,
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
