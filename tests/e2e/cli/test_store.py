"""`store migrate` as a user runs it."""

import json
from pathlib import Path

import pytest

from tests.support.processes import civitas

pytestmark = pytest.mark.slow


def test_store_is_moved_and_the_old_one_says_where_to(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The harbour was closed for two days in January.")
    civitas("mash", "a.txt", "--data-dir", "city", cwd=tmp_path)
    old = "sqlite:///city/city.sqlite3"

    moved = civitas(
        *("store", "migrate", "--from", old, "--to", postgres_url, "--json"), cwd=tmp_path
    )
    before = civitas("run", "list", "--data-dir", "city", cwd=tmp_path)
    nothing = civitas(
        *("store", "migrate", "--from", "sqlite:///none/city.sqlite3", "--to", postgres_url),
        cwd=tmp_path,
    )

    assert moved.returncode == 0, moved.stderr
    rows = {table["table"]: table["rows"] for table in json.loads(moved.stdout)["tables"]}
    assert rows["journey_runs"] == 1
    assert before.returncode == nothing.returncode == 78
    assert "was moved to postgresql://127.0.0.1" in before.stderr
    assert postgres_url.split(":")[2].split("@", maxsplit=1)[0] not in before.stderr
    assert "no city is kept" in nothing.stderr
    assert not (tmp_path / "none").exists()
