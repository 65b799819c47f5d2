"""Counts each statement, commit, publish and send of a city, and meddles with the Nth."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from foundations.public_works.adapters.sqlite_driver import sqlite_driver


class How(StrEnum):
    """What happens at the chosen point."""

    NOTHING = "nothing"
    CUT = "cut"
    """The power goes: nothing of the process has any effect from then on."""
    FAULT = "fault"
    """A statement fails, what was published or sent gets lost; everything else goes on."""


class PowerCut(BaseException):
    """The power went; nothing of the process is left."""


@dataclass(slots=True)
class Meddler:
    """Watches one city, which lives until it is `dead`."""

    at: int = 0
    how: How = How.NOTHING
    count: int = 0
    point: str = ""
    """What stood at the chosen place."""
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    refused: bool = False
    """The city did not open."""
    awake: bool = False
    """Nothing is counted before the city's store is open."""
    _dead: bool = False

    def reach(self, what: str) -> bool:
        """Count a point; true when what stands there is to fail.

        Raises:
            PowerCut: it is here, or was before.
        """
        if self._dead:
            raise PowerCut
        if not self.awake:
            return False
        self.count += 1
        if self.count != self.at:
            return False
        self.point = what
        if self.how is How.CUT:
            self._dead = True
            self.loop.call_soon_threadsafe(self.dead.set)
            raise PowerCut
        return self.how is How.FAULT


@contextmanager
def meddled(meddler: Meddler) -> Iterator[None]:
    """Have every statement of connections that are opened inside the block pass the meddler."""
    driver: Any = sqlite_driver()
    connect = driver.connect
    cursor = type("MeddledCursor", (_Cursor, driver.Cursor), {})
    made = {"meddler": meddler, "cursors": cursor, "fault": driver.OperationalError}
    factory = type("MeddledConnection", (_Connection, driver.Connection), made)

    def meddled_connect(*arguments: Any, **options: Any) -> Any:
        return connect(*arguments, **{**options, "factory": factory})

    driver.connect = meddled_connect
    try:
        yield
    finally:
        driver.connect = connect


_LEFT_ALONE = ("PRAGMA", "ROLLBACK", "SAVEPOINT", "RELEASE")


class _Connection:
    """Hands each statement to its own kind of cursor."""

    meddler: Meddler
    cursors: Any = None
    fault: type[Exception]

    def execute(self, statement: str, *values: Any) -> Any:
        return self.cursor().execute(statement, *values)

    def executemany(self, statement: str, values: Any) -> Any:
        return self.cursor().executemany(statement, values)

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or self.cursors)  # type: ignore[misc]  # the driver's, mixed in

    def commit(self) -> None:
        self.around("COMMIT", super().commit)  # type: ignore[misc]  # as above

    def around(self, statement: str, run: Callable[[], Any]) -> Any:
        words = " ".join(statement.split()[:3]).upper()
        if words.startswith(_LEFT_ALONE):
            return run()
        if self.meddler.reach(words):
            raise self.fault("disk I/O error")
        found = run()
        if words.startswith("COMMIT"):
            self.meddler.reach("COMMITTED")
        return found


class _Cursor:
    """Tells the meddler of each statement before it is made."""

    def execute(self, statement: str, *values: Any) -> Any:
        this: Any = self
        return this.connection.around(statement, lambda: this.made(statement, *values))

    def executemany(self, statement: str, values: Any) -> Any:
        this: Any = self
        return this.connection.around(statement, lambda: this.made_many(statement, values))

    def made(self, statement: str, *values: Any) -> Any:
        return super().execute(statement, *values)  # type: ignore[misc]  # the driver's, mixed in

    def made_many(self, statement: str, values: Any) -> Any:
        return super().executemany(statement, values)  # type: ignore[misc]  # as above
