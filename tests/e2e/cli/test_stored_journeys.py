"""`journey put`, `versions`, `schema` and `schedules`, each a process of its own."""

import json
from pathlib import Path

import pytest

from tests.support.processes import civitas

pytestmark = pytest.mark.slow

UPLOAD = """\
journey_template: upload
version: "1"
input: {file_id: {type: string, default: f1}}
schedule: {every: 10m}
milestones:
  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}
"""


def test_a_journey_is_put_and_found_again(tmp_path: Path) -> None:
    file, folder = tmp_path / "upload.yaml", ("--data-dir", tmp_path / "city")
    file.write_text(UPLOAD)

    put = civitas("journey", "put", file, *folder)
    again = civitas("journey", "put", file, "--json", *folder)
    versions = civitas("journey", "versions", "upload", "--json", *folder)
    shown = civitas("journey", "show", "upload", "--version", "1", *folder)
    listed = civitas("journey", "list", *folder)
    schedules = civitas("journey", "schedules", *folder)

    assert (put.returncode, put.stdout) == (0, "upload@1 stored\n"), put.stderr
    assert json.loads(again.stdout)["new"] is False
    assert [v["version"] for v in json.loads(versions.stdout)["versions"]] == ["1"]
    assert UPLOAD in shown.stdout
    assert "upload" in listed.stdout
    assert "every 600 s" in schedules.stdout


def test_faults_and_taken_names_refuse_a_put(tmp_path: Path) -> None:
    file, folder = tmp_path / "faulty.yaml", ("--data-dir", tmp_path / "city")
    file.write_text(UPLOAD.replace("process_client_file", "process_client_fil"))
    faulty = civitas("journey", "put", file, *folder)
    file.write_text(UPLOAD.replace(": upload", ": data_mash_flow"))
    taken = civitas("journey", "put", file, *folder)

    assert (faulty.returncode, taken.returncode) == (1, 3)
    assert "faulty.yaml:6:65  milestones[0].api  ContentStewardService has no" in faulty.stderr
    assert "data_mash_journey_template.yaml" in taken.stderr


def test_the_schema_of_the_language_is_written_for_editors(tmp_path: Path) -> None:
    shown = civitas("journey", "schema")
    written = civitas("journey", "schema", "--to", tmp_path / "journey.schema.json")

    assert written.returncode == 0
    schema = json.loads((tmp_path / "journey.schema.json").read_text())
    assert schema == json.loads(shown.stdout)
    assert "milestones" in schema["properties"]


def test_contracts_of_two_versions_are_compared(tmp_path: Path) -> None:
    folder = ("--data-dir", tmp_path / "city")
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(UPLOAD)
    new.write_text(
        UPLOAD.replace('"1"', '"2"').replace(", default: f1", "").replace("schedule", "#")
    )
    civitas("journey", "put", old, *folder)

    breaks = civitas("contracts", "diff", old, new)
    stored = civitas("contracts", "diff", "upload@1", new, "--json", *folder)
    same = civitas("contracts", "diff", old, "upload@1", *folder)
    back = civitas("contracts", "diff", new, old)
    unknown = civitas("contracts", "diff", "upload@9", new, *folder)

    assert breaks.returncode == 3, breaks.stderr
    assert breaks.stdout.startswith("breaking    input.file_id  has no default any more")
    assert stored.returncode == 3
    assert json.loads(stored.stdout)["changes"][0]["path"] == "input.file_id"
    assert (same.returncode, same.stdout) == (0, "nothing has changed for others\n")
    assert (back.returncode, back.stdout.split()[0]) == (0, "compatible")
    assert unknown.returncode == 1


def test_a_file_that_is_no_text_is_told_as_such_and_keeps_no_other_from_its_check(
    tmp_path: Path,
) -> None:
    wide, cut, folder = (
        tmp_path / "wide.yaml",
        tmp_path / "cut.yaml",
        ("--data-dir", tmp_path / "c"),
    )
    wide.write_bytes(UPLOAD.encode("utf-16"))
    cut.write_bytes(b"journey_template: upload\ndescription: caf\xe9\n")

    linted = civitas("journey", "lint", wide, cut, *folder)
    put = civitas("journey", "put", cut, *folder)

    assert (linted.returncode, put.returncode) == (1, 1)
    assert linted.stdout.splitlines() == [
        f"{wide}:1:1  yaml  the text is UTF-16 or binary; save it as UTF-8",
        f"{cut}:2:17  yaml  this is no UTF-8 text; save it as UTF-8",
    ]
    assert "this is no UTF-8 text" in put.stderr
