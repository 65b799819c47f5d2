"""Golden journals: recording again gives the same, and what would go otherwise is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from realms.journey.engine import core
from realms.journey.engine.facts import MilestoneSucceeded
from realms.journey.engine.ports import Written
from realms.journey.language.compiling import load_plan
from realms.journey.plans.plan import Plan
from realms.journey.testing.golden import (
    Golden,
    NothingToRecord,
    UnreadableGolden,
    dumped,
    loaded,
    recorded,
    replayed,
)
from realms.journey.testing.mocks import MockedServices
from tests.support.office import CASES, INVOICE_CHECK, INVOICE_TESTS, OFFICE, suite

SERVICES = MockedServices(registry=OFFICE)


def compiled(text: str) -> Plan:
    return load_plan(text, SERVICES, file="golden")


@pytest.fixture(scope="module")
def golden() -> Golden:
    return recorded(suite(INVOICE_CHECK, INVOICE_TESTS), registry=OFFICE)


def test_recording_twice_gives_the_same_bytes(golden: Golden) -> None:
    again = recorded(suite(INVOICE_CHECK, INVOICE_TESTS), registry=OFFICE)

    assert dumped(again) == dumped(golden)


def test_a_journey_without_tests_leaves_nothing_to_record() -> None:
    with pytest.raises(NothingToRecord, match="invoice_check"):
        recorded(suite(INVOICE_CHECK), registry=OFFICE)


def test_what_is_dumped_is_read_again(golden: Golden) -> None:
    assert loaded(dumped(golden), file="golden.json") == golden


def test_journals_of_the_whole_language_go_as_before(golden: Golden) -> None:
    assert replayed(golden, compiled) == []


def test_journals_with_a_journey_below_go_as_before() -> None:
    parent = """
journey_template: parent
milestones: [{milestone_id: below, journey: reads, with: {file_id: f}}]
"""
    child = """
journey_template: reads
milestones: [{milestone_id: read, service: DeskService, api: read}]
"""
    tests = """
mocks: {DeskService.read: {returns: {number: n, amounts: []}}}
tests:
  - {name: a, input: {}, expect: {}}
  - name: b
    input: {}
    mocks: {DeskService.read: {raises: {kind: invalid}}}
    expect: {status: failed}
"""
    below = (Written(compiled(child), child),)
    golden = recorded(suite(parent, tests, below=below), registry=OFFICE, below=below)

    assert len(golden.runs) == 4
    assert replayed(golden, compiled) == []


CHANGES: dict[str, Callable[[str], str]] = {
    "fewer attempts": lambda text: text.replace("attempts: 4", "attempts: 1"),
    "longer delay": lambda text: text.replace("first_delay: 10s", "first_delay: 11s"),
    "less tolerance": lambda text: text.replace(", tolerate: 1", ""),
    "fewer at once": lambda text: text.replace("max_parallel: 2", "max_parallel: 1"),
    "another condition": lambda text: text.replace("exists(r, !r.ok)", "exists(r, r.ok)"),
    "another due": lambda text: text.replace("due: 10h", "due: 11h"),
    "another timer": lambda text: text.replace("wait: 20h", "wait: 21h"),
    "no undoing": lambda text: text.replace("on_failure: compensate", "on_failure: fail"),
    "another loop": lambda text: text.replace("poll.ok", "!poll.ok"),
    "renamed": lambda text: text.replace("tell", "inform"),
    "gone": lambda text: "\n".join(line for line in text.split("\n") if "tell" not in line),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_change_of_the_template_that_decides_otherwise_is_found(
    golden: Golden, change: Callable[[str], str]
) -> None:
    today = change(INVOICE_CHECK)
    assert today != INVOICE_CHECK

    assert replayed(golden, compiled, today={"invoice_check": today})


def test_change_of_the_template_that_decides_nothing_goes_as_before(golden: Golden) -> None:
    today = f"# with a comment\n{INVOICE_CHECK}"

    assert replayed(golden, compiled, today={"invoice_check": today}) == []


def test_other_text_under_the_same_version_is_found() -> None:
    text = f'version: "2"\n{INVOICE_CHECK}'
    golden = recorded(suite(text, INVOICE_TESTS), registry=OFFICE)

    problems = replayed(golden, compiled, today={"invoice_check": f"{text}# more\n"})

    assert problems == ['invoice_check: version "2" was recorded with another text: raise it']


def test_api_that_is_gone_is_found(golden: Golden) -> None:
    text = golden.texts[golden.runs[0].template_hash]
    renamed = tuple(line.replace("api: book", "api: buck") for line in text)
    broken = golden.model_copy(update={"texts": {golden.runs[0].template_hash: renamed}})

    (problem,) = replayed(broken, compiled)

    assert problem.startswith("the text it was recorded with does not load any more: golden:16:10")


def test_change_of_the_core_is_found(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if someone forgot that an attempt may be repeated."""
    plans = {plan.text_hash: plan for plan in [compiled(INVOICE_CHECK)]}
    forgetful = {
        text_hash: replace(
            plan,
            nodes={
                path: replace(node, retry=replace(node.retry, attempts=1))
                for path, node in plan.nodes.items()
            },
        )
        for text_hash, plan in plans.items()
    }

    (problem,) = replayed(golden, lambda _: next(iter(forgetful.values())))

    assert "it was attempt_failed read, retry_scheduled read" in problem
    assert "milestone_failed read" in problem


def test_result_that_would_become_something_else_is_found(
    golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = core.completed

    def never(plan, run, node, path, output, now, **more):  # type: ignore[no-untyped-def] # as core's
        fact = kept(plan, run, node, path, output, now, **more)
        if isinstance(fact, MilestoneSucceeded) and path == "book":
            return replace(fact, output={})
        return fact

    monkeypatch.setattr(core, "completed", never)

    assert any("the result was milestone_succeeded book" in p for p in replayed(golden, compiled))


def test_journal_that_cannot_be_read_any_more_is_found(golden: Golden) -> None:
    run = golden.runs[0]
    entry = {"v": 99, "facts": []}
    broken = golden.model_copy(
        update={"runs": (run.model_copy(update={"entries": (*run.entries[:2], entry)}),)}
    )

    (problem,) = replayed(broken, compiled)

    assert "entry 3 cannot be read" in problem
    assert "schema version 99" in problem


@pytest.mark.parametrize("data", [b"", b"{}", b'{"golden": {}, "runs": [{}]}', b"[]"])
def test_file_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableGolden):
        loaded(data, file="a.json")


def test_golden_journals_are_kept_of_every_schema_version() -> None:
    folder = Path(CASES).parent / "journals"
    versions = {
        entry["v"]
        for file in folder.glob("*.json")
        for run in loaded(file.read_bytes(), file=file.name).runs
        for entry in run.entries
    }

    assert versions == set(range(1, max(versions) + 1))
