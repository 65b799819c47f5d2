"""A mask takes out what is hidden, leaves the rest, and survives documents of any form."""

from typing import Any

import pytest

from foundations.public_works.content_metadata import PassageEmbedding
from foundations.public_works.graph.model import Node, NodeKind
from foundations.public_works.parsing.insights.model import Insight, InsightsResult
from foundations.public_works.parsing.models import (
    ColumnProfile,
    ColumnType,
    ParseResult,
    ParseWarning,
    TableProfile,
)
from foundations.public_works.parsing.places import Place
from smart_city.data_steward.masking import Mask, PlainSight
from smart_city.data_steward.policy_reading import SHIPPED, policy_from
from smart_city.data_steward.sensing import Column, Senses

POLICY = policy_from(SHIPPED).policy
READER = Mask(Senses.of(POLICY), POLICY.hidden_from(("reader",)))
MEMBER = Mask(Senses.of(POLICY), POLICY.hidden_from(("member",)))


def insight(kind: str, sentence: str, **evidence: Any) -> dict[str, Any]:
    place = {"table": "t", "columns": [], "rows": [1], "cells": [], "quotes": [], **evidence}
    return {
        "kind": kind, "sentence": sentence, "figures": {"n": 3}, "evidence": place, "further": [],
        "strength": 0.5, "surprise": 0.5, "chart": {"mark": "bar"},
    }  # fmt: skip


def test_owner_gets_the_very_same_document() -> None:
    document = {"text": "a@mail.example"}

    assert POLICY.hidden_from(("owner",)) == frozenset()
    assert PlainSight().answer(document) is document
    assert PlainSight().text("a@mail.example") == "a@mail.example"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to a@mail.example, b@mail.example.", "Write to [mail address], [mail address]."),
        ("DE89 3704 0044 0532 0130 00", "[iban]"),
        ("Surname: Quill; town: Ulm", "Surname: [person name]; town: Ulm"),
        ("nothing of the kind, 42", "nothing of the kind, 42"),
        ("", ""),
    ],
)
def test_text(text: str, shown: str) -> None:
    assert READER.text(text) == shown
    assert READER.text(shown) == shown


def test_name_of_a_file_is_a_text_of_which_the_name_of_a_person_stays() -> None:
    """As docs/governance.md says."""
    files = {"name": "Wilhelmina Quill.pdf", "was": "of miller@mail.example.pdf"}

    assert READER.answer(files) == {"name": "Wilhelmina Quill.pdf", "was": "of [mail address]"}


def test_role_sees_the_classes_that_are_its_own() -> None:
    text = "a@mail.example pays from DE89370400440532013000"

    assert MEMBER.text(text) == "a@mail.example pays from [iban]"


def test_number_that_is_a_card_is_no_number_to_see() -> None:
    assert READER.answer({"n": 4111111111111111, "m": 4111111111111112, "b": True}) == {
        "n": "[payment card]",
        "m": 4111111111111112,
        "b": True,
    }


def test_table_loses_the_values_of_hidden_columns_and_keeps_their_counts() -> None:
    table: dict[str, Any] = {
        "name": "t", "row_count": 2, "column_count": 2, "artifact": "t.parquet",
        "columns": [
            {"name": "surname", "type": "text", "missing": 1, "distinct": 2, "minimum": "Quill",
             "maximum": "Reed", "most_frequent": [{"value": "Quill", "count": 2}]},
            {"name": "salary", "type": "number", "missing": 0, "distinct": 2, "minimum": 1.5,
             "maximum": 7.0, "mean": 4.0, "median": 4.0},
            {"name": "town", "type": "text", "missing": 0, "distinct": 1, "minimum": "Ulm"},
        ],
        "sample": [["Quill", 1.5, "Ulm"], [None, 7.0, "Ulm"]],
    }  # fmt: skip

    shown = READER.answer(table)

    assert shown["sample"] == [["[person name]", "[salary]", "Ulm"], [None, "[salary]", "Ulm"]]
    surname, salary, town = shown["columns"]
    assert (surname["minimum"], surname["most_frequent"]) == ("[person name]", [])
    assert (surname["missing"], surname["distinct"]) == (1, 2)
    assert (salary["mean"], salary["median"], salary["maximum"]) == (None, None, "[salary]")
    assert town == table["columns"][2]


def test_insight_about_a_hidden_column_is_there_and_says_nothing() -> None:
    told = insight(
        "outlier", "Quill earns 9,000.", columns=["salary"],
        cells=[{"row": 1, "column": "salary", "value": 9000},
               {"row": 1, "column": "town", "value": "Ulm"}],
        quotes=["Quill"],
    )  # fmt: skip

    shown = READER.answer(told)

    assert shown["sentence"] == ("Something about salary that is not shown to your roles: salary.")
    assert (shown["figures"], shown["chart"], shown["evidence"]["quotes"]) == ({}, {}, [])
    assert [cell["value"] for cell in shown["evidence"]["cells"]] == ["[salary]", "Ulm"]
    assert shown["evidence"]["rows"] == [1]
    Insight.model_validate(shown)


def test_insight_that_tells_no_value_is_told() -> None:
    shown = READER.answer(insight("missing", "surname is missing in 2 rows.", columns=["surname"]))

    assert shown["sentence"] == "surname is missing in 2 rows."
    assert shown["figures"] == {"n": 3}


def test_words_taken_from_a_text_are_masked_whatever_they_stood_beside() -> None:
    shown = READER.answer(
        insight("entity", "It names 1 date: 12 March 1970.", quotes=["12 March 1970"])
    )

    assert shown["sentence"] == "It names 1 date: [birth date]."
    assert shown["evidence"]["quotes"] == ["[birth date]"]


def test_facts_of_columns_decide_what_an_insight_may_say() -> None:
    facts = [
        {"table": "t", "name": "contact", "type": "text", "role": "text", "rows": 9, "missing": 0,
         "distinct": 9, "minimum": "a@mail.example", "maximum": "z@mail.example"},
        {"table": "t", "name": "born", "type": "text", "role": "category", "rows": 9, "missing": 0,
         "distinct": 2, "minimum": "Bern", "maximum": "Ulm"},
    ]  # fmt: skip
    result = {
        "file_name": "t.csv", "left_out": 0, "columns": facts,
        "insights": [
            insight("concentration", "One of contact has half.", columns=["contact"]),
            insight("concentration", "One of born has half.", columns=["born"]),
        ],
    }  # fmt: skip

    shown = READER.answer(result)

    assert [one["minimum"] for one in shown["columns"]] == ["[mail address]", "Bern"]
    assert "not shown" in shown["insights"][0]["sentence"]
    assert shown["insights"][1]["sentence"] == "One of born has half."
    InsightsResult.model_validate(shown)


@pytest.mark.parametrize(
    "document",
    [
        {"name": 1, "columns": "x", "sample": 7, "row_count": None},
        {"name": "t", "columns": [{"name": "surname"}], "sample": [], "row_count": 1},
        {"insights": [1], "left_out": "x"},
        {"kind": "outlier", "sentence": 1, "evidence": [], "strength": {}},
        {"kind": "entity", "sentence": "12 March 1970", "evidence": {}, "strength": 0.1},
        {"name": "t", "row_count": 1, "column_count": 1, "artifact": "a", "sample": [[1, 2, 3]],
         "columns": [{"name": "surname", "type": "text", "missing": 0, "distinct": 1}]},
        [[], {}, None, 1.5, "x"],
    ],
)  # fmt: skip
def test_document_of_any_form_is_answered(document: Any) -> None:
    assert READER.answer(document) is not None


def test_keys_are_masked_too_and_stay_apart() -> None:
    told = {"a@mail.example": 1, "b@mail.example": 2, "town": 3}

    assert READER.answer(told) == {"[mail address]": 1, "[mail address] 2": 2, "town": 3}


def test_hidden_entities_are_left_out_of_a_list_that_is_asked_by_beginnings() -> None:
    def node(kind: str, name: str) -> dict[str, Any]:
        return Node(
            id=f"entity:{kind}/{name}", kind=NodeKind.ENTITY, name=name, type=kind
        ).model_dump(mode="json")

    listed = {"entities": [node("mail", "a@mail.example"), node("phrase", "water wheel")]}

    assert READER.answer(listed) == {"entities": [node("phrase", "water wheel")]}
    assert MEMBER.answer(listed) == listed


def test_vector_of_a_masked_passage_is_not_told() -> None:
    def passage(text: str) -> dict[str, Any]:
        place = Place.read("line 1")
        told = PassageEmbedding(number=1, place=place, text=text, vector=(0.5, 0.5))
        return told.model_dump(mode="json")

    assert READER.answer(passage("to a@mail.example"))["vector"] == []
    assert READER.answer(passage("the wheel turns"))["vector"] == [0.5, 0.5]


def test_warning_about_a_hidden_column_quotes_no_cell() -> None:
    column = ColumnProfile(name="contact", type=ColumnType.TEXT, missing=0, distinct=2)
    table = TableProfile(
        name="t", row_count=2, column_count=1, columns=(column,), artifact="t.parquet",
        sample=(("a@mail.example",), ("b@mail.example",)),
    )  # fmt: skip
    warnings = (
        ParseWarning(detail="2 cells of 'contact' say Quill; they are read as missing"),
        ParseWarning(detail="row 3 has 1 cells, the header has 2"),
    )
    parsed = ParseResult(
        kind="table", name="t.csv", media_type="text/csv", tables=(table,), warnings=warnings
    )

    shown = READER.answer(parsed.model_dump(mode="json"))

    assert [one["detail"] for one in shown["warnings"]] == [
        "Something about 'contact' that is not shown to your roles: mail address.",
        "row 3 has 1 cells, the header has 2",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "'salary' is read as text because one of 9 is no number, such as 'x' in row 8",
            "'salary' is read as text because one of 9 is no number, such as [salary] in row 8",
        ),
        ("t row 8: salary: by the hatter; town: Ulm", "t row 8: salary: [salary]; town: Ulm"),
        ("Salary: by the hatter", "Salary: by the hatter"),
        ("Dear Ms Ada Quill,", "Dear Ms [named person],"),
    ],
)
def test_text_about_cells_is_masked_by_the_name_of_their_column(text: str, shown: str) -> None:
    assert READER.text(text) == shown


def test_column_of_numbers_that_one_cell_made_a_text_is_what_it_was() -> None:
    senses = Senses.of(POLICY)
    cells = ("1500", "2500", "3500", "none of yours")

    assert senses.columns([Column("t", "salary", "text", cells)]) == {"salary": ("salary",)}
    assert senses.columns([Column("t", "salary", "text", ("low", "high"))]) == {}
