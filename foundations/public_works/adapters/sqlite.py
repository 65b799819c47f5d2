"""The relational store on SQLite: one writer, readers beside it, WAL, durable commits."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from loguru import logger
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from foundations.public_works.adapters.migrations import migrate
from foundations.public_works.adapters.sqlite_checkpoints import Checkpoints
from foundations.public_works.adapters.sqlite_driver import (
    SAFE_BESIDE_WRITERS,
    broken_constraint,
    explained,
    opened,
    prepare,
    refuse_emptied,
    sqlite_driver,
    unusable,
)
from foundations.public_works.adapters.sqlite_gathered import Gathered, Gathering, gathered
from foundations.public_works.adapters.sqlite_transactions import DriverTransactions
from foundations.public_works.ballast import Ballast
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import (
    Database,
    DatabaseBusy,
    Dialect,
    DriverConnection,
    StorageFull,
    Writes,
    current_attempt,
)
from foundations.public_works.threads import in_thread

T = TypeVar("T")


class SqliteDatabase(Database):
    """`city.sqlite3` in the data folder. Writes come one after the other.

    Those of `write` are made on a thread of their own. Those of `commit` are made by the event loop
    itself while the disk is quick and nothing waits on that thread.
    """

    def __init__(self, *, folder: DataFolder) -> None:
        self._path = folder.database
        self._objects = folder.objects
        self._ballast = Ballast(folder.path / "ballast")
        self._driver = sqlite_driver()
        self._writer_engine = self._engine("BEGIN IMMEDIATE", pool_size=1)
        self._reader_engine = self._engine("BEGIN", pool_size=4)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._queued = 0
        self._gathering: Gathering | None = None
        self._engine_commits = 0

    @property
    def dialect(self) -> Dialect:
        return Dialect.SQLITE

    @property
    def commits(self) -> int:
        """Write transactions committed since the start, each with one sync of the disk."""
        return self._engine_commits + self._transactions.commits

    @property
    def sqlite_version(self) -> str:
        return str(self._driver.sqlite_version)

    async def __aenter__(self) -> Self:
        if self._driver.sqlite_version_info < SAFE_BESIDE_WRITERS:
            logger.warning(
                "SQLite {} is older than 3.51.3: only one process may write. "
                "Install pysqlite3 to have a current one",
                self.sqlite_version,
            )
        await in_thread(self._check)
        self._loop = asyncio.get_running_loop()
        self._transactions = await in_thread(self._open_transactions)
        self._checkpoints = Checkpoints(
            driver=self._driver,
            path=self._path,
            on_writer=self._on_writer,
            tidy=self._ballast.take,
        )
        self._checkpoints.look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._checkpoints.stop()
        await in_thread(self._close)

    def across_tenants(self) -> Database:
        return self

    async def read(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._reader_engine.connect() as connection:
                return work(connection)

        return await in_thread(self._explained, run)

    async def write(self, work: Callable[[Connection], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        write = gathered(work, future)
        if self._gathering is None or not self._gathering.add(write):
            self._gather(Gathering(write))
        return await future  # a write that has begun ends, whatever becomes of its caller

    async def write_with_checkpoint(self, work: Writes) -> None:
        attempt = current_attempt()
        if attempt is None:
            await self.write(work)
        else:
            attempt.add(work)

    def commit(
        self, work: Callable[[DriverConnection], T], *, along: Sequence[Writes] = ()
    ) -> asyncio.Future[T]:
        if along:
            return self._on_writer(lambda: self._written_along(work, along))
        if self._queued == 0 and self._transactions.pace.allows(perf_counter()):
            future: asyncio.Future[T] = self._loop.create_future()
            if self._transactions.run_here(work, future):
                self._checkpoints.committed()
                return future
        return self._on_writer(lambda: self._transactions.run_waiting(work))

    def commit_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        return self.commit(lambda connection: connection.execute(sql, parameters).fetchall())

    def light_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        return self.commit_statement(sql, parameters)

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
            prepare(connection)  # we begin transactions ourselves (see below)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def _check(self) -> None:
        """Open the file once and read its first page, so that a broken one is found at boot."""
        refuse_emptied(self._path, beside=self._objects)
        try:
            with self._writer_engine.connect() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        except DatabaseError as error:
            raise unusable(self._path, error.orig) from error

    def _open_transactions(self) -> DriverTransactions:
        return DriverTransactions(opened(self._driver, self._path), explained=self._explained)

    def _written_along(self, work: Callable[[DriverConnection], T], along: Sequence[Writes]) -> T:
        with self._writer_engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            result = work(driver)
            for writes in along:
                writes(connection)
        self._engine_commits += 1
        return result

    def _gather(self, gathering: Gathering) -> None:
        """Have the writer's thread make all writes that have come until it is free.

        Where one of them raises, nothing of them is kept, and each is made again by itself: what is
        refused spoils nothing for the others.
        """

        def write() -> list[Any]:
            writes = gathering.close()
            with self._writer_engine.begin() as connection:
                results = [one.make(connection) for one in writes]
            self._engine_commits += 1
            return results

        def settle(done: asyncio.Future[list[Any]]) -> None:
            writes, error = gathering.close(), done.exception()
            if error is None:
                for one, result in zip(writes, done.result(), strict=True):
                    one.answer(result)
                return
            for one in writes:
                if len(writes) == 1 or isinstance(error, DatabaseBusy | StorageFull):
                    one.refuse(error)
                else:
                    self._make_alone(one)

        self._on_writer(write).add_done_callback(settle)
        self._gathering = gathering

    def _make_alone(self, write: Gathered) -> None:
        try:
            self._gather(Gathering(write, alone=True))
        except RuntimeError as closed:  # the writer's thread takes nothing any more
            fault = DatabaseBusy("the city closes; this is not written", hint="try again")
            fault.__cause__ = closed
            write.refuse(fault)

    def _on_writer(self, run: Callable[[], T]) -> asyncio.Future[T]:
        """Queue `run` for the writer's thread; until it is done, no commit is made elsewhere."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._gathering = None  # what comes from now on does not overtake this

        def delivered(done: Future[T]) -> None:
            self._loop.call_soon_threadsafe(self._deliver, done, future)

        work = self._writer.submit(copy_context().run, self._explained, run)
        self._queued += 1
        work.add_done_callback(delivered)
        return future

    def _deliver(self, done: Future[T], future: asyncio.Future[T]) -> None:
        self._queued -= 1
        self._checkpoints.committed()
        error = done.exception()
        if future.cancelled():
            if error is not None:
                logger.warning("a write failed whose caller had gone: {}", error)
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(done.result())

    def _explained(self, run: Callable[[], T]) -> T:
        """Turn the driver's operating faults into the port's own."""
        try:
            return run()
        except self._driver.IntegrityError as error:
            raise broken_constraint(error) from error
        except (DatabaseError, self._driver.DatabaseError) as error:
            # SQLAlchemy hands on the driver's own error as `orig`
            fault = explained(self._driver, getattr(error, "orig", error))
            if fault is None:
                raise
            if isinstance(fault, StorageFull):
                self._make_room()
            raise fault from error

    def _make_room(self) -> None:
        """Give up the ballast, which is enough to empty the log; that gives more room."""
        self._ballast.give_up()
        self._loop.call_soon_threadsafe(self._checkpoints.no_room)

    def _close(self) -> None:
        self._writer.shutdown(wait=True)
        self._transactions.close()
        self._reader_engine.dispose()
        self._writer_engine.dispose()
        self._checkpoints.close()
        self._ballast.give_up()
