"""What a text is about: its key phrases, and a summary made of its own sentences."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set

from foundations.public_works.parsing.models import KeyPhrase, Passage, SummarySentence
from foundations.public_works.parsing.passages import sentences
from foundations.public_works.parsing.person_names import person_names
from foundations.public_works.parsing.stop_words import stop_words

Phrase = tuple[str, ...]

MAX_PHRASES = 20
_LONGEST = 3
CONSIDERED = 200_000
"""Words that are looked at; those after them change little."""
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")
_CLAUSE = re.compile(r"[.,;:!?()\[\]{}\"\u201c\u201d\u2013\u2014\n|/]+|--+|\d+")
_ADDRESS = re.compile(r"\S*(?:@|://)\S*")
"""A mail or web address; its parts are no words of the text, and may name somebody."""
_SUMMARY_SENTENCES = 3
_LEAST_STEM = 4
_ENDINGS = {
    "German": ("e", "en", "em", "er", "ern", "es", "n", "s"),
    "English": ("s", "es"),
    "French": ("s", "e", "es", "x"),
    "Spanish": ("s", "es"),
    "Dutch": ("s", "en", "e"),
}
_WITH_LEANING = ("French", "Italian")
_LEANING = re.compile(
    r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|(?:d|n|s|c|a)[aeou]?ll|un|quest|quell)['\u2019](?=\w)",
    re.IGNORECASE,
)
"""Articles and the like that stand before a vowel without a blank: `l'équipe`, `dell'anno`."""


def key_phrases(
    passages: Sequence[Passage], language: str = "", *, most: int = MAX_PHRASES
) -> tuple[KeyPhrase, ...]:
    """The phrases of one to three words that characterise a text, the strongest first.

    Scored by C-value: log2(words + 1) times how often the phrase stands by itself, that is, its
    count less the mean count of the longer phrases around it. Frantzi, Ananiadou and Mima,
    Automatic recognition of multi-word terms (2000), with the usual + 1 that lets in single words.
    A phrase inside a stronger one is left out, and so are names of people: a letter is not about
    who wrote it, and where a phrase stands alone nothing tells any more that it is one.
    A phrase in its inflected forms is one, told as it stands most often.
    """
    found = list(_runs(passages, language))
    bare = _uninflected({word for _, run in found for word in run}, language)
    places: dict[Phrase, list[int]] = defaultdict(list)
    spelt: dict[Phrase, Counter[Phrase]] = defaultdict(Counter)
    for passage, run in found:
        stems = run if bare.keys().isdisjoint(run) else [bare.get(word, word) for word in run]
        for size in range(1, _LONGEST + 1):
            for at in range(len(run) - size + 1):
                phrase = tuple(stems[at : at + size])
                places[phrase].append(passage)
                if stems is not run and (words := tuple(run[at : at + size])) != phrase:
                    spelt[phrase][words] += 1
    longer: dict[Phrase, list[int]] = defaultdict(list)
    for phrase, where in places.items():
        for size in range(1, len(phrase)):
            for at in range(len(phrase) - size + 1):
                longer[phrase[at : at + size]].append(len(where))
    people = _people(passages, language)
    parts_of_people = {part for name in people for part in _parts(name)}
    scored = {
        phrase: math.log2(len(phrase) + 1) * (len(where) - _mean(longer[phrase]))
        for phrase, where in places.items()
        if len(where) > 1
        and (len(phrase) > 1 or len(phrase[0]) > 3)
        and not (people and _names(people, parts_of_people, (phrase, *spelt.get(phrase, ()))))
    }
    best = sorted(scored.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        KeyPhrase(
            phrase=" ".join(_told(phrase, len(places[phrase]), spelt.get(phrase)))[:100],
            count=len(places[phrase]),
            score=round(score, 4),
            passages=tuple(dict.fromkeys(places[phrase]))[:20],
        )
        for phrase, score in _apart(best)[:most]
    )


def _told(phrase: Phrase, count: int, inflected: Counter[Phrase] | None) -> Phrase:
    """The form in which a phrase stands most often, the plain one of two that are as often."""
    if inflected is None:
        return phrase
    forms = Counter({phrase: count - inflected.total()})
    forms.update(inflected)
    return forms.most_common(1)[0][0]


def _names(people: Set[Phrase], parts: Set[Phrase], forms: Sequence[Phrase]) -> bool:
    """Whether a phrase, in one of its forms, is a part of somebody's name or holds one."""
    return any(form in parts or not people.isdisjoint(_parts(form)) for form in forms)


def _uninflected(words: Set[str], language: str) -> dict[str, str]:
    """Words that are others of the text with an ending of its language, with those others."""
    endings = _ENDINGS.get(language, ("s",))
    found: dict[str, str] = {}
    for word in words:
        stems = (word.removesuffix(ending) for ending in endings if word.endswith(ending))
        known = [stem for stem in stems if len(stem) >= _LEAST_STEM and stem in words]
        if known:
            found[word] = min(known, key=len)
    return found


def _people(passages: Sequence[Passage], language: str) -> set[Phrase]:
    """The names of people that the passages tell, as their words would be a phrase."""
    names = (
        passage.text[start:end] for passage in passages for start, end in person_names(passage.text)
    )
    return {phrase for name in names if (phrase := tuple(_content_words(name, language)))}


def _parts(phrase: Phrase) -> set[Phrase]:
    """What can be cut out of a phrase, it among them."""
    ends = range(1, len(phrase) + 1)
    return {phrase[start:end] for end in ends for start in range(end)}


def _apart(best: list[tuple[Phrase, float]]) -> list[tuple[Phrase, float]]:
    """Those of a positive score that are no part of one before them."""
    kept: list[tuple[Phrase, float]] = []
    for phrase, score in best:
        spaced = f" {' '.join(phrase)} "
        if score > 0 and not any(spaced in f" {' '.join(one)} " for one, _ in kept):
            kept.append((phrase, score))
    return kept


def summary(
    passages: Sequence[Passage], language: str = "", *, most: int = _SUMMARY_SENTENCES
) -> tuple[SummarySentence, ...]:
    """The sentences that say most with the text's commonest words, in the text's order.

    SumBasic: a sentence scores the mean probability of its words; after each choice the
    probabilities of its words are squared, so that the next says something else. Nenkova and
    Vanderwende, The impact of frequency on summarization (2005).
    """
    candidates = _candidates(passages, language)
    counts = Counter(word for _, _, words in candidates for word in words)
    total = counts.total()
    probability = {word: count / total for word, count in counts.items()}
    chosen: list[int] = []
    while len(chosen) < min(most, len(candidates)):
        scores = {
            at: sum(probability[word] for word in words) / len(words)
            for at, (_, _, words) in enumerate(candidates)
            if at not in chosen
        }
        best = max(scores, key=lambda at: (scores[at], -at))
        chosen.append(best)
        for word in set(candidates[best][2]):
            probability[word] **= 2
    return tuple(
        SummarySentence(sentence=candidates[at][1][:500], passage=candidates[at][0])
        for at in sorted(chosen)
    )


def _candidates(passages: Sequence[Passage], language: str) -> list[tuple[int, str, list[str]]]:
    """Sentences that can stand alone: eight to sixty words, at least three that say something."""
    found = []
    for passage in passages[:1000]:
        for sentence in sentences(passage.text):
            words = _content_words(sentence, language)
            if 8 <= len(sentence.split()) <= 60 and len(words) >= 3:
                found.append((passage.number, sentence, words))
    return found[:3000]


def _content_words(sentence: str, language: str) -> list[str]:
    silent = stop_words(language)
    return [word for word in _words(sentence, language) if word not in silent and len(word) > 2]


def _words(text: str, language: str) -> Iterator[str]:
    """The words of a text without capitals, and without articles that lean on them."""
    leant = _LEANING.sub(" ", text) if language in _WITH_LEANING else text
    return (word.casefold() for word in _WORD.findall(leant))


def _runs(passages: Sequence[Passage], language: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of words that say something, within clauses, each with its passage's number."""
    silent = stop_words(language)
    seen = 0
    for passage in passages:
        for clause in _CLAUSE.split(_ADDRESS.sub("\n", passage.text)):
            run: list[str] = []
            for word in _words(clause, language):
                seen += 1
                if word in silent or len(word) < 2:
                    if run:
                        yield passage.number, run
                    run = []
                else:
                    run.append(word)
            if run:
                yield passage.number, run
        if seen > CONSIDERED:
            return


def _mean(counts: list[int]) -> float:
    return sum(counts) / len(counts) if counts else 0.0
