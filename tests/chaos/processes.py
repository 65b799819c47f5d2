"""City processes of a trial: forked quickly, killed and stopped at will."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from foundations.public_works.adapters.sqlite_driver import sqlite_driver
from tests.chaos import store
from tests.chaos.host import CLOSE, QUIET, REST, Orders, live

_OPENS = 60.0
_CONTEXT: Any = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.chaos.preloaded"])


class NotOpened(Exception):
    """A city process ended, or said why it does not open, before it was open."""


@dataclass(slots=True)
class CityProcess:
    """One city in a process of its own."""

    orders: Orders
    process: Any
    line: Connection
    said: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    @property
    def alive(self) -> bool:
        return bool(self.process.is_alive())

    def hear(self, wanted: str, *, seconds: float) -> bool:
        """Whether it says something within a time; false as soon as it is dead."""
        deadline = time.monotonic() + seconds
        while wanted not in self.said and (left := deadline - time.monotonic()) > 0:
            waited = multiprocessing.connection.wait([self.line, self.process.sentinel], left)
            if self.line in waited:
                with suppress(EOFError, OSError):
                    self.said.append(self.line.recv())
                    continue
            if waited:
                break  # dead, and all it said was heard
        return wanted in self.said

    def tell(self, what: str | float) -> None:
        with suppress(OSError):
            self.line.send(what)

    def opened(self) -> "CityProcess":
        """Itself, once it is open.

        Raises:
            NotOpened: it ended before.
        """
        if not self.hear("open", seconds=_OPENS):
            raise NotOpened(f"{self.said or 'nothing was said'}, exit code {self.process.exitcode}")
        return self

    def quiet(self, *, seconds: float) -> bool:
        """Whether all its runs came to rest within a time."""
        self.tell(REST)
        return self.hear(QUIET, seconds=seconds)

    def close(self, *, seconds: float = 20.0) -> bool:
        """Close in good order; whether it did."""
        self.tell(CLOSE)
        done = self.hear("closed", seconds=seconds)
        self.process.join(5 if done else 0)
        self.kill()
        return done

    def send(self, with_signal: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, with_signal)

    def kill(self) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.line.close()

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped it."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"


def start(orders: Orders) -> CityProcess:
    """A city process, on its way to being open."""
    mine, its = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=live, args=(orders, its), daemon=True)
    process.start()
    its.close()
    return CityProcess(orders, process, mine)


@contextmanager
def started(orders: Orders) -> Iterator[CityProcess]:
    """A city process, open; killed at the end of the block if it still lives.

    Raises:
        NotOpened: it ended before.
    """
    city = start(orders)
    try:
        yield city.opened()
    finally:
        city.kill()


def make_store(folder: Path, ledger: Path) -> None:
    """A data folder with the city's tables, and those in which the store notes its writers."""
    with started(Orders(folder=folder, ledger=ledger, name="seed", clients=0)) as city:
        city.close()
    store.prepare(folder / store.DATABASE)


def dismissed(folder: Path, pid: int) -> bool:
    """Whether the lease of a process has been ended by another."""
    connection = sqlite_driver().connect(folder / store.DATABASE)
    try:
        select = (
            "SELECT ended FROM journey_holders WHERE holder = "
            "(SELECT max(holder) FROM trial_writers WHERE pid = ?)"
        )
        found = connection.execute(select, (pid,)).fetchone()
    finally:
        connection.close()
    return bool(found and found[0])
