"""`kill -9` at named places of the data mash, on a real server and over HTTP.

`python main.py chaos kill` goes through all places, on cities without a server.
"""

import signal
from pathlib import Path

import httpx2
import pytest

from tests.support.mashes import MILESTONES, mash, upload
from tests.support.processes import civitas, serving

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("point", "milestone"),
    [("before", MILESTONES[0]), ("called", MILESTONES[1]), ("after", MILESTONES[2])],
)
def test_killed_run_ends_after_a_restart_and_repeats_nothing_completed(
    tmp_path: Path, milestone: str, point: str
) -> None:
    with serving(tmp_path, environment={"JOURNEY_FAILPOINT": f"{point}:{milestone}"}) as server:
        with server.client() as http:
            file_id = upload(http, "settings.json")["file_id"]
            with pytest.raises(httpx2.TransportError):
                mash(http, file_id)
        assert server.process.wait(30) == -signal.SIGKILL

    with serving(tmp_path) as server, server.client() as http:
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
        with server.client() as http:
            file_id = upload(http, "settings.json")["file_id"]
            with pytest.raises(httpx2.TransportError):
                mash(http, file_id)
        server.process.wait(30)

    with serving(tmp_path) as server, server.client() as http:
        (run,) = http.get("/api/journey/runs").json()["result"]["runs"]
        assert mash(http, file_id).json()["journey_id"] == run["alias"]


def test_reading_commands_leave_an_unfinished_run_alone(tmp_path: Path) -> None:
    with serving(tmp_path, environment={"JOURNEY_FAILPOINT": "called:file_parsed"}) as server:
        with server.client() as http:
            file_id = upload(http, "settings.json")["file_id"]
            with pytest.raises(httpx2.TransportError):
                mash(http, file_id)
        server.process.wait(30)

    for _ in range(3):
        shown = civitas("run", "list", "--data-dir", tmp_path)
        assert "running" in shown.stdout, shown.stderr

    with serving(tmp_path) as server, server.client() as http:
        assert mash(http, file_id).json()["success"] is True
        (run,) = http.get("/api/journey/runs").json()["result"]["runs"]
        milestones = http.get(f"/api/journey/runs/{run['run_id']}").json()["result"]["milestones"]
    assert [m["attempts"] for m in milestones] == [1, 2, 1, 1]
