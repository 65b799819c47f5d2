"""Keeps runs from being forgotten: takes over from the dead, wakes what is due, prolongs the lease.

It wakes and never executes; waking twice is harmless, and one bad run stops nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from loguru import logger

from foundations.boot import Duty, Works
from foundations.public_works.dispatch import PLAIN, Dispatch
from foundations.public_works.settings import Settings
from realms.journey.engine.driver import QUEUE as RUNS
from realms.journey.engine.failpoints import arm, reach
from realms.journey.engine.journal import MOVING, DueRun, Journal
from realms.journey.engine.lanes import Lanes
from realms.journey.engine.leadership import Leadership
from realms.journey.engine.ports import Expecting
from realms.journey.engine.sharing import SharedDriver
from utilities.clock import Clock
from utilities.errors import PlatformError
from utilities.tasks import ended

QUEUE = "journey-keeper"
_PAGE = 500
_AHEAD = 4_000
"""So many runs are taken up in one sweep."""
_FEW = 250
"""While more than these move, the next page is put off: at most `_LOOKS` times.

More of them at once would not be done sooner, and the garbage collector would go through them.
"""
_LOOKS = 100
_LOOK_SECONDS = 0.001


class Keeper(Works, Expecting):
    """One for each process."""

    def __init__(
        self,
        *,
        journal: Journal,
        driver: SharedDriver,
        lanes: Lanes,
        leadership: Leadership,
        dispatch: Dispatch,
        clock: Clock,
        settings: Settings,
        duty: Duty,
    ) -> None:
        self._journal = journal
        self._driver = driver
        self._lanes = lanes
        self._leadership = leadership
        self._duty = duty
        self._dispatch = dispatch
        self._clock = clock
        self._lease = timedelta(seconds=settings.lease_seconds)
        beat = timedelta(seconds=settings.journey_beat_seconds)
        self._beat = min(beat, _BEATS.get(duty, beat))
        self._rang: dict[str, datetime] = {}
        """When workers were last told of a run that is ready, and that none has taken yet."""
        self._sweeping = asyncio.Lock()
        self._next: datetime | None = None
        """When it looks next."""
        self._looked_after = clock.now()
        self._freed = 0
        """So many runs were free by what this process did last when it took hold."""
        self._after: DueRun | None = None
        """How far through what is due it has looked, if not to its end."""
        driver.keeper = self

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Take over: whoever wrote before is fenced off, and every unfinished run goes on."""
        arm()
        holder = await self._taken_hold()
        renewal = asyncio.get_running_loop().create_task(self._renewed())
        try:
            async with self._driver.driving(holder):
                reach("drives")
                if self._duty is not Duty.ACCEPT:
                    self._dispatch.handle(QUEUE, self._swept)
                    self._dispatch.wake(QUEUE, "")
                await self._ring_the_freed()
                yield
        finally:
            await ended(renewal)
        await self._leave(self._driver.holder)

    async def _taken_hold(self) -> int:
        """A new holder; whoever was over time is not one any more."""
        now = await self._journal.now(self._clock.now())
        until = now + self._lease if self._lease else None
        holder = await self._journal.take_hold(at=now, until=until)
        reach("hold_taken")
        freed = await self._journal.dismiss(at=now, survivor=holder)
        reach("dismissed")
        if freed:
            logger.info("{} runs of an earlier process go on", freed)
        self._freed = freed
        return holder

    async def _ring_the_freed(self) -> None:
        """Tell workers of runs that were freed here: the scheduler may have told the dead of them.

        Who sweeps by itself finds them so; what is not told here the scheduler tells in time.
        """
        freed, self._freed = self._freed, 0
        if not freed or self._duty in {Duty.ALL, Duty.SCHEDULE}:
            return
        now = self._clock.now()
        for run in await self._journal.due(await self._journal.now(now), limit=_AHEAD):
            if run.status in MOVING:
                self._dispatch.hand_on(RUNS, run.run_id, at=now)

    def expect(self, at: datetime) -> None:
        """A run is to be looked at then, and not before."""
        if self._next is None or at < self._next:
            self._next = at
            self._dispatch.wake(QUEUE, "", at=at)

    async def sweep(self) -> None:
        """Wake every run that is due; order the next look for when another will be."""
        async with self._sweeping:
            reach("sweep")
            await self._look_after()
            if self._duty is Duty.WORK or not await self._leadership.leads():
                self._look_for_those_out_of_time()
                self._next = None
                self.expect(self._clock.now() + self._beat)
                return
            now = await self._journal.now(self._clock.now())
            if await self._journal.dismiss(at=now, survivor=self._driver.holder):
                self._rang.clear()  # who was told of these runs is gone
            await self._lanes.look_at_all()
            taken = 0
            while taken < _AHEAD:
                due = await self._journal.due(now, after=self._after, limit=_PAGE)
                if not due:
                    self._after = None
                    break
                self._after = due[-1]
                taken += len(due)
                reach("sweep_found")
                await self._woken(due, now)
                reach("sweep_woke")
            self._look_for_those_out_of_time()
            reach("sweep_over")
            await self._order_the_next()

    async def _woken(self, due: Sequence[DueRun], now: datetime) -> None:
        """Let runs go on that are due: here, or by telling workers of them."""
        if self._duty is Duty.ALL:
            await self._driver.take_up([run.run_id for run in due])
            await self._let_them_move()
            return
        for run in due:
            if self._to_be_rung(run, now):
                self._rang[run.run_id] = now
                self._dispatch.wake(RUNS, run.run_id, road=PLAIN)
        if len(self._rang) > _RANG:
            self._rang = {run: at for run, at in self._rang.items() if now - at < _RINGS_AGAIN}

    def _to_be_rung(self, run: DueRun, now: datetime) -> bool:
        """Not what has just been rung, by whoever accepted it or by this scheduler."""
        rang = self._rang.get(run.run_id)
        if rang is None:
            return run.status not in MOVING or now - run.wake_at >= _RINGS_EVERY
        return run.wake_at > rang or now - rang >= _RINGS_AGAIN

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
                self.expect(self._clock.now() + min(self._beat, _AGAIN))

    async def _look_after(self) -> None:
        """Once in a beat, give back what is held and does not move."""
        now = self._clock.now()
        if self._driver.drives and now - self._looked_after >= self._beat:
            self._looked_after = now
            await self._driver.look_after()

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
        if self._after is not None:  # there are more; who drives them has put off each page
            self.expect(now if self._duty is Duty.ALL else now + _SHORTEST)
            return
        due = await self._journal.next_wake(after=now)
        cut = (hand.run.deadline_passed_at for hand in self._driver.hands())
        times = [now + self._beat, *(at for at in (due, *cut) if at is not None and at > now)]
        self.expect(max(min(times), now + _SHORTEST))

    async def _renewed(self) -> None:
        """Prolong the lease while the process lives; where it was lost, begin anew, or stop."""
        while self._lease:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            reach("renew")
            holder = self._driver.holder
            try:
                until = await self._journal.now(self._clock.now()) + self._lease
                living = await self._journal.renew(holder, until=until)
            except PlatformError as error:
                logger.error("the lease could not be prolonged: {}", error.detail)
                continue
            if not living and not await self._held_anew(holder):
                return
            reach("renewed")

    async def _held_anew(self, lost: int) -> bool:
        """What was held is others' now: go on with what is claimed next, or stop."""
        if self._duty is Duty.ALL:
            logger.error("the lease of holder {} was taken away; it drives nothing more", lost)
            self._driver.open = False
            return False
        logger.error("the lease of holder {} was taken away; others go on with its runs", lost)
        try:
            await self._driver.begin_anew(await self._taken_hold())
            await self._ring_the_freed()
        except PlatformError as error:
            logger.error("no new lease was given: {}", error.detail)
        return True

    async def _leave(self, holder: int) -> None:
        try:
            await self._journal.let_go(holder)
            reach("let_go")
        except PlatformError as error:
            logger.error("the lease could not be given back: {}", error.detail)


_RINGS_EVERY = timedelta(seconds=1)
"""A scheduler looks so often; what was ready for so long may not have been heard of."""
_RINGS_AGAIN = timedelta(seconds=10)
"""A worker is told once more of a run that nobody has taken in this time."""
_BEATS = {Duty.SCHEDULE: _RINGS_EVERY, Duty.WORK: timedelta(seconds=5)}
_RANG = 10_000
_SHORTEST = timedelta(milliseconds=100)
_AGAIN = timedelta(seconds=2)
"""After what failed, such as a store that was away."""
