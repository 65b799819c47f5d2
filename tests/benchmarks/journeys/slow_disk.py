"""A disk made slow: each commit of the driver sleeps first, with the write lock held.

It stands for the sync of a slow disk: the sleep lets go of the interpreter, as a sync does.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from foundations.public_works.adapters.sqlite_driver import sqlite_driver

_ASKS = ("SELECT", "PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE", "EXPLAIN")


@contextmanager
def slow_commits(seconds: float) -> Iterator[None]:
    """Let every commit that wrote something, checkpoint and sync of a file take `seconds` more."""
    if not seconds:
        yield
        return
    driver: Any = sqlite_driver()
    kept = driver.connect, os.fsync, os.fdatasync
    driver.connect = _slow_connect(driver, seconds)
    os.fsync, os.fdatasync = _slow(os.fsync, seconds), _slow(os.fdatasync, seconds)
    try:
        yield
    finally:
        driver.connect, os.fsync, os.fdatasync = kept


def _slow_connect(driver: Any, seconds: float) -> Callable[..., Any]:
    connect = driver.connect
    cursor = type("SlowCursor", (_SlowCursor, driver.Cursor), {})
    made = {"seconds": seconds, "cursors": cursor}
    factory = type("SlowConnection", (_SlowConnection, driver.Connection), made)

    def slow_connect(*arguments: Any, **options: Any) -> Any:
        return connect(*arguments, **{**options, "factory": factory})

    return slow_connect


class _SlowCursor:
    """Tells its connection of each statement."""

    def execute(self, statement: str, *values: Any) -> Any:
        this: Any = self
        this.connection.before(statement)
        found = super().execute(statement, *values)  # type: ignore[misc]  # the driver's, mixed in
        this.connection.after(statement)
        return found

    def executemany(self, statement: str, values: Any) -> Any:
        this: Any = self
        this.connection.before(statement)
        return super().executemany(statement, values)  # type: ignore[misc]  # as above


class _SlowConnection:
    """Sleeps with what syncs: a commit after changes, and a checkpoint."""

    seconds = 0.0
    cursors: Any = None
    changed = False
    """Whether something was changed since the last sync."""

    def before(self, statement: str) -> None:
        words = statement.lstrip()[:24].upper()
        if words.startswith("PRAGMA WAL_CHECKPOINT"):
            time.sleep(2 * self.seconds)  # the log and the file
        elif words.startswith(("COMMIT", "END")):
            self.sync()
        elif words.startswith("ROLLBACK"):
            self.changed = False
        elif not words.startswith(_ASKS) or ("=" in statement and words.startswith("PRAGMA USER")):
            self.changed = True

    def after(self, statement: str) -> None:
        this: Any = self
        if this.changed and not this.in_transaction:
            self.sync()  # the statement was a commit of its own

    def sync(self) -> None:
        if self.changed:
            self.changed = False
            time.sleep(self.seconds)

    def execute(self, statement: str, *values: Any) -> Any:
        return self.cursor().execute(statement, *values)

    def executemany(self, statement: str, values: Any) -> Any:
        return self.cursor().executemany(statement, values)

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or self.cursors)  # type: ignore[misc]  # as above

    def commit(self) -> None:
        self.sync()
        super().commit()  # type: ignore[misc]  # as above


def _slow(call: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    @wraps(call)
    def slow(*arguments: Any) -> Any:
        time.sleep(seconds)
        return call(*arguments)

    return slow
