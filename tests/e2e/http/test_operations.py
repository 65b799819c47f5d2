"""What people do to runs over HTTP and from the command line, on one real server."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.installed import installed
from tests.support.processes import ROOT, Server, civitas, serving

pytestmark = pytest.mark.slow

TEMPLATE = """
journey_template: letters_approved
input: {word: string, letter: string}
milestones:
  - {milestone_id: count, service: LetterService, api: count_letter}
  - milestone_id: approve
    needs: [count]
    ask:
      form: {type: object, required: [yes_or_no], properties: {yes_or_no: {type: boolean}}}
      push_back_to: count
  - {milestone_id: sent, needs: [approve], wait_for: {signal: sent}}
"""
INPUT = {"word": "tree", "letter": "e"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = installed(ROOT / "tests/support/sample_realm", tmp_path_factory.mktemp("site") / "s")
    (folder / "letters/journeys/letters_approved.yaml").write_text(TEMPLATE)
    counting = folder / "letters/counting.py"
    strict = counting.read_text().replace("letter: str", "letter: LETTER")
    named = "from letters.api import Count\n\nLETTER = Annotated[str, Field(max_length=1)]"
    imports = "from typing import Annotated\n\nfrom pydantic import Field\n\nfrom foundations"
    strict = strict.replace("from letters.api import Count", named)
    counting.write_text(strict.replace("from foundations", imports, 1))
    return folder


@pytest.fixture(scope="module")
def server(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"PYTHONPATH": str(site)}
    with serving(tmp_path_factory.mktemp("operated"), environment=environment) as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def started(http: httpx2.Client, **values: str) -> str:
    body = {"template": "letters_approved", "input": INPUT | values}
    answer = http.post("/api/journey/runs", json=body)
    assert answer.status_code == 202, answer.text
    run_id = str(answer.json()["result"]["run_id"])
    assert answer.headers["location"] == f"/api/journey/runs/{run_id}"
    return run_id


def run_of(http: httpx2.Client, run_id: str, *, until: str) -> dict[str, Any]:
    """The run once it has a status."""
    for _ in range(200):
        run: dict[str, Any] = http.get(f"/api/journey/runs/{run_id}").json()["result"]
        if run["status"] == until:
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run_id} is {run['status']}, not {until}")


def do(http: httpx2.Client, run_id: str, verb: str, **body: Any) -> httpx2.Response:
    return http.post(f"/api/journey/runs/{run_id}/{verb}", json=body)


def test_a_run_is_answered_signalled_and_rerun(http: httpx2.Client) -> None:
    run_id = started(http)
    (question,) = run_of(http, run_id, until="waiting")["questions"]
    listed = http.get("/api/journey/questions").json()["result"]["questions"]
    wait_id = question["wait_id"]

    early = do(http, run_id, "signal", signal="sent", id="s1", data={"by": "post"})
    wrong = do(http, run_id, "answer", wait_id=wait_id, answer={"yes_or_no": 1})
    both = do(http, run_id, "answer", wait_id=wait_id, push_back=True, answer={"yes_or_no": True})
    pushed = do(http, run_id, "answer", wait_id=wait_id, push_back=True, note="count again")
    late = do(http, run_id, "answer", wait_id=wait_id, answer={"yes_or_no": True})
    (again,) = run_of(http, run_id, until="waiting")["questions"]
    right = do(http, run_id, "answer", wait_id=again["wait_id"], answer={"yes_or_no": True})

    assert question in listed
    assert early.status_code == pushed.status_code == right.status_code == 200
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/yes_or_no")
    assert (both.status_code, both.json()["errors"][0]["pointer"]) == (422, "/push_back")
    assert (late.status_code, late.json()["type"]) == (409, pushed_type(late, "not_allowed"))
    ended = run_of(http, run_id, until="succeeded")
    assert ended["milestones"][0]["generation"] == 2
    history = http.get(f"/api/journey/runs/{run_id}/history").json()["result"]["events"]
    did = {event["kind"]: event["principal"] for event in history if event["principal"]}
    assert did == dict.fromkeys(
        ("run_started", "signal_received", "answer_refused", "generation_began", "answer_given"),
        "local",
    )
    counted = [
        e for e in history if (e["kind"], e["milestone"]) == ("milestone_succeeded", "count")
    ]
    assert [event["details"]["output"] for event in counted] == [{"occurrences": 2}] * 2
    assert do(http, run_id, "rerun", milestone_id="sent").status_code == 200
    assert run_of(http, run_id, until="waiting")["milestones"][2]["status"] == "waiting"
    assert do(http, run_id, "cancel", note="enough").json()["result"]["status"] == "cancelled"


def pushed_type(answer: httpx2.Response, code: str) -> str:
    kind = str(answer.json()["type"])
    assert kind.endswith(code)
    return kind


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("resume", {}),
        ("retry", {}),
        ("settle", {}),
        ("skip", {"milestone_id": "count", "result": {"occurrences": 1}}),
        ("rollback", {}),
        ("migrate", {}),
    ],
)
def test_what_cannot_be_done_to_a_waiting_run_is_refused_with_a_reason(
    http: httpx2.Client, verb: str, body: dict[str, Any]
) -> None:
    run_id = started(http)
    run_of(http, run_id, until="waiting")

    refused = do(http, run_id, verb, **body)

    assert refused.status_code == 409
    assert refused.json()["detail"].startswith(f"{verb} of {run_id}: ")


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("retry", {"milestone_id": "coumt"}, 404),
        ("signal", {"signal": "snet"}, 404),
        ("answer", {"wait_id": "nothing", "answer": {}}, 404),
        ("rerun", {}, 422),
        ("pause", {"why": "not"}, 422),
        ("skip", {"milestone_id": "approve", "result": "yes"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_what_would(
    http: httpx2.Client, verb: str, body: dict[str, Any], status: int
) -> None:
    run_id = started(http)
    run_of(http, run_id, until="waiting")

    refused = do(http, run_id, verb, **body)

    assert refused.status_code == status, refused.text
    assert http.get(f"/api/journey/runs/{run_id}").json()["result"]["status"] == "waiting"


def test_no_verb_finds_a_run_that_is_not_there(http: httpx2.Client) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "skip": {"milestone_id": "a", "result": {}},
        "rerun": {"milestone_id": "a"},
        "signal": {"signal": "a"},
        "answer": {"wait_id": "a", "answer": {}},
    }
    assert http.get("/api/journey/runs/no-such-run/history").status_code == 404
    verbs = "pause resume cancel retry skip rerun rollback signal answer fork migrate settle"
    for verb in verbs.split():
        missing = do(http, "no-such-run", verb, **bodies.get(verb, {}))
        assert missing.status_code == 404, (verb, missing.text)


def test_a_dead_letter_is_listed_mended_by_edited_input_and_gone(http: httpx2.Client) -> None:
    run_id = started(http, letter="too long")
    run_of(http, run_id, until="failed")
    listed = http.get("/api/journey/dead-letters", params={"template": "letters_approved"})
    dry = http.post("/api/journey/dead-letters/replay", json={"template": "letters_approved"})

    retried = do(http, run_id, "retry", milestone_id="count", input={"letter": "e"})

    (letter,) = listed.json()["result"]["dead_letters"]
    assert (letter["run_id"], letter["failed"]) == (run_id, ["count"])
    assert [d["run_id"] for d in dry.json()["result"]["dead_letters"]] == [run_id]
    assert dry.json()["result"]["dry_run"] is True
    assert retried.status_code == 200, retried.text
    waits = run_of(http, run_id, until="waiting")
    assert waits["milestones"][0]["output"] == {"occurrences": 2}
    left = http.get("/api/journey/dead-letters").json()["result"]["dead_letters"]
    assert run_id not in [letter["run_id"] for letter in left]


def test_a_run_begins_once_by_its_alias_and_tells_what_it_lacks(http: httpx2.Client) -> None:
    body = {"template": "letters_approved", "input": INPUT, "alias": "once"}

    first, again = (http.post("/api/journey/runs", json=body) for _ in range(2))
    lacking = http.post("/api/journey/runs", json={"template": "letters_approved"})
    unknown = http.post("/api/journey/runs", json={"template": "x", "inputs": {}})
    where = f"/api/journey/runs/{first.json()['result']['run_id']}/history"
    beyond = http.get(where, params={"after": "99999999999999999999"})

    assert first.json()["result"]["run_id"] == again.json()["result"]["run_id"]
    assert lacking.status_code == unknown.status_code == 422
    assert {e["pointer"] for e in lacking.json()["errors"]} == {"/word", "/letter"}
    assert unknown.json()["errors"][0]["pointer"] == "/inputs"
    assert (beyond.status_code, beyond.json()["errors"][0]["pointer"]) == (422, "/query/after")


def test_the_command_line_does_the_same_through_the_server(server: Server, site: Path) -> None:
    def command(*arguments: str) -> dict[str, Any]:
        done = civitas(
            *arguments,
            "--json",
            "--data-dir",
            server.data_dir,
            environment={"PYTHONPATH": str(site)},
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    run = command("run", "start", "letters_approved", "--input", json.dumps(INPUT))
    run_id = run["run_id"]
    wait_id = run["questions"][0]["wait_id"]

    assert run["status"] == "waiting"
    assert command("run", "pause", run_id)["status"] == "paused"
    assert command("run", "resume", run_id)["status"] == "waiting"
    assert wait_id in [q["wait_id"] for q in command("run", "questions")["questions"]]
    command("run", "answer", run_id, wait_id, "--answer", '{"yes_or_no": false}')
    assert command("run", "signal", run_id, "sent", "--id", "s1")["status"] == "succeeded"
    fork = command("run", "fork", run_id, "sent", "--alias", "the_fork")
    assert (fork["forked_from"], fork["status"]) == (run_id, "waiting")
    assert command("run", "cancel", "the_fork")["status"] == "cancelled"


def test_the_command_line_works_through_dead_letters_without_a_server(
    tmp_path: Path, site: Path
) -> None:
    environment = {"PYTHONPATH": str(site)}
    values = json.dumps(INPUT | {"letter": "too long"})

    def command(*arguments: str, code: int = 0) -> str:
        done = civitas(*arguments, "--data-dir", tmp_path, environment=environment)
        assert done.returncode == code, done.stderr
        return done.stdout

    start = ("run", "start", "letters_approved", "--input", values, "--alias", "mine")
    failed = command(*start, code=1)
    listed = command("dead-letters", "list")
    dry = command("dead-letters", "replay", "--json")
    command("dead-letters", "replay", "--yes", "--rate", "100")
    settled = command("dead-letters", "settle", "mine", "--note", "nobody needs it")
    left = json.loads(command("dead-letters", "list", "--json"))["dead_letters"]

    assert failed == "run mine of letters_approved: failed (error)\n"
    assert "count" in listed
    assert json.loads(dry)["chosen"] == 1
    assert settled == "run mine of letters_approved: failed (error)\n"
    assert left == []
