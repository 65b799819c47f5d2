"""Keeps runs from being forgotten: takes over from the dead, wakes what is due, prolongs the lease.

It wakes and never executes; waking twice is harmless, and one bad run stops nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from loguru import logger

from foundations.boot import Works
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.settings import Settings
from realms.journey.engine.driver import QUEUE as RUNS
from realms.journey.engine.driver import Driver
from realms.journey.engine.failpoints import arm, reach
from realms.journey.engine.journal import Journal, RunRow
from realms.journey.engine.lanes import Lanes
from realms.journey.engine.ports import Expecting
from utilities.clock import Clock
from utilities.errors import PlatformError

QUEUE = "journey-keeper"
_PAGE = 500
_AHEAD = 4_000
"""So many runs are taken up in one sweep."""
_FEW = 500
"""While more than these move, the next page is put off: at most `_LOOKS` times."""
_LOOKS = 20
_LOOK_SECONDS = 0.005


class Keeper(Works, Expecting):
    """One for each process."""

    def __init__(
        self,
        *,
        journal: Journal,
        driver: Driver,
        lanes: Lanes,
        dispatch: Dispatch,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._journal = journal
        self._driver = driver
        self._lanes = lanes
        self._dispatch = dispatch
        self._clock = clock
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._beat = timedelta(seconds=settings.journey_beat_seconds)
        self._sweeping = asyncio.Lock()
        self._next: datetime | None = None
        """When it looks next."""
        self._after: RunRow | None = None
        """How far through what is due it has looked, if not to its end."""
        driver.keeper = self

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Take over: whoever wrote before is fenced off, and every unfinished run goes on."""
        arm()
        now = await self._journal.now(self._clock.now())
        until = now + self._lease if self._lease else None
        holder = await self._journal.take_hold(at=now, until=until)
        reach("hold_taken")
        freed = await self._journal.dismiss(at=now, survivor=holder)
        reach("dismissed")
        if freed:
            logger.info("{} runs of an earlier process go on here", freed)
        async with self._driver.driving(holder):
            reach("drives")
            self._dispatch.handle(QUEUE, self._swept)
            self._dispatch.wake(QUEUE, "")
            renewal = asyncio.get_running_loop().create_task(self._renewed(holder))
            try:
                yield
            finally:
                renewal.cancel()
                await asyncio.gather(renewal, return_exceptions=True)
        await self._leave(holder)

    def expect(self, at: datetime) -> None:
        """A run is to be looked at then, and not before."""
        if self._next is None or at < self._next:
            self._next = at
            self._dispatch.wake(QUEUE, "", at=at)

    async def sweep(self) -> None:
        """Wake every run that is due; order the next look for when another will be."""
        async with self._sweeping:
            reach("sweep")
            now = await self._journal.now(self._clock.now())
            await self._journal.dismiss(at=now, survivor=self._driver.holder)
            await self._lanes.look_at_all()
            taken = 0
            while taken < _AHEAD:
                rows = await self._journal.due(self._clock.now(), after=self._after, limit=_PAGE)
                if not rows:
                    self._after = None
                    break
                self._after = rows[-1]
                taken += len(rows)
                reach("sweep_found")
                await self._driver.take_up(rows)
                reach("sweep_woke")
                await self._let_them_move()
            self._look_for_those_out_of_time()
            reach("sweep_over")
            await self._order_the_next()

    async def _let_them_move(self) -> None:
        """Let runs move on before more are taken up, for a while: few at a time are done sooner."""
        await asyncio.sleep(0)
        for _ in range(_LOOKS):
            if self._driver.moving <= _FEW:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _swept(self, _key: str) -> None:
        if not self._driver.open:
            return
        swept = False
        try:
            await self.sweep()
            swept = True
        except PlatformError as error:
            logger.error("due runs could not be looked for: {}", error.detail)
        finally:
            if not swept:  # whatever it was, it is looked again
                self._next = None
                self.expect(self._clock.now() + self._beat)

    def _look_for_those_out_of_time(self) -> None:
        now = self._clock.now()
        for hand in self._driver.hands():
            deadline = hand.run.deadline_passed_at
            if deadline is not None and deadline <= now and hand.run.ended is None:
                self._dispatch.wake(RUNS, hand.run.run_id)

    async def _order_the_next(self) -> None:
        """What was woken just now and does not move is woken again after a beat, not before."""
        now = self._clock.now()
        self._next = None
        if self._after is not None:  # there are more
            self.expect(now + _SHORTEST)
            return
        due = await self._journal.next_wake(after=now)
        self.expect(
            now + self._beat if due is None else min(max(due, now + _SHORTEST), now + self._beat)
        )

    async def _renewed(self, holder: int) -> None:
        """Prolong the lease while the process lives; where it was lost, stop driving."""
        while self._lease:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            reach("renew")
            try:
                until = await self._journal.now(self._clock.now()) + self._lease
                living = await self._journal.renew(holder, until=until)
            except PlatformError as error:
                logger.error("the lease could not be prolonged: {}", error.detail)
                continue
            if not living:
                logger.error(
                    "the lease of holder {} was taken away; it drives nothing more", holder
                )
                self._driver.open = False
                return
            reach("renewed")

    async def _leave(self, holder: int) -> None:
        try:
            await self._journal.let_go(holder)
            reach("let_go")
        except PlatformError as error:
            logger.error("the lease could not be given back: {}", error.detail)


_SHORTEST = timedelta(milliseconds=100)
