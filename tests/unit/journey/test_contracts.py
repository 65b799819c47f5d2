"""Contracts and schemas: what is checked, and what may not come in."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from realms.journey.engine.codec import UnstorableResult, encode
from realms.journey.engine.facts import MilestoneSucceeded, RunStarted
from realms.journey.plans import schemas
from realms.journey.plans.contracts import Check, Fits
from realms.journey.plans.schemas import BadSchema, checked_schema, clash
from tests.support.journeys import BEGAN


def test_a_field_without_a_type_must_only_be_there() -> None:
    check = Check("a_to_b", "input", "file_id")

    assert check.problem({"file_id": "f1"}) == ""
    assert check.problem({"file_id": 0}) == ""
    assert check.problem({}) == 'a_to_b: input field "file_id" is missing'
    assert check.problem({"file_id": None}) == 'a_to_b: input field "file_id" is missing'


def test_a_field_with_a_type_must_fit_it() -> None:
    check = Check("a_to_b", "output", "size", "made", Fits({"type": ["integer", "null"]}))

    assert check.problem({"size": 3}) == ""
    assert check.problem({"size": None}) == ""
    assert "is missing" in check.problem({})
    assert "is not of type integer, null" in check.problem({"size": "three"})


_any = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["a", "b", "array"])
_sizes, _texts = st.integers(-1, 3), st.sampled_from(["a", "b"])
_schemas: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from([*schemas.JSON_TYPES, "text", ["array"]]),
            "title": _texts,
            "description": _texts,
            "properties": st.dictionaries(_texts, _schemas, max_size=2) | _any,
            "required": st.lists(_texts, max_size=2) | _any,
            "items": _schemas,
            "enum": st.lists(_any, max_size=2),
            "minLength": _sizes,
            "maxLength": _sizes | _any,
            "minItems": _sizes,
            "maxItems": _sizes | st.floats(0, 3),
        },
    )
)


@settings(max_examples=300)
@given(_schemas)
def test_what_is_a_schema_without_the_library_is_one_for_it_too(schema: dict[str, Any]) -> None:
    if schemas._plain(schema):
        Draft202012Validator.check_schema(schema)


def test_a_misfit_names_the_rule_and_the_place_but_not_the_value() -> None:
    schema = {"type": "object", "properties": {"rows": {"items": {"maximum": 5}}}}

    problem = Fits(schema).problem({"rows": [1, 998877]})

    assert problem == "/rows/1 is more than 5"


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": ["string", "null"]}, 4711, "it is not of type string, null"),
        ({"enum": ["low", 3]}, "4711", "it is none of low, 3"),
        ({"required": ["a", "b", "c"]}, {"b": 4711}, "it lacks a, c"),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"x": 4711},
            "it has more than a",
        ),
        ({"properties": {"a": False}}, {"a": 4711}, "it has what may not be there"),
        ({"maxItems": 1}, [4711, 1], "it has more items than 1"),
        ({"uniqueItems": True}, [4711, 4711], "it breaks uniqueItems: True"),
        ({"enum": ["x" * 80, "y" * 80]}, 4711, f"it is none of {'x' * 80}, {'y' * 35}..."),
    ],
)
def test_misfits_are_told_in_words_of_the_schema(
    schema: dict[str, Any], value: Any, said: str
) -> None:
    fits = Fits(schema)

    assert fits.problem(value) == said
    pointer, _, detail = said.partition(" ")
    (fault,) = fits.faults(value)
    assert (fault.pointer or "it", fault.detail) == (pointer, detail)


def test_patterns_are_matched_in_linear_time() -> None:
    check = Fits(checked_schema({"type": "string", "pattern": "^(a+)+$"}))
    begun = time.process_time()

    assert check.problem("a" * 5_000 + "!") == "it does not match ^(a+)+$"
    assert check.problem("aaa") == ""
    assert Fits({"pattern": "^a"}).problem(7) == ""
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "schema",
    [
        7,
        "strng",
        {"type": "strng"},
        {"$ref": "https://example.org/schema"},
        {"$ref": "other.json"},
        {"$ref": "#/$defs/missing"},
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"properties": {"a": {"$dynamicRef": "#a"}}},
        {"items": [{"$id": "x"}]},
        {"patternProperties": {"(a+)+$": {}}},
        {"anyOf": [{"pattern": "(?=a)b"}]},
    ],
)
def test_a_schema_that_could_fetch_recurse_or_backtrack_is_refused(schema: Any) -> None:
    with pytest.raises(BadSchema):
        checked_schema(schema)


def test_a_schema_may_refer_to_its_own_parts() -> None:
    schema = {"$defs": {"id/1": {"type": "string"}}, "items": {"$ref": "#/$defs/id~11"}}

    assert checked_schema(schema) == schema
    assert Fits(schema).problem(["a"]) == ""


@pytest.mark.parametrize(
    ("given", "wanted", "clashes"),
    [
        ({"type": "integer"}, {"type": "number"}, False),
        ({"type": "string"}, {"type": "object"}, True),
        ({}, {"type": "object"}, False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}, False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "array"}, True),
        ({"anyOf": [{"type": "string"}, {}]}, {"type": "array"}, False),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "object"}}}, {"type": "string"}, True),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, {"type": "string"}, False),
        ({"$ref": "#/$defs/gone"}, {"type": "string"}, False),
    ],
)
def test_only_types_that_can_never_meet_clash(given: Any, wanted: Any, *, clashes: bool) -> None:
    assert bool(clash(given, wanted)) is clashes


_NAMES = st.sampled_from(["a", "b", "c"])
_TYPES = st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "null"])
_SCHEMAS = st.recursive(
    st.one_of(
        st.just({}),
        st.builds(lambda t: {"type": t, "title": "T"}, _TYPES),
        st.builds(lambda t: {"type": t}, st.lists(_TYPES, min_size=1, max_size=3, unique=True)),
        st.builds(lambda n: {"type": "number", "minimum": n}, st.integers(-5, 5)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda properties, required, others: {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": others,
            },
            st.dictionaries(_NAMES, inner, max_size=3),
            st.lists(_NAMES, max_size=2, unique=True),
            st.booleans(),
        ),
    ),
    max_leaves=5,
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.text(max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(schema=_SCHEMAS, value=_VALUES)
def test_the_quick_road_and_the_library_agree(schema: dict[str, Any], value: Any) -> None:
    assert (Fits(schema).problem(value) == "") is Draft202012Validator(schema).is_valid(value)


def test_a_plain_type_is_looked_at_without_the_library() -> None:
    fits = Fits({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]})
    begun = time.process_time()

    assert not any(fits.problem({"n": n}) for n in range(20_000))
    assert time.process_time() - begun < 0.5


def test_equal_schemas_fit_the_same() -> None:
    assert Fits({"type": "string"}) == Fits({"type": "string"}) != Fits({"type": "number"})
    assert len({Fits({"type": "string"}), Fits({"type": "string"})}) == 1
    assert repr(Fits({"type": "string"})) == "Fits({'type': 'string'})"


def test_a_fact_takes_only_json() -> None:
    started = RunStarted(
        at=BEGAN,
        template="t",
        template_hash="h",
        values={"file": object()},
        trace_id="t",
        tenant="north",
        principal="ada",
    )
    with pytest.raises(UnstorableResult):
        encode([started])
    with pytest.raises(UnstorableResult):
        encode([MilestoneSucceeded(at=BEGAN, path="a", attempt=1, output={"n": 2**70})])
