"""Playing tests of journeys: mocks, virtual time, people, signals, crashes, expectations."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from realms.journey.api import RunStatus
from realms.journey.engine import core, folding, reading
from realms.journey.engine.facts import Fact
from realms.journey.engine.ports import Written
from realms.journey.engine.state import RunState
from realms.journey.testing import virtual_time
from realms.journey.testing.playing import Played, play
from realms.journey.testing.suite import CaseResult
from tests.support.office import INVOICE_CHECK, INVOICE_TESTS, OFFICE, played, suite

LINE = """\
journey_template: line
input: {number: string}
milestones:
  - {milestone_id: booked, service: DeskService, api: book}
  - {milestone_id: paid, service: DeskService, api: pay, with: {number: "${input.number}"}}
"""
BOTH = """
mocks:
  DeskService.book: {returns: {entry_id: "e-${number}"}}
  DeskService.pay: {returns: {done: true}}
"""


def once(template: str, tests: str) -> Played:
    """The first test of a journey, without crashes."""
    found = suite(template, tests)
    case = found.cases[0]
    journeys = [Written(found.plan, template)]
    return play(journeys, case.case, registry=OFFICE, mocks=case.mocks)


def result(template: str, tests: str) -> CaseResult:
    """The first test of a journey."""
    return played(template, tests).tests[0]


def test_whole_language_plays_and_survives_a_crash_at_every_moment() -> None:
    journey = played(INVOICE_CHECK, INVOICE_TESTS)

    assert [test.problems for test in journey.tests] == [()] * 6
    assert sum(test.crashes for test in journey.tests) > 90


def test_branches_that_no_test_takes_are_told_with_their_place() -> None:
    journey = played(INVOICE_CHECK, INVOICE_TESTS)

    assert [(missed.milestone, missed.branch) for missed in journey.never] == [
        ("check_rows", "for_each has too many failed items"),
        ("paid", "timeout passes"),
        ("poll", "loop goes on"),
        ("poll", "loop is exhausted"),
    ]
    lines = INVOICE_CHECK.splitlines()
    assert all(missed.milestone in lines[missed.line - 1] for missed in journey.never)


def test_virtual_hours_take_no_time() -> None:
    tests = BOTH.replace("returns: {done: true}", "takes: 11h, returns: {done: true}")

    found = once(LINE, f"{tests}\ntests: [{{name: a, input: {{number: n}}, expect: {{}}}}]")

    assert found.main is not None
    assert found.main.run.status is RunStatus.SUCCEEDED
    assert found.duration == timedelta(hours=11)


def test_fields_with_defaults_are_filled_in_as_the_service_would() -> None:
    tests = """
tests:
  - name: a
    input: {file_id: f}
    mocks: {DeskService.read: {returns: {number: n, amounts: [1]}}}
    expect: {results: {read: {currency: EUR}}}
"""
    template = """
journey_template: reads
milestones: [{milestone_id: read, service: DeskService, api: read}]
"""

    assert result(template, tests).problems == ()


def test_call_without_a_mock_fails_the_test_and_names_the_call() -> None:
    found = result(LINE, "tests: [{name: a, input: {number: n}, expect: {status: failed}}]")

    assert found.problems == ("DeskService.book was called, and it has no mock",)


def test_answers_are_given_in_turn_and_the_last_holds_on() -> None:
    template = """
journey_template: many
input: {amounts: array}
milestones:
  - milestone_id: checks
    for_each: {items: "${input.amounts}", as: amount, max_parallel: 1}
    service: DeskService
    api: check
    with: {amount: "${amount}"}
"""
    tests = """
tests:
  - name: a
    input: {amounts: [1, 2, 3, 4, 5]}
    mocks:
      DeskService.check:
        - {when: "${amount == 4}", returns: {ok: false}}
        - {times: 2, returns: {ok: true}}
        - {returns: {ok: false}}
        - {returns: {ok: true}}
    crash: every
    expect:
      results: {checks: [{ok: true}, {ok: true}, {ok: false}, {ok: false}, {ok: true}]}
"""

    assert result(template, tests).problems == ()


def test_crash_amid_a_call_that_cannot_be_repeated_leaves_a_run_that_asks_a_person() -> None:
    tests = BOTH + "tests: [{name: a, input: {number: n}, crash: [called: paid], expect: {}}]"

    assert result(LINE, tests).problems == ()


def test_call_that_a_crash_repeated_counts_once() -> None:
    tests = f"""{BOTH}
tests:
  - name: a
    input: {{number: n}}
    crash: [called: booked, after: booked]
    expect: {{calls: {{DeskService.book: 1, DeskService.pay: [{{number: n}}]}}}}
"""

    found = result(LINE, tests)

    assert (found.problems, found.crashes) == ((), 2)


def test_crash_where_the_run_never_comes_is_told() -> None:
    tests = f"""{BOTH}
tests:
  - name: a
    input: {{number: n}}
    mocks: {{DeskService.book: {{raises: {{kind: invalid}}}}}}
    crash: [before: paid]
    expect: {{status: failed, skipped: [paid]}}
"""

    assert result(LINE, tests).problems == (
        "crash before paid: the process was to die before paid, and never came there",
    )


def test_everything_that_is_otherwise_is_told_at_once() -> None:
    tests = f"""{BOTH}
tests:
  - name: a
    input: {{number: n}}
    mocks: {{DeskService.book: {{raises: {{kind: invalid, code: odd, detail: too odd}}}}}}
    expect:
      reason: timeout
      error: {{kind: refused, code: even, detail: even}}
      path: [booked, paid]
      skipped: []
      failed: [paid]
      output: {{a: 1}}
      results: {{booked: {{entry_id: e}}}}
      calls: {{DeskService.book: 2, DeskService.pay: [{{number: m}}]}}
      events: {{told: 1}}
      duration_at_least: 1h
"""

    assert result(LINE, tests).problems == (
        "status is failed (error), not succeeded: too odd",
        'reason is "error", not "timeout"',
        "error.kind is invalid, not refused: too odd",
        "error.code is odd, not even: too odd",
        'error.detail is "too odd", without "even"',
        "path is [], not [booked, paid]",
        "skipped is [paid], not []",
        "failed is [booked], not [paid]",
        "output is None, not {'a': 1}",
        "results.booked is missing: it has no result",
        "calls.DeskService.book is 1, not 2",
        "calls.DeskService.pay: it was called 0 times, not once",
        "events.told is 0, not 1",
        "it took 0:00:00, less than 1:00:00",
    )


def test_run_that_is_not_accepted_can_be_expected() -> None:
    tests = "tests: [{name: a, input: {}, expect: {refused: {kind: invalid}}}]"

    assert result(LINE, tests).problems == ()


def test_refusal_that_was_not_expected_is_told() -> None:
    tests = f"{BOTH}tests: [{{name: a, input: {{number: n}}, expect: {{refused: {{}}}}}}]"

    assert result(LINE, tests).problems == ("the run was to be refused, and was accepted",)


def test_journeys_below_run_with_the_same_mocks_and_people() -> None:
    parent = """
journey_template: parent
input: {number: string}
milestones:
  - {milestone_id: asked, journey: child, with: {number: "${input.number}"}}
  - {milestone_id: booked, service: DeskService, api: book}
"""
    child = """
journey_template: child
input: {number: string}
output: {yes: "${question.yes}"}
milestones:
  - milestone_id: question
    ask: {form: {type: object, required: [yes], properties: {yes: {type: boolean}}}}
"""
    tests = """
tests:
  - name: a
    input: {number: n}
    mocks: {DeskService.book: {returns: {entry_id: e}}}
    answers: [{milestone: question, after: 3h, answer: {yes: true}}]
    crash: every
    expect:
      path: [asked, booked]
      results: {asked: {yes: true}}
      duration_at_least: 3h
"""
    below = Written(suite(child).plan, child)

    assert played(parent, tests, below=(below,)).tests[0].problems == ()


def test_answer_that_nobody_asked_for_is_told() -> None:
    tests = INVOICE_TESTS.replace(
        "    signals: [{signal: paid, after: 1h, data: {by: card}}]\n    crash: every\n",
        "    answers: [{milestone: decide, answer: {approve: true}}]\n",
        1,
    )

    problems = result(INVOICE_CHECK, tests).problems

    assert "nobody was asked to answer decide" in problems


def test_answer_of_somebody_without_the_role_is_told() -> None:
    tests = INVOICE_TESTS.replace("roles: [admin]", "roles: [reader]").replace("11h", "1h")

    found = played(INVOICE_CHECK, tests).tests[3]

    assert "decide: decide asks people with the role author" in found.problems


def test_test_that_comes_to_no_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realms.journey.testing.playing.MOST_STEPS", 20)
    tests = BOTH.replace("returns: {done: true}", "takes: 11h, beats: 1s, returns: {done: true}")

    found = once(LINE, f"{tests}\ntests: [{{name: a, input: {{number: n}}, expect: {{}}}}]")

    assert found.problems == ["it came to no end after 20 steps"]


def test_silent_call_is_cut_by_its_heartbeat_and_a_beating_one_is_not() -> None:
    template = LINE.replace("api: book}", "api: book, heartbeat: 10s, retry: none}")
    tests = f"""{BOTH}
tests:
  - name: silent
    input: {{number: n}}
    mocks: {{DeskService.book: {{takes: 1h, returns: {{entry_id: e}}}}}}
    expect: {{status: failed, duration_at_most: 10s}}
  - name: beating
    input: {{number: n}}
    mocks: {{DeskService.book: {{takes: 1h, beats: 9s, returns: {{entry_id: e}}}}}}
    expect: {{duration_at_least: 1h}}
"""

    journey = played(template, tests)

    assert [test.problems for test in journey.tests] == [(), ()]
    assert ("booked", "heartbeat is missed") not in [(m.milestone, m.branch) for m in journey.never]


def test_until_lets_time_pass_that_nobody_waits_for() -> None:
    tests = INVOICE_TESTS.replace(
        "    expect: {status: waiting, reason: person, waiting: [decide]}",
        "    until: 23h\n    expect: {status: waiting, reason: person, duration_at_least: 23h}",
    )

    assert played(INVOICE_CHECK, tests).tests[2].problems == ()


def test_engine_that_forgets_what_a_crash_cut_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "recovered", lambda _run, _now: ())
    tests = f"{BOTH}tests: [{{name: a, input: {{number: n}}, crash: every, expect: {{}}}}]"

    problems = result(LINE, tests).problems

    assert any(problem.startswith("crash before booked: status is") for problem in problems)


def test_engine_that_calls_again_after_the_checkpoint_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if a checkpoint were forgotten at the next boot, again and again."""
    kept = folding.fold

    def forgetful(run_id: str, entries: Iterable[list[Fact]]) -> RunState:
        told = list(entries)
        return kept(run_id, told[:1] if len(told) == 2 else told)

    monkeypatch.setattr(reading, "fold", forgetful)
    monkeypatch.setattr(virtual_time, "MOST_BUSY", 0.5)
    case = "{name: a, input: {number: n}, crash: [after: booked], expect: {}}"

    problems = result(LINE, f"{BOTH}tests: [{case}]").problems

    assert problems[0].startswith("crash after booked: nothing came to rest for 0.5 s")
