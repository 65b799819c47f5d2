"""What the commands about retention say."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from foundations.experience.invocation import Invocation
from foundations.experience.terminal import Terminal
from realms.solution.retention_commands import app

KEPT = {"file_id": "f1", "keep_until": "2026-03-01T12:00:00Z"}
SWEEP = {"removed": True, "unused": [KEPT], "used": [{"file_id": "f2", "runs": ["run-1"]}]}
REMOVAL = KEPT | {
    "removed_at": "2026-03-02T12:00:00.5Z",
    "classes": ["contact", "identity"],
    "policy_version": "p7",
}
Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command's output, where the city answers what is given."""

    def ran(answer: dict[str, Any], *arguments: str) -> str:
        class Asking:
            terminal = Terminal()

            def ask(self, *_: Any, **__: Any) -> dict[str, Any]:
                return answer

        def of(_: typer.Context) -> Asking:
            return Asking()

        monkeypatch.setattr(Invocation, "of", of)
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
        assert done.exit_code == 0, done.output
        return done.output

    return ran


def test_sweep_says_what_went_and_what_is_in_use(run: Run) -> None:
    told = " ".join(run(SWEEP, "sweep").split())

    assert "removed f1 kept until 2026-03-01" in told
    assert "in use f2 run-1" in told


def test_preview_says_what_would_go(run: Run) -> None:
    assert "to be removed" in run(SWEEP | {"removed": False}, "show")


def test_notes_say_what_was_removed_and_why(run: Run) -> None:
    told = " ".join(run({"removals": [REMOVAL]}, "removed").split())

    assert "2026-03-02T12:00:00 f1 2026-03-01 contact identity p7" in told


@pytest.mark.parametrize("command", ["show", "sweep"])
def test_as_json_it_is_the_answer_itself(run: Run, command: str) -> None:
    assert json.loads(run(SWEEP, command, "--json")) == SWEEP


def test_nothing_is_said_plainly(run: Run) -> None:
    assert "no file's retention has ended" in run({"unused": [], "used": []}, "show")
    assert "nothing was removed" in run({"removals": []}, "removed")
