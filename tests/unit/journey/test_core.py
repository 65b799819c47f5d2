"""The pure core, decision by decision."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine import core
from realms.journey.engine.codec import encode
from realms.journey.engine.facts import (
    AttemptAlone,
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    Fact,
    FannedOut,
    IterationEnded,
    MilestoneBegan,
    MilestoneFailed,
    MilestoneReopened,
    MilestoneSucceeded,
    MilestoneWaiting,
    RetryScheduled,
    RunAdmitted,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    RunSucceeded,
    SignalReceived,
    StepRecorded,
)
from realms.journey.engine.folding import apply, fold
from realms.journey.engine.state import CorruptJournal
from realms.journey.language.compiling import load_plan
from realms.journey.plans.contracts import Check, Fits
from realms.journey.plans.plan import Plan, Timer
from realms.journey.plans.retries import DEFAULT_RETRY, FINAL_KINDS
from tests.support.journeys import BEGAN, DATA_MASH, DATA_MASH_ANSWERS, FakeServices
from tests.support.plays import Play, call, condition, node, plan_of, stepped
from utilities.errors import ErrorKind

PLAN = load_plan(DATA_MASH, FakeServices(), file="mash.yaml")
OUTPUTS: dict[str, dict[str, Any]] = {
    "file_uploaded": DATA_MASH_ANSWERS["process_client_file"]({"file_id": "f1"}),
    "file_parsed": {"parse_result": {}, "semantic_result": {"passages": []}, "trace_id": "t"},
    "semantic_processed": {"content_id": "c", "storage_status": "stored", "semantic_data": {}},
    "insights_generated": {"insights_result": {}},
}


def started(**changes: Any) -> RunStarted:
    whole = RunStarted(
        at=BEGAN,
        template="data_mash_flow",
        template_hash=PLAN.text_hash,
        values={"file_id": "f1"},
        trace_id="trace",
        tenant="north",
        principal="ada",
    )
    return replace(whole, **changes)


def failure(kind: ErrorKind) -> Failure:
    return Failure(kind=kind, code="a_code", title="A title.", detail="a detail")


def test_a_line_that_succeeds_writes_this_and_no_more() -> None:
    play = Play(PLAN)
    kinds: list[str] = []
    for path, output in OUTPUTS.items():
        kinds += [fact.kind for fact in play.take((done(play, path, output),))]

    assert kinds == [*["milestone_succeeded", "milestone_began"] * 3, *ENDS]
    assert len(play.entries) == 5


ENDS = ["milestone_succeeded", "run_succeeded"]


def done(play: Play, path: str, output: dict[str, Any]) -> Fact:
    attempt = play.run.nodes[path].attempts
    return core.completed(
        play.plan, play.run, play.plan.nodes[path], path, output, BEGAN, attempt=attempt
    )


def test_a_crossing_that_requires_a_trace_is_refused_without_one() -> None:
    play = Play(PLAN, trace_id="")

    play.take((done(play, "file_uploaded", OUTPUTS["file_uploaded"]),))

    assert (play.run.status, play.run.reason) == (RunStatus.FAILED, Reason.CONTRACT)
    assert play.run.error is not None
    assert "infrastructure_to_business_enablement: a trace id" in play.run.error.detail
    assert play.run.nodes["file_parsed"].attempts == 0


def test_a_suspect_is_blamed_only_for_what_it_did_alone() -> None:
    play = Play(plan_of(node("a")))
    for _ in range(5):  # it waits for its turn while others take the process down
        play.take(core.recovered(play.run, BEGAN))
    state = play.run.nodes["a"]
    before = (state.crashes, state.alone, play.status())
    play.take((AttemptAlone(at=BEGAN, path="a", attempt=state.attempts),))
    play.take(core.recovered(play.run, BEGAN))

    assert before == (5, True, RunStatus.RUNNING)
    assert (play.status(), play.run.reason) == (RunStatus.FAILED, Reason.POISON)


def test_an_attempt_that_was_alone_and_failed_clears_its_name() -> None:
    play = Play(plan_of(node("a")))
    for _ in range(2):
        play.take(core.recovered(play.run, BEGAN))
    play.take((AttemptAlone(at=BEGAN, path="a", attempt=3),))
    play.fail("a", ErrorKind.UNAVAILABLE)
    play.wake(minutes=5)

    play.take(core.recovered(play.run, BEGAN))

    assert play.status() is RunStatus.RUNNING


def test_a_run_whose_attempt_was_left_behind_is_to_be_looked_at_at_once() -> None:
    play = Play(plan_of(node("a")))
    apply(play.run, AttemptReleased(at=BEGAN, path="a", attempt=1, called=True))

    assert (play.run.status, play.run.wake_at) == (RunStatus.RUNNING, BEGAN)


def test_going_on_after_writes_that_failed_blames_one_attempt_and_no_crash() -> None:
    play = Play(plan_of(node("a"), node("b")))
    failed = AttemptFailed(at=BEGAN, path="a", attempt=1, error=failure(ErrorKind.INTERNAL))

    play.take(core.cut_short(play.run, failed))

    counts = [(s.attempts, s.failures, s.crashes) for s in play.run.nodes.values()]
    assert counts == [(1, 1, 0), (2, 0, 0)]


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_only_errors_that_may_pass_are_tried_again(kind: ErrorKind) -> None:
    soon = timedelta(0)
    assert DEFAULT_RETRY.repeats(failure(kind), failures=1, elapsed=soon) is (
        kind not in FINAL_KINDS
    )
    assert not DEFAULT_RETRY.repeats(failure(kind), failures=3, elapsed=soon)


def test_retry_delays_are_the_same_everywhere_and_differ_between_runs() -> None:
    delays = [DEFAULT_RETRY.delay(f"run-{n}", failures=2) for n in range(200)]

    assert delays == [DEFAULT_RETRY.delay(f"run-{n}", failures=2) for n in range(200)]
    assert len(set(delays)) == 200
    assert timedelta(0) <= min(delays) < timedelta(milliseconds=200)
    assert timedelta(milliseconds=1800) < max(delays) < timedelta(seconds=2)
    assert DEFAULT_RETRY.delay("run-1", failures=50) < timedelta(minutes=1)


BEGUN = MilestoneBegan(at=BEGAN, path="a", attempt=1)
DONE = MilestoneSucceeded(at=BEGAN, path="a", attempt=1, output={})
GIVEN_UP = MilestoneFailed(
    at=BEGAN, path="a", reason=Reason.ERROR, error=failure(ErrorKind.INVALID)
)
ENDED = RunSucceeded(at=BEGAN)
SIGNAL = SignalReceived(at=BEGAN, signal="go", id="1", data={})


@pytest.mark.parametrize(
    "facts",
    [
        [],
        [ENDED],
        [started(), started()],
        [started(), replace(BEGUN, attempt=2)],
        [started(), BEGUN, replace(BEGUN, attempt=2)],
        [started(), DONE],
        [started(), BEGUN, DONE, DONE],
        [started(), BEGUN, DONE, replace(BEGUN, attempt=2)],
        [started(), BEGUN, GIVEN_UP, DONE],
        [started(), BEGUN, replace(DONE, attempt=2)],
        [started(), ENDED, ENDED],
        [started(), ENDED, BEGUN],
        [started(), AttemptLost(at=BEGAN, path="a", attempt=1)],
        [started(), AttemptAlone(at=BEGAN, path="a", attempt=1)],
        [started(), BEGUN, RetryScheduled(at=BEGAN, path="a", wake_at=BEGAN)],
        [started(), StepRecorded(at=BEGAN, path="a", index=0, name="n", data=1)],
        [started(), BEGUN, StepRecorded(at=BEGAN, path="a", index=1, name="n", data=1)],
        [started(), replace(BEGUN, path="a[0]")],
        [started(), FannedOut(at=BEGAN, path="a", items=1), replace(BEGUN, path="a[1]")],
        [started(), replace(BEGUN, path="a~undo")],
        [started(), replace(DONE, attempt=0, signal="go")],
        [started(), SIGNAL, SIGNAL],
        [started(), RunAdmitted(at=BEGAN)],
        [started(), RunResumed(at=BEGAN, principal="ada")],
    ],
)
def test_facts_that_no_engine_would_write_are_corruption(facts: list[Fact]) -> None:
    with pytest.raises(CorruptJournal):
        fold("run-1", [facts])


def test_a_run_that_has_ended_has_no_next_move() -> None:
    error = failure(ErrorKind.INVALID)
    ended = RunFailed(at=BEGAN, reason=Reason.ERROR, error=error)
    run = fold("run-1", [[started()], [ended]])

    assert core.woken(PLAN, run, BEGAN + timedelta(days=900)) == core.Step((), ())
    assert core.step(PLAN, run, BEGAN) == core.Step((), ())


def test_a_loop_keeps_its_counts_apart_for_each_iteration() -> None:
    play = Play(plan_of(node("a")))
    play.take(core.recovered(play.run, BEGAN))
    play.take((IterationEnded(at=BEGAN, path="a", output={}, attempt=2),))

    state = play.run.nodes["a"]
    assert (state.iteration, state.crashes, state.attempts) == (1, 0, 3)
    assert core.idempotency_key(play.run, state) == "run-1:a:1:1"


def test_a_wait_that_is_told_twice_is_one_wait() -> None:
    play = Play(plan_of(node("a")))
    waits = MilestoneWaiting(at=BEGAN, path="a", reason=Reason.AMBIGUOUS)
    play.take((AttemptLost(at=BEGAN, path="a", attempt=1), waits))

    assert core.woken(play.plan, play.run, BEGAN) == core.Step((), ())


def test_a_line_is_gone_straight_on_and_only_while_there_is_nothing_to_look_at() -> None:
    play = Play(plan_of(node("a"), node("b", "a"), node("c", "b")))

    play.done("a")
    play.take((RunPaused(at=play.now, principal="ada"),))
    play.done("b")

    assert play.plan.onward == {"a": "b", "b": "c"}
    assert play.standing() == {"a": "succeeded", "b": "succeeded"}
    assert play.status() is RunStatus.PAUSED


def taken_over(play: Play) -> core.Step:
    """What follows when the process died and another has read the journal."""
    play.run = play.folded()
    lost = core.recovered(play.run, play.now)
    return stepped(play.plan, play.run, play.now, first=lost)


def nobody_looks(*_: object, **__: object) -> core.Step:
    raise AssertionError("it was looked about")


def test_a_run_taken_over_in_one_call_makes_it_again_without_looking_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play = Play(plan_of(node("a"), node("b", "a"), node("c", "b"), node("last"), closing=("last",)))
    play.done("a")
    twin = play.folded()
    expected = taken_over(play)

    monkeypatch.setattr(core, "looked_about", nobody_looks)
    step = core.step(play.plan, twin, play.now, first=core.recovered(twin, play.now))

    assert step == expected
    assert step.moves == (core.Perform("b", 2),)


@pytest.mark.parametrize(
    "plan",
    [
        plan_of(node("a"), node("other")),
        plan_of(node("a", work=call(effect=Effect.GUARDED))),
        plan_of(node("a"), node("never", condition=condition("1 == 2")), node("b", "never")),
    ],
    ids=["two under way", "guarded", "one passed over"],
)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_run_taken_over_comes_to_the_same_by_either_way(plan: Plan, times: int) -> None:
    play = Play(plan)

    for _ in range(times):
        step = taken_over(play)
        play.entries.append(encode(step.facts))

    assert step.facts or play.status() is RunStatus.WAITING


def performed(step: core.Step) -> set[str]:
    return {move.path for move in step.moves if isinstance(move, core.Perform)}


def test_what_was_to_begin_while_a_run_was_paused_begins_with_what_is_made_again() -> None:
    play = Play(plan_of(node("a"), node("b", "a"), node("c")))
    play.take((RunPaused(at=play.now, principal="ada"),))
    play.done("a")
    play.entries.append(encode([RunResumed(at=play.now, principal="ada")]))

    assert performed(taken_over(play)) == {"b", "c"}


def test_what_was_opened_again_begins_with_what_is_made_again() -> None:
    play = Play(plan_of(node("a"), node("b")))
    play.fail("a")
    play.entries.append(encode([MilestoneReopened(at=play.now, path="a", principal="ada")]))

    assert performed(taken_over(play)) == {"a", "b"}


def test_a_timer_that_is_over_is_heard_when_a_run_is_taken_over() -> None:
    play = Play(plan_of(node("a"), node("wait", work=Timer(timedelta(minutes=1)))))
    play.now += timedelta(minutes=2)

    step = taken_over(play)

    assert performed(step) == {"a"}
    assert play.standing()["wait"] == "succeeded"


PROMISE = Check("a_to_b", "output", "name", producer="a", fits=Fits({"type": "string"}))


def test_what_was_read_and_breaks_its_promise_is_not_handed_over() -> None:
    play = Play(plan_of(node("a"), node("b", "a"), node("c", "b", on_entry=(PROMISE,))))
    play.done("a", output={"name": 3})
    play.entries.append(encode(taken_over(play).facts))

    play.done("b")

    assert play.standing() == {"a": "succeeded", "b": "succeeded", "c": "failed"}
    assert play.run.reason is Reason.CONTRACT


@pytest.mark.parametrize("times", [0, 1])
def test_what_was_never_handed_over_is_missed_by_no_run_taken_over_or_not(times: int) -> None:
    passed = node("a", "first", condition=condition("1 == 2"))
    always = node("b", "a", condition=condition("always()"), on_entry=(PROMISE,))
    play = Play(plan_of(node("zero"), node("first", "zero"), passed, always))
    play.done("zero")
    for _ in range(times):
        play.entries.append(encode(taken_over(play).facts))

    play.done("first")

    assert (play.standing()["a"], play.standing()["b"]) == ("skipped", "running")


def test_no_way_leads_straight_on_to_what_asks_or_is_reached_by_two() -> None:
    plan = plan_of(
        node("a"),
        node("b", "a", condition=condition("succeeded()")),
        node("c"),
        node("d", "b", "c"),
        node("e", "d"),
        node("f", "d"),
    )

    assert plan.onward == {}
