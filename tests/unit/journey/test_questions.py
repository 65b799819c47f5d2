"""Questions to people: each its own, for those with the role, answered as the form asks."""

from typing import Any

import pytest

from realms.journey.control.questions import (
    NotYours,
    UnknownQuestion,
    answer,
    open_questions,
)
from realms.journey.control.reopening import (
    push_back,
)
from realms.journey.control.verbs import (
    NotAllowed,
)
from realms.journey.engine.facts import (
    AnswerRefused,
)
from realms.journey.expressions.compiled import compile_expression
from realms.journey.plans.plan import (
    Loop,
)
from tests.support.plays import DECIDE, PLAN, Play, ask, node, plan_of, waiting


def test_parallel_answers_cannot_cross_and_an_answer_to_a_wait_that_is_over_is_refused() -> None:
    plan = plan_of(node("one", work=ask(push_back_to="one")), node("two", work=ask()))
    play = Play(plan)
    one, two = open_questions(plan, play.run)
    assert (one.wait_id, two.wait_id) == ("run-1:one:0:1", "run-1:two:0:1")

    yes = {"approve": True}
    play.take(answer(plan, play.run, play.by(), wait_id=two.wait_id, given=yes))
    with pytest.raises(NotAllowed, match="is over"):
        answer(plan, play.run, play.by(), wait_id=two.wait_id, given=yes)
    play.take(push_back(plan, play.run, play.by(), wait_id=one.wait_id, note="once more"))
    with pytest.raises(NotAllowed, match="is over"):
        answer(plan, play.run, play.by(), wait_id=one.wait_id, given=yes)

    (again,) = open_questions(plan, play.run)
    assert again.wait_id == "run-1:one:0:2"
    assert set(play.run.results) == {"two"}


def test_a_question_of_a_loop_is_another_in_each_iteration() -> None:
    until = compile_expression_of("decide.approve")
    plan = plan_of(node("decide", work=ask(), loop=Loop(until, most=3)))
    play = Play(plan)

    play.take(
        answer(plan, play.run, play.by(), wait_id="run-1:decide:0:1", given={"approve": False})
    )

    assert [q.wait_id for q in open_questions(plan, play.run)] == ["run-1:decide:1:1"]


def test_an_answer_that_does_not_fit_is_kept_with_its_errors_and_the_question_stays_open() -> None:
    play = waiting()

    (fact,) = answer(PLAN, play.run, play.by(), wait_id=DECIDE, given={"approve": "yes", "x": 1})
    play.take((fact,))

    assert isinstance(fact, AnswerRefused)
    assert {error.pointer for error in fact.errors} == {"", "/approve"}
    (asked,) = open_questions(PLAN, play.run)
    assert (asked.wait_id, asked.state.refused) == (DECIDE, fact.errors)
    play.take(answer(PLAN, play.run, play.by(), wait_id=DECIDE, given={"approve": True}))
    assert play.run.results["decide"] == {"approve": True, "answered_by": "ada"}


def test_a_quorum_counts_one_answer_of_each_person() -> None:
    plan = plan_of(node("decide", work=ask(quorum=2)))
    play = Play(plan)
    yes, no = {"approve": True}, {"approve": False}

    play.take(answer(plan, play.run, play.by("ada"), wait_id=DECIDE, given=yes))
    assert answer(plan, play.run, play.by("ada"), wait_id=DECIDE, given=yes) == ()
    with pytest.raises(NotAllowed, match="ada has answered"):
        answer(plan, play.run, play.by("ada"), wait_id=DECIDE, given=no)
    play.take(answer(plan, play.run, play.by("grace"), wait_id=DECIDE, given=no))

    assert play.run.results["decide"]["answered_by"] == ["ada", "grace"]


def test_only_people_with_the_role_answer_and_later_those_it_is_escalated_to() -> None:
    due = Play(PLAN).now.replace(hour=1) - Play(PLAN).now
    plan = plan_of(node("decide", work=ask(role="clerk", due=due, escalate_to="head")))
    play = Play(plan)
    yes = {"approve": True}

    for nobody in ("member", "head"):
        with pytest.raises(NotYours, match=r"the role clerk$"):
            answer(plan, play.run, play.by("eve", nobody), wait_id=DECIDE, given=yes)
    for somebody in ("clerk", "owner", "admin"):
        assert answer(plan, play.run, play.by("eve", somebody), wait_id=DECIDE, given=yes)
    play.wake(hours=1)
    assert answer(plan, play.run, play.by("eve", "head"), wait_id=DECIDE, given=yes)
    with pytest.raises(NotYours, match="clerk or head"):
        answer(plan, play.run, play.by("eve", "member"), wait_id=DECIDE, given=yes)


def test_nobody_answers_what_was_never_asked_or_pushes_back_without_a_way() -> None:
    plan = plan_of(node("decide", work=ask()))
    play = Play(plan)

    with pytest.raises(UnknownQuestion, match="asks nothing called") as unknown:
        answer(plan, play.run, play.by(), wait_id="run-1:decid:0:1", given={})
    with pytest.raises(NotAllowed, match="push_back_to"):
        push_back(plan, play.run, play.by(), wait_id=DECIDE, note="")

    assert DECIDE in unknown.value.hint


def test_a_push_back_begins_a_generation_with_its_note() -> None:
    play = waiting()

    (fact,) = push_back(PLAN, play.run, play.by("ada"), wait_id=DECIDE, note="the wrong file")
    play.take((fact,))

    assert (fact.path, fact.note) == ("read", "the wrong file")  # type: ignore[union-attr]  # a generation
    assert play.standing() == {"read": "running"}


def compile_expression_of(text: str) -> Any:
    return compile_expression(text, {"decide": {"type": "object"}}, wants=["boolean"])
