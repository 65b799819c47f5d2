"""The processes of templates/deploy, started as they say, on servers of the tests: a mash runs."""

import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template

import httpx2
import pytest

from tests.support.brokers import Broker, free_port, place_at
from tests.support.deploying import EVERY_WAY, SECRETS, Started
from tests.support.postgres import PostgresServer
from tests.support.processes import FROM_CHECKOUT, ROOT, civitas, clean_environment

pytestmark = pytest.mark.slow

PATIENCE = 60.0
README = (ROOT / "README.md").read_text("utf-8")
SAYS = {"serve": "is open at", "worker": "is ready", "scheduler": "at work"}


@contextmanager
def running(started: Started, here: dict[str, str], folder: Path, number: int) -> Iterator[Path]:
    """One process with exactly its words; of its environment only the addresses are others."""
    said = folder / f"{started.role}-{number}.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            [*FROM_CHECKOUT, *started.words],
            cwd=folder,
            env=clean_environment() | dict(started.environment) | here,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield said
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, said.read_text()
    finally:
        process.kill()
        process.wait(PATIENCE)


def until_said(said: Path, words: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while words not in said.read_text(errors="replace"):
        assert time.monotonic() < deadline, said.read_text(errors="replace")
        time.sleep(0.05)


def test_from_a_laptop_to_servers_as_the_readme_says(
    postgres_server: PostgresServer, rabbitmq: Broker, tmp_path: Path
) -> None:
    """The five commands, in their order, after a mash on the laptop: its run is there."""
    on_the_laptop = civitas("mash", ROOT / "tests/data/tides.tsv", cwd=tmp_path)
    port = free_port()
    with ExitStack() as stack:
        here = {
            "CLOUD_READY_MODE": "hybrid",
            "CIVITAS_DATABASE_URL": stack.enter_context(postgres_server.database()),
            "CIVITAS_BROKER_URL": stack.enter_context(place_at(rabbitmq)),
            "CIVITAS_PORT": str(port),
        }
        written = README.split("Then five commands")[1].split("```")[1].splitlines()[1:]
        known = {"PWD": str(tmp_path), **here}
        commands = [shlex.split(Template(line).substitute(known))[2:] for line in written]
        done = [civitas(*words, cwd=tmp_path, environment=here) for words in commands[:2]]
        for words in commands[2:]:
            started = Started(words[0], tuple(words), {})
            said = stack.enter_context(running(started, here, tmp_path, 0))
            until_said(said, SAYS[words[0]])
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False
        ) as client:
            runs = client.get("/api/journey/runs").json()["result"]["runs"]
            table = (ROOT / "tests/data/weather.csv").read_bytes()
            stored = client.post("/api/files", files={"file": ("weather.csv", table)}).json()
            mashed = client.post(
                "/api/solution/data-mash?wait=30s", json={"file_id": stored["result"]["file_id"]}
            ).json()

    assert on_the_laptop.returncode == 0
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert [words[0] for words in commands[2:]] == ["serve", "worker", "scheduler"]
    assert [(run["template"], run["status"]) for run in runs] == [("data_mash_flow", "succeeded")]
    assert {phase["status"] for phase in mashed["phases"].values()} == {"succeeded"}


@pytest.mark.parametrize("way", ["compose", "systemd"])
def test_all_processes_come_up_and_a_mash_runs(
    way: str, postgres_server: PostgresServer, rabbitmq: Broker, tmp_path: Path
) -> None:
    port = free_port()
    with ExitStack() as stack:
        here = {
            "CIVITAS_DATABASE_URL": stack.enter_context(postgres_server.database()),
            "CIVITAS_BROKER_URL": stack.enter_context(place_at(rabbitmq)),
            "CIVITAS_DATA_DIR": str(tmp_path / "data"),
            "CIVITAS_HOST": "127.0.0.1",
            "CIVITAS_PORT": str(port),
        }
        logs = [
            (stack.enter_context(running(started, here, tmp_path, number)), SAYS[started.role])
            for started in EVERY_WAY[way]()
            for number in range(started.replicas)
        ]
        for said, word in logs:
            until_said(said, word)
        header = {"authorization": f"Bearer {SECRETS['CIVITAS_ACCESS_TOKEN']}"}
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", headers=header, timeout=PATIENCE, trust_env=False
        ) as client:
            ready = client.get("/readyz", headers={"authorization": ""})
            table = (ROOT / "tests/data/tides.tsv").read_bytes()
            stored = client.post("/api/files", files={"file": ("tides.tsv", table)}).json()
            mashed = client.post(
                "/api/solution/data-mash?wait=30s", json={"file_id": stored["result"]["file_id"]}
            ).json()

    assert ready.status_code == 200
    phases = mashed["phases"]
    assert {name: phase["status"] for name, phase in phases.items()} == dict.fromkeys(
        phases, "succeeded"
    )
    assert len(phases) == 4
