"""The data mash through a real server: its outcome, its one trace id, and what survives kill -9."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.processes import ROOT, Server, serving

pytestmark = pytest.mark.slow

DATA = ROOT / "tests" / "data"
MILESTONES = ["file_uploaded", "file_parsed", "semantic_processed", "insights_generated"]
TRACE = "0af7651916cd43dd8448eb211c80319c"


def client(server: Server) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, timeout=60, trust_env=False)


def upload(http: httpx2.Client, name: str, **headers: str) -> dict[str, Any]:
    with (DATA / name).open("rb") as content:
        answer = http.post("/api/files", files={"file": (name, content)}, headers=headers)
    assert answer.status_code == 201, answer.text
    record: dict[str, Any] = answer.json()["result"]
    return record


def mash(
    http: httpx2.Client, file_id: str, *, wait: str = "30s", **headers: str
) -> httpx2.Response:
    return http.post(
        "/api/solution/data-mash", params={"wait": wait}, json={"file_id": file_id}, headers=headers
    )


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
    with client(traced[0]) as http:
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
    with client(server) as http:
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
    with serving(tmp_path) as server, client(server) as http:
        record = upload(http, "settings.json")
        answer = mash(http, record["file_id"], **{"X-Trace-ID": "my trace".replace(" ", "-")})

    assert answer.json()["trace_id"] == answer.headers["x-trace-id"] == "my-trace"


@pytest.mark.parametrize("milestone", MILESTONES)
@pytest.mark.parametrize("point", ["before", "called", "after"])
def test_killed_run_ends_after_a_restart_and_repeats_nothing_completed(
    tmp_path: Path, milestone: str, point: str
) -> None:
    with serving(tmp_path, environment={"JOURNEY_FAILPOINT": f"{point}:{milestone}"}) as server:
        with client(server) as http:
            file_id = upload(http, "settings.json")["file_id"]
            with pytest.raises(httpx2.TransportError):
                mash(http, file_id)
        assert server.process.wait(30) == -signal.SIGKILL

    with serving(tmp_path) as server, client(server) as http:
        outcome = mash(http, file_id).json()
        run = http.get(f"/api/journey/runs/{outcome['journey_id']}").json()["result"]

    assert outcome["success"] is True
    attempts = {m["milestone_id"]: m["attempts"] for m in run["milestones"]}
    again = {milestone} if point != "after" else set()
    if point == "after" and milestone != MILESTONES[-1]:
        # the next attempt travelled in the commit of this checkpoint, and died with the process
        again = {MILESTONES[MILESTONES.index(milestone) + 1]}
    assert attempts == {m: 2 if m in again else 1 for m in MILESTONES}


def test_run_that_was_accepted_survives_kill_9_before_anything_was_called(tmp_path: Path) -> None:
    with serving(tmp_path, environment={"JOURNEY_FAILPOINT": "accepted"}) as server:
        with client(server) as http:
            file_id = upload(http, "settings.json")["file_id"]
            with pytest.raises(httpx2.TransportError):
                mash(http, file_id)
        server.process.wait(30)

    with serving(tmp_path) as server, client(server) as http:
        (run,) = http.get("/api/journey/runs").json()["result"]["runs"]
        assert mash(http, file_id).json()["journey_id"] == run["alias"]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
