"""A city of several processes for tests: workers and schedulers around one database and one broker.

The test itself is the process that accepts runs. The others are forked from one that has imported
everything, so that they are soon up after a kill.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import realms
from foundations.public_works.settings import Settings
from main import Platform

TRIAL_REALMS = Path(__file__).parents[1] / "chaos" / "city"
PATIENCE = 60.0
SPREADS_ALL = 0.000001
"""The setting with which workers make calls of each other's runs though they take no time."""
_OWN_REALMS = Path(realms.__file__).parent
_CONTEXT: Any = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.chaos.preloaded"])


@dataclass(slots=True)
class Member:
    """One process of the city, and what it has said."""

    role: str
    said: Path
    process: Any
    arguments: tuple[str, ...] = ()
    wanted: bool = True

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    @property
    def alive(self) -> bool:
        return bool(self.process.is_alive())

    def send(self, with_signal: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, with_signal)

    def kill(self) -> None:
        self.wanted = False
        self.process.kill()
        self.process.join()

    def stop(self, *, seconds: float = PATIENCE) -> int | None:
        """Ask it to stop; its exit code, or None if it did not."""
        self.wanted = False
        self.send(signal.SIGTERM)
        self.process.join(seconds)
        code: int | None = self.process.exitcode
        return code

    def until_said(self, words: str) -> None:
        """Wait until it has said something."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.said.read_text(errors="replace"):
            text = self.said.read_text(errors="replace")
            assert self.alive, f"the {self.role} ended:\n{text}"
            assert time.monotonic() < deadline, f"the {self.role} did not say {words}:\n{text}"
            time.sleep(0.05)


@dataclass(slots=True)
class Cluster:
    """Where the city's processes meet, and those that were started here."""

    folder: Path
    database_url: str
    broker_url: str
    realms: Sequence[Path] = (TRIAL_REALMS,)
    ledger: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    _count: int = 0

    def environment(self) -> dict[str, str]:
        given = {
            "data_dir": self.folder / "data",
            "database_url": self.database_url,
            "broker_url": self.broker_url,
            "journey_lease_seconds": 2,
            "drain_seconds": 3,
            **self.settings,
        }
        named = {f"CIVITAS_{name.upper()}": str(value) for name, value in given.items()}
        return {"CLOUD_READY_MODE": "hybrid", **named}

    def start(self, role: str, *arguments: str) -> Member:
        """A process on its way to being up."""
        self._count += 1
        said = self.folder / f"{role}-{self._count}.log"
        said.touch()
        line = (self.environment(), [role, *arguments], list(map(str, self.realms)))
        process = _CONTEXT.Process(target=_live, args=(*line, str(said), str(self.ledger or "")))
        process.start()
        member = Member(role, said, process, arguments)
        self.members.append(member)
        return member

    def worker(self, *arguments: str) -> Member:
        return self.start("worker", *arguments)

    def scheduler(self) -> Member:
        return self.start("scheduler")

    def up(self, *, workers: int = 2) -> None:
        """A scheduler and workers, and wait until they are up."""
        scheduler = self.scheduler()
        scheduler.until_said("at work")  # it has made the tables
        for worker in [self.worker() for _ in range(workers)]:
            worker.until_said("is ready")

    def revive(self) -> int:
        """Start again what ended by itself, as a service manager does; how many that were.

        A member that boots while the database is away refuses, and is to be started again.
        """
        ended = [member for member in self.members if member.wanted and not member.alive]
        for member in ended:
            member.wanted = False
            self.start(member.role, *member.arguments)
        return len(ended)

    @asynccontextmanager
    async def accepting(self) -> AsyncIterator[Platform]:
        """The city in this process, which accepts runs and leaves them to the workers."""
        before = list(realms.__path__)
        realms.__path__.extend(f for f in map(str, self.realms) if f not in before)
        names = {
            name.removeprefix("CIVITAS_").lower(): value  # CLOUD_READY_MODE has no prefix
            for name, value in self.environment().items()
        }
        try:
            async with Platform(Settings.model_validate(names)) as city:
                yield city
        finally:
            realms.__path__[:] = before

    def down(self) -> None:
        for member in self.members:
            if member.alive:
                member.kill()


def _live(
    environment: Mapping[str, str],
    arguments: list[str],
    folders: list[str],
    said: str,
    ledger: str,
) -> None:
    from foundations.experience.command_line import main

    os.environ.update(environment)
    output = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    realms.__path__[:] = [str(_OWN_REALMS), *folders]  # what was imported before has others
    multiprocessing.current_process().daemon = False
    if ledger:
        from tests.chaos.ledger import LedgerLine
        from tests.chaos.witness import WITNESS

        WITNESS.tell = LedgerLine(Path(ledger)).tell
        WITNESS.longest_wait = 0.004
    sys.exit(main(Platform, arguments))
