"""Backpressure where workers do the work: runs that none has taken up yet are not without end."""

import asyncio
import time

from foundations.boot import Duty
from foundations.public_works.settings import Settings
from realms.journey.engine.journal import Journal
from utilities.clock import Clock
from utilities.errors import ErrorKind, PlatformError

_LOOK_SECONDS = 0.5
"""So long a count is believed, and what was accepted since is added to it."""
_FULL_LOOK_SECONDS = 0.1


class WorkersBehind(PlatformError):
    """So many runs wait for a worker that no other is accepted at the moment."""

    kind = ErrorKind.TOO_MANY


class Backlog:
    """Counts what waits for workers, seldom; where one process does everything it is not asked."""

    def __init__(self, *, journal: Journal, clock: Clock, settings: Settings, duty: Duty) -> None:
        self._journal = journal
        self._clock = clock
        self._most = settings.journey_backlog
        self._shared = duty is not Duty.ALL
        self._looking = asyncio.Lock()
        self._looked = float("-inf")
        self._waiting = 0

    async def refuse_when_full(self) -> None:
        """Let one more run in.

        Raises:
            WorkersBehind: there are as many as may wait.
        """
        if not self._shared:
            return
        if self._stale:
            async with self._looking:
                if self._stale:
                    await self._look()
        if self._waiting >= self._most:
            raise WorkersBehind(
                f"{self._waiting:,} runs wait for a worker",
                hint="try again in a moment; if it stays so, start more workers",
                retry_after=1.0,
            )
        self._waiting += 1

    @property
    def _stale(self) -> bool:
        full = self._waiting >= self._most
        return time.monotonic() - self._looked > (_FULL_LOOK_SECONDS if full else _LOOK_SECONDS)

    async def _look(self) -> None:
        before = self._waiting
        found = await self._journal.ready(self._clock.now(), most=self._most)
        self._waiting += found - before  # what came in meanwhile may not be counted
        self._looked = time.monotonic()
