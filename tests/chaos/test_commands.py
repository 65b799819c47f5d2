"""What the commands of trials print, and how they end; the trials themselves are stood in for."""

import json

import pytest

from foundations.experience.command_line import main
from foundations.experience.exit_codes import DONE, FAILED
from main import Platform
from tests.chaos import trials

FIGURES = {"kills": 3, "refused": {"storage_full": 572, "why": "word " * 200}, "seed": 7}


@pytest.mark.parametrize(("broken", "code"), [((), DONE), (("lost: run 1",), FAILED)])
def test_figures_with_parts_have_tables_of_their_own_and_what_broke_fails(
    broken: tuple[str, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def run(name: str, **options: object) -> trials.Result:
        asked.append((name, options["count"], options["seed"]))
        return trials.Result(FIGURES, broken)

    monkeypatch.setattr(trials, "run", run)

    assert main(Platform, ["chaos", "kill", "--kills", "3", "--seed", "7"]) == code
    shown = capsys.readouterr()
    assert main(Platform, ["chaos", "kill", "--kills", "3", "--seed", "7", "--json"]) == code
    as_json = capsys.readouterr().out

    assert asked == [("kill", 3, 7)] * 2
    single, parted = shown.out.split("refused")
    assert "kills" in single
    assert "seed" in single
    assert "storage_full" in parted
    assert "[...]" in parted
    assert json.loads(as_json) == FIGURES
    assert all(line in shown.err for line in broken)
