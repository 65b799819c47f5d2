"""Which JSON Schemas take all that others take."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realms.journey.language.schema_order import covers, opened
from realms.journey.plans.contracts import Fits

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
A = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
AB = {"type": "object", "properties": {"a": TEXT, "b": WHOLE}, "required": ["a", "b"]}
CLOSED = {**A, "additionalProperties": False}


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (TEXT, TEXT),
        ({}, TEXT),
        (True, TEXT),
        (TEXT, False),
        (NUMBER, WHOLE),
        ({"type": ["string", "null"]}, TEXT),
        ({"anyOf": [TEXT, WHOLE]}, TEXT),
        ({"anyOf": [TEXT, WHOLE]}, {"type": ["integer", "string"]}),
        ({"type": ["integer", "string"]}, {"anyOf": [TEXT, WHOLE]}),
        (TEXT, {"enum": ["a", "b"]}),
        ({"enum": ["a", "b", "c"]}, {"enum": ["a", "b"]}),
        (TEXT, {"const": "a"}),
        ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 8}),
        (TEXT, {"type": "string", "pattern": "^a"}),
        ({"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 1, "maximum": 3}),
        ({"type": "number", "multipleOf": 2}, {"type": "number", "multipleOf": 4}),
        ({"type": "array"}, {"type": "array", "items": TEXT}),
        (
            {"type": "array", "items": NUMBER},
            {"type": "array", "items": WHOLE, "uniqueItems": True},
        ),
        (A, AB),
        ({"type": "object"}, AB),
        (A, CLOSED),
        ({**A, "properties": {"a": TEXT, "b": WHOLE}}, A),
        (
            {"type": "object", "additionalProperties": NUMBER},
            {"type": "object", "additionalProperties": WHOLE},
        ),
        ({"type": "string", "title": "One"}, {"type": "string", "description": "Other."}),
        ({"type": ["string", "array"], "minItems": 2}, TEXT),
        (
            {"$ref": "#/$defs/T", "$defs": {"T": NUMBER}},
            {"$ref": "#/$defs/T", "$defs": {"T": WHOLE}},
        ),
    ],
)
def test_one_takes_all_that_the_other_takes(wide: Any, narrow: Any) -> None:
    assert covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (TEXT, {}),
        (False, TEXT),
        (TEXT, WHOLE),
        (WHOLE, NUMBER),
        (TEXT, {"type": ["string", "null"]}),
        ({"anyOf": [TEXT, WHOLE]}, {"type": ["integer", "string", "null"]}),
        (TEXT, {"anyOf": [TEXT, WHOLE]}),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}),
        ({"enum": ["a"]}, TEXT),
        ({"type": "string", "maxLength": 8}, TEXT),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 0}),
        ({"type": "array", "items": TEXT}, {"type": "array"}),
        (AB, A),
        (CLOSED, AB),
        (CLOSED, A),
        ({**A, "properties": {"a": WHOLE}}, A),
        (
            {"type": "object", "additionalProperties": WHOLE},
            {"type": "object", "additionalProperties": NUMBER},
        ),
        ({"not": TEXT}, WHOLE),
        (
            {"$ref": "#/$defs/T", "$defs": {"T": WHOLE}},
            {"$ref": "#/$defs/T", "$defs": {"T": NUMBER}},
        ),
        ({"$ref": "#/$defs/T", "$defs": {"T": {"$ref": "#/$defs/T"}}}, TEXT),
    ],
)
def test_one_does_not_take_all_that_the_other_takes(wide: Any, narrow: Any) -> None:
    assert not covers(wide, narrow)


def test_a_recursive_schema_covers_itself_and_is_not_followed_for_ever() -> None:
    tree = {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Tree"}}},
        },
    }
    other = {**tree, "$defs": {"Tree": {**tree["$defs"]["Tree"], "required": ["next"]}}}  # type: ignore[index]  # a test's own shape

    assert covers(tree, tree)
    assert not covers(other, tree)


def test_those_who_read_results_skip_what_is_new() -> None:
    assert not covers(CLOSED, AB)
    assert covers(opened(CLOSED), AB)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "abc"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=5,
)
_LEAVES = st.sampled_from(
    [
        TEXT,
        WHOLE,
        NUMBER,
        {"type": "null"},
        {"enum": ["a", 1]},
        {"type": "integer", "minimum": 0},
        {"type": "string", "maxLength": 1},
        {"type": ["string", "null"]},
        {},
    ]
)
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda i: {"type": "array", "items": i}, inner),
        st.builds(lambda x, y: {"anyOf": [x, y]}, inner, inner),
        st.builds(
            lambda a, b, need: {
                "type": "object",
                "properties": {"a": a, "b": b},
                "required": need,
                "additionalProperties": False,
            },
            inner,
            inner,
            st.sampled_from([[], ["a"], ["a", "b"]]),
        ),
    ),
    max_leaves=4,
)


@given(wide=_SCHEMAS, narrow=_SCHEMAS, value=_VALUES)
def test_what_it_says_is_true_of_every_value(wide: Any, narrow: Any, value: Any) -> None:
    if covers(wide, narrow) and not Fits(narrow).problem(value):
        assert not Fits(wide).problem(value)
