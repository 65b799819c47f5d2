"""What a run's journal says, as events, by page, and as the command shows them."""

from datetime import timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from foundations.experience.invocation import Invocation
from foundations.experience.terminal import Terminal
from realms.journey.api import Failure, Reason, RunHistory
from realms.journey.commands import run as runs
from realms.journey.control.history import history
from realms.journey.engine.codec import encode
from realms.journey.engine.facts import (
    AttemptFailed,
    MilestoneBegan,
    MilestoneSucceeded,
    RunPaused,
    RunStarted,
    RunStopping,
)
from tests.support.plays import BEGAN
from utilities.errors import ErrorKind

FAILURE = Failure(kind=ErrorKind.UNAVAILABLE, code="away", title="It is away.", detail="no answer")
LATER = BEGAN + timedelta(seconds=5)
ENTRIES = (
    encode(
        [
            RunStarted(BEGAN, "line", "hash", {"size": 3}, "trace", "north", "ada"),
            MilestoneBegan(BEGAN, "each[2]", 1),
        ]
    ),
    encode([AttemptFailed(at=LATER, path="each[2]", attempt=1, error=FAILURE)]),
    b'{"v": 99, "facts": []}',
    encode([MilestoneSucceeded(LATER, "each[2]", {"n": 1}, 2), RunPaused(at=LATER)]),
    encode([RunStopping(at=LATER, reason=Reason.OPERATOR, principal="bob", note="enough")]),
)


def told(after: int = 0, limit: int = 100) -> RunHistory:
    return history("run-1", ENTRIES, after=after, limit=limit)


def test_each_fact_is_an_event_in_order() -> None:
    found = told()

    assert [(e.number, e.entry, e.kind) for e in found.events] == [
        (1, 0, "run_started"),
        (2, 0, "milestone_began"),
        (3, 1, "attempt_failed"),
        (4, 2, "unreadable"),
        (5, 3, "milestone_succeeded"),
        (6, 3, "run_paused"),
        (7, 4, "run_stopping"),
    ]
    assert found.next_after == 0
    began, failed, unreadable, succeeded = found.events[1:5]
    assert (began.at, began.milestone, began.attempt) == (BEGAN, "each[2]", 1)
    assert (failed.at, failed.details["error"]["detail"]) == (LATER, "no answer")
    assert unreadable.at is None
    assert "schema version 99" in unreadable.details["why"]
    assert succeeded.details == {"output": {"n": 1}}


def test_who_did_it_and_why_is_there() -> None:
    stopped = told().events[-1]

    assert (stopped.principal, stopped.milestone, stopped.attempt) == ("bob", "", 0)
    assert stopped.details == {"reason": "operator", "note": "enough"}


def test_pages_come_to_the_whole() -> None:
    pages, after = [], 0
    while True:
        page = told(after, 3)
        pages.append(page.events)
        after = page.next_after
        if not after:
            break

    assert [len(page) for page in pages] == [3, 3, 1]
    assert sum(pages, ()) == told().events
    assert told(after=6, limit=1).next_after == 0
    assert told(after=100).events == ()


def test_the_command_shows_a_line_for_each_and_says_that_there_is_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Asking:
        terminal = Terminal()

        def ask(self, service: str, api: str, asked: dict[str, Any], **_: Any) -> dict[str, Any]:
            assert (service, api) == ("JourneyRunsService", "get_run_history")
            return told(asked["after"], asked["limit"]).model_dump(mode="json")

    def of(_: typer.Context) -> Asking:
        return Asking()

    monkeypatch.setattr(Invocation, "of", of)
    shown = CliRunner().invoke(runs, ["history", "run-1", "--limit", "6"], env={"COLUMNS": "160"})

    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert shown.exit_code == 0, shown.output
    assert "3 2026-01-01T00:00:05Z attempt failed each[2] 1 no answer" in lines
    assert any(line.startswith("4 unreadable") for line in lines)
    assert "there is more: --after 6" in shown.stderr
