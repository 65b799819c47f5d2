"""Waiting for runs that other processes move: one question for all that are waited for."""

import asyncio
from contextlib import suppress
from datetime import datetime

from realms.journey.engine.journal import Journal, Stored
from utilities.errors import PlatformError

_FIRST_LOOK = 0.004
_LONGEST_LOOK = 0.1
_ASKED_AT_ONCE = 500
"""Their answers are read on the loop, and what each says with them."""


_Waiters = dict["asyncio.Future[Stored | None]", datetime | None]
"""Those who wait for one run, each with when the state was written that it knows."""


class Waiting:
    """Looks often while runs come to rest, and less often while none does."""

    def __init__(self, *, journal: Journal) -> None:
        self._journal = journal
        self._awaited: dict[str, _Waiters] = {}
        self._looking: asyncio.Task[None] | None = None
        self._soon = asyncio.Event()

    async def next_rest(
        self, run_id: str, *, seen: datetime | None, seconds: float
    ) -> Stored | None:
        """The run as soon as it does not move, or None after `seconds`.

        One that was last written when it was `seen` is known already.
        """
        loop = asyncio.get_running_loop()
        waiters = self._awaited.setdefault(run_id, {})
        waiter: asyncio.Future[Stored | None] = loop.create_future()
        expiry = loop.call_later(seconds, _tell, waiter, None)  # a timeout costs each run more
        waiters[waiter] = seen
        self._soon.set()
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look())
        try:
            return await waiter
        finally:
            expiry.cancel()
            del waiters[waiter]
            if not waiters and self._awaited.get(run_id) is waiters:
                del self._awaited[run_id]

    async def _look(self) -> None:
        pause = _FIRST_LOOK
        while self._awaited:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._soon.wait()
                    pause = _FIRST_LOOK
                    await asyncio.sleep(pause)
            self._soon.clear()
            with suppress(PlatformError):  # the store is away; those who wait hear it in the end
                found = await self._rested()
                pause = _FIRST_LOOK if found else min(pause * 1.5, _LONGEST_LOOK)

    async def _rested(self) -> bool:
        """Tell those who wait; whether there was anything to tell."""
        awaited, told = [*self._awaited.items()], False
        for first in range(0, len(awaited), _ASKED_AT_ONCE):
            some = awaited[first : first + _ASKED_AT_ONCE]
            seen = {run_id: _known_to_all(waiters) for run_id, waiters in some}
            for run_id, stored in (await self._journal.at_rest(seen)).items():
                told = True
                for waiter, known in self._awaited.get(run_id, {}).items():
                    if known != stored.row.updated_at:
                        _tell(waiter, stored)
        return told


def _tell(waiter: "asyncio.Future[Stored | None]", stored: Stored | None) -> None:
    if not waiter.done():
        waiter.set_result(stored)


def _known_to_all(waiters: _Waiters) -> datetime | None:
    """When the state was written that all of them know."""
    known = set(waiters.values())
    return known.pop() if len(known) == 1 else None
