"""Every verb in every state of a run, and the verbs about a run as a whole."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.control import verbs
from realms.journey.control.forking import taken_over
from realms.journey.control.migrating import migrate
from realms.journey.control.questions import (
    answer,
)
from realms.journey.control.reopening import (
    rerun,
    retry,
    roll_back,
    supply,
)
from realms.journey.control.verbs import (
    ALLOWED,
    REFUSED,
    RUN_STATUSES,
    NotAllowed,
    UnknownSignal,
    Verb,
    check,
)
from realms.journey.engine import core
from realms.journey.engine.facts import (
    Fact,
)
from realms.journey.plans.plan import (
    OnFailure,
)
from tests.support.plays import (
    DECIDE,
    IN_STATE,
    OTHER,
    PLAN,
    Play,
    failed,
    paused,
    queued,
    succeeded,
)
from utilities.errors import ErrorKind

STANDS_OPEN = {"running": "check", "waiting": "decide", "paused": "decide", "failed": "side"}


def do(verb: Verb, play: Play) -> tuple[Fact, ...]:  # noqa: C901 - a list of cases
    """The verb as somebody would use it on this run."""
    plan, run, by = play.plan, play.run, play.by()
    open_ = STANDS_OPEN.get(run.status, "side")
    match verb:
        case Verb.PAUSE:
            return verbs.pause(run, by)
        case Verb.RESUME:
            return verbs.resume(plan, run, by)
        case Verb.CANCEL:
            return verbs.cancel(run, by)
        case Verb.RETRY:
            return retry(plan, run, by)
        case Verb.SKIP:
            return supply(plan, run, by, path=open_, result={})
        case Verb.RERUN:
            return rerun(plan, run, by, path="check")
        case Verb.ROLL_BACK:
            return roll_back(plan, run, by)
        case Verb.SIGNAL:
            return verbs.signal(plan, run, by, name="go", signal_id="mine", data={})
        case Verb.ANSWER:
            return answer(plan, run, by, wait_id=DECIDE, given={"approve": True})
        case Verb.FORK:
            return taken_over(plan, run, by, path="book")
        case Verb.MIGRATE:
            return migrate(plan, OTHER, run, by, pins={})
        case Verb.SETTLE:
            return verbs.settle(run, by)
        case Verb.REPLAY:
            check(Verb.REPLAY, run)
            return retry(plan, run, by)


STANDS_OTHERWISE: Mapping[tuple[Verb, RunStatus], str] = {
    (Verb.RESUME, RunStatus.WAITING): "not paused, but waits",
    (Verb.RETRY, RunStatus.WAITING): "no milestone of it has failed",
    (Verb.RETRY, RunStatus.PAUSED): "no milestone of it has failed",
    (Verb.RETRY, RunStatus.COMPENSATING): "being undone",
    (Verb.SKIP, RunStatus.COMPENSATING): "being undone",
    (Verb.ROLL_BACK, RunStatus.RUNNING): "under way",
    (Verb.ROLL_BACK, RunStatus.COMPENSATED): "everything that can be undone was undone",
    (Verb.ANSWER, RunStatus.RUNNING): "is over",
    (Verb.MIGRATE, RunStatus.RUNNING): "under way",
}
"""Where a run in a state that allows a verb is refused it all the same, in the runs above."""
CHANGES_NOTHING = {(Verb.PAUSE, RunStatus.PAUSED), (Verb.CANCEL, RunStatus.CANCELLED)}


@pytest.mark.parametrize("status", IN_STATE)
def test_the_runs_of_these_tests_are_in_the_states_they_stand_for(status: RunStatus) -> None:
    assert IN_STATE[status]().run.status is status


@pytest.mark.parametrize("status", RUN_STATUSES)
@pytest.mark.parametrize("verb", Verb)
def test_every_verb_is_done_or_refused_with_its_reason_in_every_state(
    verb: Verb, status: RunStatus
) -> None:
    refusal = REFUSED[verb].get(status)
    assert (status in ALLOWED[verb]) is (refusal is None)
    if status is RunStatus.PENDING:  # before the first fact: nothing more than the table
        if refusal is not None:
            with pytest.raises(NotAllowed, match=refusal.reason):
                check(verb, SimpleNamespace(run_id="run-1", status=status))  # type: ignore[arg-type]  # a run that is not there yet
        return
    play = IN_STATE[status]()
    expected = refusal.reason if refusal else STANDS_OTHERWISE.get((verb, status))
    if expected is not None:
        with pytest.raises(NotAllowed, match=expected) as refused:
            do(verb, play)
        assert refused.value.kind is ErrorKind.CONFLICT
        assert refused.value.detail.startswith(f"{verb} of run-1: ")
        return
    facts = do(verb, play)
    if verb is Verb.FORK:
        assert play.status() is status
        return
    assert bool(facts) is ((verb, status) not in CHANGES_NOTHING)
    play.take(facts)
    assert play.folded().status is play.run.status


def test_resuming_reruns_nothing_that_completed_siblings_of_a_waiting_milestone_included() -> None:
    play = paused()
    before = play.standing()
    play.moves.clear()

    play.take(verbs.resume(PLAN, play.run, play.by()))

    assert play.standing() == before
    assert [move for move in play.moves if isinstance(move, core.Perform)] == []
    assert play.status() is RunStatus.WAITING


def test_a_run_that_paused_because_of_a_failure_says_how_to_go_on() -> None:
    plan = replace(PLAN, on_failure=OnFailure.PAUSE)
    play = Play(plan)
    play.fail("read")
    assert (play.run.status, play.run.reason) == (RunStatus.PAUSED, Reason.ERROR)

    with pytest.raises(NotAllowed, match="what failed: read") as refused:
        verbs.resume(plan, play.run, play.by())
    play.take(retry(plan, play.run, play.by()))

    assert "retry" in refused.value.hint
    assert play.status() is RunStatus.RUNNING


def test_a_queued_run_that_was_paused_is_queued_again_and_looked_at() -> None:
    play = queued()
    play.take(verbs.pause(play.run, play.by()))
    assert play.run.wake_at is None

    play.take(verbs.resume(PLAN, play.run, play.by()))

    assert play.status() is RunStatus.QUEUED
    assert play.run.wake_at == play.now


def test_time_in_which_a_run_is_paused_is_not_held_against_it() -> None:
    play = Play(PLAN, deadline=Play(PLAN).now.replace(hour=1))
    play.take(verbs.pause(play.run, play.by()))
    play.wake(hours=5)

    play.take(verbs.resume(PLAN, play.run, play.by()))
    play.wake()

    assert play.status() is RunStatus.RUNNING


def test_signals_come_early_count_once_and_have_a_name_that_is_waited_for() -> None:
    play = Play(PLAN)

    def send(name: str, signal_id: str) -> tuple[Fact, ...]:
        return verbs.signal(PLAN, play.run, play.by(), name=name, signal_id=signal_id, data={})

    play.take(send("go", "s1"))
    assert send("go", "s1") == ()
    play.done("read")
    assert play.standing()["go"] == "succeeded"
    assert send("go", "s1") == ()
    with pytest.raises(UnknownSignal) as unknown:
        send("goo", "s2")
    assert '"go"' in unknown.value.hint


def test_a_doubled_signal_is_no_fault_even_when_the_run_has_ended() -> None:
    play = succeeded()

    doubled = verbs.signal(PLAN, play.run, play.by(), name="go", signal_id="s1", data={})

    assert doubled == ()


def test_signals_that_nobody_takes_are_kept_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verbs, "MOST_SIGNALS", 1)
    play = Play(PLAN)
    play.take(verbs.signal(PLAN, play.run, play.by(), name="go", signal_id="s1", data={}))

    with pytest.raises(verbs.TooManySignals):
        verbs.signal(PLAN, play.run, play.by(), name="go", signal_id="s2", data={})


def test_a_dead_letter_is_settled_once_and_asking_again_changes_nothing() -> None:
    play = failed()

    play.take(verbs.settle(play.run, play.by("ada"), note="done by hand"))

    assert verbs.settle(play.run, play.by("ada"), note="done by hand") == ()
    with pytest.raises(NotAllowed, match="ada has settled it"):
        verbs.settle(play.run, play.by("eve"), note="no, by me")


def test_a_run_does_not_settle_itself() -> None:
    play = failed()

    with pytest.raises(NotAllowed, match="itself"):
        verbs.settle(play.run, play.by(), settled_by="run-1")


def test_a_settled_run_that_is_retried_and_fails_is_a_dead_letter_again() -> None:
    play = failed()
    play.take(verbs.settle(play.run, play.by()))

    play.take(retry(PLAN, play.run, play.by()))
    play.fail("side")

    assert (play.run.status, play.run.settled) == (RunStatus.FAILED, None)
