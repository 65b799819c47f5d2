"""The pytest plugin: in realms it collects and plays, in other projects it stays out of the way."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

TEMPLATE = """\
journey_template: greets
milestones:
  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}
"""
TESTS = """\
mocks:
  ContentStewardService.process_client_file:
    returns: {file_id: f, validation_status: valid, storage_location: here}
tests:
  - {name: verifies the file, input: {file_id: f}, crash: every, expect: {path: [stored]}}
  - {name: expects too much, input: {file_id: f}, expect: {path: []}}
"""
BY_HAND = """\
import pytest

from realms.journey.api import RunStatus
from realms.journey.testing.cases import FaultyTests

NAME = "ContentStewardService.process_client_file"


def test_plays(journey_city):
    played = journey_city.play(
        "greets.yaml",
        input={"file_id": "f"},
        mocks={NAME: {"raises": {"kind": "not_found"}, "takes": "3h"}},
    )

    assert played.main.run.status is RunStatus.FAILED
    assert played.duration.total_seconds() == 3 * 3600


def test_tells_problems(journey_city):
    problems = journey_city.problems(
        "greets.yaml",
        input={"file_id": "f"},
        mocks={NAME: {"raises": {"kind": "not_found"}}},
        crash="every",
        expect={"status": "failed", "skipped": ["stored"]},
    )

    assert problems[0] == "skipped is [], not [stored]"


def test_is_strict(journey_city):
    with pytest.raises(FaultyTests, match='"inptu" is not known here'):
        journey_city.play("greets.yaml", inptu={})
"""


def pytested(folder: Path, *arguments: str) -> tuple[int, str]:
    """A run of pytest in another project."""
    loaded = any(entry.name == "civitas" for entry in entry_points(group="pytest11"))
    given = [] if loaded else ["-p", "realms.journey.testing.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *given, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return tmp_path


@pytest.mark.slow
def test_tests_beside_templates_are_collected_and_played(project: Path) -> None:
    (project / "greets.yaml").write_text(TEMPLATE)
    (project / "greets.tests.yaml").write_text(TESTS)
    (project / "test_by_hand.py").write_text(BY_HAND)

    code, shown = pytested(project)

    assert code == 1
    assert "4 passed" in shown
    assert "1 failed" in shown
    assert "greets.tests.yaml:6  path is [stored], not []" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
def test_faulty_tests_are_told_without_a_traceback(project: Path) -> None:
    (project / "greets.yaml").write_text(TEMPLATE)
    (project / "greets.tests.yaml").write_text(TESTS.replace("path: []", "pth: []"))

    code, shown = pytested(project)

    assert code == 2
    assert 'tests[1].expect.pth  "pth" is not known here. Did you mean "path"?' in shown
    assert "Traceback" not in shown


@pytest.mark.slow
def test_other_projects_pay_nothing_and_are_left_alone(project: Path) -> None:
    (project / "shop.tests.yaml").write_text("of: another kind")
    (project / "fair.yaml").write_text("no: template")
    (project / "fair.tests.yaml").write_text("of: another kind")
    (project / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n"
        "    city = {'pydantic', 'orjson', 'loguru', 'fastapi', 'realms.journey.api', 'main'}\n"
        "    assert not city & set(sys.modules)\n"
    )

    code, shown = pytested(project)

    assert (code, "1 passed" in shown) == (0, True), shown
