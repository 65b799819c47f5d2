"""Uploads and data mashes over HTTP, as a user's program does them."""

from pathlib import Path
from typing import Any

import httpx2

from tests.support.processes import ROOT

DATA = ROOT / "tests" / "data"
MILESTONES = ["file_uploaded", "file_parsed", "semantic_processed", "insights_generated"]


def upload(http: httpx2.Client, path: str | Path, **headers: str) -> dict[str, Any]:
    """Upload a file, by its path or its name in `tests/data`; the answer is its record."""
    path = DATA / path
    with path.open("rb") as content:
        answer = http.post("/api/files", files={"file": (path.name, content)}, headers=headers)
    assert answer.status_code == 201, answer.text
    record: dict[str, Any] = answer.json()["result"]
    return record


def mash(
    http: httpx2.Client, file_id: str, *, wait: str = "30s", **headers: str
) -> httpx2.Response:
    """Ask for the data mash of a file and wait for its outcome."""
    return http.post(
        "/api/solution/data-mash", params={"wait": wait}, json={"file_id": file_id}, headers=headers
    )
