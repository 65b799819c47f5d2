"""A run as the command line tells it: counts of items, what waits for what, why it failed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foundations.experience.terminal import Terminal
from realms.journey.api import Failure, JourneyRun, MilestoneRecord, Question, Reason, RunStatus
from realms.journey.run_shown import ended_otherwise, goes_on, journeys_within, tell, tell_all
from utilities.errors import ErrorKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILURE = Failure(kind=ErrorKind.INVALID, code="bad", title="Bad.", detail="3 is bad", hint="mend")


def run(status: RunStatus, *milestones: MilestoneRecord, **more: Any) -> dict[str, Any]:
    made = JourneyRun(
        run_id="run-1",
        template="orders",
        template_hash="h",
        status=status,
        created_at=NOW,
        updated_at=NOW,
        trace_id="t",
        milestones=milestones,
        **more,
    )
    return made.model_dump(mode="json")


def milestone(path: str, status: RunStatus, **more: Any) -> MilestoneRecord:
    return MilestoneRecord(milestone_id=path, status=status, **more)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_items_are_counted_and_the_first_that_failed_are_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = [
        milestone(f"squares[{n}]", RunStatus.FAILED, reason=Reason.ERROR, error=FAILURE)
        for n in range(25)
    ]
    whole = milestone(
        "squares", RunStatus.RUNNING, items=60, items_succeeded=30, items_failed=25, items_running=5
    )

    tell_all(run(RunStatus.RUNNING, whole, *failed), Terminal())

    told = lines(capsys)
    assert "squares: 30 of 60 items succeeded, 25 failed, 5 running" in told
    assert "squares[0]: failed (error): 3 is bad" in told
    assert len([line for line in told if "squares[19]" in line]) == 1
    assert not [line for line in told if "squares[20]" in line]
    assert "and 5 more of its items; `run history` tells all" in told


def test_a_run_tells_what_each_milestone_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Question(
        wait_id="run-1:decide:0:1",
        run_id="run-1",
        template="orders",
        milestone_id="decide",
        form={},
        role="manager",
        asked_at=NOW,
        escalate_to="boss",
        escalated=True,
    )

    tell_all(
        run(
            RunStatus.WAITING,
            milestone("night", RunStatus.WAITING, reason=Reason.TIMER, wake_at=NOW),
            milestone("mash", RunStatus.WAITING, reason=Reason.JOURNEY, child="run-2"),
            milestone("pay", RunStatus.WAITING, reason=Reason.AMBIGUOUS),
            milestone("decide", RunStatus.WAITING, reason=Reason.PERSON),
            reason=Reason.AMBIGUOUS,
            questions=(asked,),
        ),
        Terminal(),
    )

    told = lines(capsys)
    assert "night: waits until 2026-01-01T00:00:00Z" in told
    assert "mash: is the run run-2" in told
    assert any(line.startswith("pay: nobody knows whether it took place; retry") for line in told)
    assert "asks manager or boss: run-1:decide:0:1" in told


def test_why_a_run_failed_is_told_once_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    failed = milestone("check", RunStatus.FAILED, reason=Reason.ERROR, error=FAILURE)

    tell_all(run(RunStatus.FAILED, failed, error=FAILURE, left_undone=("book", "pay")), Terminal())
    of_milestone = lines(capsys)
    tell_all(run(RunStatus.FAILED, error=FAILURE), Terminal())

    assert [line for line in of_milestone if "3 is bad" in line] == ["check: 3 is bad"]
    assert of_milestone[-2:] == ["fix: mend", "left undone: book, pay"]
    assert lines(capsys)[-2:] == ["error: 3 is bad", "fix: mend"]


def test_a_verb_tells_the_outcome_on_stdout_and_its_reason_beside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell(run(RunStatus.FAILED, error=FAILURE, reason=Reason.ERROR), Terminal())

    shown = capsys.readouterr()
    assert shown.out == "run run-1 of orders: failed (error)\n"
    assert shown.err == "error: 3 is bad\n"


@pytest.mark.parametrize(
    ("status", "meant", "otherwise"),
    [
        (RunStatus.SUCCEEDED, "succeeded", False),
        (RunStatus.FAILED, "succeeded", True),
        (RunStatus.COMPENSATED, "succeeded", True),
        (RunStatus.CANCELLED, "cancelled", False),
        (RunStatus.WAITING, "succeeded", False),
    ],
)
def test_only_an_end_that_nobody_meant_is_a_failure(
    status: RunStatus, meant: str, *, otherwise: bool
) -> None:
    assert ended_otherwise(run(status), meant=frozenset({meant})) is otherwise


def test_it_is_worth_looking_on_while_time_alone_moves_the_run() -> None:
    soon, late = NOW + timedelta(seconds=5), NOW + timedelta(hours=8)

    assert goes_on(run(RunStatus.RUNNING), by=NOW)
    assert goes_on(run(RunStatus.WAITING, reason=Reason.RETRY, wake_at=soon), by=soon)
    assert not goes_on(run(RunStatus.WAITING, reason=Reason.TIMER, wake_at=late), by=soon)
    assert not goes_on(run(RunStatus.WAITING, reason=Reason.PERSON), by=soon)
    assert not goes_on(run(RunStatus.SUCCEEDED), by=soon)


def test_journeys_that_a_run_waits_for_are_named() -> None:
    waits = milestone("mash", RunStatus.WAITING, reason=Reason.JOURNEY, child="run-2")
    done = milestone("look", RunStatus.SUCCEEDED, child="run-3")

    assert journeys_within(run(RunStatus.WAITING, waits, done)) == ["run-2"]
