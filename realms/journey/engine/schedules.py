"""Begins runs by themselves, at the times their templates say.

When a schedule rings next is durable, and so is each time that has come until its run has begun.
The run's alias says which time it is of, so that ringing twice is harmless.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from loguru import logger

from foundations.boot import Duty, Works
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.settings import Settings
from foundations.public_works.threads import in_thread
from realms.journey.api import Journeys
from realms.journey.engine.journal import AliasTaken, Journal
from realms.journey.engine.leadership import Leadership
from realms.journey.engine.records import Ringing, ScheduleRecords
from realms.journey.engine.times import MOST, after, due, times_of
from realms.journey.plans.plan import Overlap, Plan, Schedule
from utilities.clock import Clock
from utilities.context import LOCAL_USER, CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.trace_id_generator import TraceIDGenerator

QUEUE = "journey-schedules"
PREFIX = "schedule:"
"""Aliases of scheduled runs begin so."""

_SHORTEST = timedelta(milliseconds=200)
"""From one look to the next at the least."""
_AGAIN = timedelta(seconds=5)
"""So often it looks whether a time that waits may have its run."""
_LATER = frozenset(
    {ErrorKind.UNAVAILABLE, ErrorKind.TOO_MANY, ErrorKind.STORAGE_FULL, ErrorKind.TIMEOUT}
)
"""Refusals that pass."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A template as it is now, and whose it is; without a plan while it has faults."""

    tenant: str
    name: str
    plan: Plan | None


class ScheduledTemplates(Protocol):
    """Knows the templates of every tenant."""

    async def in_force(self) -> Sequence[InForce]:
        """At least every template, as it is now, that states a schedule or a retention.

        Those in files belong to the local user's tenant.
        """
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule and its next time."""

    template: str
    schedule: Schedule
    next_at: datetime
    waiting: int
    """So many times have come whose runs have yet to begin."""
    last: str
    """The alias of the run that began last."""


class Schedules(Works):
    """Rings for every template in force that has a schedule.

    A scheduled run is the local owner's, in the tenant that the template belongs to.
    """

    duties = frozenset({Duty.ALL, Duty.SCHEDULE})

    def __init__(
        self,
        *,
        templates: ScheduledTemplates,
        records: ScheduleRecords,
        journeys: Journeys,
        journal: Journal,
        leadership: Leadership,
        dispatch: Dispatch,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._leadership = leadership
        self._templates = templates
        self._records = records
        self._journeys = journeys
        self._journal = journal
        self._dispatch = dispatch
        self._clock = clock
        self._beat = timedelta(seconds=settings.journey_beat_seconds)
        self._looking = asyncio.Lock()
        self._looks = 0
        self._open = False

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Ring inside the block; times that came before are made up for as their schedules say."""
        self._open = True
        self._dispatch.handle(QUEUE, self._rung)
        self.look_soon()
        try:
            yield
        finally:
            self._open = False
            async with self._looking:
                pass

    def look_soon(self) -> None:
        """Look at all schedules now: a template was changed."""
        self._dispatch.wake(QUEUE, "")

    async def planned(self, tenant: str) -> list[Planned]:
        """The schedules of a tenant, the next to ring first."""
        kept = {(r.tenant, r.template): r for r in await self._records.all()}
        now, found = self._clock.now(), []
        for template in await self._templates.in_force():
            schedule = template.plan.schedule if template.plan is not None else None
            if schedule is not None and template.tenant == tenant:
                ringing = kept.get((tenant, template.name)) or _anew(template, schedule, now)
                if ringing.times != times_of(schedule):
                    ringing = _anew(template, schedule, now)
                waiting, last = len(ringing.waiting), ringing.last
                found.append(Planned(template.name, schedule, ringing.next_at, waiting, last))
        return sorted(found, key=lambda one: one.next_at)

    async def _rung(self, key: str) -> None:
        """Answer a ring; one that was ordered before the last look is out of date."""
        if key not in {"", str(self._looks)}:
            return
        async with self._looking:
            if not self._open:
                return
            self._looks += 1
            try:
                leads = await self._leadership.leads()
                soonest = await self._look() if leads else self._clock.now() + _AGAIN
            except PlatformError as error:
                logger.error("schedules could not be looked at: {}", error.detail)
                soonest = self._clock.now() + _AGAIN
            at = max(soonest, self._clock.now() + _SHORTEST)
            self._dispatch.wake(QUEUE, str(self._looks), at=at)

    async def _look(self) -> datetime:
        """See to each schedule; when to look again."""
        kept = {(r.tenant, r.template): r for r in await self._records.all()}
        soonest = self._clock.now() + self._beat
        for template in await self._templates.in_force():
            known = kept.pop((template.tenant, template.name), None)
            if template.plan is None:
                continue  # as soon as it is mended it goes on from where it was
            if template.plan.schedule is None:
                if known is not None:
                    kept[template.tenant, template.name] = known
                continue
            soonest = min(soonest, await self._seen_to(template, template.plan.schedule, known))
        await self._records.forget(list(kept))
        return soonest

    async def _seen_to(
        self, template: InForce, schedule: Schedule, known: Ringing | None
    ) -> datetime:
        """Let one schedule ring if it is time; when to look at it again. It spoils no other."""
        now = self._clock.now()
        try:
            ringing = await self._come(template, schedule, known, now)
            if ringing.waiting:
                ringing = await self._begun(schedule, ringing)
        except PlatformError as error:
            logger.error("the schedule of {} cannot be kept: {}", template.name, error.detail)
            return now + _AGAIN
        return min(ringing.next_at, now + _AGAIN) if ringing.waiting else ringing.next_at

    async def _come(
        self, template: InForce, schedule: Schedule, known: Ringing | None, now: datetime
    ) -> Ringing:
        """Where the schedule is at `now`: durably, before any run begins."""
        ringing = known or _anew(template, schedule, now)
        if ringing.times != times_of(schedule):
            anew = _anew(template, schedule, now)
            ringing = replace(anew, waiting=ringing.waiting, last=ringing.last)
        if ringing.next_at <= now:
            times, following = await in_thread(due, schedule, ringing.next_at, now)
            if not times:
                logger.warning("{} was not begun at {}: too late", template.name, ringing.next_at)
            waiting = (*ringing.waiting, *times)[-MOST:]
            ringing = replace(ringing, next_at=following, waiting=waiting)
        if ringing != known:
            await self._records.keep(ringing)
        return ringing

    async def _begun(self, schedule: Schedule, ringing: Ringing) -> Ringing:
        """Begin the runs of the times that have come, as far as overlap lets them."""
        for time in ringing.waiting:
            if schedule.overlap is not Overlap.ALLOW and await self._busy(ringing):
                if schedule.overlap is Overlap.QUEUE:
                    return ringing
                logger.info("{} is skipped: the run before is not done", _alias(ringing, time))
            elif await self._begin(schedule, ringing, time):
                ringing = replace(ringing, last=_alias(ringing, time))
            else:
                return ringing
            ringing = replace(ringing, waiting=ringing.waiting[1:])
            await self._records.keep(ringing)
        return ringing

    async def _busy(self, ringing: Ringing) -> bool:
        last = await self._journal.find(ringing.tenant, ringing.last) if ringing.last else None
        return last is not None and not last.status.ended

    async def _begin(self, schedule: Schedule, ringing: Ringing, time: datetime) -> bool:
        """Begin one run, if it is not there already; False when it cannot be accepted now."""
        alias = _alias(ringing, time)
        context = CallContext(TraceIDGenerator.generate(), owner(ringing.tenant))
        try:
            with bound(context):
                await self._journeys.start(ringing.template, schedule.values, alias=alias)
        except AliasTaken:
            logger.info("{} has begun already, with another input", alias)
        except PlatformError as error:
            if error.kind in _LATER:
                logger.warning("{} has to wait: {}", alias, error.detail)
                return False
            logger.error("{} cannot begin: {}", alias, error.detail)
        return True


def owner(tenant: str) -> UserContext:
    """Whose scheduled runs are: the local owner's, in the tenant of the template."""
    return LOCAL_USER.model_copy(update={"tenant": tenant})


def _anew(template: InForce, schedule: Schedule, now: datetime) -> Ringing:
    return Ringing(template.tenant, template.name, times_of(schedule), after(schedule, now))


def _alias(ringing: Ringing, time: datetime) -> str:
    return f"{PREFIX}{ringing.template}:{time.astimezone(UTC).isoformat()}"
