"""Four steps whose work is nothing, or a wait; the trial that owns the process says which."""

import asyncio
import random
import time

from pydantic import BaseModel

from foundations.declarations import Effect, service, soa_api
from tests.benchmarks.journeys.work import WORK


class Counted(BaseModel):
    """What goes from step to step."""

    n: int
    text: str


@service
class FourStepsService:
    """Counts to four."""

    @soa_api(public=True, effect=Effect.PURE)
    async def check_first(self, n: int, text: str) -> Counted:
        """The first step."""
        return await _worked(0, n, text)

    @soa_api(public=True, effect=Effect.KEYED)
    async def add_second(self, n: int, text: str) -> Counted:
        """The second step."""
        return await _worked(1, n, text)

    @soa_api(public=True, effect=Effect.PURE)
    async def check_third(self, n: int, text: str) -> Counted:
        """The third step."""
        return await _worked(2, n, text)

    @soa_api(public=True, effect=Effect.KEYED)
    async def add_fourth(self, n: int, text: str) -> Counted:
        """The fourth step."""
        return await _worked(3, n, text)


async def _worked(number: int, n: int, text: str) -> Counted:
    WORK.begun(number)
    if WORK.longest_wait:
        await asyncio.sleep(random.uniform(0, WORK.longest_wait))
    if WORK.burns:
        begun = time.thread_time()
        while time.thread_time() - begun < WORK.burns:
            pass
    if number == WORK.stops_at:
        await asyncio.Event().wait()
    return Counted(n=n + 1, text=text)
