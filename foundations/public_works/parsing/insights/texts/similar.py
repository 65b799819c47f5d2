"""Passages that say nearly the same in the same words."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foundations.public_works.parsing.insights.model import Evidence, Insight, InsightKind
from foundations.public_works.parsing.insights.words import bounded, counted, percent

_WORD = re.compile(r"\w+")
_SHINGLE = 4
_LEAST_WORDS = 20
_LEAST_SHARED = 0.6
_MOST_PLACES = 40
_QUOTED = 160


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph and where it stands."""

    text: str
    passage: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Alike:
    """Two pieces, and the share of the shorter one's runs of four words that the other has."""

    one: Piece
    other: Piece
    shared: float


def alike(pieces: Sequence[Piece], *, across: bool) -> Iterator[Alike]:
    """Pairs of pieces that share most of their runs of four words (Broder 1997, containment).

    With `across` only pairs from two files. Runs that stand in very many pieces say nothing.
    """
    runs = [_runs(piece.text) for piece in pieces]
    where: dict[int, list[int]] = defaultdict(list)
    for place, own in enumerate(runs):
        for run in own:
            where[run].append(place)
    for place, own in enumerate(runs):
        if not own:
            continue
        common = Counter(
            earlier
            for run in own
            if len(where[run]) <= _MOST_PLACES
            for earlier in where[run]
            if earlier < place and (pieces[earlier].file != pieces[place].file) is across
        )
        for earlier, count in common.most_common(1):
            shared = count / min(len(own), len(runs[earlier]))
            if shared >= _LEAST_SHARED:
                yield Alike(pieces[earlier], pieces[place], min(1.0, shared))


def _runs(text: str) -> set[int]:
    words = _WORD.findall(text.casefold())
    if len(words) < _LEAST_WORDS:
        return set()
    return {hash(tuple(words[i : i + _SHINGLE])) for i in range(len(words) - _SHINGLE + 1)}


def told_across(found: Sequence[Alike]) -> Iterator[Insight]:
    """A sentence for each pair of files with passages alike."""
    by_files: dict[tuple[str, str], list[Alike]] = defaultdict(list)
    for pair in found:
        by_files[pair.one.file, pair.other.file].append(pair)
    for (one, other), pairs in by_files.items():
        best = max(pairs, key=lambda pair: pair.shared)
        share = (
            "word for word" if best.shared == 1 else f"{percent(best.shared, 0)} in the same words"
        )
        yield Insight(
            kind=InsightKind.SIMILAR,
            sentence=f"{one} and {other} share {counted(len(pairs), 'passage')}: {share}, "
            f"\u201c{_short(best.one.text)}\u201d",
            figures={"passages": len(pairs), "largest_share": best.shared},
            evidence=_evidence([pair.one for pair in pairs]),
            further=(_evidence([pair.other for pair in pairs]),),
            strength=bounded(0.5 + 0.4 * best.shared),
            surprise=0.7,
        )


def told_within(found: Sequence[Alike]) -> Iterator[Insight]:
    """One sentence for the passages of a text that come again."""
    if not found:
        return
    best = max(found, key=lambda pair: pair.shared)
    verb = "passage comes" if len(found) == 1 else "passages come"
    way = "word for word" if best.shared == 1 else "nearly in the same words"
    yield Insight(
        kind=InsightKind.SIMILAR,
        sentence=f"{len(found):,} {verb} twice, {way}: \u201c{_short(best.one.text)}\u201d",
        figures={"passages": len(found), "largest_share": best.shared},
        evidence=_evidence([piece for pair in found for piece in (pair.one, pair.other)]),
        strength=0.6,
        surprise=0.6,
    )


def _evidence(pieces: Sequence[Piece]) -> Evidence:
    return Evidence(
        file=pieces[0].file,
        passages=tuple(dict.fromkeys(piece.passage for piece in pieces))[:20],
        quotes=tuple(_short(piece.text) for piece in pieces[:2]),
    )


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTED else flat[: _QUOTED - 1] + "\u2026"
