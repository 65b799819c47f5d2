"""Steps of trial journeys; each tells the witness what it did before it answers."""

import asyncio
import random

from pydantic import BaseModel
from sqlalchemy import Connection

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.database import Database
from tests.chaos.witness import WITNESS
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError

_LARGE = 300 * 1024


class Noted(BaseModel):
    """What a step gives: whose it was, which, and a number that grows."""

    order: str
    step: str
    n: int


class Filled(BaseModel):
    """A result too large for the journal."""

    filling: str


class Booked(BaseModel):
    """What a booking gives."""

    entry: str


class NotNow(PlatformError):
    """The step is not to be had at the moment."""

    kind = ErrorKind.UNAVAILABLE


class NotEver(PlatformError):
    """The step cannot be made."""

    kind = ErrorKind.INVALID


@service
class TrialStepsService:
    """Small steps, one for each kind of effect."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._refused: set[str] = set()

    @soa_api(effect=Effect.KEYED)
    async def note(self, order: str, step: str, n: int = 0) -> Noted:
        """An effect under its key."""
        await _done("keyed", order, step, n)
        return Noted(order=order, step=step, n=n + 1)

    @soa_api(effect=Effect.KEYED)
    async def undo(self, order: str, step: str) -> Noted:
        """An effect that undoes another."""
        await _done("keyed", order, f"undo {step}", 0)
        return Noted(order=order, step=step, n=0)

    @soa_api(effect=Effect.TRANSACTIONAL)
    async def book(self, order: str, step: str) -> Booked:
        """A row in the transaction of the checkpoint."""
        key = current().idempotency_key

        def write(connection: Connection) -> None:
            connection.exec_driver_sql("INSERT INTO trial_bookings (key) VALUES (?)", (key,))

        await self._database.write_with_checkpoint(write)
        await _done("transactional", order, step, 0)
        return Booked(entry=f"{order} {step}")

    @soa_api(effect=Effect.GUARDED)
    async def send(self, order: str, step: str) -> Noted:
        """An effect that must not be repeated."""
        await _done("guarded", order, step, 0)
        return Noted(order=order, step=step, n=1)

    @soa_api(effect=Effect.KEYED)
    async def stumble(self, order: str, step: str) -> Noted:
        """Refuses once in each process, then has its effect."""
        key = f"{order} {step}"
        if key not in self._refused:
            self._refused.add(key)
            raise NotNow("try again", hint="wait")
        await _done("keyed", order, step, 0)
        return Noted(order=order, step=step, n=1)

    @soa_api(effect=Effect.PURE)
    async def fill(self, order: str) -> Filled:
        """A result that goes to the object store."""
        return Filled(filling=order.ljust(_LARGE, "."))

    @soa_api(effect=Effect.KEYED)
    async def refuse(self, order: str, step: str) -> Noted:
        """Never works."""
        raise NotEver(f"{order} {step}", hint="nothing helps")


async def _done(effect: str, order: str, step: str, n: int) -> None:
    if WITNESS.longest_wait:
        await asyncio.sleep(random.uniform(0, WITNESS.longest_wait))
    WITNESS.effect(effect, order, step, n, key=current().idempotency_key)
