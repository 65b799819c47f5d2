"""Milestones opened again by people: retried, skipped with a result, done anew, undone."""

from collections.abc import Callable
from typing import Any

import pytest

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.control.forking import taken_over
from realms.journey.control.questions import (
    NotYours,
)
from realms.journey.control.reopening import (
    NotOpenForResult,
    UnknownMilestone,
    rerun,
    retry,
    roll_back,
    supply,
)
from realms.journey.control.verbs import (
    NotAllowed,
    cancel,
    pause,
    resume,
)
from realms.journey.engine import core
from realms.journey.engine.facts import (
    AttemptLost,
    Fact,
    MilestoneFailed,
    MilestoneReopened,
    MilestoneWaiting,
    RetryScheduled,
)
from realms.journey.engine.inputs import InvalidResult
from realms.journey.expressions.compiled import compile_expression
from realms.journey.plans.plan import (
    ForEach,
    OnFailure,
    Race,
    SubJourney,
    Timer,
    WaitFor,
)
from tests.support.plays import (
    PLAN,
    Play,
    ask,
    call,
    compensated,
    compensating,
    condition,
    failed,
    node,
    plan_of,
    running,
    waiting,
)
from utilities.errors import ErrorKind


def test_a_retry_reopens_what_was_skipped_because_of_the_failure_and_reruns_nothing_else() -> None:
    plan = plan_of(
        node("a"),
        node("b", "a"),
        node("beside", "a"),
        node("c", "b"),
        node("d", "c", condition=condition("succeeded()")),
        node("e", "d"),
        node("always", "b", condition=condition("always()")),
        node("never", "a", condition=condition("1 == 2")),
    )
    play = Play(plan)
    play.done("a", "beside")
    play.fail("b")
    play.done("always")
    assert play.status() is RunStatus.FAILED

    (fact,) = retry(plan, play.run, play.by("grace"), path="b")

    assert isinstance(fact, MilestoneReopened)
    assert (fact.principal, set(fact.skipped)) == ("grace", {"c", "d", "e"})
    play.take((fact,))
    assert play.standing() == {
        "a": "succeeded",
        "beside": "succeeded",
        "always": "succeeded",
        "never": "skipped",
        "b": "running",
    }
    assert play.run.nodes["b"].attempts == 2
    play.done("b", "c", "d", "e")
    assert play.status() is RunStatus.SUCCEEDED
    assert [s.attempts for s in play.run.nodes.values() if s.path not in "b never"] == [1] * 5


def test_what_waits_for_two_failures_is_skipped_again_when_only_one_is_mended() -> None:
    plan = plan_of(node("a"), node("b"), node("c", "a", "b"))
    play = Play(plan)
    play.fail("a")
    play.fail("b")

    play.take(retry(plan, play.run, play.by(), path="a"))
    play.done("a")

    assert play.standing() == {"a": "succeeded", "b": "failed", "c": "skipped"}
    assert play.status() is RunStatus.FAILED


def test_a_retry_of_all_that_failed_opens_each() -> None:
    plan = plan_of(node("a"), node("b"), node("c", "a", "b"))
    play = Play(plan)
    play.fail("a")
    play.fail("b")

    play.take(retry(plan, play.run, play.by()))
    play.done("a", "b", "c")

    assert play.status() is RunStatus.SUCCEEDED


def test_a_retry_of_a_race_reopens_its_branches() -> None:
    plan = plan_of(
        node("race", work=Race(("one", "two"))), node("one"), node("two"), node("after", "race")
    )
    play = Play(plan)
    play.fail("one")
    play.fail("two")
    assert play.standing()["after"] == "skipped"

    play.take(retry(plan, play.run, play.by()))

    assert play.standing() == {"race": "running", "one": "running", "two": "running"}
    play.done("two")
    play.done("after")
    assert play.status() is RunStatus.SUCCEEDED
    assert play.run.nodes["one"].reason is Reason.RACE_LOST


def test_a_retry_of_a_for_each_reaches_the_items_again_that_failed_and_no_others() -> None:
    items = compile_list("[1, 2, 3]")
    plan = plan_of(node("each", each=ForEach(items)), node("after", "each"))
    play = Play(plan)
    play.done("each[0]", output={"n": 1})
    play.done("each[2]", output={"n": 3})
    play.fail("each[1]")
    assert play.status() is RunStatus.FAILED

    play.take(retry(plan, play.run, play.by(), path="each"))
    play.done("each[1]", output={"n": 2})
    play.done("after")

    assert play.run.results["each"] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [play.run.nodes[f"each[{i}]"].attempts for i in range(3)] == [1, 2, 1]


def test_a_single_item_is_not_retried_alone() -> None:
    plan = plan_of(node("each", each=ForEach(compile_list("[1, 2]"))))
    play = Play(plan)
    play.fail("each[1]")

    with pytest.raises(NotAllowed, match="one item of each"):
        retry(plan, play.run, play.by(), path="each[1]")


def test_one_item_that_failed_is_given_a_result_and_the_others_are_tried_again() -> None:
    items = compile_list("[1, 2, 3]")
    plan = plan_of(node("each", each=ForEach(items)), node("after", "each"))
    play = Play(plan)
    play.done("each[0]", output={"n": 1})
    play.fail("each[1]")
    assert play.status() is RunStatus.FAILED

    play.take(supply(plan, play.run, play.by(), path="each[1]", result={"n": 20}))
    assert play.status() is RunStatus.RUNNING
    play.done("each[2]", output={"n": 3})
    play.done("after")

    assert play.run.results["each"] == [{"n": 1}, {"n": 20}, {"n": 3}]
    assert play.run.nodes["each[1]"].supplied_by
    assert play.status() is RunStatus.SUCCEEDED


def test_an_item_that_was_let_pass_is_given_a_result_while_the_others_go_on() -> None:
    plan = plan_of(node("each", each=ForEach(compile_list("[1, 2, 3]"), tolerated=1)))
    play = Play(plan)
    play.fail("each[1]")
    play.done("each[0]", output={"n": 1})

    play.take(supply(plan, play.run, play.by(), path="each[1]", result={"n": 2}))
    whole = play.run.nodes["each"]
    assert (whole.done, whole.given_up, play.status()) == (2, 0, RunStatus.RUNNING)
    play.fail("each[2]")  # of which one is tolerated, again

    assert play.run.results["each"] == [{"n": 1}, {"n": 2}]
    with pytest.raises(NotAllowed, match=r"succeeded, and nothing of it is open"):
        supply(plan, play.run, play.by(), path="each[2]", result={})


def test_an_item_of_a_for_each_that_is_done_without_it_takes_no_result() -> None:
    plan = plan_of(
        node("each", each=ForEach(compile_list("[1, 2]"), tolerated=1)), node("after", "each")
    )
    play = Play(plan)
    play.fail("each[1]")
    play.done("each[0]", output={"n": 1})

    with pytest.raises(NotOpenForResult, match=r"each is succeeded without each\[1\]"):
        supply(plan, play.run, play.by(), path="each[1]", result={})


def test_a_retry_with_edited_input_is_another_call_under_another_key() -> None:
    play = failed()

    play.take(retry(PLAN, play.run, play.by(), path="side", arguments={"file_id": "f2"}))

    side = play.run.nodes["side"]
    assert (side.arguments, side.attempts, side.generation) == ({"file_id": "f2"}, 2, 2)
    assert play.status() is RunStatus.RUNNING


def test_input_is_edited_of_one_milestone_and_of_none_that_takes_none() -> None:
    plan = plan_of(node("a"), node("b"), node("late", work=WaitFor("x")))
    play = Play(plan)
    play.fail("a")
    play.fail("b")

    with pytest.raises(NotAllowed, match="several milestones failed: a, b"):
        retry(plan, play.run, play.by(), arguments={})
    with pytest.raises(NotAllowed, match=r"late waits \(signal\)"):
        retry(plan, play.run, play.by(), path="late", arguments={})


def test_a_milestone_that_waits_for_its_next_attempt_is_tried_at_once() -> None:
    play = Play(PLAN)
    play.fail("read", ErrorKind.UNAVAILABLE)
    assert play.run.reason is Reason.RETRY

    (fact,) = retry(PLAN, play.run, play.by("grace"), path="read")

    assert fact == RetryScheduled(at=play.now, path="read", wake_at=play.now, principal="grace")
    play.take((fact,))
    play.wake()
    assert play.run.nodes["read"].attempts == 2


def test_a_run_whose_work_was_undone_is_not_retried_but_rerun() -> None:
    play = compensated()
    play.run.ended = RunStatus.FAILED  # as if something had been left undone

    with pytest.raises(NotAllowed, match="was undone: book") as refused:
        retry(PLAN, play.run, play.by())

    assert refused.value.hint.startswith("rerun from book")


def test_a_run_that_took_too_long_goes_on_with_what_was_cut() -> None:
    play = Play(PLAN, deadline=Play(PLAN).now.replace(hour=1))
    play.done("read")
    play.wake(hours=2)
    assert (play.run.status, play.run.reason) == (RunStatus.FAILED, Reason.TIMEOUT)

    play.take(retry(PLAN, play.run, play.by()))

    assert set(play.standing().values()) == {"succeeded", "running", "waiting"}
    assert play.run.wake_at is not None
    play.wake(minutes=50)
    assert play.run.ended is None, "the time of the run is counted anew"
    play.wake(minutes=20)
    assert play.run.reason is Reason.TIMEOUT


def test_a_journey_that_cannot_go_on_is_begun_as_another_under_another_key() -> None:
    plan = plan_of(node("child", work=SubJourney("other")))
    play = Play(plan)
    wait = MilestoneWaiting(at=play.now, path="child", reason=Reason.JOURNEY, child="run-2")
    play.take((wait,))
    play.take(_given_up(play, "child"))
    (same,) = retry(plan, play.run, play.by())
    (anew,) = retry(plan, play.run, play.by(), anew=["child"])

    goes_on = play.folded()
    core.step(plan, goes_on, play.now, first=[same])
    play.take((anew,))

    assert (goes_on.nodes["child"].generation, goes_on.nodes["child"].child) == (1, "run-2")
    assert (play.run.nodes["child"].generation, play.run.nodes["child"].child) == (2, "")
    assert play.run.generation("child") == 2


@pytest.mark.parametrize(("given", "near"), [("sidee", "side"), ("boook", "book")])
def test_an_unknown_milestone_gets_the_nearest_name(given: str, near: str) -> None:
    play = failed()

    uses: list[Callable[[], object]] = [
        lambda: retry(PLAN, play.run, play.by(), path=given),
        lambda: supply(PLAN, play.run, play.by(), path=given, result={}),
        lambda: rerun(PLAN, play.run, play.by(), path=given),
        lambda: roll_back(PLAN, play.run, play.by(), to=given),
        lambda: taken_over(PLAN, play.run, play.by(), path=given),
    ]
    for verb in uses:
        with pytest.raises(UnknownMilestone) as unknown:
            verb()
        assert near in unknown.value.hint


# skip


def test_a_supplied_result_reopens_what_was_skipped_and_stands_for_the_milestones_own() -> None:
    plan = plan_of(
        node("a", output={"n": {"type": "integer"}}, promised=frozenset({"n"})), node("b", "a")
    )
    play = Play(plan)
    play.fail("a")

    wrong: Any
    for wrong in ({}, {"n": "text"}, {"n": 1, "m": 2}, [], "n"):
        with pytest.raises(InvalidResult):
            supply(plan, play.run, play.by(), path="a", result=wrong)
    play.take(supply(plan, play.run, play.by("grace"), path="a", result={"n": 1}))
    play.done("b")

    assert play.status() is RunStatus.SUCCEEDED
    assert (play.run.nodes["a"].supplied_by, play.run.results["a"]) == ("grace", {"n": 1})


def test_of_a_for_each_a_list_of_results_is_supplied() -> None:
    plan = plan_of(node("each", each=ForEach(compile_list("[1, 2]"))))
    play = Play(plan)
    play.fail("each[0]")

    with pytest.raises(InvalidResult, match="gives a list"):
        supply(plan, play.run, play.by(), path="each", result={})
    play.take(supply(plan, play.run, play.by(), path="each", result=[{}, {}]))

    assert play.folded().results["each"] == [{}, {}]


@pytest.mark.parametrize("path", ["read", "side"])
def test_a_milestone_that_is_done_or_runs_takes_no_result(path: str) -> None:
    play = running()

    with pytest.raises(NotOpenForResult, match=f"{path} is (succeeded|running)"):
        supply(PLAN, play.run, play.by(), path=path, result={})


def test_nobody_skips_a_question_for_others() -> None:
    plan = plan_of(node("decide", work=ask(role="clerk")))
    play = Play(plan)

    with pytest.raises(NotYours):
        supply(plan, play.run, play.by("eve", "member"), path="decide", result={})


# rerun


def test_a_rerun_does_a_milestone_and_what_follows_anew_under_new_keys() -> None:
    plan = plan_of(
        node("a"),
        node("b", "a"),
        node("race", "b", work=Race(("one", "two"))),
        node("one"),
        node("two"),
        node("beside", "a"),
        node("last"),
        closing=("last",),
    )
    play = Play(plan)
    play.done("a", "b", "beside", "one")
    play.done("last")
    assert play.status() is RunStatus.SUCCEEDED

    facts = rerun(plan, play.run, play.by(), path="b", note="again, please")

    assert facts[0].again == ("b", "race", "one", "two", "last")  # type: ignore[union-attr]  # a generation
    play.take(facts)
    assert play.standing() == {"a": "succeeded", "beside": "succeeded", "b": "running"}
    assert play.run.nodes["b"].generation == 2
    play.done("b", "two", "last")
    assert play.status() is RunStatus.SUCCEEDED
    assert play.run.results["race"]["winner"] == "two"


def test_a_rerun_waits_for_what_is_under_way_there_and_only_there() -> None:
    play = running()

    with pytest.raises(NotAllowed, match="side is under way"):
        rerun(PLAN, play.run, play.by(), path="read")
    assert rerun(PLAN, play.run, play.by(), path="check")


def test_nothing_is_rerun_that_was_not_reached_or_is_a_branch() -> None:
    plan = plan_of(node("race", work=Race(("one",))), node("one"), node("after", "race"))
    play = Play(plan)

    with pytest.raises(NotAllowed, match="one is a branch"):
        rerun(plan, play.run, play.by(), path="one")
    with pytest.raises(NotAllowed, match="after was not reached"):
        rerun(plan, play.run, play.by(), path="after")


def test_after_an_undoing_a_rerun_does_again_what_was_undone_or_is_refused() -> None:
    play = compensated()

    with pytest.raises(NotAllowed, match="book was undone") as refused:
        rerun(PLAN, play.run, play.by(), path="decide")
    play.take(rerun(PLAN, play.run, play.by(), path="book"))

    assert refused.value.hint == "rerun from book"
    assert play.run.nodes["book"].generation == 2


# roll back


def test_a_roll_back_undoes_the_last_first_as_far_as_it_is_told() -> None:
    plan = plan_of(
        node("a", compensate=call("x")),
        node("b", "a", compensate=call("x")),
        node("c", "b", compensate=call("x")),
        node("stop", "c", work=Timer(Play(PLAN).now - Play(PLAN).now)),
    )
    play = Play(plan)
    play.done("a", "b", "c")
    play.wake()
    assert play.status() is RunStatus.SUCCEEDED

    back_to_a = roll_back(plan, play.run, play.by(), to="a")
    all_of_it = roll_back(plan, play.run, play.by())

    assert back_to_a[-1].paths == ("c", "b")  # type: ignore[union-attr]  # a compensation
    assert all_of_it[-1].paths == ("c", "b", "a")  # type: ignore[union-attr]  # a compensation
    play.take(back_to_a)
    play.done("c~undo", "b~undo")
    assert (play.run.status, play.run.reason) == (RunStatus.COMPENSATED, Reason.OPERATOR)
    play.take(roll_back(plan, play.run, play.by()))
    play.done("a~undo")
    with pytest.raises(NotAllowed, match="everything that can be undone was undone"):
        roll_back(plan, play.run, play.by())


def test_a_roll_back_of_a_waiting_run_ends_its_waits() -> None:
    play = waiting()

    play.take(roll_back(PLAN, play.run, play.by()))
    play.done("book~undo")

    assert play.status() is RunStatus.COMPENSATED
    assert play.standing()["decide"] == "cancelled"


def test_what_was_left_undone_is_undone_by_rolling_back_again() -> None:
    play = compensating()
    play.fail("book~undo")
    assert play.run.reason is Reason.LEFT_UNDONE
    with pytest.raises(NotAllowed, match="book~undo was given up") as tried:
        retry(PLAN, play.run, play.by(), path="book~undo")
    with pytest.raises(NotOpenForResult, match="book~undo was given up") as given:
        supply(PLAN, play.run, play.by(), path="book~undo", result={})
    assert "roll back again" in tried.value.hint
    assert "roll back again" in given.value.hint

    play.take(roll_back(PLAN, play.run, play.by()))
    play.done("book~undo")

    assert (play.run.status, play.run.left_undone) == (RunStatus.COMPENSATED, [])


def test_nothing_is_rolled_back_where_nothing_can_be_undone() -> None:
    plan = plan_of(node("a"))
    play = Play(plan)
    play.done("a")

    with pytest.raises(NotAllowed, match="nothing that it reached can be undone"):
        roll_back(plan, play.run, play.by())


def test_an_ambiguous_effect_is_made_again_or_its_result_supplied_as_a_person_says() -> None:
    plan = plan_of(node("charge", work=call("charge", effect=Effect.GUARDED)))
    uses: list[Callable[[Play], tuple[Fact, ...]]] = [
        lambda play: retry(plan, play.run, play.by(), path="charge"),
        lambda play: supply(plan, play.run, play.by(), path="charge", result={}),
    ]
    for verb in uses:
        play = Play(plan)
        play.take((AttemptLost(at=play.now, path="charge", attempt=1),))
        assert (play.run.status, play.run.reason) == (RunStatus.WAITING, Reason.AMBIGUOUS)

        play.take(verb(play))
        play.wake()

        assert play.run.status in {RunStatus.RUNNING, RunStatus.SUCCEEDED}


def test_an_undoing_that_is_ambiguous_is_made_again_or_taken_as_done() -> None:
    plan = plan_of(node("book", compensate=call("unbook", effect=Effect.GUARDED)))
    uses: list[Callable[[Play], tuple[Fact, ...]]] = [
        lambda play: retry(plan, play.run, play.by(), path="book~undo"),
        lambda play: supply(plan, play.run, play.by(), path="book~undo", result={}),
    ]
    for verb in uses:
        play = Play(plan)
        play.done("book")
        play.take(roll_back(plan, play.run, play.by()))
        play.take((AttemptLost(at=play.now, path="book~undo", attempt=1),))

        play.take(verb(play))
        play.wake()
        if play.run.performing:
            play.done("book~undo")

        assert play.status() is RunStatus.COMPENSATED


def compile_list(text: str) -> Any:
    return compile_expression(text, {}, wants=["array"])


def _given_up(play: Play, path: str) -> tuple[Fact, ...]:
    error = Failure(kind=ErrorKind.INTERNAL, code="c", title="T.", detail="d")
    return (MilestoneFailed(at=play.now, path=path, reason=Reason.ERROR, error=error),)


def test_finally_is_reached_after_what_is_retried_and_its_skipped_parts_are_asked_again() -> None:
    plan = plan_of(
        node("a"),
        node("cleanup"),
        node("praise", condition=condition("succeeded()")),
        closing=("cleanup", "praise"),
    )
    play = Play(plan)
    play.fail("a")
    play.fail("cleanup")
    assert play.standing() == {"a": "failed", "cleanup": "failed", "praise": "skipped"}

    play.take(retry(plan, play.run, play.by()))
    began_with = [path for path, state in play.run.nodes.items() if state.performing]
    play.done("a")
    then = [path for path, state in play.run.nodes.items() if state.performing]
    play.done("cleanup", "praise")

    assert began_with == ["a"]
    assert then == ["cleanup", "praise"]
    assert play.status() is RunStatus.SUCCEEDED


def test_what_failed_in_finally_is_retried_alone() -> None:
    plan = plan_of(node("a"), node("cleanup"), closing=("cleanup",))
    play = Play(plan)
    play.done("a")
    play.fail("cleanup")

    play.take(retry(plan, play.run, play.by()))
    play.done("cleanup")

    assert play.status() is RunStatus.SUCCEEDED
    assert play.run.nodes["a"].attempts == 1


def test_what_was_cancelled_after_a_failure_is_undone_only_when_asked() -> None:
    plan = plan_of(
        node("book", compensate=call("unbook")),
        node("ship", "book"),
        node("bill", "book"),
        on_failure=OnFailure.COMPENSATE,
    )
    play = Play(plan)
    play.done("book")
    play.fail("ship")
    play.take(cancel(play.run, play.by()))
    assert (play.run.status, play.run.reason) == (RunStatus.CANCELLED, Reason.OPERATOR)
    assert "book~undo" not in play.run.nodes

    play.take(roll_back(plan, play.run, play.by()))
    play.done("book~undo")
    assert play.status() is RunStatus.COMPENSATED


def test_no_item_begins_on_resuming_when_one_that_ended_meanwhile_was_too_many() -> None:
    items = ForEach(compile_expression("[0, 1, 2]", {}), max_parallel=2, tolerated=0)
    plan = plan_of(node("each", each=items), node("other"))
    play = Play(plan)
    play.take(pause(play.run, play.by()))
    play.done("each[0]")
    play.fail("each[1]")

    play.take(resume(plan, play.run, play.by()))

    assert play.run.nodes["each"].status is RunStatus.FAILED
    assert "each[2]" not in play.run.nodes
