"""Uploads and data mashes over HTTP, as a user's program does them."""

from typing import Any

import httpx2

from tests.support.processes import ROOT, Server

DATA = ROOT / "tests" / "data"
MILESTONES = ["file_uploaded", "file_parsed", "semantic_processed", "insights_generated"]


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
