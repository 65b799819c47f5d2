"""`journey`, `run` and `city` on a city that is booted for the command."""

import json
from pathlib import Path

import pytest

from tests.support.processes import ROOT, civitas

pytestmark = pytest.mark.slow

TEMPLATE = ROOT / "templates/journeys/data_mash_journey_template.yaml"


def test_journeys_are_listed_without_touching_the_data_folder(tmp_path: Path) -> None:
    found = civitas("journey", "list", "--json", cwd=tmp_path)

    names = [template["name"] for template in json.loads(found.stdout)["templates"]]
    assert "data_mash_flow" in names
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["retention show", "run list", "journey list --json"])
def test_reading_where_no_city_is_says_so_and_begins_none(tmp_path: Path, command: str) -> None:
    missing = tmp_path / "nothing"

    found = civitas(*command.split(), "--data-dir", missing)

    assert found.stderr == f"there is no city at {missing}, and so nothing is kept\n"
    assert (found.returncode, missing.exists()) == (0, False)


def test_journey_is_shown_as_it_is_written() -> None:
    found = civitas("journey", "show", "data_mash_flow")

    assert "# takes file_id: string" in found.stdout
    assert TEMPLATE.read_text() in found.stdout


def test_journey_is_drawn() -> None:
    found = civitas("journey", "graph", "data_mash_flow")

    assert found.stdout.startswith("flowchart")
    assert "insights_generated" in found.stdout


def test_unknown_journey_gets_a_suggestion() -> None:
    found = civitas("journey", "show", "data_mash_flo")

    assert found.returncode == 1
    assert 'Did you mean "data_mash_flow"?' in found.stderr


def test_lint_tells_every_fault_with_its_place(tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(TEMPLATE.read_text().replace("api: parse_file", "api: parse_fil"))

    found = civitas("journey", "lint", TEMPLATE, faulty)

    assert found.returncode == 1
    assert f"{TEMPLATE}: sound" in found.stdout
    assert f"{faulty}:" in found.stdout
    assert "parse_file" in found.stdout


def test_lint_reads_standard_input() -> None:
    found = civitas("journey", "lint", "-", "--json", stdin=b"journey_template: [")

    assert found.returncode == 1
    assert json.loads(found.stdout)[0]["file"] == "-"


def test_runs_are_listed_and_shown(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    folder = ("--data-dir", tmp_path / "city")
    mashed = json.loads(civitas("mash", tmp_path / "a.csv", "--json", *folder).stdout)

    listed = civitas("run", "list", *folder)
    shown = civitas("run", "show", mashed["journey_id"], *folder)
    data = json.loads(civitas("run", "show", mashed["journey_id"], "--json", *folder).stdout)

    assert mashed["journey_id"] in listed.stdout
    assert mashed["trace_id"] in shown.stdout
    assert "insights_generated" in shown.stdout
    assert data["status"] == "succeeded"


def test_unknown_run_status_is_refused_by_name(tmp_path: Path) -> None:
    found = civitas("run", "list", "--status", "sleeping", "--data-dir", tmp_path)

    assert found.returncode == 1
    assert "/status" in found.stderr


def test_city_without_faults_verifies(tmp_path: Path) -> None:
    found = civitas("city", "verify", cwd=tmp_path)

    assert found.returncode == 0
    assert found.stdout.startswith("no faults: ")
    assert list(tmp_path.iterdir()) == []
