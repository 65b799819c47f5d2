"""`mash` on real files: insights to read or as JSON, here and through a running server."""

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.support.processes import (
    FROM_CHECKOUT,
    PATIENCE,
    ROOT,
    civitas,
    clean_environment,
    serving,
)

pytestmark = pytest.mark.slow

WEATHER = ROOT / "tests/data/weather.csv"
DECLARATION = ROOT / "tests/data/declaration.pdf"
PHASES = ["infrastructure", "business_enablement", "semantic_layer", "insights"]
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def test_insights_of_a_table_are_readable(tmp_path: Path) -> None:
    found = civitas("mash", WEATHER, "--data-dir", tmp_path)

    assert found.returncode == 0
    assert "weather has 731 rows and 6 columns" in found.stdout
    assert all(phase in found.stdout for phase in PHASES)
    assert "trace id  " in found.stdout
    assert found.stderr == ""


def test_json_of_one_file_is_its_outcome(tmp_path: Path) -> None:
    found = civitas("mash", DECLARATION, "--json", "--data-dir", tmp_path)

    outcome = json.loads(found.stdout)
    assert list(outcome) == [
        "file",
        "file_id",
        "success",
        "trace_id",
        "journey_id",
        "phases",
        "error",
    ]
    assert list(outcome["phases"]) == PHASES
    assert outcome["success"]
    assert outcome["journey_id"] == f"data_mash_{outcome['file_id']}_local"


def test_report_of_several_files_is_one_page_with_what_they_say_of_each_other(
    tmp_path: Path,
) -> None:
    one, other, made = tmp_path / "one.txt", tmp_path / "other.txt", tmp_path / "report.html"
    one.write_text("Revenue in 2023 was 4 million euros.\n")
    other.write_text("In 2023, revenue was 7 million euros.\n")
    asked: list[str | Path] = [
        "mash",
        WEATHER,
        one,
        other,
        tmp_path / "missing.csv",
        "--data-dir",
        tmp_path / "city",
    ]

    found = civitas(*asked, "--format", "html", "--output", made)
    told = civitas(*asked)

    page = made.read_text()
    assert found.returncode == told.returncode == 1
    assert found.stdout == ""
    assert f"The report is in {made}." in found.stderr
    assert "weather has 731 rows" in page
    assert "one.txt and other.txt contradict each other" in page
    assert "missing.csv does not exist" in page
    assert page.count("<svg ") > 5
    assert "across the files\n  - one.txt and other.txt contradict each other" in told.stdout


def test_report_for_programs_and_its_refusals(tmp_path: Path) -> None:
    city = ("--data-dir", tmp_path / "city")

    document = json.loads(civitas("mash", DECLARATION, "--format", "json", *city).stdout)
    unwritable = civitas(
        "mash", DECLARATION, "--format", "md", "--output", tmp_path / "no" / "r.md", *city
    )

    assert document["files"][0]["insights_result"]["insights"][0]["kind"] == "overview"
    assert document["across"] is None
    assert unwritable.returncode == 1
    assert "the report cannot be written to" in unwritable.stderr
    for wrong in (("--output", "x.md"), ("--json", "--format", "md")):
        assert civitas("mash", DECLARATION, *wrong, *city).returncode == 2


def test_rows_that_were_read_otherwise_are_told_with_their_lines(tmp_path: Path) -> None:
    table = tmp_path / "ragged.csv"
    table.write_text("a,b\n1,2\n3\n4,5,6\n")

    found = civitas("mash", table, "--data-dir", tmp_path / "city")

    told = [line for line in found.stdout.splitlines() if line.startswith("  ! ")]
    assert [line.split(":")[0] for line in told] == ["  ! line 3", "  ! line 4"]


def test_failing_file_does_not_stop_the_others(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    missing = tmp_path / "missing.csv"

    found = civitas("mash", missing, table, "--json", "--data-dir", tmp_path / "city")

    outcomes = json.loads(found.stdout)
    assert found.returncode == 1
    assert [outcome["success"] for outcome in outcomes] == [False, True]
    assert outcomes[0].keys() == outcomes[1].keys()
    assert outcomes[0]["error"]["code"] == "input_unusable"
    assert "missing.csv does not exist" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [("virus.txt", EICAR), ("program.csv", b"\x7fELF\x02\x01\x01" + b"\0" * 90)],
)
def test_file_judged_unfit_exits_3(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    found = civitas("mash", tmp_path / name, "--data-dir", tmp_path / "city")

    assert found.returncode == 3
    cause, remedy = found.stderr.splitlines()
    assert cause.startswith("error: ")
    assert remedy.startswith("fix: ")


def test_file_that_cannot_be_parsed_shows_how_far_it_came(tmp_path: Path) -> None:
    found = civitas("mash", ROOT / "tests/data/encrypted.pdf", "--data-dir", tmp_path)

    assert found.returncode == 1
    assert "infrastructure        succeeded" in found.stdout
    assert "business_enablement   failed" in found.stdout
    assert "protected by a password" in found.stderr


def test_standard_input_is_mashed(tmp_path: Path) -> None:
    rows = b"day,rain\n1,2\n2,4\n"

    found = civitas("mash", "-", "--name", "rain.csv", "--data-dir", tmp_path, stdin=rows)

    assert found.returncode == 0, found.stderr
    assert "rain has 2 rows and 2 columns" in found.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1", "COLUMNS": "20", "NO_COLOR": "1"},
    ],
)
def test_names_that_the_terminal_cannot_show_do_no_harm(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    nasty = tmp_path / "re\x1b[31md\u202e→.csv"
    nasty.write_text("a,b\n1,2\n")

    read = civitas("mash", nasty, "--data-dir", tmp_path / "city", environment=environment)

    assert read.returncode == 0, read.stderr
    assert "\x1b[31m" not in read.stdout + read.stderr
    assert "\u202e" not in read.stdout + read.stderr


def test_running_server_is_used_and_gives_the_same(tmp_path: Path) -> None:
    here = json.loads(civitas("mash", WEATHER, "--json", "--data-dir", tmp_path / "a").stdout)

    with serving(tmp_path / "b") as server:
        found = civitas("mash", WEATHER, "--json", "--data-dir", tmp_path / "b")
        there = json.loads(found.stdout)
        log = (tmp_path / "b" / "logs" / "civitas.jsonl").read_text()
        runs = civitas("run", "list", "--json", "--data-dir", tmp_path / "b")
        server.stop()

    assert there["success"]
    assert insights(there) == insights(here)
    assert there["trace_id"] in log
    assert [run["alias"] for run in json.loads(runs.stdout)["runs"]] == [there["journey_id"]]


def insights(outcome: dict[str, dict[str, dict[str, object]]]) -> object:
    return outcome["phases"]["insights"]["milestones"]


def test_ctrl_c_ends_quietly_and_the_run_goes_on_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    command = [*FROM_CHECKOUT, "mash", str(DECLARATION), "--data-dir", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=clean_environment()) as mash:
        while not accepted(folder / "city.sqlite3"):
            assert mash.poll() is None
        mash.send_signal(signal.SIGINT)
        _, said = mash.communicate(timeout=PATIENCE)

    assert (mash.returncode, said) == (130, b"interrupted\n")
    with serving(folder) as server:
        (run,) = httpx2.get(f"{server.url}/api/journey/runs").json()["result"]["runs"]
        outcome = httpx2.post(
            f"{server.url}/api/solution/data-mash?wait=30s",
            json={"file_id": run["alias"].split("_")[2]},
            timeout=PATIENCE,
        )
    assert outcome.json()["success"]
    assert outcome.json()["journey_id"] == run["alias"]


def accepted(database: Path) -> bool:
    """Whether a city's journal holds a run."""
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
        try:
            return bool(reader.execute("SELECT count(*) FROM journey_runs").fetchone()[0])
        except sqlite3.OperationalError:
            return False  # its tables are still being made
