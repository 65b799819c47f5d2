"""One server for all bad inputs, and what must hold after each of them."""

import json
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.processes import Server, serving

LIMIT = 2_000_000
MIB = 1024 * 1024
PARSE = "/api/business_enablement/content_analysis_orchestrator"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits."""
    folder = tmp_path_factory.mktemp("bad_inputs") / "data"
    with serving(folder, max_upload_bytes=LIMIT, upload_idle_seconds=1) as running:
        with running.client() as client:
            client.get("/readyz")  # what is loaded once is loaded before memory is measured
            client.get("/api/search?q=warm")
            stored = client.post("/api/files", files={"file": ("warm.txt", b"Warm.")}).json()
            warm = {"file_id": stored["result"]["file_id"]}
            assert client.post(f"{PARSE}/parse_file", json=warm).json()["success"]
            assert client.delete(f"/api/files/{warm['file_id']}").json()["success"]
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    """The process lives, no fault of its own is in the log, nothing is left, memory is flat."""
    log, memory = len(server.log), server.resident_bytes
    yield
    assert server.alive
    lines = [json.loads(line) for line in server.log[log:].splitlines()]
    assert [line for line in lines if line["level"] in {"ERROR", "CRITICAL"}] == []
    assert server.staged == []
    assert server.resident_bytes - memory < 64 * MIB
