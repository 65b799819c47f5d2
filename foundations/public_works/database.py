"""The port of the relational store, and the rules every room's records keep."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from utilities.errors import ErrorKind, PlatformError

T = TypeVar("T")

Writes = Callable[[Connection], None]
"""A piece of work that adds writes to somebody's transaction."""


class Dialect(StrEnum):
    """Whose SQL a store understands."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class DriverCursor(Protocol):
    """What a statement found or changed, as the driver tells it (DB-API)."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class DriverConnection(Protocol):
    """The driver's own connection (DB-API), for SQL on a hot path; `?` stands for a value."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> DriverCursor: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> DriverCursor: ...


class Database(Protocol):
    """One relational store, used in short synchronous pieces of work off the event loop.

    In SQL that goes straight to the driver, `exec_driver_sql` too, `?` stands for a value.
    """

    @property
    def dialect(self) -> Dialect: ...

    def across_tenants(self) -> "Database":
        """The same store for what is not done for one tenant: the engine's work, and sweeps.

        Where the store knows row-level security, `read` and `write` see and change during a call
        only rows of the caller's tenant; those of this one are not bound.
        """
        ...

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read transaction: it sees one consistent state."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a write transaction, as if one at a time; durable when this returns.

        Committed when `work` returns, rolled back when it raises. Where others write at the same
        time it may be run again, from its beginning: it changes nothing but what it writes.

        Raises:
            StorageFull, DatabaseBusy: the store cannot take it now; nothing was written.
            OutcomeUnknown: the store was lost at the very moment of the commit.
        """
        ...

    async def write_with_checkpoint(self, work: Writes) -> None:
        """Inside a milestone's attempt, keep `work` for the transaction of its checkpoint.

        So its writes are made once, with the checkpoint, or, when the attempt fails, never. They
        cannot be read back before. Outside of an attempt they are written at once.

        Raises:
            AttemptIsOver: the attempt that the caller belongs to has ended meanwhile.
        """
        ...

    def commit(
        self, work: Callable[[DriverConnection], T], *, along: Sequence[Writes] = ()
    ) -> asyncio.Future[T]:
        """Run `work` in one durable write transaction straight on the driver.

        Where commits are quick and nobody else writes at the moment it is done within this very
        call, and the future is done already; else on the writer's thread, in the order of the
        calls. `along` is committed in the same transaction, after `work`. What either raises rolls
        all back and comes through the future. Cancelling the future does not stop the work. Called
        on the event loop only.

        The future raises:
            StorageFull, DatabaseBusy: the store cannot take it now.
            OutcomeUnknown: the store was lost at the very moment of the commit.
            ConstraintBroken: a row of `work` is there already, or refers to none.
        """
        ...

    def commit_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        """Run one statement that is a durable transaction of its own; the rows it answers.

        The quickest road where the store is a server: one question, one answer. Otherwise as
        `commit`, with the same faults.
        """
        ...

    def light_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        """As `commit_statement`, but nobody waits for a disk: for questions, and for claims.

        What it writes holds as soon as it is answered; the next durable commit makes it lasting. If
        the store loses power before, it may be as if it had never been. It does not queue behind
        commits: it sees those that were answered before it was asked.
        """
        ...

    async def migrate(self, room: str, folder: Path) -> None:
        """Bring the tables of `room` to the newest revision in `folder`.

        Raises:
            SchemaTooNew: the store was written by a newer version.
        """
        ...


class AttemptWrites:
    """The writes that one attempt keeps for its checkpoint; made by `collecting`."""

    __slots__ = ("_open", "_token", "_writes")

    def __init__(self) -> None:
        self._writes: list[Writes] = []
        self._open = True

    def __enter__(self) -> list[Writes]:
        self._token: Token[AttemptWrites | None] = _attempt.set(self)
        return self._writes

    def __exit__(self, *_: object) -> None:
        _attempt.reset(self._token)
        self._open = False

    @property
    def kept(self) -> int:
        """How many there are by now."""
        return len(self._writes)

    def add(self, work: Writes) -> None:
        if not self._open:
            raise AttemptIsOver(
                "a write came after the checkpoint it belongs to",
                hint="let no task outlive the call that starts it",
            )
        self._writes.append(work)


def collecting() -> AttemptWrites:
    """Keep what an attempt writes; the block around its call is given the list.

    Hand that list to `commit` as `along`. What the block calls or starts adds to it, and is refused
    once the block has ended.
    """
    return AttemptWrites()


def current_attempt() -> AttemptWrites | None:
    """The attempt that the caller belongs to, for stores that keep its writes."""
    return _attempt.get()


_attempt: ContextVar[AttemptWrites | None] = ContextVar("attempt", default=None)


class AttemptIsOver(PlatformError):
    """The attempt that a write belongs to has ended."""

    kind = ErrorKind.INTERNAL


class SchemaTooNew(PlatformError):
    """The data folder was written by a newer version of the city."""

    kind = ErrorKind.CONFIGURATION


class DatabaseUnusable(PlatformError):
    """The database cannot be used."""

    kind = ErrorKind.CONFIGURATION


class ConstraintBroken(PlatformError):
    """A write breaks a rule of the tables."""

    kind = ErrorKind.CONFLICT


class TextRefused(PlatformError):
    """A text holds a character that the database does not keep."""

    kind = ErrorKind.INVALID


class StorageFull(PlatformError):
    """The disk has no room left."""

    kind = ErrorKind.STORAGE_FULL


class DatabaseBusy(PlatformError):
    """The database does not answer at the moment."""

    kind = ErrorKind.UNAVAILABLE


class OutcomeUnknown(DatabaseBusy):
    """The database was lost during a commit, and may have made it or not."""
