"""The relational store on SQLite: one writer thread, readers beside it, WAL, durable commits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

from loguru import logger
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from foundations.public_works.adapters.migrations import migrate
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import (
    Database,
    DatabaseBusy,
    DatabaseUnusable,
    StorageFull,
)
from foundations.public_works.threads import in_thread

T = TypeVar("T")

SAFE_WITH_SEVERAL_WRITERS = (3, 51, 3)
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
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


class SqliteDatabase(Database):
    """`city.sqlite3` in the data folder. Writes are serialised on one thread of their own."""

    def __init__(self, *, folder: DataFolder) -> None:
        self._path = folder.database
        self._driver = sqlite_driver()
        self._writer_engine = self._engine("BEGIN IMMEDIATE", pool_size=1)
        self._reader_engine = self._engine("BEGIN", pool_size=4)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    @property
    def sqlite_version(self) -> str:
        return str(self._driver.sqlite_version)

    async def __aenter__(self) -> Self:
        if self._driver.sqlite_version_info < SAFE_WITH_SEVERAL_WRITERS:
            logger.warning(
                "SQLite {} is older than 3.51.3: only one process may write. "
                "Install pysqlite3 to have a current one",
                self.sqlite_version,
            )
        await in_thread(self._check)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await in_thread(self._close)

    async def read(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._reader_engine.connect() as connection:
                return work(connection)

        return await in_thread(self._explained, run)

    async def write(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._writer_engine.begin() as connection:
                return work(connection)

        future = self._writer.submit(copy_context().run, self._explained, run)
        # A write that has begun ends, whatever becomes of its caller.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def migrate(self, room: str, folder: Path) -> None:
        await self.write(lambda connection: migrate(connection, room, folder))

    def _engine(self, begin: str, *, pool_size: int) -> Engine:
        engine = create_engine(
            f"sqlite:///{self._path}",
            module=self._driver,
            pool_size=pool_size,
            max_overflow=40,  # as many as there are worker threads: none ever waits for another
        )

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _: object) -> None:
            connection.isolation_level = None  # we begin transactions ourselves (see below)
            for pragma in _PRAGMAS:
                connection.execute(pragma)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def _check(self) -> None:
        """Open the file once and read its first page, so that a broken one is found at boot."""
        try:
            with self._writer_engine.connect() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        except DatabaseError as error:
            raise DatabaseUnusable(
                f"{self._path} is no usable SQLite database: {error.orig}",
                hint="restore it from a backup, or move it away to begin anew",
            ) from error

    def _explained(self, run: Callable[[], T]) -> T:
        """Turn the driver's operating faults into the port's own."""
        try:
            return run()
        except DatabaseError as error:
            text = str(error.orig)
            if "disk is full" in text:
                raise StorageFull(
                    "the disk that holds the data folder is full", hint="free some space and retry"
                ) from error
            if "locked" in text:
                raise DatabaseBusy(
                    "another process holds the database's write lock", hint="retry in a moment"
                ) from error
            if isinstance(error, OperationalError):
                raise DatabaseBusy(
                    "the database cannot be read or written at the moment",
                    hint="look at the disk and at the limit of open files, then retry",
                ) from error
            raise

    def _close(self) -> None:
        self._writer.shutdown(wait=True)
        self._reader_engine.dispose()
        self._writer_engine.dispose()
