"""Driving where several processes hold runs: what was claimed, and nothing that others hold."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

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
from realms.journey.engine.journal import Journal, RunRow
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import NotOpen, TemplateSource
from realms.journey.engine.runner import Runner
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan
from utilities.clock import Clock
from utilities.context import UserContext
from utilities.errors import PlatformError

_ROOM_SECONDS = 0.005
_LEFT_FOR = timedelta(seconds=10)
"""A run that does not fit this worker is offered again after so long."""


class SharedDriver(Driver):
    """Drives what it claims; in a process that does no journeys it only accepts them.

    Where one process does everything it is the plain driver.
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
        self._given_back: list[str] = []
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
        self._group.begin(holder)
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
        self._accepting += 1
        reach("accept_deciding")
        try:
            await self._durable(hand, core.Step(tuple(facts), ()))
        finally:
            self._accepting -= 1
        reach("accepted")
        self._dispatch.wake(QUEUE, run_id, road=road_of(plan))
        return hand

    async def arrived(self, run_ids: Sequence[str]) -> None:
        """Claim those of the runs that are free and ready, and let them go on.

        While this process has all the runs that it may, it takes no others.
        """
        while self.moving >= self._most and self.open:  # noqa: ASYNC110 - no milestone pays for an event
            await asyncio.sleep(_ROOM_SECONDS)
        wanted = [run_id for run_id in run_ids if not self.has(run_id)]
        for run_id in run_ids:
            if self.has(run_id):
                self._dispatch.wake(QUEUE, run_id)
        if not self.open or not wanted:
            return
        reach("claim")
        claimed = await self._journal.claim(wanted, holder=self.holder, at=self._clock.now())
        reach("claimed")
        for run_id, stored in claimed.items():
            if not self.has(run_id) and run_id not in self._loading:
                self._loading[run_id] = self._owned(self._load(run_id, stored))

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

    def _rest(self, hand: Hand) -> None:
        super()._rest(hand)
        if hand.row.holder != self.holder or hand.lost or not self._shared:
            return
        if hand.run.run_id not in self._hands and hand.durable == hand.run.entries:
            if not self._given_back:
                asyncio.get_running_loop().call_soon(self._give_back)
            self._given_back.append(hand.run.run_id)

    def _give_back(self) -> None:
        """Free runs that were claimed and do not move."""
        run_ids, self._given_back = self._given_back, []
        self._owned(self._journal.release(run_ids, holder=self.holder))

    async def _hold(self, run: RunState, row: RunRow, error: PlatformError) -> None:
        """Leave a run to other workers that does not fit this one, and say so."""
        if not self._shared:
            await super()._hold(run, row, error)
            return
        logger.warning("{} is left to other workers: {}", run.run_id, error.detail)
        await self._journal.release(
            [run.run_id],
            holder=self.holder,
            wake_at=self._clock.now() + _LEFT_FOR,
            reason=Reason.TEMPLATE,
        )


def road_of(plan: Plan) -> Road:
    """By which way runs of a template go to workers: its queue, if any, and its priority."""
    queues = [node.queue for node in plan.nodes.values() if node.queue]
    return Road(queue=queues[0] if queues else "", priority=plan.priority)
