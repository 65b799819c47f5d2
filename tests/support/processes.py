"""Civitas as processes of its own: commands, and a server that is up while a block lasts."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parents[2]
FROM_CHECKOUT = (sys.executable, str(ROOT / "main.py"))
PATIENCE = 60
"""Seconds after which a process that should have answered is given up."""


@dataclass(slots=True)
class Server:
    """A running server: where it answers, where it keeps things, and what it has said."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str = ""
    said: list[str] = field(default_factory=list)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the answer is the exit code."""
        self.process.send_signal(with_signal)
        return self.process.wait(PATIENCE)

    def client(self, **options: Any) -> httpx2.Client:
        """A client of this server; close it, or enter it."""
        return httpx2.Client(base_url=self.url, timeout=PATIENCE, trust_env=False, **options)

    @property
    def address(self) -> tuple[str, int]:
        """For raw sockets."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def resident_bytes(self) -> int:
        """The memory the process holds at this moment."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def staged(self) -> list[str]:
        """Temporary files of uploads, and folders of work in progress."""
        return sorted(path.name for path in (self.data_dir / "staging").iterdir())

    @property
    def stored(self) -> list[str]:
        """Objects of clients' files."""
        root = self.data_dir / "objects"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    @property
    def readers(self) -> list[int]:
        """Processes that read files at this moment: children of the children of the server."""
        return [pid for child in _children(self.process.pid) for pid in _children(child)]

    @property
    def stderr(self) -> str:
        """What it wrote to stderr so far."""
        return "".join(self.said)

    @property
    def log(self) -> str:
        """The lines of the log file: a JSON object each."""
        return (self.data_dir / "logs" / "civitas.jsonl").read_text(encoding="utf-8")

    def logged(self, trace_id: str, *, until: str) -> list[dict[str, Any]]:
        """The log lines of a trace, once one of them has `until` in its message.

        A request's own line is written after its answer was sent.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = [json.loads(line) for line in self.log.splitlines()]
            found: list[dict[str, Any]] = [line for line in lines if line["trace_id"] == trace_id]
            if any(until in line["message"] for line in found) or time.monotonic() > deadline:
                return found


def civitas(
    *arguments: str | Path,
    command: Sequence[str] = FROM_CHECKOUT,
    cwd: Path = ROOT,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """One command line, run to its end."""
    found = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env=clean_environment() | dict(environment or {}),
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    out, err = (stream.decode("utf-8", "replace") for stream in (found.stdout, found.stderr))
    return subprocess.CompletedProcess(found.args, found.returncode, out, err)


@contextmanager
def serving(
    data_dir: Path,
    *arguments: str,
    command: Sequence[str] = FROM_CHECKOUT,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    **settings: object,
) -> Iterator[Server]:
    """A server on a free port, from its first answer to the end of the block.

    `settings` such as `max_upload_bytes=1000` go by environment.
    """
    given = {f"CIVITAS_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [*command, "serve", "--port", "0", "--data-dir", str(data_dir), *arguments],
        cwd=cwd,
        env=clean_environment() | given | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, data_dir)
    listener = threading.Thread(target=_listen, args=(server,), daemon=True)
    listener.start()
    try:
        server.url = _url(server)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        listener.join(PATIENCE)
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stderr.close()


def _children(pid: int) -> list[int]:
    """The child processes of a process; none when it is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        told = " ".join((task / "children").read_text() for task in tasks)
    except OSError:
        return []
    return [int(number) for number in told.split()]


def clean_environment() -> dict[str, str]:
    """A user's environment: no settings of the city, and nothing that the test runner put in.

    Bytecode is kept for the next start; without it every start takes three times as long.
    """
    ours = ("CIVITAS_", "CLOUD_READY_", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _listen(server: Server) -> None:
    assert server.process.stderr
    for line in server.process.stderr:
        server.said.append(line)


def _url(server: Server) -> str:
    assert server.process.stdout
    for line in server.process.stdout:
        if found := re.search(r"open at (http://\S+)", line):
            return found[1]
    raise AssertionError(f"the server ended before it answered:\n{server.stderr}")
