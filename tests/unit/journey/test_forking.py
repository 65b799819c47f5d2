"""Runs that begin where others stand, or go on by another text."""

from dataclasses import replace

import pytest

from realms.journey.api import RunStatus
from realms.journey.control.forking import forked_input, taken_over
from realms.journey.control.migrating import CannotMigrate, look, migrate
from realms.journey.control.questions import (
    answer,
)
from realms.journey.control.reopening import (
    retry,
    roll_back,
)
from realms.journey.control.verbs import (
    NotAllowed,
)
from tests.support.plays import (
    DECIDE,
    OTHER,
    PLAN,
    Play,
    ask,
    failed,
    node,
    plan_of,
    succeeded,
    waiting,
)


def test_a_fork_takes_over_what_is_not_done_anew_and_undoes_none_of_it() -> None:
    origin = failed()

    copied = taken_over(PLAN, origin.run, origin.by("grace"), path="decide")

    assert {fact.path for fact in copied} == {"read", "check", "book", "go"}
    play = Play(PLAN, first=copied)
    assert play.standing()["decide"] == "waiting"
    play.done("side")
    play.take(answer(PLAN, play.run, play.by(), wait_id=DECIDE, given={"approve": True}))
    assert play.status() is RunStatus.SUCCEEDED
    with pytest.raises(NotAllowed, match="nothing that it reached can be undone"):
        roll_back(PLAN, play.run, play.by())


def test_a_fork_without_a_point_takes_over_nothing_but_the_input() -> None:
    origin = succeeded()

    assert taken_over(PLAN, origin.run, origin.by(), path="") == ()
    assert forked_input(origin.run, {"limit": 3}) == {"file_id": "f1", "limit": 3}


# migrate


def test_a_migration_tells_what_is_kept_and_goes_on_by_the_new_text() -> None:
    new = replace(plan_of(*PLAN.nodes.values(), node("thanks", "decide")), text_hash="hash-2")
    play = waiting()

    found = look(PLAN, new, play.run)
    play.take(migrate(PLAN, new, play.run, play.by(), pins={}))
    play.plan = new
    answered_by = answer(new, play.run, play.by(), wait_id=DECIDE, given={"approve": True})
    play.take(answered_by)

    assert found.possible
    assert found.kept == ("read", "side", "check", "book")
    assert found.goes_on == ("go", "decide")
    assert found.to_reach == ("thanks",)
    assert play.standing()["thanks"] == "running"


def test_a_migration_is_refused_with_everything_that_does_not_fit() -> None:
    nodes = dict(PLAN.nodes)
    del nodes["side"]
    nodes["book"] = replace(nodes["book"], promised=frozenset({"entry_id"}))
    nodes["decide"] = replace(nodes["decide"], work=ask(role="clerk"))
    inputs = {**PLAN.inputs, "limit": {"type": "integer"}}
    new = replace(PLAN, nodes=nodes, inputs=inputs, text_hash="hash-2")
    play = waiting()

    with pytest.raises(CannotMigrate) as refused:
        migrate(PLAN, new, play.run, play.by(), pins={})

    assert {error.pointer for error in refused.value.errors} == {
        "/input/limit",
        "/milestones/side",
        "/milestones/book",
        "/milestones/decide",
    }
    assert "entry_id" in str(refused.value.errors)


def test_a_run_does_not_migrate_to_the_text_it_has() -> None:
    play = waiting()

    with pytest.raises(NotAllowed, match="already"):
        migrate(PLAN, PLAN, play.run, play.by(), pins={})


def test_a_failed_run_migrates_and_what_failed_is_retried_by_the_new_text() -> None:
    play = failed()

    play.take(migrate(PLAN, OTHER, play.run, play.by(), pins={}))
    assert play.status() is RunStatus.FAILED
    play.take(retry(OTHER, play.run, play.by()))
    play.done("side")

    assert (play.run.status, play.run.template_hash) == (RunStatus.SUCCEEDED, "hash-2")
