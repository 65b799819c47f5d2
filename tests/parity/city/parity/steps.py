"""Steps whose outcome depends on nothing but what they are given and how often they were called."""

from pydantic import BaseModel
from sqlalchemy import Connection

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.database import Database
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError


class Counted(BaseModel):
    """What a step gives."""

    step: str
    n: int


class Faltered(PlatformError):
    """The step is not to be had before it was called more often."""

    kind = ErrorKind.UNAVAILABLE


class TooMuch(PlatformError):
    """The step does not take so large a number."""

    kind = ErrorKind.INVALID


@service
class ParityStepsService:
    """Small steps, for templates that a generator writes."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @soa_api(effect=Effect.KEYED)
    async def falter(self, step: str, times: int) -> Counted:
        """Fails the first `times` attempts."""
        tried = await self._called(current().idempotency_key)
        if tried <= times:
            raise Faltered(f"{step} falters {times} times", hint="try again")
        return Counted(step=step, n=tried)

    @soa_api(effect=Effect.KEYED)
    async def count(self, order: str, step: str) -> Counted:
        """How often it has been called for this order."""
        return Counted(step=step, n=await self._called(f"{order} {step}"))

    @soa_api(effect=Effect.PURE)
    async def check(self, step: str, n: int, most: int) -> Counted:
        """Refuses numbers that are too large."""
        if n > most:
            raise TooMuch(f"{n} is more than {most}", hint="take less")
        return Counted(step=step, n=n)

    async def _called(self, key: str) -> int:
        def write(connection: Connection) -> int:
            connection.exec_driver_sql("INSERT INTO parity_calls (key) VALUES (?)", (key,))
            counted = "SELECT count(*) FROM parity_calls WHERE key = ?"
            return int(connection.exec_driver_sql(counted, (key,)).scalar_one())

        return await self._database.write(write)
