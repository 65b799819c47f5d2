"""Statements that are transactions of their own, on one connection of asyncpg, on the loop."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
from loguru import logger

from foundations.public_works.adapters.postgres_driver import (
    BURIED,
    BY_KEYS,
    DURABLE,
    PASSING,
    SESSION,
    WHO_AM_I,
    WORKING,
    Backend,
    broken_constraint,
    code_of,
    explained,
    for_asyncpg,
    may_be_retried,
)
from foundations.public_works.database import OutcomeUnknown
from utilities.errors import PlatformError

_TRIES = 5
_PAUSE_SECONDS = 0.01
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 45
"""Longer than the server itself lets a statement take."""
_CLOSE_SECONDS = 5
_GRAVE_SECONDS = 0.02
_GRAVES = 250


class Statements:
    """One after the other, in the order in which they were asked for."""

    def __init__(self, *, dsn: str, durable: bool = True) -> None:
        self._dsn = dsn
        self._waits = DURABLE if durable else PASSING
        self._one_at_a_time = asyncio.Lock()
        self._connection: Any = None
        self._predecessor: Backend | None = None
        self.commits = 0

    async def run(self, sql: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Run a statement and answer its rows; it is durable then, if these are to be."""
        async with self._one_at_a_time:
            for tried in range(1, _TRIES + 1):
                try:
                    return await self._once(sql, parameters)
                except asyncpg.PostgresError as error:
                    if not may_be_retried(error) or tried == _TRIES:
                        raise self._told(error) from error
                except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
                    if not self._lost(error):
                        raise
                    raise self._told(error) from error
                await asyncio.sleep(_PAUSE_SECONDS * tried)
        raise AssertionError("the last try answers or raises")

    async def close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._connection.close(timeout=_CLOSE_SECONDS)
            except (asyncpg.PostgresError, OSError, TimeoutError) as error:
                logger.warning("a connection to the database did not end well: {}", error)

    async def _once(self, sql: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await self._connected()
        rows: Sequence[Sequence[Any]] = await connection.fetch(for_asyncpg(sql), *parameters)
        self.commits += 1
        return rows

    async def _connected(self) -> Any:
        """A new connection; what the one before had begun has ended, one way or the other."""
        self._connection = None
        connection = await asyncpg.connect(
            self._dsn,
            server_settings={**SESSION, **BY_KEYS},
            timeout=_CONNECT_SECONDS,
            command_timeout=_ANSWER_SECONDS,
        )
        try:
            if self._predecessor is not None:
                await _bury(connection, self._predecessor)
            await connection.execute(self._waits)
            _refuse_unless(await connection.fetchval(WORKING))
            self._predecessor = Backend(*(await connection.fetchrow(WHO_AM_I)))
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _lost(self, error: Exception) -> bool:
        """Whether it tells of the connection; asyncpg says of wrong values much the same."""
        connection = self._connection
        lost = isinstance(error, OSError | asyncpg.InternalClientError)
        return lost or connection is None or connection.is_closed()

    def _told(self, error: BaseException) -> BaseException:
        """The port's own word for a fault, else the fault itself."""
        if code_of(error).startswith("23"):
            return broken_constraint(error)
        fault: PlatformError | None = explained(error, committing=self._connection is not None)
        if isinstance(fault, OutcomeUnknown) and self._connection is not None:
            self._connection.terminate()
        return error if fault is None else fault


async def _bury(connection: Any, backend: Backend) -> None:
    """Wait until a backend whose connection broke has gone, so that it commits nothing later."""
    for _ in range(_GRAVES):
        if not await connection.fetch(for_asyncpg(BURIED), *backend):
            return
        await asyncio.sleep(_GRAVE_SECONDS)
    raise ConnectionResetError(f"the backend {backend.pid} does not end")


def _refuse_unless(free: bool) -> None:
    if not free:
        raise ConnectionRefusedError("the city is being moved")
