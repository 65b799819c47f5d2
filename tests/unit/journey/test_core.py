"""The pure core under every order of outcomes: a small model says what may be."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine import core
from realms.journey.engine.facts import (
    AttemptFailed,
    AttemptReleased,
    Fact,
    MilestoneBegan,
    MilestoneFailed,
    MilestoneSucceeded,
    ResultSupplied,
    RetryScheduled,
    RunFailed,
    RunStarted,
    RunSucceeded,
    decode,
    encode,
)
from realms.journey.engine.plan import Plan, load_plan
from realms.journey.engine.retries import DEFAULT_RETRY, FINAL_KINDS
from realms.journey.engine.state import CorruptJournal, RunState, apply, fold
from tests.support.journeys import BEGAN, DATA_MASH, DATA_MASH_ANSWERS, FakeServices
from utilities.errors import ErrorKind

PLAN = load_plan(DATA_MASH, FakeServices(), file="mash.yaml")
PATHS = list(PLAN.nodes)
OUTPUTS: Mapping[str, Mapping[str, Any]] = {
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


class Runs(RuleBasedStateMachine):
    """One run of the data mash through results, errors, crashes, closings, timers and people."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN
        self.facts: list[Fact] = []
        self.plan: Plan = PLAN
        self.done: dict[str, Mapping[str, Any]] = {}
        self.errors = dict.fromkeys(PATHS, 0)
        self.crashes = dict.fromkeys(PATHS, 0)
        self.begun = dict.fromkeys(PATHS, 0)
        self.run: RunState
        self.then: core.Perform | core.Sleep | None = None

    @initialize(guarded=st.sets(st.sampled_from(PATHS)))
    def accept(self, guarded: set[str]) -> None:
        nodes = {
            path: replace(node, effect=Effect.GUARDED) if path in guarded else node
            for path, node in PLAN.nodes.items()
        }
        self.plan = replace(PLAN, nodes=nodes)
        first = started()
        self.facts.append(first)
        self.run = apply(None, first, run_id="run-1")
        self._go_on()

    def _go_on(self, *first: Fact) -> None:
        step = core.step(self.plan, self.run, self.now, first=first)
        assert step == core.step(self.plan, self.run, self.now, first=first)
        self.facts += step.facts
        self.run, self.then = step.run, step.then
        for fact in step.facts:
            if isinstance(fact, MilestoneBegan):
                assert fact.path not in self.done, "began after its checkpoint"
                self.begun[fact.path] += 1

    def _performing(self) -> bool:
        return isinstance(self.then, core.Perform)

    @precondition(_performing)
    @rule()
    def succeed(self) -> None:
        assert isinstance(self.then, core.Perform)
        path, attempt = self.then.path, self.then.attempt
        self.done[path] = OUTPUTS[path]
        self._go_on(core.outcome(self.plan, path, attempt, OUTPUTS[path], self.now))

    @precondition(_performing)
    @rule(kind=st.sampled_from(ErrorKind))
    def fail(self, kind: ErrorKind) -> None:
        assert isinstance(self.then, core.Perform)
        path = self.then.path
        self.errors[path] += 1
        self._go_on(
            AttemptFailed(at=self.now, path=path, attempt=self.then.attempt, error=failure(kind))
        )

    @precondition(_performing)
    @rule()
    def break_a_contract(self) -> None:
        assert isinstance(self.then, core.Perform)
        path = self.then.path
        self.errors[path] += 1
        fact = core.outcome(self.plan, path, self.then.attempt, {}, self.now)
        assert isinstance(fact, AttemptFailed)
        self._go_on(fact)

    @rule()
    def crash(self) -> None:
        """Forget everything but the facts, and take the run over."""
        self.run = fold("run-1", [decode(encode(fact)) for fact in self.facts])
        lost = core.recovered(self.run, self.now)
        for fact in lost:
            self.crashes[fact.path] += 1  # type: ignore[union-attr]  # recovered() gives lost attempts
        self._go_on(*lost)

    @precondition(_performing)
    @rule(called=st.booleans())
    def close(self, *, called: bool) -> None:
        assert isinstance(self.then, core.Perform)
        self._go_on(
            AttemptReleased(
                at=self.now, path=self.then.path, attempt=self.then.attempt, called=called
            )
        )

    @precondition(lambda self: isinstance(self.then, core.Sleep))
    @rule(early=st.booleans())
    def time_passes(self, *, early: bool) -> None:
        assert isinstance(self.then, core.Sleep)
        assert self.now < self.then.until <= self.now + timedelta(minutes=1)
        self.now = self.then.until - timedelta(microseconds=1) if early else self.then.until
        self._go_on()

    def _stuck(self) -> list[str]:
        stuck = {RunStatus.WAITING, RunStatus.FAILED}
        return [path for path in PATHS if self.run.node(path).status in stuck]

    @precondition(lambda self: bool(self._stuck()))
    @rule()
    def supply(self) -> None:
        path = self._stuck()[0]
        self.done[path] = OUTPUTS[path]
        self._go_on(ResultSupplied(at=self.now, path=path, output=OUTPUTS[path], principal="ada"))

    @invariant()
    def the_facts_tell_the_same_run(self) -> None:
        if self.facts:
            again = fold("run-1", [decode(encode(fact)) for fact in self.facts])
            assert again == self.run
            assert again.next_seq == len(self.facts)

    @invariant()
    def a_checkpoint_stays_and_is_the_only_one(self) -> None:
        if not self.facts:
            return
        assert {p: dict(o) for p, o in self.run.results.items()} == self.done
        ends = [f.path for f in self.facts if isinstance(f, MilestoneSucceeded | ResultSupplied)]
        assert len(ends) == len(set(ends))

    @invariant()
    def milestones_are_reached_in_order(self) -> None:
        if self.facts:
            assert list(self.done) == PATHS[: len(self.done)]
            assert sum(n.status is RunStatus.RUNNING for n in self.run.nodes.values()) <= 1

    @invariant()
    def it_ends_or_moves_or_waits_visibly(self) -> None:
        if not self.facts:
            return
        match self.run.status:
            case RunStatus.SUCCEEDED:
                assert list(self.done) == PATHS
                assert self.then is None
            case RunStatus.FAILED:
                assert self.run.error is not None
                assert self.run.reason is not Reason.NONE
            case RunStatus.WAITING:
                sleeps = isinstance(self.then, core.Sleep)
                assert self.run.reason is (Reason.RETRY if sleeps else Reason.AMBIGUOUS)
                assert (self.run.wake_at is not None) == sleeps
            case _:
                assert self._performing()

    @invariant()
    def errors_and_crashes_are_counted_apart_and_bounded(self) -> None:
        if not self.facts:
            return
        for path in PATHS:
            node = self.run.node(path)
            assert (node.failures, node.crashes) == (self.errors[path], self.crashes[path])
            assert node.failures <= 3
            assert node.crashes <= 3

    @invariant()
    def what_may_not_be_repeated_is_not(self) -> None:
        for index, fact in enumerate(self.facts):
            if isinstance(fact, MilestoneBegan) and fact.attempt > 1:
                guarded = self.plan.nodes[fact.path].effect is Effect.GUARDED
                if guarded:
                    before = [f for f in self.facts[:index] if getattr(f, "path", "") == fact.path]
                    assert self._surely_nothing_happened(before[-1], before)

    @staticmethod
    def _surely_nothing_happened(last: Fact, before: list[Fact]) -> bool:
        if isinstance(last, AttemptReleased):
            return not last.called
        failed = before[-2]
        return (
            isinstance(last, RetryScheduled)
            and isinstance(failed, AttemptFailed)
            and failed.error.kind is ErrorKind.TOO_MANY
        )


Runs.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestRuns = Runs.TestCase


def test_a_run_that_succeeds_has_written_this_and_no_more() -> None:
    run = apply(None, started(), run_id="run-1")
    step = core.step(PLAN, run, BEGAN)
    kinds = [fact.kind for fact in step.facts]
    while isinstance(step.then, core.Perform):
        path = step.then.path
        done = core.outcome(PLAN, path, step.then.attempt, OUTPUTS[path], BEGAN)
        step = core.step(PLAN, step.run, BEGAN, first=(done,))
        kinds += [fact.kind for fact in step.facts]

    assert kinds == [*["milestone_began", "milestone_succeeded"] * 4, "run_succeeded"]


def test_a_crossing_that_requires_a_trace_is_refused_without_one() -> None:
    run = apply(None, started(trace_id=""), run_id="run-1")
    step = core.step(PLAN, run, BEGAN)
    done = core.outcome(PLAN, "file_uploaded", 1, OUTPUTS["file_uploaded"], BEGAN)

    step = core.step(PLAN, step.run, BEGAN, first=(done,))

    assert (step.run.status, step.run.reason) == (RunStatus.FAILED, Reason.CONTRACT)
    assert step.run.error is not None
    assert "infrastructure_to_business_enablement: a trace id" in step.run.error.detail
    assert step.run.node("file_parsed").attempts == 0


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_only_errors_that_may_pass_are_tried_again(kind: ErrorKind) -> None:
    assert DEFAULT_RETRY.repeats(kind, failures=1) is (kind not in FINAL_KINDS)
    assert not DEFAULT_RETRY.repeats(kind, failures=3)


def test_retry_delays_are_the_same_everywhere_and_differ_between_runs() -> None:
    delays = [DEFAULT_RETRY.delay(f"run-{n}", failures=2) for n in range(200)]

    assert delays == [DEFAULT_RETRY.delay(f"run-{n}", failures=2) for n in range(200)]
    assert len(set(delays)) == 200
    assert timedelta(0) <= min(delays) < timedelta(milliseconds=200)
    assert timedelta(milliseconds=1800) < max(delays) < timedelta(seconds=2)
    assert DEFAULT_RETRY.delay("run-1", failures=50) < timedelta(minutes=1)


FAILED = MilestoneFailed(
    at=BEGAN, path="file_uploaded", reason=Reason.ERROR, error=failure(ErrorKind.INVALID)
)
BEGUN = MilestoneBegan(at=BEGAN, path="file_uploaded", attempt=1)
ENDED = RunSucceeded(at=BEGAN)


@pytest.mark.parametrize(
    "facts",
    [
        [],
        [ENDED],
        [started(), started()],
        [started(), replace(BEGUN, attempt=2)],
        [started(), BEGUN, replace(BEGUN, attempt=2)],
        [started(), MilestoneSucceeded(at=BEGAN, path="file_uploaded", attempt=1, output={})],
        [started(), BEGUN, FAILED],
        [started(), ENDED, ENDED],
        [started(), ENDED, BEGUN],
        [started(), RetryScheduled(at=BEGAN, path="file_uploaded", wake_at=BEGAN)],
        [started(), ResultSupplied(at=BEGAN, path="file_uploaded", output={}, principal="ada")],
    ],
)
def test_facts_that_no_engine_would_write_are_corruption(facts: list[Fact]) -> None:
    with pytest.raises(CorruptJournal):
        fold("run-1", facts)


def test_a_run_that_has_ended_has_no_next_move() -> None:
    error = failure(ErrorKind.INVALID)
    run = fold("run-1", [started(), RunFailed(at=BEGAN, reason=Reason.ERROR, error=error)])

    assert core.decide(PLAN, run, datetime.max.replace(tzinfo=BEGAN.tzinfo)) == ()
