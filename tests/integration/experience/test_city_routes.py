"""The rooms' own routes, over a whole city in this process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from foundations.public_works.settings import Settings
from main import Platform
from tests.support.oracle import check_problem

pytestmark = pytest.mark.anyio

MASH = "/api/solution/data-mash"
CSV = b"day,mill,flour_kg\n1,A,10\n2,B,12\n3,A,11\n4,B,13\n"
BROKEN_PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with Platform(Settings(data_dir=tmp_path / "data")) as city:
        transport = httpx2.ASGITransport(app=city.asgi)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


async def uploaded(client: httpx2.AsyncClient, name: str, content: bytes) -> dict[str, Any]:
    answer = await client.post("/api/files", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    record: dict[str, Any] = answer.json()["result"]
    assert answer.headers["Location"] == f"/api/files/{record['file_id']}"
    return record


async def test_file_goes_in_and_comes_out(client: httpx2.AsyncClient) -> None:
    record = await uploaded(client, "mill.csv", CSV)
    path = f"/api/files/{record['file_id']}"

    assert (await client.get(path)).json()["result"] == record
    assert (await client.get("/api/files")).json()["result"]["files"] == [record]
    whole, part = (
        await client.get(f"{path}/content"),
        await client.get(f"{path}/content", headers={"Range": "bytes=0-2"}),
    )
    assert (whole.status_code, whole.content) == (200, CSV)
    assert (part.status_code, part.content) == (206, b"day")
    assert whole.headers["Content-Type"] == "text/csv"
    check_problem(await client.get("/api/files/nope/content"), 404, "file_unknown")


async def test_mash_is_waited_for_followed_and_found(client: httpx2.AsyncClient) -> None:
    record = await uploaded(client, "mill.csv", CSV)

    accepted = await client.post(MASH, json={"file_id": record["file_id"]})
    answer = await client.post(MASH, params={"wait": "50s"}, json={"file_id": record["file_id"]})

    assert (accepted.status_code, answer.status_code) == (202, 200)
    assert accepted.json()["run_id"]
    outcome = answer.json()
    assert outcome["trace_id"] == record["trace_id"]
    assert (await client.get(f"{MASH}/{outcome['journey_id']}")).json() == outcome
    run = (await client.get(accepted.headers["Location"])).json()["result"]
    assert run["status"] == "succeeded"
    listed = (await client.get("/api/journey/runs?status=succeeded")).json()["result"]["runs"]
    assert [run["run_id"] for run in listed] == [accepted.json()["run_id"]]
    found = (await client.get("/api/search?q=flour")).json()["result"]["hits"]
    assert found[0]["file_id"] == record["file_id"]
    asked = {"q": "flour", "mode": "words", "kind": ["csv", "pdf"], "file": record["file_id"]}
    (hit, *_) = (await client.get("/api/search", params=asked)).json()["result"]["hits"]
    span = hit["highlights"][0]
    assert hit["snippet"][span["start"] : span["end"]].casefold() == "flour"
    graph = (await client.get(f"/api/knowledge/files/{record['file_id']}")).json()["result"]
    assert {node["kind"] for node in graph["nodes"]} >= {"table", "column"}
    assert graph["origin"]["run_id"] == accepted.json()["run_id"]
    assert graph["origin"]["milestone"] == "semantic_processed"


async def test_what_files_name_is_listed_and_found_again(client: httpx2.AsyncClient) -> None:
    letter = b"Dear miller, write to mill@example.org by 3 May 2026.\n"
    record = await uploaded(client, "letter.txt", letter)
    await client.post(MASH, params={"wait": "50s"}, json={"file_id": record["file_id"]})

    listed = await client.get("/api/knowledge/entities", params={"q": "Mill@", "kind": "mail"})
    (mail,) = listed.json()["result"]["entities"]
    told = await client.get("/api/knowledge/mentions", params={"entity": mail["id"]})

    (mention,) = told.json()["result"]["mentions"]
    assert (mention["file_id"], mention["place"]["label"]) == (record["file_id"], "line 1")
    assert mention["origin"]["run_id"]
    check_problem(await client.get("/api/knowledge/mentions?entity=entity:mail/x"), 404)
    check_problem(await client.get("/api/knowledge/files/nope"), 404, "graph_unknown")
    check_problem(await client.get("/api/search?q=x&kind=pfd"), 422, "unusable_query")
    check_problem(await client.get("/api/search?q=x&since=yesterday"), 422)


async def test_deleted_file_is_not_found_any_more(client: httpx2.AsyncClient) -> None:
    record = await uploaded(client, "zeppelin.txt", b"The zeppelin lands at noon.\n")
    await client.post(MASH, params={"wait": "50s"}, json={"file_id": record["file_id"]})
    path = f"/api/files/{record['file_id']}"

    deleted = await client.delete(path)

    assert deleted.json()["result"] == {"file_id": record["file_id"], "existed": True}
    check_problem(await client.get(path), 404, "file_unknown")
    found = (await client.get("/api/search?q=zeppelin&mode=words")).json()["result"]
    assert found["hits"] == []
    assert (await client.delete(path)).json()["result"]["existed"] is False


async def test_mash_that_fails_keeps_its_phases_readable(client: httpx2.AsyncClient) -> None:
    record = await uploaded(client, "broken.pdf", BROKEN_PDF)

    answer = await client.post(MASH, params={"wait": "1m"}, json={"file_id": record["file_id"]})

    problem = check_problem(answer, 422)
    assert problem["phases"]["infrastructure"]["status"] == "succeeded"
    assert problem["phases"]["business_enablement"]["status"] == "failed"


async def test_wait_may_be_too_short_or_no_wait_at_all(client: httpx2.AsyncClient) -> None:
    record = await uploaded(client, "mill.csv", CSV)

    short = await client.post(MASH, params={"wait": "1ms"}, json={"file_id": record["file_id"]})
    none = await client.post(MASH, params={"wait": "soon"}, json={"file_id": record["file_id"]})

    assert (short.status_code, short.json()["status"]) == (202, "running")
    check_problem(none, 422, "invalid_request")


async def test_city_tells_of_itself(client: httpx2.AsyncClient) -> None:
    for path, member in (
        ("/api/city/boot", "stages"),
        ("/api/city/state", "realms"),
        ("/api/journey/templates", "templates"),
        ("/api/journey/templates/data_mash_flow", "text"),
        ("/api/curator/services", "services"),
        ("/readyz", "components"),
    ):
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"][member]
