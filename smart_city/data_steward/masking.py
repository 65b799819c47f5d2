"""Takes out of an answer what its reader may not see. Pure: the same for search, insights, all."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from pydantic import BaseModel, ValidationError

from foundations.public_works.content_metadata import PassageEmbedding
from foundations.public_works.graph.model import Entities, Node, NodeKind
from foundations.public_works.parsing.insights.model import (
    ComparisonResult,
    Insight,
    InsightsResult,
)
from foundations.public_works.parsing.models import ParseResult, TableProfile
from smart_city.data_steward.api import Masking
from smart_city.data_steward.content import columns_of, facts_of
from smart_city.data_steward.sensing import Column, Hit, Senses

_TABLE = frozenset({"name", "columns", "sample", "row_count"})
_RESULT = frozenset({"insights", "left_out"})
_INSIGHT = frozenset({"kind", "sentence", "evidence", "strength"})
_FIGURES = ("minimum", "maximum", "mean", "median", "std", "q1", "q3")
_TELLS_NO_VALUE = frozenset(
    {"overview", "missing", "key", "foreign_key", "join", "nothing_unusual"}
)
_TELLS_WORDS = frozenset({"entity", "key_phrase", "figure", "contradiction", "similar"})
_ENTITY = "entity:"
"""So the ids of entities begin, in nodes and in edges."""
_NODE = frozenset(Node.model_fields)
_ENTITIES = frozenset(Entities.model_fields)
_EMBEDDED = frozenset(PassageEmbedding.model_fields)
_PARSED = frozenset({"tables", "warnings", "kind"})
_LEAST_TELLING = 10**12
"""A smaller number is no number of anybody's."""


class PlainSight(Masking):
    """For a reader from whom nothing is hidden."""

    hides: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        return text

    def answer(self, document: Any) -> Any:
        return document


class Mask(Masking):
    """Puts `[mail address]` and the like in the place of data of classes that are hidden."""

    def __init__(self, senses: Senses, hides: frozenset[str]) -> None:
        self.hides = hides
        self._senses = senses
        self._hidden = {name for name, one in senses.classes.items() if one in hides}

    def text(self, text: str) -> str:
        """A text without what is hidden."""
        return self._masked(text, self._senses.hits(text))

    def _masked(self, text: str, found: Iterable[Hit]) -> str:
        hits = [hit for hit in found if hit.detector in self._hidden]
        shown, end = "", 0
        for hit in sorted(hits, key=lambda one: (one.start, -one.end)):
            if hit.start >= end:
                shown += text[end : hit.start] + _mask(hit.detector)
            end = max(end, hit.end)
        return shown + text[end:]

    def answer(self, document: Any) -> Any:
        """An answer as JSON without what is hidden.

        Tables and insights are known by their form, wherever they stand.
        """
        match document:
            case dict():
                return self._known(document) or self._plain(document)
            case list() | tuple():
                return [self.answer(one) for one in document]
            case str() if document.startswith(_ENTITY):
                kind, slash, value = document.removeprefix(_ENTITY).partition("/")
                return f"{_ENTITY}{kind}{slash}{self._entity(value)}"
            case str():
                return self.text(document)
            case int() if abs(document) >= _LEAST_TELLING:
                told = str(document)
                return document if (shown := self.text(told)) == told else shown
        return document

    def _plain(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Keys may be values too; two that are masked alike are told apart."""
        shown: dict[str, Any] = {}
        for key, value in document.items():
            name = told = self.text(key)
            if name != key:
                named = (f"{told} {n}" if n > 1 else told for n in count(1))
                name = next(one for one in named if one not in shown)
            shown[name] = self.answer(value)
        return shown

    def _known(self, document: dict[str, Any]) -> dict[str, Any]:
        """What is known by its form, without what is hidden; empty for anything else."""
        if _is_one(document, TableProfile, _TABLE):
            return self._table(document)
        if any(_is_one(document, model, _RESULT) for model in (InsightsResult, ComparisonResult)):
            return self._result(document)
        if _is_one(document, Insight, _INSIGHT):
            return self._insight(document, {})
        if document.keys() == _NODE and document["kind"] == NodeKind.ENTITY:
            return self._plain(document) | {"name": self._entity(str(document["name"]))}
        if _is_one(document, Entities, _ENTITIES):
            return self._entities(document)
        if document.keys() == _EMBEDDED:
            return self._embedded(document)
        if _is_one(document, ParseResult, _PARSED):
            return self._parsed(document)
        return {}

    def _entities(self, listed: dict[str, Any]) -> dict[str, Any]:
        """They are asked for by how they begin: a hidden one would tell itself by being there."""
        names = [one for one in listed["entities"] if self._entity(one["name"]) == one["name"]]
        return {"entities": [self.answer(one) for one in names]}

    def _embedded(self, passage: dict[str, Any]) -> dict[str, Any]:
        """A passage and its vector, which tells what the passage said before it was masked."""
        shown = self._plain(passage)
        return shown if shown["text"] == passage["text"] else {**shown, "vector": []}

    def _parsed(self, result: dict[str, Any]) -> dict[str, Any]:
        """What parsing gave: its warnings quote cells, those about hidden columns do not."""
        hidden = {
            repr(name): by
            for table in result["tables"]
            for name, by in self._columns(columns_of(table)).items()
        }
        shown = self._plain(result)
        for warning in shown["warnings"]:
            about = {name: by for name, by in hidden.items() if name in warning["detail"]}
            if about:
                warning["detail"] = _not_shown(about)
        return shown

    def _entity(self, value: str) -> str:
        """What a file names, as the graph tells it: without what stood around it, in small letters.

        So it is hidden as soon as the pattern of something hidden fits it.
        """
        for sense in self._senses.all:
            if sense.stated.name not in self._hidden:
                continue
            if any(True for text in (value, value.upper()) for _ in sense.spans(text)):
                return _mask(sense.stated.name)
        return self.text(value)

    def _table(self, table: dict[str, Any]) -> dict[str, Any]:
        hidden = self._columns(columns_of(table))
        places = [hidden.get(str(column["name"])) for column in table["columns"]]
        masked = self._rest(table, "columns", "sample")
        masked["columns"] = [
            self.answer(column if by is None else _without_values(column, by))
            for column, by in zip(table["columns"], places, strict=True)
        ]
        masked["sample"] = [
            [
                self.answer(cell) if by is None or cell is None else _mask(by)
                for cell, by in zip(row, places, strict=False)
            ]
            for row in table["sample"]
        ]
        return masked

    def _result(self, result: dict[str, Any]) -> dict[str, Any]:
        facts = result.get("columns", [])
        known: dict[tuple[str, str], str] = {}
        for table, columns in facts_of(facts).items():
            hidden = self._columns(columns)
            known |= {(table, one.name): hidden.get(one.name, "") for one in columns}
        masked = self._rest(result, "columns", "insights")
        if "columns" in result:
            masked["columns"] = [
                self.answer(
                    _without_values(one, by) if (by := known[one["table"], one["name"]]) else one
                )
                for one in facts
            ]
        masked["insights"] = [self._insight(one, known) for one in result["insights"]]
        return masked

    def _insight(
        self, insight: dict[str, Any], known: Mapping[tuple[str, str], str]
    ) -> dict[str, Any]:
        """An insight; of one that speaks of hidden columns only what tells no value of theirs."""
        places = [insight["evidence"], *insight.get("further", [])]
        about = {
            str(name): by for place in places for name, by in self._named(place, known).items()
        }
        if not about and insight["kind"] in _TELLS_WORDS:
            return self._words(insight)
        if not about:
            return self._plain(insight)
        masked = self._rest(insight, "sentence", "figures", "chart", "evidence", "further")
        if insight["kind"] in _TELLS_NO_VALUE:
            masked |= {key: self.answer(insight.get(key, {})) for key in ("sentence", "figures")}
        else:
            masked["sentence"] = _not_shown(about)
            masked["figures"] = {}
        masked["chart"] = {}
        masked["evidence"], *masked["further"] = [self._evidence(one, about) for one in places]
        return masked

    def _words(self, insight: dict[str, Any]) -> dict[str, Any]:
        """An insight that names words of a text: what stood beside them there is not known."""
        masked = self._rest(insight)
        masked["sentence"] = self._masked(
            masked["sentence"], self._senses.likely(masked["sentence"])
        )
        for place in (masked["evidence"], *masked.get("further", [])):
            place["quotes"] = [
                self._masked(quote, self._senses.likely(quote)) for quote in place.get("quotes", [])
            ]
        return masked

    def _named(
        self, place: Mapping[str, Any], known: Mapping[tuple[str, str], str]
    ) -> dict[str, str]:
        """The hidden columns that evidence names; one that no facts are known of, by its name."""
        table = str(place.get("table", ""))
        names = [*place.get("columns", []), *(cell["column"] for cell in place.get("cells", []))]
        by_name = self._columns([Column(table, str(name), "") for name in names])
        told = {str(name): known.get((table, str(name)), by_name.get(str(name))) for name in names}
        return {name: by for name, by in told.items() if by}

    def _evidence(self, place: dict[str, Any], about: Mapping[str, str]) -> dict[str, Any]:
        masked = self._rest(place, "cells", "quotes")
        masked["cells"] = [
            {**cell, "value": _mask(about[cell["column"]])}
            if cell["column"] in about
            else self.answer(cell)
            for cell in place.get("cells", [])
        ]
        masked["quotes"] = []
        return masked

    def _columns(self, columns: list[Column]) -> dict[str, str]:
        """The hidden ones among the columns of a table, each with the detector that told it."""
        told = self._senses.columns(columns)
        return {
            name: by
            for name, detectors in told.items()
            for by in [one for one in detectors if one in self._hidden][:1]
        }

    def _rest(self, document: Mapping[str, Any], *but: str) -> dict[str, Any]:
        return {key: self.answer(value) for key, value in document.items() if key not in but}


def _without_values(column: Mapping[str, Any], by: str) -> dict[str, Any]:
    """A column's profile or facts without its values; counts stay."""
    masked = {key: None if key in _FIGURES else value for key, value in column.items()}
    for key in ("minimum", "maximum"):
        if column.get(key) is not None:
            masked[key] = _mask(by)
    emptied: Iterable[tuple[str, Any]] = (("most_frequent", []), ("chart", {}))
    return masked | {key: empty for key, empty in emptied if key in column}


def _is_one(document: dict[str, Any], model: type[BaseModel], words: frozenset[str]) -> bool:
    """Whether a document has the form of a model; others may use the same words."""
    if not document.keys() >= words:
        return False
    try:
        model.model_validate(document)
    except ValidationError:
        return False
    return True


def _not_shown(about: Mapping[str, str]) -> str:
    said = ", ".join(dict.fromkeys(_told(by) for by in about.values()))
    return f"Something about {', '.join(about)} that is not shown to your roles: {said}."


def _told(detector: str) -> str:
    return detector.replace("_", " ")


def _mask(detector: str) -> str:
    return f"[{_told(detector)}]"
