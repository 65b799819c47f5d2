"""The ledger: a process of its own that writes down what it is told before it says so.

What a city that is killed told it is kept; what it did not tell did not happen.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.chaos.witness import Note
from tests.support.processes import ROOT, clean_environment

_FILE = "ledger.jsonl"
_SOCKET = "ledger.socket"
_LARGEST = 1 << 16


class LedgerLine:
    """One process's line to the ledger; `tell` returns when the note is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(str(folder / _SOCKET))
        self._lock = threading.Lock()

    def tell(self, note: Note) -> None:
        with self._lock:
            self._socket.send(json.dumps(note).encode())
            self._socket.recv(1)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """A ledger in `folder` while the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.ledger", str(folder)],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    try:
        process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def notes(folder: Path) -> list[dict[str, Any]]:
    """Everything in the ledger, in the order in which it was told."""
    lines = (folder / _FILE).read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def _serve(folder: Path) -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(folder / _SOCKET))
    server.listen(64)
    lock = threading.Lock()
    with (folder / _FILE).open("ab", buffering=0) as file:
        print("open", flush=True)  # noqa: T201 - the sign that it answers
        while True:
            line, _ = server.accept()
            threading.Thread(target=_listen, args=(line, file, lock), daemon=True).start()


def _listen(line: socket.socket, file: IO[bytes], lock: threading.Lock) -> None:
    with suppress(OSError):  # who tells it may be killed at any moment
        while note := line.recv(_LARGEST):
            with lock:
                file.write(note + b"\n")
                os.fdatasync(file.fileno())
            line.send(b".")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
