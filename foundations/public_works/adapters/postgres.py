"""The relational store on PostgreSQL: many writers, as if one at a time, and durable commits."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from loguru import logger
from sqlalchemy import Connection, Engine, String, Table, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from foundations.public_works.adapters import postgres_driver as driver
from foundations.public_works.adapters import postgres_tenants as tenants
from foundations.public_works.adapters.migrations import migrate
from foundations.public_works.adapters.postgres_driver import SESSION, Backend, for_psycopg
from foundations.public_works.adapters.postgres_statements import Statements
from foundations.public_works.database import (
    Database,
    DatabaseUnusable,
    Dialect,
    DriverConnection,
    DriverCursor,
    Writes,
    current_attempt,
)
from foundations.public_works.settings import Settings
from foundations.public_works.threads import in_thread
from utilities.context import current_or_none
from utilities.errors import ErrorKind, PlatformError

T = TypeVar("T")
_TRIES = 10
_ROW_TRIES = 3
_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 10
_FREE_SECONDS = 10
"""How long a piece of work waits for one of our connections."""
_OF_OWN = 3
"""Connections beside the pools: two for statements, and that of `commit`."""
_HINTS = {
    "password": "look at the user and the password in CIVITAS_DATABASE_URL",
    "pg_hba": "let the server's pg_hba.conf allow this user and this machine",
    "does not exist": "create the database, or name another in CIVITAS_DATABASE_URL",
    "too many": "raise the server's max_connections, or lower CIVITAS_DATABASE_CONNECTIONS",
}
"""What to do, by words of the server when it lets nobody in: it gives no code then."""
_GRAVES = 250
_GRAVE_SECONDS = 0.02


class PostgresDatabase(Database):
    """A database of a PostgreSQL server, 14 or later.

    Work that reads sees one snapshot. Work that writes is serialisable: where two transactions
    would not be as one after the other, one of them is made again. Those of `commit` and of
    `commit_statement` lock what they must themselves, and are made one after the other.
    """

    def __init__(self, *, settings: Settings) -> None:
        self._url = driver.parsed(settings.database_url.get_secret_value())
        shared = max(2, settings.database_connections - _OF_OWN)
        writers = shared // 2
        self._reader_engine = self._engine("REPEATABLE READ", shared - writers, read_only=True)
        self._writer_engine = self._engine("SERIALIZABLE", writers)
        self._committing_engine = self._engine("READ COMMITTED", 1)
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="postgres-commits")
        self._predecessor: Backend | None = None
        self._secured = False
        """Whether requests have a role of their own."""
        self._tasks: set[asyncio.Task[Any]] = set()
        event.listen(self._committing_engine, "connect", self._bury)

    @property
    def dialect(self) -> Dialect:
        return Dialect.POSTGRESQL

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            await in_thread(self._check)
            self._secured = await in_thread(self._made_role)
        except BaseException:
            await in_thread(self._close)
            raise
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._statements = Statements(dsn=dsn)
        self._light = Statements(dsn=dsn, durable=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._statements.close()
        await self._light.close()
        await in_thread(self._close)

    def across_tenants(self) -> Database:
        return _AcrossTenants(self)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While the block lasts no city works on the database.

        Raises:
            StoreInUse: one does.
        """
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            cursor = await connection.execute(driver.ALONE.encode())
            if (await cursor.fetchone()) != (True,):
                raise StoreInUse(
                    f"a city works on the database {self._url.database}",
                    hint="stop every process that serves it, then move it",
                )
            yield

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await in_thread(self._again, self._reader_engine, self._restricted(work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await in_thread(self._again, self._writer_engine, self._restricted(work))

    async def read_everything(self, work: Callable[[Connection], T]) -> T:
        """As `read`, of all tenants."""
        return await in_thread(self._again, self._reader_engine, work)

    async def write_everything(self, work: Callable[[Connection], T]) -> T:
        """As `write`, for all tenants."""
        return await in_thread(self._again, self._writer_engine, work)

    async def write_with_checkpoint(self, work: Writes) -> None:
        attempt = current_attempt()
        if attempt is None:
            await self.write(work)
        else:
            attempt.add(work)

    def commit(
        self, work: Callable[[DriverConnection], T], *, along: Sequence[Writes] = ()
    ) -> asyncio.Future[T]:
        def written(connection: Connection) -> T:
            result = work(_Driver(connection.connection.driver_connection))
            for writes in along:
                writes(connection)
            return result

        future: asyncio.Future[T] = self._loop.create_future()
        context = copy_context()
        queued = self._committer.submit(
            context.run, self._again_or_broken, self._committing_engine, written
        )
        queued.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(_settle, done, future)
        )
        return future

    def commit_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        return self._run(self._statements, sql, parameters)

    def light_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        return self._run(self._light, sql, parameters)

    def _run(
        self, statements: Statements, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        future: asyncio.Future[Sequence[Sequence[Any]]] = self._loop.create_future()
        task = self._loop.create_task(statements.run(sql, parameters))
        self._tasks.add(task)

        def ended(done: asyncio.Task[Sequence[Sequence[Any]]]) -> None:
            self._tasks.discard(done)
            _settle(done, future)

        task.add_done_callback(ended)
        return future

    async def migrate(self, room: str, folder: Path) -> None:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
            # several processes of one city may start together: one migrates, the others look
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('civitas schema'))")
            migrate(connection, room, folder)
            if self._secured:
                tenants.secure(connection)

        try:
            await in_thread(self._again, self._committing_engine, work)
        except DBAPIError as error:
            if not driver.forbidden(error.orig):
                raise
            raise DatabaseUnusable(
                f"the tables of {room} cannot be made: {error.orig}",
                hint="let the user create tables in the schema, or name the user who owns them",
            ) from error

    def _engine(self, isolation: Any, connections: int, *, read_only: bool = False) -> Engine:
        options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        engine = create_engine(
            self._url.set(drivername="postgresql+psycopg"),
            isolation_level=isolation,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=_FREE_SECONDS,
            use_native_hstore=False,  # it would ask for the type at every connect
            connect_args={"options": options, "connect_timeout": _CONNECT_SECONDS},
        )

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _: object) -> None:
            connection.execute(driver.DURABLE)
            connection.commit()
            connection.read_only = read_only

        @event.listens_for(engine, "before_cursor_execute", retval=True)
        def _straight(
            _c: object, _cursor: object, sql: str, values: Any, context: Any, _many: object
        ) -> tuple[str, Any]:
            return (for_psycopg(sql) if context.compiled is None else sql), values

        return engine

    def _check(self) -> None:
        """Look at the server once, so that an unfit one is found at boot."""
        try:
            with self._reader_engine.connect() as connection:
                asked = (
                    "SELECT current_setting('server_version_num')::int, "
                    "current_setting('server_version'), current_setting('server_encoding'), "
                    "current_setting('fsync'), pg_is_in_recovery()"
                )
                number, version, encoding, fsync, standby = connection.exec_driver_sql(asked).one()
        except SQLAlchemyError as error:
            raise self._unusable(error) from error
        if number < driver.OLDEST:
            raise DatabaseUnusable(
                f"the server is PostgreSQL {version}", hint="use version 14 or later"
            )
        if encoding != "UTF8":
            raise DatabaseUnusable(
                f"the database keeps its text in {encoding}",
                hint="create one with ENCODING 'UTF8' TEMPLATE template0",
            )
        if standby:
            raise DatabaseUnusable("the server is a standby", hint="name the primary")
        if fsync != "on":
            logger.warning("the database server has fsync off: a power cut there loses commits")

    def _made_role(self) -> bool:
        """Whether requests can have a role of their own; if not, the log says what to do."""
        try:
            self._again(self._committing_engine, tenants.make_role)
        except (DatabaseUnusable, DBAPIError):
            logger.warning(
                "row-level security is off, as the user may not make a role. "
                "As an administrator: CREATE ROLE {role}; GRANT {role} TO {user}",
                role=tenants.ROLE,
                user=self._url.username,
            )
            return False
        return True

    def _restricted(self, work: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """During a call, the same work as the role of requests, for the caller's tenant."""
        context = current_or_none()
        if context is None or not self._secured:
            return work

        def run(connection: Connection) -> T:
            connection.exec_driver_sql(tenants.RESTRICT, (tenants.ROLE, context.tenant))
            return work(connection)

        return run

    def _unusable(self, error: SQLAlchemyError) -> DatabaseUnusable:
        cause = getattr(error, "orig", None) or error
        where = self._url.render_as_string(hide_password=True)
        said = " ".join(str(cause).split())
        return DatabaseUnusable(
            f"{where} is no usable database: {said}",
            hint=next(
                (hint for words, hint in _HINTS.items() if words in said),
                "look whether the server runs, and at CIVITAS_DATABASE_URL",
            ),
        )

    def _again(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, again while others are in its way."""
        tried = 0
        while True:
            tried += 1
            committing = False
            try:
                with engine.connect() as connection, connection.begin() as transaction:
                    result = work(connection)
                    committing = True
                    transaction.commit()
                return result
            except (DBAPIError, psycopg.Error, NoConnectionFree) as error:
                # SQLAlchemy hands on the driver's own error as `orig`
                cause = error.orig if isinstance(error, DBAPIError) else error
                lost = driver.connection_lost(cause) or _gone(error)
                if tried < _TRIES and driver.may_be_retried(cause):
                    time.sleep(_pause(tried))
                    continue
                if tried < _ROW_TRIES and driver.row_is_there(cause):
                    continue  # by a write at the same time, perhaps, which this one sees now
                if tried == 1 and lost and not committing:
                    continue  # a connection of before the server was started anew
                fault = driver.explained(cause, committing=committing)
                if fault is None:
                    raise
                raise fault from error

    def _again_or_broken(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        try:
            return self._again(engine, work)
        except (DBAPIError, psycopg.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if driver.code_of(cause).startswith("23"):
                raise driver.broken_constraint(cause or error) from error
            raise

    def _bury(self, connection: Any, _: object) -> None:
        """Of two connections for `commit`, the first has ended before the second begins."""
        with connection.cursor() as cursor:
            for _again in range(_GRAVES if self._predecessor else 0):
                cursor.execute(for_psycopg(driver.BURIED), self._predecessor)
                if not cursor.fetchall():
                    break
                time.sleep(_GRAVE_SECONDS)
            cursor.execute(driver.WHO_AM_I)
            self._predecessor = Backend(*cursor.fetchone())
        connection.rollback()

    def _close(self) -> None:
        self._committer.shutdown(wait=True)
        for engine in (self._reader_engine, self._writer_engine, self._committing_engine):
            engine.dispose()


class StoreInUse(PlatformError):
    """A city works on this store."""

    kind = ErrorKind.CONFLICT


class _AcrossTenants(Database):
    """The database as its tables' owner; everything but reading and writing is the same anyway."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    def across_tenants(self) -> Database:
        return self

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._database.read_everything(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._database.write_everything(work)

    async def write_with_checkpoint(self, work: Writes) -> None:
        await self._database.write_with_checkpoint(work)

    def commit(
        self, work: Callable[[DriverConnection], T], *, along: Sequence[Writes] = ()
    ) -> asyncio.Future[T]:
        return self._database.commit(work, along=along)

    def commit_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        return self._database.commit_statement(sql, parameters)

    def light_statement(
        self, sql: str, parameters: Sequence[Any]
    ) -> asyncio.Future[Sequence[Sequence[Any]]]:
        return self._database.light_statement(sql, parameters)

    async def migrate(self, room: str, folder: Path) -> None:
        await self._database.migrate(room, folder)


class _Driver(DriverConnection):
    """psycopg's connection inside a transaction, with `?` for values."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> DriverCursor:
        cursor: DriverCursor = self._connection.execute(for_psycopg(sql), parameters)
        return cursor

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> DriverCursor:
        cursor: Any = self._connection.cursor()
        cursor.executemany(for_psycopg(sql), rows)
        found: DriverCursor = cursor
        return found


def _settle(done: Future[T] | asyncio.Task[T], future: asyncio.Future[T]) -> None:
    error = asyncio.CancelledError() if done.cancelled() else done.exception()
    if future.cancelled():
        if error is not None:
            logger.warning("a write failed whose caller had gone: {}", error)
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())


def _pause(tried: int) -> float:
    """Longer from try to try, and never the same for two who are in each other's way."""
    longest = min(_PAUSE_SECONDS * 2**tried, _LONGEST_PAUSE_SECONDS)
    return random.uniform(longest / 4, longest)  # noqa: S311 - no secret


def _gone(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


@event.listens_for(Table, "before_create")
def _by_code_points(table: Table, connection: Connection, **_: object) -> None:
    """Let text sort and compare by its code points, as it does on SQLite."""
    if connection.dialect.name == Dialect.POSTGRESQL:
        for column in table.columns:
            kind = column.type.dialect_impl(connection.dialect)
            if isinstance(kind, String) and kind.collation is None:
                column.type = type(kind)(length=kind.length, collation="C")
