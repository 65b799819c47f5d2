"""Steps that leave a mark where they begin, end and are cut: `N-PID-MILESTONE.begun`."""

import asyncio
import os
import time
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import Connection

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.database import Database
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError

_ALONE_SECONDS = 0.5
"""So long a step that computes waits for another process; leases are prolonged in time."""


class Stepped(BaseModel):
    """Whose step it was, and the key it was given."""

    n: int
    key: str
    trace_id: str


class OddOne(PlatformError):
    """A number that this step does not take."""

    kind = ErrorKind.INVALID


@service
class SpreadStepsService:
    """One step for each kind of effect."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @soa_api(effect=Effect.PURE)
    async def look(self, folder: str, n: int, seconds: float = 0.0) -> Stepped:
        """Waits, with signs of life."""
        return await _stepped(folder, n, seconds)

    @soa_api(effect=Effect.PURE)
    async def block(self, folder: str, n: int, seconds: float = 0.0) -> Stepped:
        """Keeps the event loop for so long, as a computation does, and until another is at work."""
        _begun(folder, n)
        over = time.monotonic() + _ALONE_SECONDS
        time.sleep(seconds)
        while len(_at_work(folder)) < 2 and time.monotonic() < over:
            time.sleep(0.005)
        return await _stepped(folder, n, 0)

    @soa_api(effect=Effect.KEYED)
    async def put(self, folder: str, n: int, seconds: float = 0.0) -> Stepped:
        """Has an effect under its key."""
        return await _stepped(folder, n, seconds)

    @soa_api(effect=Effect.GUARDED)
    async def send(self, folder: str, n: int, seconds: float = 0.0) -> Stepped:
        """Has an effect that must not be repeated."""
        return await _stepped(folder, n, seconds)

    @soa_api(effect=Effect.KEYED)
    async def note(self, folder: str, n: int, seconds: float = 0.0) -> Stepped:
        """Adds to the transaction of the checkpoint, though it does not say so."""
        await self._database.write_with_checkpoint(_write)
        return await _stepped(folder, n, seconds)

    @soa_api(effect=Effect.PURE)
    async def refuse(self, folder: str, n: int, seconds: float = 0.0) -> Stepped:
        """Refuses odd numbers in words of its own, and other even ones in none."""
        await _stepped(folder, n, seconds)
        if n % 2:
            raise OddOne(f"{n} is odd", hint="take another")
        raise ValueError(n)


def _write(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1")


def _begun(folder: str, n: int) -> Path:
    mark = Path(folder) / f"{n}-{os.getpid()}-{current().milestone}"
    mark.with_suffix(".begun").touch()
    return mark


def _at_work(folder: str) -> set[str]:
    return {mark.name.split("-")[1] for mark in Path(folder).glob("*.begun")}


async def _stepped(folder: str, n: int, seconds: float) -> Stepped:
    context = current()
    mark = _begun(folder, n)
    try:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.1))
            context.heartbeat()
    except asyncio.CancelledError:
        mark.with_suffix(".cut").touch()
        raise
    mark.with_suffix(".done").touch()
    return Stepped(n=n, key=context.idempotency_key, trace_id=context.trace_id)
