"""The port of the relational store, and the rules every room's records keep."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from utilities.errors import ErrorKind, PlatformError

T = TypeVar("T")


class Database(Protocol):
    """One relational store, used in short synchronous pieces of work off the event loop."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read transaction: it sees one consistent state."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a write transaction, one at a time; durable when this returns.

        Committed when `work` returns, rolled back when it raises.
        """
        ...

    async def migrate(self, room: str, folder: Path) -> None:
        """Bring the tables of `room` to the newest revision in `folder`.

        Raises:
            SchemaTooNew: the store was written by a newer version.
        """
        ...


class SchemaTooNew(PlatformError):
    """The data folder was written by a newer version of the city."""

    kind = ErrorKind.CONFIGURATION


class DatabaseUnusable(PlatformError):
    """The database file cannot be used."""

    kind = ErrorKind.CONFIGURATION


class StorageFull(PlatformError):
    """The disk has no room left."""

    kind = ErrorKind.STORAGE_FULL


class DatabaseBusy(PlatformError):
    """The database does not answer at the moment."""

    kind = ErrorKind.UNAVAILABLE
