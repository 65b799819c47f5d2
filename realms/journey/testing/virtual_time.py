"""Time that passes only when nothing else can happen: an hour's wait takes no time at all."""

import asyncio
import math
import selectors
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from foundations.public_works.dispatch import Arrived, Dispatch, Handler, Road
from utilities.clock import Clock
from utilities.errors import ErrorKind, PlatformError

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""When virtual time begins."""


MOST_BUSY = 10.0
"""So many seconds of real time may pass without a moment of quiet."""


class NeverQuiet(PlatformError):
    """Something goes round and round, and time cannot pass."""

    kind = ErrorKind.TIMEOUT


class NothingMoves(PlatformError):
    """Everything waits, and nothing is ever going to happen."""

    kind = ErrorKind.CONFLICT


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to its next timer as soon as all is quiet.

    Nothing in it may wait for threads or for the network: time would run away from them.
    """

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._quiet: list[asyncio.Future[None]] = []
        self._jumps = 0
        self._quiet_at = time.monotonic()
        super().__init__(_NeverSleeping(self))

    def time(self) -> float:
        return self._elapsed

    async def quiet(self) -> None:
        """Wait until everything that can happen at this time has happened."""
        waiter: asyncio.Future[None] = self.create_future()
        self._quiet.append(waiter)
        await waiter

    async def next_time(self) -> None:
        """Let time pass up to the next timer, and until all is quiet after it."""
        self._jumps += 1
        await self.quiet()

    def busy(self) -> None:
        """Something is ready: let it run, unless there is no end of it."""
        if time.monotonic() - self._quiet_at > MOST_BUSY:
            self._quiet_at = time.monotonic()
            raise NeverQuiet(
                f"nothing came to rest for {MOST_BUSY:g} s at {self._elapsed:g} s of virtual time"
            )

    def idle(self, seconds: float | None) -> None:
        """Nothing is ready, and the next timer is `seconds` away: jump, or tell who waits."""
        self._quiet_at = time.monotonic()
        if self._quiet and not self._jumps:
            waiters, self._quiet = self._quiet, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
            return
        self._jumps = max(self._jumps - 1, 0)
        if seconds is not None:
            self._elapsed = max(self._elapsed + seconds, math.nextafter(self._elapsed, math.inf))
        elif not self._quiet:
            raise NothingMoves("everything waits for something that nobody brings")


if TYPE_CHECKING:
    _Selector = selectors.SelectSelector
else:
    _Selector = selectors.DefaultSelector


class _NeverSleeping(_Selector):
    """Asks what is ready, and where that is nothing, has the loop's time jump."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            self._loop.idle(timeout)
        else:
            self._loop.busy()
        return ready


class VirtualClock(Clock):
    """The time of a virtual loop as a date."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self._loop.time())


class VirtualDispatch(Dispatch):
    """Rings at virtual times."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._handlers: dict[str, Handler] = {}
        self._ringing: set[asyncio.Task[None]] = set()
        self._dead = False

    def handle(self, queue: str, handler: Handler, *, arrived: Arrived | None = None) -> None:
        self._handlers[queue] = handler

    def wake(
        self, queue: str, key: str, *, at: datetime | None = None, road: Road | None = None
    ) -> None:
        due = self._loop.time() if at is None else (at - BEGAN).total_seconds()
        self._loop.call_at(max(due, self._loop.time()), self._ring, queue, key)

    def forget(self) -> None:
        """Ring no more, as a process that has died."""
        self._dead = True
        for ringing in self._ringing:
            ringing.cancel()

    def _ring(self, queue: str, key: str) -> None:
        if self._dead:
            return
        ringing = self._loop.create_task(self._answered(queue, key))
        self._ringing.add(ringing)
        ringing.add_done_callback(self._ringing.discard)

    def hand_on(self, queue: str, key: str, *, at: datetime) -> None:
        self.wake(queue, key, at=at)

    async def _answered(self, queue: str, key: str) -> None:
        await self._handlers[queue](key)
