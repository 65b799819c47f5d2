"""Driving where several processes hold runs: what was claimed, and nothing that others hold."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from loguru import logger

from foundations.boot import Duty
from foundations.public_works.dispatch import Dispatch, Road
from foundations.public_works.events import Events
from foundations.public_works.settings import Settings
from realms.journey.api import Reason
from realms.journey.engine import core
from realms.journey.engine.driver import QUEUE, Driver
from realms.journey.engine.facts import Fact, RunStarted
from realms.journey.engine.failpoints import reach
from realms.journey.engine.folding import apply
from realms.journey.engine.hands import Hand, user_of
from realms.journey.engine.journal import Journal, RunRow, StaleWriter, Stored
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import NotOpen, TemplateSource, Unreadable
from realms.journey.engine.runner import Runner
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan
from utilities.clock import Clock
from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError

_ROOM_SECONDS = 0.005
_LEFT_FOR = timedelta(seconds=3)
"""So long this worker does not look again at a run that did not fit it."""
_OFFERED_AFTER = timedelta(milliseconds=20)
"""Such a run is offered to other workers at once, and again after twice as long each time."""
_REMEMBERED = 10_000


LOOK = "look"
"""The request to look at a run that another process holds."""


class Tells(Protocol):
    """Has something done to runs that other processes hold."""

    async def tell(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> None:
        """Have `verb` done to a run by whoever holds it, and do not wait for it."""
        ...


@dataclass(slots=True)
class _Left:
    """A run that did not fit this worker."""

    until: datetime
    """It is not looked at here before then."""
    offered: datetime
    """When others are rung for it."""
    pause: timedelta = _OFFERED_AFTER


class SharedDriver(Driver):
    """Drives what it claims; in a process that does no journeys it only accepts them.

    Where one process does everything it claims what is due like any other.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        runner: Runner,
        payloads: Payloads,
        dispatch: Dispatch,
        events: Events,
        clock: Clock,
        settings: Settings,
        duty: Duty,
    ) -> None:
        super().__init__(
            journal=journal,
            templates=templates,
            runner=runner,
            payloads=payloads,
            dispatch=dispatch,
            events=events,
            clock=clock,
            settings=settings,
        )
        self._shared = duty is not Duty.ALL
        self.drives = duty in {Duty.ALL, Duty.WORK}
        self._most = settings.worker_runs
        self.requesting: Tells | None = None
        self._given_back: list[str] = []
        self._left: dict[str, _Left] = {}
        self._wanted: dict[str, None] = {}
        """What is to be claimed next, in order."""
        self._next_claim: asyncio.Task[None] | None = None
        self._claiming = asyncio.Lock()
        self._missed: set[str] = set()
        """What was held and not in memory when it was looked last."""

    @asynccontextmanager
    async def driving(self, holder: int) -> AsyncIterator[None]:
        self.holder = holder
        self._loop = asyncio.get_running_loop()
        self._group.begin(holder)
        if self.drives:
            self._dispatch.handle(QUEUE, self.advance, arrived=self.arrived)
        self.open = True
        try:
            yield
        finally:
            self.open = False
            await self._drain()

    async def begin_anew(self, holder: int) -> None:
        """Leave everything to whoever has taken it over, and go on as another holder."""
        for hand in self.hands():
            self._lose(hand)
        self._group.begin_anew(holder)
        self.holder = holder

    async def accept(
        self, plan: Plan, facts: Sequence[Fact], *, run_id: str, user: UserContext | None = None
    ) -> Hand:
        if self.drives:
            return await super().accept(plan, facts, run_id=run_id, user=user)
        if not self.open:
            raise NotOpen("no run is accepted any more", hint="try again in a moment")
        start, *others = facts
        assert isinstance(start, RunStarted)
        run = apply(None, start, run_id=run_id)
        for fact in others:
            apply(run, fact)
        hand = Hand(plan, run, RunRow.of(run, holder=0), user or user_of(run))
        self._tasks.others += 1
        try:
            await self.make_durable(hand, core.Step(tuple(facts), ()))
        finally:
            self._tasks.others -= 1
        self._dispatch.wake(QUEUE, run_id, road=road_of(plan))
        return hand

    async def arrived(self, run_ids: Sequence[str]) -> None:
        """Claim those of the runs that are free and ready, and let them go on.

        While this process has all the runs that it may, it takes no others.
        """
        while self.moving >= self._most and self.open:  # noqa: ASYNC110 - no milestone pays for an event
            await asyncio.sleep(_ROOM_SECONDS)
        wanted = [r for r in run_ids if not self.has(r) and not self._left_to_others(r)]
        for run_id in run_ids:
            if self.has(run_id):
                self._dispatch.wake(QUEUE, run_id)
        if self.open and wanted:
            await self._claim_together(wanted)

    async def take_up(self, run_ids: Sequence[str]) -> None:
        """Let runs go on that are due: those that are free and ready are claimed together."""
        claimed = await self._claim([run_id for run_id in run_ids if not self.has(run_id)])
        for run_id in run_ids:
            if run_id not in claimed:
                self._dispatch.wake(QUEUE, run_id)

    async def advance(self, run_id: str) -> None:
        """Look at a run that is held here, or at one that is free."""
        if not self._shared or self.has(run_id) or not self.open:
            await super().advance(run_id)
        elif run_id not in await self._claim([run_id]):
            stored = (await self._journal.load([run_id])).get(run_id)
            if stored is not None and stored.row.holder == self.holder:
                await super().advance(run_id)

    async def _claim_together(self, run_ids: Sequence[str]) -> None:
        """Claim these, with those that come while a claim is under way."""
        self._wanted.update(dict.fromkeys(run_ids))
        if self._next_claim is None:
            self._next_claim = self._tasks.own(self._claim_wanted())
        await asyncio.shield(self._next_claim)

    async def _claim_wanted(self) -> None:
        async with self._claiming:
            wanted, self._wanted, self._next_claim = self._wanted, {}, None
            await self._claim(list(wanted))

    async def _claim(self, run_ids: Sequence[str]) -> Collection[str]:
        """Take those that are free and ready, and let them go on; which they are."""
        run_ids = [run_id for run_id in run_ids if run_id not in self._newer]
        if not run_ids:
            return ()
        reach("claim")
        claimed = await self._journal.claim(run_ids, holder=self.holder, at=self._clock.now())
        reach("claimed")
        for run_id, stored in claimed.items():
            if not self.has(run_id) and run_id not in self._loading:
                self._loading[run_id] = self._tasks.own(self._load(run_id, stored))
        return claimed

    async def _load(self, run_id: str, stored: Stored | None = None) -> Hand | None:
        """A run of another process is not touched."""
        if stored is None and self._shared:
            there = (await self._journal.load([run_id])).get(run_id)
            if there is not None and there.row.holder not in {0, self.holder}:
                self._loading.pop(run_id, None)
                raise StaleWriter(f"{run_id} is held by another process", hint="try again")
        try:
            return await super()._load(run_id, stored)
        except Unreadable as error:
            if stored is not None:
                self._tasks.own(self._left_unread(run_id, error.__cause__))
            raise

    def _wake_parent(self, parent: str) -> None:
        if not self._shared or self.has(parent):
            super()._wake_parent(parent)
        else:
            self._tasks.own(self._tell_parent(parent))

    async def _tell_parent(self, parent: str) -> None:
        """Look at the run that waited, or have whoever holds it look.

        Who holds it looks in any case when it lets go of it; asked, it looks at once.
        """
        if parent in await self._claim([parent]):
            return
        stored = (await self._journal.load([parent])).get(parent)
        if stored is not None and stored.row.holder not in {0, self.holder}:
            assert self.requesting is not None
            await self.requesting.tell(parent, LOOK, {})

    async def look_after(self) -> None:
        """Give back what this process is said to hold and does not, if that stays so."""
        held = await self._journal.held(self.holder)
        missing = {
            run_id for run_id in held if not self.has(run_id) and run_id not in self._loading
        }
        for_long = missing & self._missed
        self._missed = missing - for_long
        if for_long:
            logger.warning("{} runs that were held here are given back", len(for_long))
            await self._journal.release(sorted(for_long), holder=self.holder)

    def rest(self, hand: Hand) -> None:
        super().rest(hand)
        if hand.row.holder != self.holder or hand.lost:
            return
        if hand.run.run_id not in self._hands and hand.durable == hand.run.entries:
            if not self._given_back:
                asyncio.get_running_loop().call_soon(self._give_back)
            self._given_back.append(hand.run.run_id)

    def _give_back(self) -> None:
        """Free runs that were claimed and do not move."""
        run_ids, self._given_back = self._given_back, []
        self._tasks.own(self._released(run_ids))

    async def _released(self, run_ids: Sequence[str]) -> None:
        """What cannot be freed now is freed a little later, or when this process leaves."""
        while self.open:
            try:
                await self._journal.release(run_ids, holder=self.holder)
            except PlatformError as error:
                logger.warning("{} runs are not given back yet: {}", len(run_ids), error.detail)
                await asyncio.sleep(self._group.again)
            else:
                return

    async def _left_unread(self, run_id: str, why: BaseException | None) -> None:
        """Give back a claimed run that could not be read; where a store was away, look again."""
        await self._released([run_id])
        away = isinstance(why, PlatformError) and why.kind is ErrorKind.UNAVAILABLE
        if away and self.keeper is not None:
            self.keeper.expect(self._clock.now() + timedelta(seconds=self._group.again))

    async def _hold(self, run: RunState, row: RunRow, error: PlatformError) -> None:
        """Leave a run to other workers that does not fit this one, and say so."""
        if not self._shared:
            await super()._hold(run, row, error)
            return
        logger.warning("{} is left to other workers: {}", run.run_id, error.detail)
        await self._journal.release([run.run_id], holder=self.holder, reason=Reason.TEMPLATE)
        now = self._clock.now()
        left = self._left.setdefault(run.run_id, _Left(until=now, offered=now))
        left.until = now + _LEFT_FOR
        self._offer(run.run_id, left)
        while len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]

    def _left_to_others(self, run_id: str) -> bool:
        """Whether a run did not fit just now; whoever rings here is to ring elsewhere."""
        left, now = self._left.get(run_id), self._clock.now()
        if left is None or left.until <= now:
            return False
        if left.offered <= now:  # else they are rung anyway
            self._offer(run_id, left)
        return True

    def _offer(self, run_id: str, left: _Left) -> None:
        left.offered = self._clock.now() + left.pause
        left.pause = min(2 * left.pause, _LEFT_FOR)
        self._dispatch.hand_on(QUEUE, run_id, at=left.offered)


def road_of(plan: Plan) -> Road:
    """By which way runs of a template go to workers: its queue, if any, and its priority."""
    queues = [node.queue for node in plan.nodes.values() if node.queue]
    return Road(queue=queues[0] if queues else "", priority=plan.priority)
