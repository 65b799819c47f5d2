"""Figures that a text, or two texts, state differently for the same thing."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from foundations.public_works.parsing.insights.model import Evidence, Insight, InsightKind
from foundations.public_works.parsing.insights.texts.entities import (
    Entity,
    EntityKind,
    entities,
)
from foundations.public_works.parsing.insights.texts.patterns import MONTH
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.passages import sentences
from foundations.public_works.parsing.stop_words import STOP_WORDS

_MEASURED = frozenset({EntityKind.MONEY, EntityKind.PERCENTAGE, EntityKind.QUANTITY})
_NAMING = frozenset({EntityKind.DATE, EntityKind.IDENTIFIER, EntityKind.MAIL, EntityKind.WEB})
_WEAK_WORDS = """
rose rises risen grew grown increased climbed fell fallen dropped decreased declined stieg sank
amount amounted amounts come comes reach reached reaches stand stood total totalled totals record
recorded report reported state stated according figure year yearly annual company approximately
roughly nearly exactly precisely worth equal equals number count counted there beträgt betrug
insgesamt rund etwa
"""
_WEAK = frozenset(_WEAK_WORDS.split())
_ABOUT = re.compile(
    r"\b(about|around|roughly|nearly|almost|some|approximately|over|more than|less than|up to|"
    r"at least|at most|under|rund|etwa|fast|über|circa|ca)\W*$",
    re.IGNORECASE,
)
_ROLE = re.compile(r"\b(by|from|to|between|of|than|und|and|um|von|auf)\W*$", re.IGNORECASE)
_QUALIFIER = re.compile(
    rf"\b(?:1[5-9]\d\d|20\d\d|Q[1-4]|H[12]|first|second|third|fourth|last|previous|next|"
    rf"mon|tues|wednes|thurs|fri|satur|sun)(?:day|quarter|half)?\b|\b{MONTH}\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?<=[^\W\d_] )(?:[A-Z]{1,2}\d*|\d+[A-Za-z]?)\b(?![.,]\d)")
"""What tells one thing from another of its kind: pump 2, version B, lot 7a."""
_NAMED = re.compile(r"\b([A-ZÄÖÜ]\w+) $")
_LEVEL = re.compile(
    r"\b(?:rose|rises|risen|grew|grown|increased|climbed|fell|fallen|dropped|decreased|declined|"
    r"amounted|came)\s+to\W*$|\b(?:stieg|wuchs|sank|fiel)\s+auf\W*$",
    re.IGNORECASE,
)
"""Before a figure that is what the thing came to, not by how much it changed."""
_CLAUSE = re.compile(r"[;:()]|,\s(?!\d)|\s(?:and|but|while|whereas|und|aber)\s")
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")
_LEAST_SHARED = 2
_LEAST_LIKENESS = 0.5
_MOST_OF_A_UNIT = 3_000
_MOST_TOLD = 10
_QUOTED = 240


@dataclass(frozen=True, slots=True)
class Statement:
    """A figure with what it is said of."""

    figure: Entity
    words: frozenset[str]
    qualifiers: frozenset[str]
    role: str
    vague: bool
    sentence: str
    passage: int
    file: str = ""


def statements(passages: Iterable[Passage], file: str = "") -> list[Statement]:
    """Every figure with a unit, and the words of its clause."""
    found: list[Statement] = []
    for passage in passages:
        for sentence in sentences(passage.text):
            found += _of_sentence(sentence, passage.number, file)
    return found


def _of_sentence(sentence: str, passage: int, file: str) -> Iterator[Statement]:
    named = [one for one in entities(sentence) if not _is_label(one, sentence)]
    cuts = [0, *(m.end() for m in _CLAUSE.finditer(sentence)), len(sentence)]
    spread = frozenset(q[0].casefold() for q in _QUALIFIER.finditer(sentence)) | {
        *(one.text.casefold() for one in named if one.kind in _NAMING),
        *_labels(sentence, named),
    }
    for one in named:
        if one.kind not in _MEASURED:
            continue
        start = max(cut for cut in cuts if cut <= one.start)
        end = min(cut for cut in cuts if cut >= one.end)
        before = sentence[start : one.start]
        words = _content(before + " " + sentence[one.end : end], one)
        if len(words) < 1:
            continue
        role = None if _LEVEL.search(before) else _ROLE.search(before)
        yield Statement(
            figure=one,
            words=words,
            qualifiers=spread,
            role=role[1].casefold() if role else "",
            vague=_ABOUT.search(before) is not None,
            sentence=sentence,
            passage=passage,
            file=file,
        )


def _is_label(one: Entity, sentence: str) -> bool:
    """Whether a number only tells which: `Pump 1 delivers` has no ones that deliver."""
    if one.kind is not EntityKind.QUANTITY or not one.text.isdigit():
        return False
    before = _NAMED.search(sentence, 0, one.start)
    return before is not None and before[1].casefold() not in STOP_WORDS


def _labels(sentence: str, named: Iterable[Entity]) -> Iterator[str]:
    taken = [(one.start, one.end) for one in named]
    for label in _LABEL.finditer(sentence):
        if not any(start < label.end() and label.start() < end for start, end in taken):
            yield label[0].casefold()


def _content(text: str, figure: Entity) -> frozenset[str]:
    """The words that say what a figure is of, without their endings' s."""
    words = (word.casefold().rstrip("s") for word in _WORD.findall(_QUALIFIER.sub(" ", text)))
    weak = {word.rstrip("s") for word in STOP_WORDS | _WEAK}
    return frozenset(
        word for word in words if len(word) > 1 and word not in weak and word != figure.unit
    )


def contradictions(found: Iterable[Statement]) -> Iterator[Insight]:
    """Pairs of statements of the same thing, the same time and unit, whose figures cannot both be.

    The same thing is said where the words of one statement all stand in the other, and are half of
    its words at least; the times named have to be the same. Figures that agree as far as they are
    stated do not contradict each other.
    """
    by_unit: dict[tuple[EntityKind, str], list[Statement]] = defaultdict(list)
    for one in found:
        by_unit[one.figure.kind, one.figure.unit].append(one)
    told: set[frozenset[str]] = set()
    for statements_of_unit in by_unit.values():
        by_word: dict[str, list[Statement]] = defaultdict(list)
        for later in statements_of_unit[:_MOST_OF_A_UNIT]:
            nearby = {id(s): s for word in later.words for s in by_word[word]}
            for earlier in nearby.values():
                pair = frozenset((earlier.sentence, later.sentence))
                if pair in told or not _contradict(earlier, later):
                    continue
                told.add(pair)
                yield _told(earlier, later)
                if len(told) >= _MOST_TOLD:
                    return
            for word in later.words:
                by_word[word].append(later)


def _contradict(one: Statement, other: Statement) -> bool:
    if one.sentence == other.sentence or one.qualifiers != other.qualifiers:
        return False
    if one.role != other.role or one.vague or other.vague:
        return False
    shared = one.words & other.words
    least = 1 if one.qualifiers else _LEAST_SHARED
    if len(shared) < least or len(shared) < min(len(one.words), len(other.words)):
        return False
    if len(shared) < _LEAST_LIKENESS * len(one.words | other.words):
        return False
    a, b = one.figure, other.figure
    return abs(a.value - b.value) > (a.tolerance + b.tolerance) + 1e-9 * abs(a.value)


def _told(one: Statement, other: Statement) -> Insight:
    a, b = one.figure, other.figure
    apart = abs(a.value - b.value) / max(abs(a.value), abs(b.value))
    places = (
        f"{one.file} and {other.file} contradict each other"
        if one.file != other.file
        else "Two passages contradict each other"
        if one.passage != other.passage
        else "Two sentences contradict each other"
    )
    return Insight(
        kind=InsightKind.CONTRADICTION,
        sentence=f"{places}: {a.text} in \u201c{_short(one.sentence)}\u201d, but {b.text} in "
        f"\u201c{_short(other.sentence)}\u201d",
        figures={"one": a.value, "other": b.value, "unit": a.unit, "apart": apart},
        evidence=_place(one),
        further=(_place(other),),
        strength=0.9,
        surprise=1.0,
    )


def _place(one: Statement) -> Evidence:
    return Evidence(file=one.file, passages=(one.passage,), quotes=(_short(one.sentence),))


def _short(text: str) -> str:
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "\u2026"
