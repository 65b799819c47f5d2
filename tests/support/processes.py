"""Civitas as processes of its own: commands, and a server that is up while a block lasts."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FROM_CHECKOUT = (sys.executable, str(ROOT / "main.py"))
PATIENCE = 60
"""Seconds after which a process that should have answered is given up."""


@dataclass(slots=True)
class Server:
    """A running server: where it answers, and what it has said."""

    process: subprocess.Popen[str]
    url: str
    said: list[str] = field(default_factory=list)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the answer is the exit code."""
        self.process.send_signal(with_signal)
        return self.process.wait(PATIENCE)

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        return "".join(self.said)


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
) -> Iterator[Server]:
    """A server on a free port, from its first answer to the end of the block."""
    process = subprocess.Popen(
        [*command, "serve", "--port", "0", "--data-dir", str(data_dir), *arguments],
        cwd=cwd,
        env=clean_environment() | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, "")
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
    raise AssertionError(f"the server ended before it answered:\n{server.log}")
