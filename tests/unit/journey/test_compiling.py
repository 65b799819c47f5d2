"""Templates compiled: order, binding, what is surely there, and what is checked where."""

import time
from datetime import timedelta
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from realms.journey.engine.inputs import checked_values
from realms.journey.language.compiling import load_plan
from realms.journey.language.mermaid import mermaid
from realms.journey.language.template import language_schema
from realms.journey.language.template_faults import FaultyTemplate
from realms.journey.plans.binding import Computed, Constant, FromResult, Secret
from realms.journey.plans.plan import (
    Ask,
    Call,
    Emit,
    Node,
    OnExhausted,
    OnFailure,
    Overlap,
    Plan,
    Race,
    SubJourney,
    Timer,
    WaitFor,
    WhenFull,
)
from realms.journey.plans.retries import DEFAULT_RETRY, NO_RETRY, Jitter
from tests.support.faulty import INVOICE_SERVICES, SERVICES
from tests.support.journeys import DATA_MASH, ROOT

SOUND = ROOT / "tests/golden/templates/sound"
EVERY_WORD = (SOUND / "every_word.yaml").read_text()

SMALL = """\
journey_template: small
milestones:
  - {milestone_id: check, service: RuleService, api: check}
"""


def sources(node: Node) -> dict[str, Any]:
    assert isinstance(node.work, Call | Emit | SubJourney)
    return {binding.parameter: binding.source for binding in node.work.bindings}


def small_plan(*milestones: str, top: str = "input: {file_id: string, size: number}\n") -> Plan:
    text = f"journey_template: small\n{top}milestones:\n"
    text += "".join(f"  - {{milestone_id: {milestone}}}\n" for milestone in milestones)
    return load_plan(text, SERVICES, file="small.yaml")


def every_word() -> Plan:
    return load_plan(EVERY_WORD, INVOICE_SERVICES, file="every_word.yaml")


CHECK = "service: RuleService, api: check"
BOOK = "service: LedgerService, api: book"
UNBOOK = "service: LedgerService, api: unbook"


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

    assert sources(plan.nodes["file_parsed"]) == {"file_id": FromResult("file_uploaded", "file_id")}


def test_text_is_kept_where_text_is_meant() -> None:
    text = SMALL.replace("small\n", "small\nversion: 1.10\ndescription: no\n")

    plan = load_plan(text, SERVICES, file="small.yaml")

    assert (plan.version, plan.description) == ("1.10", "no")


def test_braces_of_other_template_languages_are_text_and_nothing_else() -> None:
    text = SMALL.replace("api: check}", "api: check, with: {mode: \"{{ ''.__class__ }}\"}}")

    plan = load_plan(text, SERVICES, file="small.yaml")

    assert "{{ ''.__class__ }}" in str(sources(plan.nodes["check"]))


def test_constants_may_be_lists_and_maps_and_are_checked_by_type() -> None:
    text = SMALL.replace("api: check}", "api: check, with: {mode: [a, {b: 1}]}}")

    assert plan_faults(text) == [
        'milestones[0].with.mode: does not fit parameter "mode": it is not of type string'
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


@pytest.mark.parametrize("name", ["invoice_check", "every_word"])
def test_a_sound_template_compiles_and_is_drawn(name: str) -> None:
    path = SOUND / f"{name}.yaml"

    plan = load_plan(path.read_bytes(), INVOICE_SERVICES, file=path.name)

    assert mermaid(plan) == path.with_suffix(".mmd").read_text()


def test_the_example_of_the_language_is_read_as_it_means() -> None:
    text = (SOUND / "invoice_check.yaml").read_text()

    plan = load_plan(text, INVOICE_SERVICES, file="invoice_check.yaml")

    assert (plan.version, plan.on_failure, plan.retention) == (
        "2",
        OnFailure.COMPENSATE,
        timedelta(days=90),
    )
    assert (plan.roots, plan.closing) == (("read",), ("tell",))
    assert plan.followers["check_rows"] == ("book", "decide")
    assert plan.concurrency is not None
    assert plan.concurrency.key is not None
    assert plan.concurrency.key.value({"input": {"file_id": "f1"}}) == "f1"
    read, rows = plan.nodes["read"], plan.nodes["check_rows"]
    assert (read.retry.attempts, read.retry.never_on, read.timeout) == (
        5,
        frozenset({"invalid"}),
        timedelta(minutes=2),
    )
    assert rows.each is not None
    assert (rows.each.name, rows.each.max_parallel) == ("row", 20)
    assert [rows.each.tolerates(2, of=100), rows.each.tolerates(3, of=100)] == [True, False]
    undo = plan.nodes["book"].compensate
    assert undo is not None
    assert undo.api == "unbook"


def test_every_word_reaches_the_plan() -> None:
    plan = every_word()
    nodes = plan.nodes

    assert (plan.timeout, plan.priority, plan.on_failure) == (timedelta(2), 7, OnFailure.PAUSE)
    assert plan.closing == ("tell", "sweep")
    assert plan.concurrency is not None
    assert (plan.concurrency.limit, plan.concurrency.when_full) == (2, WhenFull.REPLACE)
    assert plan.rate_limit is not None
    assert (plan.rate_limit.limit, plan.rate_limit.per) == (100, timedelta(minutes=1))
    assert plan.schedule is not None
    assert (plan.schedule.cron, plan.schedule.overlap) == ("0 6 * * MON-FRI", Overlap.QUEUE)
    assert plan.schedule.values == {"file_id": "nightly", "rows": []}
    assert nodes["checked"].retry.delays == (timedelta(seconds=1), timedelta(seconds=5))
    assert nodes["checked"].retry.jitter is Jitter.NONE
    assert nodes["checked"].memoize is not None
    assert nodes["book"].retry is NO_RETRY
    assert nodes["ended"].retry is DEFAULT_RETRY
    gentle = nodes["noted"].retry
    assert (gentle.on, gentle.jitter) == (frozenset({"unavailable", "quota_exceeded"}), Jitter.NONE)
    assert isinstance(nodes["approved"].work, Ask)
    assert (nodes["approved"].work.quorum, nodes["approved"].work.escalate_to) == (2, "admin")
    assert nodes["first_sign"].work == Race(("signed", "counted", "late"))
    assert nodes["signed"].work == WaitFor("signature", timedelta(hours=1))
    assert nodes["counted"].work == WaitFor("count")
    assert nodes["late"].work == Timer(timedelta(minutes=30))
    assert nodes["late"].branch_of == "first_sign"
    sent = nodes["sent"]
    assert sent.loop is not None
    assert (sent.loop.most, sent.loop.on_exhausted) == (3, OnExhausted.CONTINUE)
    assert (sent.priority, sent.queue, sent.continue_on_error) == (9, "quick", True)
    assert sources(sent)["token"] == Secret("ledger_token")
    assert (nodes["book"].priority, nodes["book"].queue) == (4, "slow")
    assert (nodes["book"].timeout, nodes["late"].timeout) == (timedelta(minutes=5), None)
    assert nodes["tell"].work.template == "send_notice"  # type: ignore[union-attr]  # as written
    assert nodes["sweep"].needs == ()


@pytest.mark.parametrize("percent", range(101))
def test_a_percentage_of_a_hundred_items_is_that_many(percent: int) -> None:
    plan = small_plan(
        f'a, {CHECK}, for_each: {{items: "${{[1, 2]}}", tolerate: {percent}%}}', top=""
    )

    each = plan.nodes["a"].each
    assert each is not None
    assert [each.tolerates(percent, of=100), each.tolerates(percent + 1, of=100)] == [True, False]


def test_what_is_never_tried_again_need_not_be_said_beside_what_is() -> None:
    plan = small_plan(f"a, {CHECK}, retry: {{on: [invalid]}}", f"b, {CHECK}, retry: {{factor: 3}}")

    assert plan.nodes["a"].retry.never_on == frozenset()
    assert plan.nodes["b"].retry.never_on == DEFAULT_RETRY.never_on


def test_the_key_of_a_lane_knows_who_begins_a_run_but_not_which() -> None:
    top = 'concurrency: {limit: 1, key: "${run.%s}"}\n'

    plan = small_plan(f"a, {CHECK}", top=top % "principal")

    assert plan.concurrency is not None
    assert plan.concurrency.key is not None
    assert plan.concurrency.key.value({"run": {"principal": "ada"}}) == "ada"
    with pytest.raises(FaultyTemplate, match='there is no field "id"'):
        small_plan(f"a, {CHECK}", top=top % "id")


def test_branches_count_among_the_milestones() -> None:
    branches = ", ".join(f"{{milestone_id: b{n}, wait: 1s}}" for n in range(400))
    text = hostile([f"a{n}, {CHECK}" for n in range(200)] + [f"r, race: [{branches}]"])

    assert plan_faults(text) == [
        "milestones: has 601 milestones with all branches; 500 is the most"
    ]


def test_a_part_of_a_form_keeps_what_its_references_point_to() -> None:
    plan = small_plan(
        'ok, ask: {form: {type: object, properties: {yes: {$ref: "#/$defs/b"}}, required: [yes], '
        "$defs: {b: {type: boolean}}}}",
        'b, if: "${ok.yes}", wait: 1s',
    )

    assert plan.nodes["ok"].output["yes"]["$defs"] == {"b": {"type": "boolean"}}


def test_branches_are_nodes_that_nothing_needs_and_that_need_nothing() -> None:
    plan = every_word()

    assert "late" not in plan.roots
    assert plan.followers["late"] == ()
    assert list(plan.nodes).index("late") > list(plan.nodes).index("first_sign")


def test_every_node_stands_after_what_it_needs() -> None:
    plan = small_plan(
        f"a, {CHECK}",
        f"d, needs: [b, c], {CHECK}, next_milestone: e",
        f"b, needs: [a], {CHECK}",
        f"c, needs: [a], {CHECK}, next_milestone: complete",
        f"e, {CHECK}",
    )

    assert list(plan.nodes) == ["a", "b", "c", "d", "e"]
    assert plan.nodes["e"].needs == ("d",)
    assert plan.descendants("b") == {"d", "e"}


def test_a_milestone_that_is_led_to_does_not_follow_the_one_above() -> None:
    plan = small_plan(
        f"a, {CHECK}, next_milestone: c",
        f"b, {CHECK}, needs: [c], next_milestone: d",
        f"c, {CHECK}",
        f"d, {CHECK}",
    )

    assert {path: node.needs for path, node in plan.nodes.items()} == {
        "a": (),
        "c": ("a",),
        "b": ("c",),
        "d": ("b",),
    }


def test_the_nearest_on_the_path_feeds_even_where_ways_part() -> None:
    plan = small_plan(
        f"first, {BOOK}",
        f"left, {CHECK}, needs: [first]",
        f"right, {CHECK}, needs: [first]",
        f"second, {BOOK}, needs: [left, right]",
        f"undo, {UNBOOK}",
    )

    assert sources(plan.nodes["undo"]) == {"entry_id": FromResult("second", "entry_id")}
    assert plan.nodes["second"].promised == {"entry_id"}
    assert plan.nodes["first"].promised == frozenset()


def test_what_undoes_a_milestone_may_take_its_result_by_name() -> None:
    plan = small_plan(
        f"book, {BOOK}, compensate: {{service: LedgerService, api: unbook}}",
    )

    undo = plan.nodes["book"].compensate
    assert undo is not None
    assert [b.source for b in undo.bindings] == [FromResult("book", "entry_id")]
    assert plan.nodes["book"].promised == {"entry_id"}


def test_values_with_expressions_are_computed_and_others_stay() -> None:
    plan = small_plan(
        "a, emit: done, with: {b: ['${input.size}', 1], c: [1, 2], d: 'costs $${5}', e: '$5'}",
    )

    found = sources(plan.nodes["a"])
    assert isinstance(found["b"], Computed)
    assert found["b"].value.value({"input": {"size": 2.5}}) == [2.5, 1]
    assert (found["c"], found["e"]) == (Constant([1, 2]), Constant("$5"))
    assert found["d"] == Constant("costs ${5}")


@pytest.mark.parametrize(
    ("condition", "is_sure"),
    [
        ("", True),
        ("${input.size > 1.0}", True),
        ("${succeeded() && input.size > 1.0}", True),
        ("${!skipped('book') && always()}", True),
        ("${always()}", False),
        ("${failed()}", False),
        ("${skipped('book')}", False),
    ],
)
def test_a_result_is_sure_only_where_nothing_could_be_skipped(
    condition: str, *, is_sure: bool
) -> None:
    stated = f'if: "{condition}", ' if condition else ""
    text = (
        "journey_template: small\ninput: {file_id: string, size: number}\nmilestones:\n"
        f"  - {{milestone_id: book, {BOOK}}}\n"
        f"  - {{milestone_id: undo, {stated}{UNBOOK}}}\n"
    )

    if is_sure:
        load_plan(text, SERVICES, file="small.yaml")
    else:
        assert "may be skipped" in plan_faults(text)[0]


def test_the_end_may_read_what_it_guards() -> None:
    plan = small_plan(
        f"book, {BOOK}",
        "tell, emit: told, with: {entry: \"${skipped('book') ? '' : book.entry_id}\"}",
        top="input: {file_id: string}\nfinally: [tell]\n",
    )

    assert plan.closing == ("tell",)
    assert plan.nodes["tell"].needs == ()


def test_a_contract_holds_on_every_way_into_a_phase() -> None:
    plan = load_plan(
        "journey_template: ways\n"
        "input: {file_id: string}\n"
        "milestones:\n"
        f"  - {{milestone_id: a, phase: one, {CHECK}}}\n"
        f"  - {{milestone_id: b, phase: two, needs: [a], {BOOK}}}\n"
        f"  - {{milestone_id: c, phase: two, needs: [a], {BOOK}}}\n"
        f"  - {{milestone_id: d, phase: two, needs: [b, c], {CHECK}}}\n"
        f"  - {{milestone_id: e, phase: three, needs: [d], {CHECK}}}\n"
        "handoff_contracts:\n"
        "  one_to_two: {input: report, output: 'entry_id, file_id', trace_id: required}\n",
        SERVICES,
        file="ways.yaml",
    )

    assert plan.nodes["b"].trace_required_by == plan.nodes["c"].trace_required_by == ("one_to_two",)
    assert plan.nodes["d"].trace_required_by == ()
    assert [check.field for check in plan.nodes["a"].on_done] == ["report"]
    assert [check.field for check in plan.nodes["b"].on_done] == ["entry_id"]
    assert [check.field for check in plan.nodes["c"].on_done] == ["entry_id"]
    assert [(c.side, c.field) for c in plan.nodes["b"].on_entry] == [
        ("input", "report"),
        ("output", "file_id"),
    ]


def hostile(milestones: list[str], more: str = "") -> str:
    listed = "".join(f"  - {{milestone_id: {milestone}}}\n" for milestone in milestones)
    return f"journey_template: big\ninput: {{file_id: string}}\nmilestones:\n{listed}{more}"


def _needs(index: int, count: int) -> str:
    names = ", ".join(f"m{n}" for n in range(max(index - count, 0), index))
    return f", needs: [{names}]" if names else ""


LONG = hostile([f"m{n}, {BOOK}, phase: p{n % 7}" for n in range(500)])


@pytest.mark.no_cover  # much work in a few lines, which other tests cover
@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (LONG, 0),
        (hostile([f"m{n}, {CHECK}{_needs(n, 20)}, phase: p{n % 2}" for n in range(500)]), 0),
        (hostile([f"m{n}, {CHECK}{_needs(n, 500)}" for n in range(170)]), 0),
        (hostile([f"m{n}, {CHECK}, needs: [m{(n + 1) % 500}]" for n in range(500)]), 1),
        (hostile([f"m{n}, service: Rule, api: a, needs: [x{n}], q: 1" for n in range(500)]), 500),
        (hostile([f'm{n}, emit: e, with: {{a: "${{nix{n}.b}}"}}' for n in range(500)]), 500),
    ],
    ids=["long", "wide", "dense", "cycles", "names", "expressions"],
)
def test_a_large_template_comes_to_an_end(text: str, faults: int) -> None:
    begun = time.process_time()
    found = plan_faults(text) if faults else []

    assert len(found) == faults
    assert faults or load_plan(text, SERVICES, file="big.yaml").nodes
    assert time.process_time() - begun < 20  # about one second; a blow-up takes minutes


@pytest.mark.no_cover  # much work in a few lines, which other tests cover
def test_thousands_of_faults_are_counted_and_not_all_told() -> None:
    text = hostile([f"m{n}, a: 1, b: 2, c: 3" for n in range(500)])

    with pytest.raises(FaultyTemplate, match="and 1,500 more") as faulty:
        load_plan(text, SERVICES, file="big.yaml")

    assert len(faulty.value.faults) == len(faulty.value.errors) == 500


# the JSON Schema of the language


class _Yaml12(yaml.SafeLoader):
    """Reads `on` and `no` as the text they are, as editors do."""


_Yaml12.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if "bool" not in tag or first in "tTfF"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_the_schema_for_editors_takes_what_the_loader_takes() -> None:
    check = Draft202012Validator(language_schema())
    invoice = (SOUND / "invoice_check.yaml").read_text()

    for text in (DATA_MASH, EVERY_WORD, invoice):
        assert [e.message for e in check.iter_errors(yaml.load(text, _Yaml12))] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("timeout: P2D", "timeout: 30"),
        ("timeout: P2D", "timeuot: 30s"),
        ("attempts: 5", "attempts: 0"),
        ("wait: 30m", "wait: half an hour"),
        ("on_failure: pause", "on_failure: stop"),
        ("until: ", "untill: "),
        ("    race:\n", "    needs: []\n    race:\n"),
        ("api: book\n", "api: book\n    wait: 1s\n"),
        ("wait_for: count", "phase: none"),
    ],
)
def test_the_schema_for_editors_refuses_what_the_loader_refuses(before: str, after: str) -> None:
    check = Draft202012Validator(language_schema())
    text = EVERY_WORD.replace(before, after, 1)
    assert text != EVERY_WORD

    assert not check.is_valid(yaml.load(text, _Yaml12))
    with pytest.raises(FaultyTemplate):
        load_plan(text, INVOICE_SERVICES, file="x.yaml")


def test_every_word_is_described() -> None:
    schema = language_schema()
    parts = [schema, *(p for p in schema["$defs"].values() if "properties" in p)]

    for part in parts:
        assert part["additionalProperties"] is False
        assert part["description"]
        assert all(word.get("description") for word in part["properties"].values())


def test_a_run_has_a_day_beside_the_waits_that_its_template_states() -> None:
    plain = small_plan("rest, wait: 2h", "asked, ask: {form: {type: object}, due: 48h}")
    stated = small_plan("rest, wait: 2h", top="timeout: 90m\n")
    endless = small_plan(
        "again, wait: 3000d, loop: {until: '${false}', max: 1000, on_exhausted: continue}"
    )

    assert plain.timeout == timedelta(hours=24 + 2 + 48)
    assert stated.timeout == timedelta(minutes=90)
    assert endless.timeout == timedelta(days=3650)
