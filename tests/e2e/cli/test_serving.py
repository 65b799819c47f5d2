"""`serve` as a process: one city for each folder, open when it says so, orderly when it ends."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from foundations.boot import Duty
from foundations.experience.cities import City
from foundations.experience.serving import serve
from foundations.public_works.data_folder import holder_of
from foundations.public_works.settings import Settings
from tests.support.processes import ROOT, civitas, serving

pytestmark = pytest.mark.slow


def test_server_is_ready_when_it_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert httpx2.get(f"{server.url}/readyz").status_code == 200
        holder = holder_of(tmp_path)

        assert holder is not None
        assert (holder.pid, holder.url) == (server.process.pid, server.url)


def test_second_server_on_a_folder_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        found = civitas("serve", "--port", "0", "--data-dir", tmp_path)

    assert found.returncode == 3
    assert f"process {server.process.pid} at {server.url}" in found.stderr.splitlines()[0]


def test_taken_port_is_told_before_anything_boots(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = civitas("serve", "--port", port, "--data-dir", tmp_path / "city")

    assert found.returncode == 1
    assert found.stderr.startswith(f"error: cannot serve 127.0.0.1 port {port}")
    assert not (tmp_path / "city").exists()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signal_leaves_the_city_in_order(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    with serving(tmp_path) as server:
        assert server.stop(sent) == code

    assert holder_of(tmp_path) is None
    assert "Traceback" not in server.stderr
    assert list((tmp_path / "staging").iterdir()) == []


def test_request_in_progress_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    with serving(tmp_path) as server, ThreadPoolExecutor() as threads:
        with (ROOT / "tests/data/declaration.pdf").open("rb") as file:
            uploaded = httpx2.post(f"{server.url}/api/files", files={"file": ("d.pdf", file)})
        body = {"file_id": uploaded.json()["result"]["file_id"]}
        mash = f"{server.url}/api/solution/data-mash?wait=30s"

        answer = threads.submit(httpx2.post, mash, json=body, timeout=60)
        while not httpx2.get(f"{server.url}/api/journey/runs").json()["result"]["runs"]:
            assert not answer.done()
        assert server.stop() == 0

        assert answer.result().status_code == 200
        assert answer.result().json()["success"]


@pytest.mark.anyio
async def test_signal_while_booting_ends_the_boot(tmp_path: Path) -> None:
    left: list[str] = []

    @asynccontextmanager
    async def slow_city(
        settings: Settings, *, working: bool = True, duty: Duty | None = None
    ) -> AsyncIterator[City]:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            left.append("in order")
        yield  # type: ignore[misc]  # the boot never ends

    code = await serve(slow_city, Settings(data_dir=tmp_path, port=0), lambda _url: None)

    assert (code, left) == (0, ["in order"])


def test_city_commands_of_a_running_and_a_stopped_city(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        running = civitas("city", "status", "--data-dir", tmp_path)
        graph = civitas("city", "graph", "--data-dir", tmp_path)
        server.stop()
    stopped = civitas("city", "status", "--data-dir", tmp_path)

    assert f"running at {server.url} as process {server.process.pid}" in running.stdout
    assert "public_works" in running.stdout
    assert graph.stdout.startswith("flowchart LR\n")
    assert stopped.returncode == 0
    assert "stopped" in stopped.stdout
