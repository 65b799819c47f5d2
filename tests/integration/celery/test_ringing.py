"""Wakes between processes, by each broker: what arrives, and what is dropped (bad-inputs.md, B)."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.adapters.celery_app import OVERTAKING, make_app, queue_by
from foundations.public_works.adapters.celery_dispatch import CeleryDispatch
from foundations.public_works.adapters.celery_messages import (
    MOST_KEYS,
    TASK,
    MessageTooLarge,
    packed,
)
from foundations.public_works.dispatch import PLAIN, Road
from foundations.public_works.settings import Settings
from tests.support.brokers import Broker, place_at
from tests.support.rung import BROKER, NOTES
from utilities.clock import SystemClock
from utilities.observability.distributed_tracing import DistributedTracing

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0


@dataclass(slots=True)
class Worker:
    """A worker as a process, and what it noted."""

    url: str
    notes: Path
    process: "subprocess.Popen[str]"

    def noted(self) -> list[list[str]]:
        return [line.split() for line in self.notes.read_text().splitlines()]

    def keys(self) -> list[str]:
        return [
            key for line in self.noted() if line[0] in {"together", "alone"} for key in line[2:]
        ]

    def wait_for(self, key: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.notes.exists() or key not in self.notes.read_text().split():
            assert self.process.poll() is None, "the worker ended"
            assert time.monotonic() < deadline, f"{key} did not come"
            time.sleep(0.01)

    def send(self, *arguments: Any, task: str = TASK, **message: Any) -> None:
        app = make_app(self.url)
        app.send_task(task, args=arguments, kwargs=message, queue=queue_by(Road()))
        app.close()

    def said(self) -> str:
        return (self.notes.parent / "said").read_text()


def started(url: str, folder: Path, *options: str, notes: str = "notes") -> Worker:
    said = (folder / "said").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tests.support.rung.celery_app", "worker", *options],
        cwd=ROOT,
        env={**os.environ, NOTES: str(folder / notes), BROKER: url},
        stdout=said,
        stderr=said,
        text=True,
    )
    said.close()
    return Worker(url, folder / notes, process)


@pytest.fixture(scope="module")
def worker(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with place_at(broker) as url:
        found = started(url, tmp_path_factory.mktemp("worker"))
        try:
            found.wait_for("open")
            yield found
        finally:
            found.process.kill()
            found.process.wait(PATIENCE)


@pytest.fixture
async def bell(worker: Worker) -> AsyncIterator[CeleryDispatch]:
    settings = Settings.model_validate({"broker_url": worker.url})
    async with CeleryDispatch(
        settings=settings, clock=SystemClock(), tracing=DistributedTracing()
    ) as dispatch:
        yield dispatch


async def test_wakes_that_come_together_travel_together(
    worker: Worker, bell: CeleryDispatch
) -> None:
    for number in range(250):
        bell.wake("runs", f"run-{number}", road=PLAIN)
    bell.wake("lanes", "north/x", road=Road(priority=9))

    await asyncio.to_thread(worker.wait_for, "run-249")
    await asyncio.to_thread(worker.wait_for, "north/x")

    batches = [line[2:] for line in worker.noted() if line[0] == "together" and "run-" in line[2]]
    assert [len(batch) for batch in batches] == [25] * 10
    assert [line[0] for line in worker.noted() if line[2:] == ["north/x"]] == ["alone"]


async def test_a_wake_that_comes_a_hundred_times_harms_nobody(worker: Worker) -> None:
    """B2: that it has one effect is the claim's part."""
    message = packed("runs", ["again"])
    for _ in range(100):
        worker.send(**message)
    worker.send(**packed("runs", ["after"]))
    worker.wait_for("after")

    assert worker.process.poll() is None


BAD: dict[str, dict[str, Any]] = {
    "no version": {"queue": "runs", "keys": ["bad"]},
    "a newer version": {"version": 2, "queue": "runs", "keys": ["bad"]},
    "another part": {"version": 1, "queue": "runs", "keys": ["bad"], "tenant": "south"},
    "no list": {"version": 1, "queue": "runs", "keys": "bad"},
    "no texts": {"version": 1, "queue": "runs", "keys": [{"bad": 1}]},
    "no keys": {"version": 1, "queue": "runs", "keys": []},
    "an unknown queue": {"version": 1, "queue": "bad", "keys": ["bad"]},
    "5 MB": {"version": 1, "queue": "runs", "keys": ["bad" * 1_700_000]},
    "too many keys": {"version": 1, "queue": "runs", "keys": ["bad"] * (MOST_KEYS + 1)},
}


def test_messages_that_are_none_of_ours_are_dropped_with_a_reason(worker: Worker) -> None:
    """B1 and B4: nothing of them is done, the log says why, and the worker goes on."""
    before = worker.said().count("a message is dropped: ")
    for message in BAD.values():
        worker.send(**message)
    worker.send("bad")
    worker.send(task="os.system", command="bad")
    worker.send(**packed("runs", ["good-1"]))
    worker.wait_for("good-1")

    assert "bad" not in "".join(worker.keys())
    assert worker.said().count("a message is dropped: ") == before + len(BAD) + 1
    assert "os.system" in worker.said()


def test_messages_that_are_no_json_are_dropped(worker: Worker) -> None:
    """B1: pickle is not read, and neither is what only says that it is JSON."""
    import pickle

    import kombu

    before = worker.said().count("a message is dropped: ")
    headers = {"task": TASK, "id": "1", "lang": "py", "argsrepr": "", "kwargsrepr": ""}
    bodies: list[tuple[bytes, str]] = [
        (pickle.dumps(((), {"version": 1}, {})), "application/x-python-serialize"),
        (b"\x00\xff{", "application/json"),
        (b'["no", "triple"]', "application/json"),
        (json.dumps([[], {}, {}]).encode(), "application/json"),
    ]
    with kombu.Connection(worker.url) as line:
        producer = line.Producer()
        for body, kind in bodies:
            producer.publish(
                body,
                routing_key=queue_by(Road()),
                exchange=queue_by(Road()),
                content_type=kind,
                content_encoding="binary" if "pickle" in kind else "utf-8",
                headers=headers,
            )
        if worker.url.startswith("redis"):
            line.default_channel.client.lpush(queue_by(Road()), b"\x00no envelope")
    worker.send(**packed("runs", ["good-2"]))
    worker.wait_for("good-2")

    assert worker.process.poll() is None
    assert worker.said().count("a message is dropped: ") >= before + len(bodies)


def test_b4_a_message_that_is_too_large_is_not_sent() -> None:
    """B4."""
    with pytest.raises(MessageTooLarge, match="5000000"):
        packed("runs", ["x" * 5_000_000])


def test_a_road_leads_to_its_queue() -> None:
    assert queue_by(Road(queue="slow", priority=9)) == "civitas.q.slow"
    assert queue_by(Road(priority=9)) == OVERTAKING
    assert queue_by(Road(priority=1)) == "civitas"


def test_a_worker_that_is_asked_to_stop_leaves_its_city(broker: Broker, tmp_path: Path) -> None:
    with place_at(broker) as url:
        found = started(url, tmp_path)
        try:
            found.wait_for("open")
            time.sleep(1)
            found.process.send_signal(signal.SIGTERM)

            assert found.process.wait(PATIENCE) == 0
        finally:
            found.process.kill()
    assert found.noted()[-1][0] == "closed"


def test_a_pool_of_processes_is_refused(redis_server: Broker, tmp_path: Path) -> None:
    with place_at(redis_server) as url:
        found = started(url, tmp_path, "-P", "processes")

        assert found.process.wait(PATIENCE) == 78
    assert "all runs of a process share a loop" in found.said()


def test_a_city_that_does_not_boot_ends_its_worker(redis_server: Broker, tmp_path: Path) -> None:
    with place_at(redis_server) as url:
        found = started(url, tmp_path, notes="refuse")

        assert found.process.wait(PATIENCE) == 78
    assert "refused: it does not boot" in found.said()


async def test_a_broker_that_is_away_holds_up_nobody(tmp_path: Path) -> None:
    url = "redis://127.0.0.1:1/0"
    settings = Settings.model_validate({"broker_url": url})
    begun = time.monotonic()
    async with CeleryDispatch(
        settings=settings, clock=SystemClock(), tracing=DistributedTracing()
    ) as dispatch:
        for number in range(300):
            dispatch.wake("runs", str(number), road=PLAIN)

        assert time.monotonic() - begun < 1
    assert time.monotonic() - begun < 20
