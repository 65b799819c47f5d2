"""SQLite's driver: which one, how its connections are set, and what its faults mean."""

from pathlib import Path
from types import ModuleType
from typing import Any

from foundations.public_works.database import ConstraintBroken, DatabaseBusy, StorageFull
from utilities.errors import PlatformError

SAFE_BESIDE_WRITERS = (3, 51, 3)
"""From here on a checkpoint beside a writer cannot damage the write-ahead log."""
PATIENCE = "PRAGMA busy_timeout=5000"
NO_PATIENCE = "PRAGMA busy_timeout=0"
_PRAGMAS = (
    PATIENCE,
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=0",  # no commit pays for a checkpoint (see sqlite_checkpoints)
)


def sqlite_driver() -> ModuleType:
    """`pysqlite3` where it is installed (a current SQLite), else the standard module."""
    try:
        import pysqlite3
    except ImportError:
        import sqlite3

        return sqlite3
    module: ModuleType = pysqlite3
    return module


def prepare(connection: Any) -> None:
    """Set a new connection as all of ours are; transactions are begun by us, not by the driver."""
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def opened(driver: ModuleType, path: Path) -> Any:
    """A connection of the driver itself, for one thread at a time but for any."""
    _bind_as_they_are(driver)
    connection = driver.connect(path, check_same_thread=False)
    prepare(connection)
    return connection


def _bind_as_they_are(driver: ModuleType) -> None:
    """Give bytes and None adapters that hand them back, in C.

    Without one the driver asks each such value in vain how it wants to be bound, which took a
    twentieth of all the work of a milestone.
    """
    driver.register_adapter(bytes, bytes)
    driver.register_adapter(type(None), {}.get)


def explained(driver: ModuleType, error: BaseException | None) -> PlatformError | None:
    """A fault of the driver in the port's own words; None where it has no word for it."""
    if isinstance(error, driver.IntegrityError):
        return None
    text = str(error)
    if "disk is full" in text:
        return StorageFull(
            "the disk that holds the data folder is full", hint="free some space and retry"
        )
    if "locked" in text:
        return DatabaseBusy(
            "another process holds the database's write lock", hint="retry in a moment"
        )
    if isinstance(error, driver.OperationalError):
        return DatabaseBusy(
            "the database cannot be read or written at the moment",
            hint="look at the disk and at the limit of open files, then retry",
        )
    return None


def broken_constraint(error: Exception) -> ConstraintBroken:
    return ConstraintBroken(
        f"the tables refuse a row: {error}", hint="read what is stored, then decide anew"
    )
