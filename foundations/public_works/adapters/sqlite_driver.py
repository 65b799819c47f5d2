"""SQLite's driver: which one, how its connections are set, and what its faults mean."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from foundations.public_works.data_folder import DATABASE_FILE, OBJECTS
from foundations.public_works.database import (
    ConstraintBroken,
    DatabaseBusy,
    DatabaseUnusable,
    StorageFull,
)
from foundations.public_works.findings import Finding, fault, ok, warning
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


def refuse_emptied(path: Path, *, beside: Path) -> None:
    """An empty file is a new database, but not where files are kept that it ought to know.

    Raises:
        DatabaseUnusable: it was emptied.
    """
    if path.is_file() and not path.stat().st_size and any(f.is_file() for f in beside.rglob("*")):
        raise unusable(path, "it is empty, though files are kept beside it")


def sqlite_findings(folder: Path) -> Iterator[Finding]:
    """Whether SQLite is a current one, and the database of a data folder one that can be used."""
    driver, path = sqlite_driver(), folder / DATABASE_FILE
    if driver.sqlite_version_info < SAFE_BESIDE_WRITERS:
        told = f"SQLite {driver.sqlite_version} is older than 3.51.3: only one process may write"
        yield warning("store", told, "pip install pysqlite3")
    else:
        yield ok("store", f"SQLite {driver.sqlite_version}")
    if not path.exists():
        return
    try:
        refuse_emptied(path, beside=folder / OBJECTS)
        _read_first_page(driver, path)
    except DatabaseUnusable as error:
        yield fault("store", error.detail, error.hint)
    else:
        yield ok("store", f"{path} can be read")


def _read_first_page(driver: ModuleType, path: Path) -> None:
    """Read, and change nothing, a city may be at work there."""
    try:
        connection = driver.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except driver.DatabaseError as error:
        raise unusable(path, error) from error


def unusable(path: Path, reason: object) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"{path} is no usable SQLite database: {reason}",
        hint="restore it from a backup, or move it away to begin anew",
    )


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
