"""The data mash through a real server: its outcome, and its one trace id."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mashes import MILESTONES, mash, upload
from tests.support.processes import Server, serving

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    data_dir = tmp_path_factory.mktemp("traced")
    environment = {"CIVITAS_TRACE_EXPORT": "file", "CIVITAS_LOG_LEVEL": "DEBUG"}
    with serving(data_dir, environment=environment) as server:
        yield server, data_dir


@pytest.mark.parametrize(
    ("name", "phrase"),
    [("weather.csv", "731 rows"), ("declaration.pdf", "3 pages")],
)
def test_file_goes_through_the_whole_data_mash(
    traced: tuple[Server, Path], name: str, phrase: str
) -> None:
    with traced[0].client() as http:
        outcome = mash(http, upload(http, name)["file_id"]).json()

        assert outcome["success"] is True
        assert list(outcome["phases"]) == [
            "infrastructure",
            "business_enablement",
            "semantic_layer",
            "insights",
        ]
        insights = outcome["phases"]["insights"]["milestones"]["insights_generated"]["output"]
        assert any(phrase in i["sentence"] for i in insights["insights_result"]["insights"])
        run = http.get(f"/api/journey/runs/{outcome['journey_id']}").json()["result"]
        assert [m["milestone_id"] for m in run["milestones"]] == MILESTONES
        assert run["status"] == "succeeded"


def test_one_trace_id_is_in_upload_handoffs_log_lines_spans_and_answer(
    traced: tuple[Server, Path],
) -> None:
    server, data_dir = traced
    with server.client() as http:
        record = upload(http, "gettysburg.txt", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
        answer = mash(http, record["file_id"])
        run = http.get(f"/api/journey/runs/{answer.json()['journey_id']}").json()["result"]
    server.stop()

    assert record["trace_id"] == TRACE
    assert answer.json()["trace_id"] == TRACE
    assert answer.headers["x-trace-id"] == TRACE
    assert run["trace_id"] == TRACE
    parsed = next(m for m in run["milestones"] if m["milestone_id"] == "file_parsed")
    assert parsed["output"]["trace_id"] == TRACE
    lines = _json_lines(data_dir / "logs" / "civitas.jsonl")
    mine = [line["message"] for line in lines if line["trace_id"] == TRACE]
    assert any("POST /api/files" in message for message in mine)
    for milestone in MILESTONES:
        assert any(milestone in message for message in mine), milestone
    spans = _json_lines(data_dir / "logs" / "spans.jsonl")
    names = [s["name"] for s in spans if s["context"]["trace_id"] == f"0x{TRACE}"]
    assert any("/api/files" in name for name in names)
    for milestone in MILESTONES:
        assert any(milestone in name for name in names), (milestone, names)


def test_mash_with_a_trace_id_of_its_own_keeps_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server, server.client() as http:
        record = upload(http, "settings.json")
        answer = mash(http, record["file_id"], **{"X-Trace-ID": "my trace".replace(" ", "-")})

    assert answer.json()["trace_id"] == answer.headers["x-trace-id"] == "my-trace"


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
