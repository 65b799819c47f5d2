"""A file through the whole city over HTTP, as the README's curl lines do it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.mashes import upload
from tests.support.oracle import check_problem
from tests.support.processes import Server, serving

pytestmark = pytest.mark.slow

MASH = "/api/solution/data-mash"
PHASES = ["infrastructure", "business_enablement", "semantic_layer", "insights"]
BROKEN_PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("over_http") / "data"
    with serving(folder) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def test_what_was_mashed_is_found(client: httpx2.Client) -> None:
    record = upload(client, "gettysburg.txt")
    client.post(MASH, params={"wait": "30s"}, json={"file_id": record["file_id"]})

    found = client.get("/api/search", params={"q": "government of the people"}).json()["result"]

    assert found["hits"][0]["file_id"] == record["file_id"]


def test_mash_without_a_wait_is_accepted_and_can_be_followed(client: httpx2.Client) -> None:
    record = upload(client, "rain-gauge.md")

    answer = client.post(MASH, json={"file_id": record["file_id"]})

    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["success"] is True
    assert accepted["journey_id"] == f"data_mash_{record['file_id']}_local"
    assert answer.headers["Location"] == f"/api/journey/runs/{accepted['journey_id']}"
    run = client.get(answer.headers["Location"]).json()["result"]
    assert run["run_id"] == accepted["run_id"]
    again = client.post(MASH, params={"wait": "30s"}, json={"file_id": record["file_id"]})
    assert again.json()["journey_id"] == accepted["journey_id"]
    shown = client.get(f"{MASH}/{accepted['journey_id']}").json()
    assert shown == again.json()


def test_wait_that_runs_out_leaves_the_mash_under_way(client: httpx2.Client) -> None:
    record = upload(client, "planets.xlsx")

    answer = client.post(MASH, params={"wait": "1ms"}, json={"file_id": record["file_id"]})

    assert answer.status_code == 202
    assert answer.json()["status"] == "running"
    assert list(answer.json()["phases"]) == PHASES
    assert client.get(answer.headers["Location"]).status_code == 200


def test_rerun_begins_another_journey(client: httpx2.Client) -> None:
    record = upload(client, "elements.json")
    first = client.post(MASH, params={"wait": "30s"}, json={"file_id": record["file_id"]}).json()

    second = client.post(
        MASH, params={"wait": "30s"}, json={"file_id": record["file_id"], "rerun": True}
    ).json()

    assert second["journey_id"] == f"{first['journey_id']}_2"


def test_mash_that_fails_is_a_problem_and_its_phases_stay_readable(
    client: httpx2.Client, tmp_path: Path
) -> None:
    path = tmp_path / "broken.pdf"
    path.write_bytes(BROKEN_PDF)
    record = upload(client, path)

    answer = client.post(MASH, params={"wait": "30s"}, json={"file_id": record["file_id"]})

    problem = check_problem(answer, 422)
    assert problem["journey_id"] == f"data_mash_{record['file_id']}_local"
    assert problem["phases"]["infrastructure"]["status"] == "succeeded"
    assert problem["phases"]["business_enablement"]["status"] == "failed"
    assert problem["phases"]["insights"]["status"] == "pending"
    shown = client.get(f"{MASH}/{problem['journey_id']}")
    assert (shown.status_code, shown.json()["success"]) == (200, False)
    assert shown.json()["error"]["code"] == problem["code"]


def test_runs_are_listed_by_status_and_page_by_page(client: httpx2.Client) -> None:
    for name in ("weather.csv", "gettysburg.txt"):
        record = upload(client, name)
        client.post(MASH, params={"wait": "30s"}, json={"file_id": record["file_id"]})

    first = client.get("/api/journey/runs?status=succeeded&limit=1").json()["result"]
    second = client.get(
        "/api/journey/runs",
        params={"status": "succeeded", "limit": 1, "cursor": first["next_cursor"]},
    ).json()["result"]

    assert len(first["runs"]) == len(second["runs"]) == 1
    assert first["runs"][0]["run_id"] > second["runs"][0]["run_id"]


def test_templates_are_listed_and_shown(client: httpx2.Client) -> None:
    listed = client.get("/api/journey/templates").json()["result"]["templates"]

    assert "data_mash_flow" in [template["name"] for template in listed]
    shown = client.get("/api/journey/templates/data_mash_flow").json()["result"]
    assert "milestones" in shown["text"]


def test_boot_and_state_are_shown(client: httpx2.Client) -> None:
    boot = client.get("/api/city/boot").json()["result"]
    state = client.get("/api/city/state").json()["result"]

    assert [stage["name"] for stage in boot["stages"]] == [
        "public_works",
        "curator",
        "agentic",
        "experience",
        "smart_city",
        "realms",
    ]
    assert boot["ready"] is state["boot"]["ready"] is True


def test_files_are_listed_page_by_page(client: httpx2.Client) -> None:
    for _ in range(2):
        upload(client, "rain-gauge.md")

    first = client.get("/api/files?limit=1").json()["result"]
    second = client.get(f"/api/files?limit=1&cursor={first['next_cursor']}").json()["result"]

    assert first["files"][0]["file_id"] > second["files"][0]["file_id"]


def test_every_public_api_and_every_hand_made_route_is_in_the_document(
    client: httpx2.Client,
) -> None:
    document = client.get("/openapi.json").json()
    listed = client.get("/api/curator/apis").json()["result"]["apis"]

    assert {api["path"] for api in listed if api["public"]} <= set(document["paths"])
    assert not {api["path"] for api in listed if not api["public"]} & set(document["paths"])
    for path in ("/api/files", "/api/files/{file_id}/content", MASH, "/api/search", "/readyz"):
        assert path in document["paths"]
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(re.findall(r'"(#/[^"]*)"', json.dumps(document))) <= known
