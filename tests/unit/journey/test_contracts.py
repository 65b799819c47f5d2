"""Contracts and schemas: what is checked, and what may not come in."""

import time
from typing import Any

import pytest

from realms.journey.engine.contracts import (
    BadSchema,
    Check,
    checked_schema,
    clash,
    misfit,
    validator,
)
from realms.journey.engine.facts import MilestoneSucceeded, RunStarted, encode
from realms.journey.engine.inputs import checked_values
from realms.journey.engine.mermaid import mermaid
from realms.journey.engine.compiling import load_plan
from realms.journey.engine.template_faults import FaultyTemplate
from tests.support.faulty import SERVICES
from tests.support.journeys import BEGAN, DATA_MASH

SMALL = """\
journey_template: small
milestones:
  - {milestone_id: check, service: RuleService, api: check}
"""


def test_a_field_without_a_type_must_only_be_there() -> None:
    check = Check("a_to_b", "input", "file_id")

    assert check.problem({"file_id": "f1"}) == ""
    assert check.problem({"file_id": 0}) == ""
    assert check.problem({}) == 'a_to_b: input field "file_id" is missing'
    assert check.problem({"file_id": None}) == 'a_to_b: input field "file_id" is missing'


def test_a_field_with_a_type_must_fit_it() -> None:
    check = Check("a_to_b", "output", "size", "made", validator({"type": ["integer", "null"]}))

    assert check.problem({"size": 3}) == ""
    assert check.problem({"size": None}) == ""
    assert "is missing" in check.problem({})
    assert "breaks type" in check.problem({"size": "three"})


def test_a_misfit_names_the_rule_and_the_place_but_not_the_value() -> None:
    schema = {"type": "object", "properties": {"rows": {"items": {"maximum": 5}}}}

    problem = misfit(validator(schema), {"rows": [1, 998877]})

    assert problem == "/rows/1 breaks maximum: 5"


def test_patterns_are_matched_in_linear_time() -> None:
    check = validator(checked_schema({"type": "string", "pattern": "^(a+)+$"}))
    begun = time.process_time()

    assert misfit(check, "a" * 5_000 + "!") == "it breaks pattern: ^(a+)+$"
    assert misfit(check, "aaa") == ""
    assert misfit(validator({"pattern": "^a"}), 7) == ""
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
    assert misfit(validator(schema), ["a"]) == ""


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


def plan_faults(text: str) -> list[str]:
    with pytest.raises(FaultyTemplate) as faulty:
        load_plan(text, SERVICES, file="small.yaml")
    return [f"{fault.path}: {fault.sentence}" for fault in faulty.value.faults]


def test_words_in_the_order_written_need_no_next_milestone() -> None:
    plan = load_plan(
        SMALL + "  - {milestone_id: again, service: RuleService, api: check}\n",
        SERVICES,
        file="small.yaml",
    )

    assert [(node.path, node.needs) for node in plan.nodes.values()] == [
        ("check", ()),
        ("again", ("check",)),
    ]


def test_the_nearest_earlier_milestone_feeds_a_parameter() -> None:
    plan = load_plan(DATA_MASH, SERVICES, file="mash.yaml")

    fed_by = {binding.parameter: binding.source for binding in plan.nodes["file_parsed"].bindings}
    assert str(fed_by["file_id"]) == "FromResult(path='file_uploaded', field='file_id')"


def test_text_is_kept_where_text_is_meant() -> None:
    text = SMALL.replace("small\n", "small\nversion: 1.10\ndescription: no\n")

    plan = load_plan(text, SERVICES, file="small.yaml")

    assert (plan.version, plan.description) == ("1.10", "no")


def test_braces_of_other_template_languages_are_text_and_nothing_else() -> None:
    text = SMALL.replace("api: check}", "api: check, with: {mode: \"{{ ''.__class__ }}\"}}")

    plan = load_plan(text, SERVICES, file="small.yaml")

    assert "{{ ''.__class__ }}" in str(plan.nodes["check"].bindings)


def test_constants_may_be_lists_and_maps_and_are_checked_by_type() -> None:
    text = SMALL.replace("api: check}", "api: check, with: {mode: [a, {b: 1}]}}")

    assert plan_faults(text) == [
        'milestones[0].with.mode: does not fit parameter "mode": it breaks type: string'
    ]


def test_more_than_500_milestones_are_refused() -> None:
    many = "".join(f"  - {{milestone_id: m{n}}}\n" for n in range(501))

    assert plan_faults(f"journey_template: many\nmilestones:\n{many}") == [
        "milestones: has 501 milestones; 500 is the most"
    ]


def test_a_text_that_is_too_long_for_its_place_is_refused() -> None:
    assert plan_faults(SMALL.replace("small", "small\nversion: " + "1" * 65)) == [
        "version: is 65 characters; 64 is the most"
    ]


@pytest.mark.parametrize("word", ["required", "optional"])
def test_a_trace_may_be_required_or_optional(word: str) -> None:
    plan = load_plan(DATA_MASH.replace("required", word), SERVICES, file="mash.yaml")

    required = bool(plan.nodes["file_parsed"].trace_required_by)
    assert required is (word == "required")


def test_a_contract_may_name_what_comes_from_the_context() -> None:
    text = DATA_MASH.replace("input: file_id, semantic_data", "input: file_id, trace_id")

    assert load_plan(text, SERVICES, file="mash.yaml").nodes


def test_an_input_field_is_checked_at_the_door() -> None:
    text = (
        "journey_template: two\n"
        "input: {limit: number, note: {type: string, default: none}}\n"
        "milestones:\n"
        "  - {milestone_id: a, phase: one, service: RuleService, api: check}\n"
        "  - {milestone_id: b, phase: two, service: RuleService, api: check}\n"
        "  - {milestone_id: c, phase: two, service: RuleService, api: check}\n"
        "handoff_contracts:\n"
        "  one_to_two: {input: {note: {minLength: 2}}, output: {limit: number, report: object}}\n"
    )
    plan = load_plan(text, SERVICES, file="two.yaml")

    assert [(c.side, c.field) for c in plan.nodes["b"].on_entry] == [
        ("input", "note"),
        ("output", "limit"),
    ]
    assert [(c.side, c.field) for c in plan.nodes["c"].on_done] == [("output", "report")]
    assert checked_values(plan, {"limit": 2}) == {"limit": 2, "note": "none"}


def test_a_journey_without_phases_is_drawn_without_boxes() -> None:
    plan = load_plan(
        SMALL + "  - {milestone_id: again, service: RuleService, api: check}\n",
        SERVICES,
        file="small.yaml",
    )

    assert mermaid(plan) == (
        "flowchart TD\n"
        '  m0["check<br/>RuleService.check"]\n'
        '  m1["again<br/>RuleService.check"]\n'
        "  m0 --> m1\n"
    )


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
    with pytest.raises(TypeError):
        encode(started)
    with pytest.raises(TypeError):
        encode(MilestoneSucceeded(at=BEGAN, path="a", attempt=1, output={"n": 2**70}))
