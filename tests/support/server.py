"""A real server in a process of its own, as a user starts it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parents[2]
_BOOT_SECONDS = 30.0


@dataclass
class Server:
    """A running `python main.py serve`."""

    url: str
    data_dir: Path
    process: "subprocess.Popen[str]"
    errors: Path

    def client(self, **options: Any) -> httpx2.Client:
        """A client of this server; close it, or enter it."""
        return httpx2.Client(base_url=self.url, timeout=30, trust_env=False, **options)

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
        """Temporary files of uploads."""
        return sorted(path.name for path in (self.data_dir / "staging").iterdir())

    @property
    def stored(self) -> list[str]:
        """Objects of clients' files."""
        root = self.data_dir / "objects"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    @property
    def log(self) -> str:
        """The lines of the log file: a JSON object each."""
        return (self.data_dir / "logs" / "civitas.jsonl").read_text(encoding="utf-8")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As Ctrl-C in a service manager would; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=_BOOT_SECONDS)


@contextmanager
def serving(data_dir: Path, **settings: object) -> Iterator[Server]:
    """A server on `data_dir`; `settings` such as `max_upload_bytes=1000` go by environment."""
    given = {f"CIVITAS_{name.upper()}": str(value) for name, value in settings.items()}
    errors = data_dir.parent / f"{data_dir.name}.stderr"
    with errors.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "main.py", "serve", "--port", "0", "--data-dir", str(data_dir)],
            cwd=ROOT,
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        yield Server(_url_told_by(process, errors), data_dir, process, errors)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=_BOOT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _url_told_by(process: "subprocess.Popen[str]", errors: Path) -> str:
    """The URL in the first lines the server prints once it answers."""
    assert process.stdout is not None
    watchdog = threading.Timer(_BOOT_SECONDS, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if "http://" in line:
                return "http://" + line.split("http://")[1].split()[0].rstrip("/")
    finally:
        watchdog.cancel()
    raise AssertionError(f"the server did not come up:\n{errors.read_text()}")
