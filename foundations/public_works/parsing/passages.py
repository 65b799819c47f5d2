"""Cuts a text into sentences, and into passages that search can find."""

import re
from collections.abc import Iterable, Iterator

from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place

MAX_CHARACTERS = 1_000
"""No passage is longer."""
TARGET = 500
"""Short paragraphs are joined, and long ones cut between sentences, up to about this length.

With longer passages search finds less (`bench retrieval`).
"""
MAX_PASSAGES = 20_000
_UNSPACED = re.compile(
    r"[\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_FULL_WIDTH_MARK = re.compile(
    r"[\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
)
_SENTENCE_END = re.compile(
    r"(?<=[.!?…\u061f\u06d4\u0964])[\"'\u201d\u2019»)\]]*\s+"
    r"(?=[\"'\u201c\u2018«(\[¿¡]?[A-Z0-9À-ÞΆ-ΫЀ-Я\u05d0-\u05ea\u0620-\u064a\u0904-\u0939一-鿿])"
    r"|(?<=[\u3002\uff01\uff1f])[\u201d\u2019\u300d\u300f\uff09]*\s*(?=[^\s\u201d\u2019\u300d\u300f\uff09])"
)
_WRAPPED = re.compile(
    rf"(?<={_UNSPACED.pattern}|[\u3000-\u303f\uff01-\uff65])\n\s*(?={_UNSPACED.pattern})"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|No|Nr|Fig|vs|ca|cf|al|bzw|etc|e\.g|i\.e|z\.B|Vol|pp|p)\.)$"
)

_DAY = re.compile(r"\b\d{1,2}\.$")
_MONTH = re.compile(
    r"(?:Jan|Jän|Feb|Mär|Apr|Mai|Maj|Jun|Jul|Aug|Sep|Okt|Oct|Nov|Dez|Dec)[a-zä-ü]*\b\.?"
)


def count(text: str) -> int:
    """The words of a text: what stands between blanks, and each character of scripts without them.

    Chinese and Japanese set no blanks between words; there a character counts as one, as word
    processors do it. Their punctuation counts for nothing.
    """
    apart = _UNSPACED.findall(text)
    return len(apart) + len(_UNSPACED.sub(" ", _FULL_WIDTH_MARK.sub(" ", text)).split())


def _is_ordinal(text: str, end: re.Match[str]) -> bool:
    """Whether the point is that of a day, as in `31. Dezember`."""
    before = _DAY.search(text, max(0, end.start() - 4), end.start())
    return before is not None and _MONTH.match(text, end.end()) is not None


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line, in their order."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        flat = " ".join(_WRAPPED.sub("", paragraph).split())
        start = 0
        for end in _SENTENCE_END.finditer(flat):
            if _ABBREVIATION.search(flat[start : end.start()]) or _is_ordinal(flat, end):
                continue
            found.append(flat[start : end.start()].strip())
            start = end.end()
        if rest := flat[start:].strip():
            found.append(rest)
    return found


def cut(text: str, place: Place) -> Iterator[tuple[Place, str]]:
    """Yield (place, passage) pairs, each of about five hundred characters, at most a thousand.

    The cuts fall between paragraphs, else between sentences, else between words.
    """
    held = ""
    for paragraph in re.split(r"\n\s*\n", text):
        flat = "\n".join(" ".join(line.split()) for line in paragraph.splitlines()).strip()
        for piece in _pieces(flat):
            if held and len(held) + len(piece) + 2 > TARGET:
                yield place, held
                held = piece
            else:
                held = f"{held}\n\n{piece}" if held else piece
    if held:
        yield place, held


def numbered(pieces: Iterable[tuple[Place, str]]) -> list[Passage]:
    """Passages numbered from 1, up to the cap."""
    return [
        Passage(number=number, place=place, text=text)
        for number, (place, text) in zip(range(1, MAX_PASSAGES + 1), pieces, strict=False)
    ]


def _pieces(paragraph: str) -> Iterator[str]:
    """A paragraph whole, or by sentences, or by words when a sentence is too long."""
    if len(paragraph) <= TARGET:
        if paragraph:
            yield paragraph
        return
    held = ""
    for sentence in sentences(paragraph):
        for part in _parts(sentence):
            if held and len(held) + len(part) + 1 > TARGET:
                yield held
                held = part
            else:
                held = f"{held} {part}" if held else part
    if held:
        yield held


def _parts(sentence: str) -> Iterator[str]:
    while len(sentence) > MAX_CHARACTERS:
        at = sentence.rfind(" ", 1, MAX_CHARACTERS)
        at = at if at > MAX_CHARACTERS // 2 else MAX_CHARACTERS
        yield sentence[:at].rstrip()
        sentence = sentence[at:].lstrip()
    yield sentence
