"""Each measurement is a process of its own, which prints one JSON line."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, clean_environment
from utilities.errors import ErrorKind, PlatformError

Figures = dict[str, Any]

PACKAGE = "tests.benchmarks.journeys"
_PATIENCE = 900
_MISSING = (
    "import sys; from importlib.util import find_spec; "
    "print(*(name for name in sys.argv[1:] if find_spec(name) is None))"
)


class PeerMissing(PlatformError):
    """A system to compare with is not installed."""

    kind = ErrorKind.UNAVAILABLE


class MeasurementFailed(PlatformError):
    """A measured process ended without figures."""

    kind = ErrorKind.INTERNAL


@dataclass(frozen=True, slots=True)
class System:
    """A measured system: its name in the figures, its module, and what has to be installed."""

    name: str
    module: str
    needs: tuple[str, ...] = ()


CIVITAS = System("civitas", "civitas_peer")
PEERS = {
    "dbos": System("dbos", "dbos_peer", ("dbos",)),
    "langgraph": System(
        "langgraph", "langgraph_peer", ("langgraph", "langgraph.checkpoint.sqlite", "aiosqlite")
    ),
    "celery": System("celery", "celery_peer", ("celery", "kombu", "sqlalchemy", "redis")),
    "raw": System("raw-sqlite", "raw_peer"),
}


@dataclass(frozen=True, slots=True)
class Children:
    """Starts measured processes, those of installed peers on the interpreter that has them."""

    peers_python: str
    folder: Path | None
    """Where stores are made; None for the temporary folder."""

    def check_installed(self, systems: Sequence[System]) -> None:
        """Find out before anything is measured.

        Raises:
            PeerMissing: the interpreter lacks a peer.
        """
        for system in systems:
            python = self._python(system)
            asked = [python, "-c", _MISSING, *_roots(system.needs)]
            missing = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            if missing.strip():
                raise PeerMissing(
                    f"{system.name} is not installed for {python}: {missing.strip()} is missing",
                    hint='pip install -e ".[bench]", or name an interpreter with --peers-python',
                )

    def measure(self, system: System, *options: str | float, under: Sequence[str] = ()) -> Figures:
        """The figures of one system, on a store of its own."""
        with self.scratch() as folder:
            module = f"{PACKAGE}.peers.{system.module}"
            return self.run(module, folder, *options, python=self._python(system), under=under)

    def run(
        self,
        module: str,
        folder: Path,
        *options: str | float,
        python: str = sys.executable,
        under: Sequence[str] = (),
    ) -> Figures:
        """Run a module with `--folder` to its end.

        Raises:
            MeasurementFailed: it ended without figures.
        """
        command = [*under, python, "-m", module, "--folder", str(folder), *map(str, options)]
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        lines = ended.stdout.splitlines()
        if ended.returncode or not lines:
            raise MeasurementFailed(
                f"{module} ended with {ended.returncode}: {ended.stderr.strip()[-2000:]}",
                hint=f"run it by itself: {' '.join(command)}",
            )
        figures: Figures = json.loads(lines[-1])
        if "--profile" in options:
            sys.stderr.write(ended.stderr)
        return figures

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the measured disk."""
        with tempfile.TemporaryDirectory(prefix="civitas-bench-", dir=self.folder) as folder:
            yield Path(folder)

    def _python(self, system: System) -> str:
        return (self.peers_python or sys.executable) if system.needs else sys.executable


def _roots(names: Sequence[str]) -> list[str]:
    """Top packages, whose absence is an answer and no error."""
    return sorted({name.partition(".")[0] for name in names})
