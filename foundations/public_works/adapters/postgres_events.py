"""Events between processes by LISTEN and NOTIFY of the database they share."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from foundations.public_works.adapters import postgres_driver as driver
from foundations.public_works.adapters.events_between import (
    CHANNEL,
    CONNECT_SECONDS,
    EventsBetween,
    Line,
)
from foundations.public_works.adapters.postgres_driver import SESSION
from foundations.public_works.settings import Settings


@dataclass(slots=True)
class _Connection:
    connection: Any

    @property
    def broken(self) -> bool:
        return bool(self.connection.is_closed())

    async def send(self, letter: str) -> None:
        await self.connection.execute("SELECT pg_notify($1, $2)", CHANNEL, letter)


class PostgresEvents(EventsBetween):
    """Events of all processes on one database."""

    largest = 7_800  # PostgreSQL takes 8,000
    failures = (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # a query after the server's farewell
    )

    def __init__(self, *, settings: Settings) -> None:
        super().__init__()
        url = driver.parsed(settings.database_url.get_secret_value())
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)

    @asynccontextmanager
    async def line(
        self, heard: Callable[[str], None], broke: Callable[[], None]
    ) -> AsyncIterator[Line]:
        connection = await asyncpg.connect(
            self._dsn,
            server_settings=dict(SESSION),
            timeout=CONNECT_SECONDS,
            command_timeout=CONNECT_SECONDS,
        )
        try:
            connection.add_termination_listener(lambda _: broke())
            await connection.add_listener(CHANNEL, lambda *notice: heard(str(notice[-1])))
            yield _Connection(connection)
        finally:
            connection.terminate()
