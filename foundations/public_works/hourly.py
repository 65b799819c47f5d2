"""Work that comes round every hour for as long as a process works."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from foundations.public_works.dispatch import Dispatch
from utilities.clock import Clock

PASS = timedelta(hours=1)
FIRST = timedelta(minutes=1)
"""After the beginning: what starts has other things to do first."""


class Hourly:
    """Does `work` every hour while a block lasts. `work` tells of its failures itself.

    It looks at `open` between its steps, and takes the steps while it has `one_at_a_time`: so the
    end of the block waits for the step in progress, and for no more.
    """

    def __init__(
        self, queue: str, work: Callable[[], Awaitable[None]], *, dispatch: Dispatch, clock: Clock
    ) -> None:
        self._queue = queue
        self._work = work
        self._dispatch = dispatch
        self._clock = clock
        self.one_at_a_time = asyncio.Lock()
        self.open = False

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Come round every hour inside the block; leaving waits for the step in progress."""
        self.open = True
        self._dispatch.handle(self._queue, self._rung)
        self._dispatch.wake(self._queue, "", at=self._clock.now() + FIRST)
        try:
            yield
        finally:
            self.open = False
            async with self.one_at_a_time:
                pass

    async def _rung(self, _key: str) -> None:
        if not self.open:
            return
        await self._work()
        self._dispatch.wake(self._queue, "", at=self._clock.now() + PASS)
