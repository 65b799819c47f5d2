"""Templates put over REST to a running server, and the answers of the bad ones."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.processes import PATIENCE, serving

pytestmark = pytest.mark.slow

UPLOAD = """\
journey_template: upload
version: "1"
milestones:
  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with serving(tmp_path_factory.mktemp("city")) as server, server.client() as opened:
        yield opened


def put(client: httpx2.Client, text: str, *, name: str = "upload") -> httpx2.Response:
    return client.put(f"/api/journey/templates/{name}", json={"text": text})


def problem(response: httpx2.Response) -> dict[str, Any]:
    found: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    return found


def test_a_version_is_made_once_and_given_again(client: httpx2.Client) -> None:
    made, again = put(client, UPLOAD), put(client, UPLOAD)

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["result"]["version"] == "1"
    shown = client.get("/api/journey/templates/upload", params={"version": "1"})
    assert shown.json()["result"]["text"] == UPLOAD
    versions = client.get("/api/journey/templates/upload/versions").json()["result"]["versions"]
    assert [one["current"] for one in versions] == [True]


def test_the_same_version_with_other_content_is_a_conflict(client: httpx2.Client) -> None:
    put(client, UPLOAD)

    refused = put(client, UPLOAD + "description: other\n")

    assert refused.status_code == 409
    assert problem(refused)["code"] == "version_taken"


def test_a_template_in_a_file_is_read_only(client: httpx2.Client) -> None:
    refused = put(client, UPLOAD, name="data_mash_flow")

    assert refused.status_code == 409
    assert problem(refused)["code"] == "read_only_template"
    assert "data_mash_journey_template.yaml" in problem(refused)["detail"]


def test_every_fault_is_told_with_its_place(client: httpx2.Client) -> None:
    refused = put(client, UPLOAD.replace("process_client_file", "nothing") + "wrong: 1\n")

    assert refused.status_code == 422
    errors = {error["pointer"]: error["detail"] for error in problem(refused)["errors"]}
    assert set(errors) == {"/milestones/0/api", "/wrong"}
    assert errors["/milestones/0/api"].startswith("4:")


@pytest.mark.parametrize("body", [b"journey_template: x", b"[]", b'{"text": 1}', b'{"txt": ""}'])
def test_what_is_no_template_is_refused(client: httpx2.Client, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    refused = client.put("/api/journey/templates/upload", content=body, headers=headers)

    assert refused.status_code in {400, 422}, refused.text


def test_the_schema_is_a_document_of_its_own(client: httpx2.Client) -> None:
    found = client.get("/api/journey/schema")

    assert found.headers["content-type"].startswith("application/schema+json")
    assert found.json()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schedules_are_listed(client: httpx2.Client) -> None:
    put(
        client,
        UPLOAD.replace('"1"', '"2"') + "input: {file_id: {type: string, default: f1}}\n"
        "schedule: {cron: '0 6 * * *', timezone: Europe/Vienna}\n",
    )

    (schedule,) = client.get("/api/journey/schedules").json()["result"]["schedules"]

    assert (schedule["template"], schedule["cron"]) == ("upload", "0 6 * * *")
    assert schedule["next_at"][11:16] in {"04:00", "05:00"}


def test_a_run_begins_by_itself_soon_after_its_schedule_was_put(client: httpx2.Client) -> None:
    text = UPLOAD.replace("upload", "often") + (
        "input: {file_id: {type: string, default: f1}}\nschedule: {every: 1s}\n"
    )
    assert put(client, text, name="often").status_code == 201

    deadline = time.monotonic() + PATIENCE
    begun: list[str] = []
    while not begun and time.monotonic() < deadline:
        time.sleep(0.1)
        listed = client.get("/api/journey/runs", params={"template": "often"}).json()
        begun = [run["alias"] for run in listed["result"]["runs"]]

    assert begun[0].startswith("schedule:often:20")
    forged = {"template": "often", "input": {}, "alias": begun[0]}
    refused = client.post("/api/journey/journey_runs_service/start_run", json=forged)
    assert refused.status_code == 409
