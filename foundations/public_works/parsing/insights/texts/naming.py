"""What the passages of a text name, gathered for the graph: one line for each entity."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from foundations.public_works.parsing.artifacts import ENTITIES, PASSAGES, read_passages
from foundations.public_works.parsing.insights.texts.entities import EntityKind, entities
from foundations.public_works.parsing.models import KeyPhrase, NamedEntity, ParseResult, Passage

MAX_ENTITIES = 2_000
MAX_MENTIONS = 200
"""Passages that are kept of one entity."""
_LONGEST = 200
_KINDS = {
    EntityKind.DATE: "date",
    EntityKind.MONEY: "money",
    EntityKind.PERCENTAGE: "percentage",
    EntityKind.MAIL: "mail",
    EntityKind.WEB: "web",
    EntityKind.IDENTIFIER: "identifier",
}
"""Quantities are left out: `10 passages` says nothing that anyone would look for."""
PHRASE = "phrase"


def name_entities(parsed: ParseResult, output: Path) -> None:
    """Write what the passages in `output` name beside them.

    That is no artifact: all of it goes into the graph.
    """
    found = named(read_passages(output / PASSAGES), parsed.key_phrases)
    with (output / ENTITIES).open("w", encoding="utf-8") as file:
        file.writelines(one.model_dump_json() + "\n" for one in found)


def named(passages: Sequence[Passage], phrases: Sequence[KeyPhrase]) -> list[NamedEntity]:
    """Phrases first, then entities in the order in which they come; spellings are gathered."""
    where: dict[tuple[str, str], tuple[str, dict[int, None]]] = {}
    for kind, text, number in [*_phrases(phrases), *_entities(passages)]:
        shown = " ".join(text.split())[:_LONGEST]
        _, numbers = where.setdefault((kind, shown.casefold()), (shown, {}))
        numbers.setdefault(number)
    return [
        NamedEntity(kind=kind, text=shown, passages=tuple(numbers)[:MAX_MENTIONS])
        for (kind, _), (shown, numbers) in list(where.items())[:MAX_ENTITIES]
    ]


def _phrases(phrases: Sequence[KeyPhrase]) -> Iterator[tuple[str, str, int]]:
    for phrase in phrases:
        for number in phrase.passages:
            yield PHRASE, phrase.phrase, number


def _entities(passages: Sequence[Passage]) -> Iterator[tuple[str, str, int]]:
    for passage in passages:
        if not passage.place.table:  # rows are found by their columns
            for one in entities(passage.text):
                if one.kind in _KINDS:
                    yield _KINDS[one.kind], one.text, passage.number
