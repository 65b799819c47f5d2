"""Lanes: how many runs with one key move at once, and how often one begins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import orjson
from loguru import logger

from foundations.boot import Duty
from foundations.public_works.dispatch import PLAIN, Dispatch
from foundations.public_works.settings import Settings
from realms.journey.api import Reason, RunStatus, UnknownRun
from realms.journey.engine.codec import CorruptFact
from realms.journey.engine.driver import Driver
from realms.journey.engine.facts import Fact, RunAdmitted, RunQueued, RunStarted
from realms.journey.engine.failpoints import reach
from realms.journey.engine.hands import Hand
from realms.journey.engine.journal import Journal, RunRow, StaleWriter
from realms.journey.engine.ports import Queued, Unreadable
from realms.journey.engine.reading import folded
from realms.journey.engine.state import CorruptJournal, Stage
from realms.journey.expressions.values import Value
from realms.journey.plans.plan import Plan, WhenFull
from utilities.clock import Clock
from utilities.errors import ErrorKind, PlatformError

QUEUE = "journey-lanes"
_TURN_SECONDS = 0.01


class LaneFull(PlatformError):
    """So many runs of this kind are on the move already."""

    kind = ErrorKind.CONFLICT


@dataclass(slots=True)
class _Turns:
    """One after the other at one lane, and how many are there."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Lanes(Queued):
    """Decides who may begin; each lane is looked at by one at a time."""

    def __init__(
        self,
        *,
        journal: Journal,
        driver: Driver,
        dispatch: Dispatch,
        clock: Clock,
        settings: Settings,
        duty: Duty,
    ) -> None:
        self._turn = timedelta(seconds=settings.lease_seconds)
        """How long one process may look at a lane while no other does; 0 where there is none."""
        self._journal = journal
        self._driver = driver
        self._dispatch = dispatch
        self._clock = clock
        self._locks: dict[str, _Turns] = {}
        self._slots: dict[str, datetime] = {}
        """For each lane with a rate when its last run began or is to begin."""
        driver.lanes = self
        if duty in {Duty.ALL, Duty.WORK}:
            dispatch.handle(QUEUE, self._let_in)

    @asynccontextmanager
    async def entered(
        self, plan: Plan, start: RunStarted
    ) -> AsyncIterator[tuple[RunStarted, RunQueued | None]]:
        """Hold the lane while a run is accepted: its start with its lane, and whether it queues.

        Raises:
            LaneFull: the template says to reject.
        """
        lane = _lane(plan, start)
        name = f"{start.tenant}/{lane}"
        async with self._alone_at(name):
            there = await self._there(start.tenant, lane)
            queued = await self._queued(plan, there)
            if queued is None and plan.rate_limit is not None:
                slot = await self._slot(plan, name, there)
                if slot > self._clock.now():
                    queued = RunQueued(at=self._clock.now(), reason=Reason.RATE_LIMIT, wake_at=slot)
            reach("lane_entered")
            yield replace(start, lane=lane), queued

    async def look(self, hand: Hand) -> None:
        """Let a queued run begin, if it may by now."""
        start = hand.run.start
        async with self._alone_at(f"{start.tenant}/{start.lane}"):
            until = hand.run.queued_until
            if until is not None and until > self._clock.now():
                return
            if hand.run.status is not RunStatus.QUEUED:
                return  # it was let in, paused or stopped meanwhile
            there = await self._there(start.tenant, start.lane)
            before = [r for r in there if r.run_id != hand.run.run_id and not _queues(r)]
            limit = hand.plan.concurrency
            if limit is None or len(before) < limit.limit:
                reach("lane_admits")
                await self._driver.take(hand, [await self._admitted(hand, there)])

    def left(self, tenant: str, lane: str) -> None:
        """A run has left its lane: another may have its place."""
        self._dispatch.wake(QUEUE, f"{tenant}/{lane}", road=PLAIN)

    async def look_at_all(self) -> None:
        """Look at every lane in which someone queues."""
        for tenant, lane in await self._journal.queued_lanes():
            self.left(tenant, lane)

    async def _let_in(self, name: str) -> None:
        tenant, _, lane = name.partition("/")
        async with self._alone_at(name):  # whoever is being accepted is there by then
            there = await self._there(tenant, lane)
        for row in filter(_queues, there):
            try:
                async with self._driver.holding(row.run_id) as hand:
                    if hand.run.status is RunStatus.QUEUED:
                        await self.look(hand)
                    if hand.run.status is RunStatus.QUEUED:
                        return  # whoever came first goes first
            except (UnknownRun, Unreadable, StaleWriter) as error:
                logger.warning("{} is passed over in its lane: {}", row.run_id, error.detail)

    async def _there(self, tenant: str, lane: str) -> list[RunRow]:
        """Who is in a lane, but those that were paused before their turn: they keep no place."""
        found = await self._journal.lane(tenant, lane)
        paused = [row.run_id for row in found if row.status is RunStatus.PAUSED]
        if not paused:
            return found
        apart = set()
        for run_id, stored in (await self._journal.load(paused)).items():
            with suppress(CorruptFact, CorruptJournal):
                if folded(stored).stage is Stage.QUEUED:
                    apart.add(run_id)
        return [row for row in found if row.run_id not in apart]

    @asynccontextmanager
    async def _alone_at(self, name: str) -> AsyncIterator[None]:
        """Look at a lane while nobody else does."""
        turns = self._locks.setdefault(name, _Turns())
        turns.users += 1
        try:
            async with turns.lock:
                await self._await_turn(name)
                try:
                    yield
                finally:
                    if self._turn:
                        await self._journal.end_turn(name, holder=self._driver.holder)
        finally:
            turns.users -= 1
            if not turns.users:
                del self._locks[name]

    async def _await_turn(self, name: str) -> None:
        """Wait until no other process looks at a lane."""
        while self._turn:
            holder, now = self._driver.holder, await self._journal.now(self._clock.now())
            if await self._journal.take_turn(name, holder=holder, at=now, until=now + self._turn):
                return
            await asyncio.sleep(_TURN_SECONDS)

    async def _queued(self, plan: Plan, there: list[RunRow]) -> RunQueued | None:
        limit = plan.concurrency
        if limit is None or len(there) < limit.limit:
            return None
        if limit.when_full is WhenFull.REJECT:
            raise LaneFull(
                f"{len(there)} runs of {plan.name} with this key have not ended; "
                f"{limit.limit} is the most",
                hint="wait until one has ended, or cancel it",
                retry_after=1.0,
            )
        now = self._clock.now()
        if limit.when_full is WhenFull.REPLACE:
            for row in there[: len(there) - limit.limit + 1]:
                assert self._driver.children is not None
                await self._driver.children.stop(row.run_id, Reason.SUPERSEDED)
        return RunQueued(at=now, reason=Reason.CONCURRENCY)

    async def _admitted(self, hand: Hand, there: list[RunRow]) -> Fact:
        """That a run begins; or when it will, where its rate was not looked at so far."""
        plan, start, now = hand.plan, hand.run.start, self._clock.now()
        if plan.rate_limit is not None and hand.run.why is Reason.CONCURRENCY:
            slot = await self._slot(plan, f"{start.tenant}/{start.lane}", there)
            if slot > now:
                return RunQueued(at=now, reason=Reason.RATE_LIMIT, wake_at=slot)
        return RunAdmitted(at=now)

    async def _slot(self, plan: Plan, name: str, there: list[RunRow]) -> datetime:
        """When the next run may begin: evenly spaced, after all that were given a time before."""
        assert plan.rate_limit is not None
        spacing = plan.rate_limit.per / plan.rate_limit.limit
        times = [row.wake_at for row in there if _queues(row) and row.wake_at is not None]
        if name in self._slots:
            times.append(self._slots[name])
        slot = max([self._clock.now(), *(time + spacing for time in times)])
        if self._turn:
            slot = await self._journal.next_slot(name, earliest=slot, spacing=spacing)
        self._slots[name] = slot
        return slot


def _queues(row: RunRow) -> bool:
    return row.status is RunStatus.QUEUED


def _lane(plan: Plan, start: RunStarted) -> str:
    keys = [_key(limit.key, start) for limit in (plan.concurrency, plan.rate_limit) if limit]
    return ":".join([plan.name, *keys])


def _known(start: RunStarted) -> dict[str, str]:
    """What expressions see as `run` before there is one: `START_SCHEMA`."""
    return {
        "alias": start.alias,
        "template": start.template,
        "trace_id": start.trace_id,
        "tenant": start.tenant,
        "principal": start.principal,
        "started_at": start.at.isoformat(),
    }


def _key(key: Value | None, start: RunStarted) -> str:
    if key is None:
        return ""
    value = key.value({"input": start.values, "run": _known(start)})
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
