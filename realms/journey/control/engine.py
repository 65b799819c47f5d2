"""The journey engine as others use it: start a run, wait for it, look at it, supply a result."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from foundations.public_works.object_store import ObjectNotFound
from foundations.public_works.settings import Settings
from realms.journey.api import JourneyRun, Journeys, Reason, UnknownRun
from realms.journey.control import reopening, views
from realms.journey.control.verbs import By
from realms.journey.control.waiting import Waiting
from realms.journey.engine.accepting import Accepting, Order, TooManyRuns
from realms.journey.engine.backlog import Backlog
from realms.journey.engine.codec import CorruptFact
from realms.journey.engine.driver import Driver
from realms.journey.engine.inputs import checked_values
from realms.journey.engine.journal import AliasTaken, Journal, RunRow, Stored
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import NotOpen, TemplateSource, Written
from realms.journey.engine.reading import folded
from realms.journey.engine.requesting import Requesting, by_its_holder
from realms.journey.engine.state import CorruptJournal
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import PlatformError
from utilities.ids import Ids

_REMEMBERED = 10_000
_MOST_NAMING = 100


class JourneyEngine(Journeys):
    """Accepts runs and tells of them; the driver moves them."""

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        accepting: Accepting,
        driver: Driver,
        payloads: Payloads,
        requesting: Requesting,
        clock: Clock,
        ids: Ids,
        settings: Settings,
        backlog: Backlog,
        waiting: Waiting,
    ) -> None:
        self._behind = backlog
        self._rests = waiting
        self._accepted: OrderedDict[str, str] = OrderedDict()
        """The runs that were accepted here last, each with its tenant."""
        self._journal = journal
        self._templates = templates
        self._accepting = accepting
        self._driver = driver
        self._payloads = payloads
        self._requesting = requesting
        self._clock = clock
        self._ids = ids
        self._backlog = settings.journey_backlog

    async def start(
        self,
        template: str,
        values: Mapping[str, Any],
        *,
        alias: str = "",
        rerun: bool = False,
        trace_id: str = "",
    ) -> JourneyRun:
        """Accept a run, as `Journeys.start` promises.

        Raises:
            NotOpen: the city is closing.
            TooManyRuns: it has all it can move.
            WorkersBehind: too many wait for a worker.
            InvalidInput: the values do not fit the template's input.
            AliasTaken: the alias belongs to a run of something else.
        """
        if not self._driver.open:
            raise NotOpen("no run is accepted any more", hint="try again in a moment")
        if self._driver.moving >= self._backlog:
            raise TooManyRuns(
                f"{self._driver.moving:,} runs are on the move", hint="try again", retry_after=1.0
            )
        await self._behind.refuse_when_full()
        name, _, version = template.partition("@")
        written = await self._templates.current(name, version)
        context = current()
        for known_as in _names(alias, rerun=rerun):
            trace = trace_id or context.trace_id
            order = Order(self._ids.new(), values, context.user, trace, known_as)
            try:
                hand = await self._accepting.accept(written, order)
            except AliasTaken:
                if not rerun:
                    return await self._same(await self._row(known_as), written, values)
            else:
                if self._requesting.shared:
                    self._remember(order.run_id, order.user.tenant)
                return views.full(hand.row, hand.run, hand.plan)
        raise AssertionError("there is always a next number")

    def _remember(self, run_id: str, tenant: str) -> None:
        """Whose run it is, so that who waits for it next need not be looked up."""
        self._accepted[run_id] = tenant
        while len(self._accepted) > _REMEMBERED:
            self._accepted.popitem(last=False)

    async def wait(self, run_id: str, *, seconds: float) -> JourneyRun:
        """The run as soon as it is settled, or as it is after `seconds`."""
        if self._requesting.shared:
            return await self._waited(run_id, seconds)
        if not self._driver.has(run_id) or self._driver.tenant(run_id) != current().tenant:
            run_id = (await self._row(run_id)).run_id
        settled = self._driver.watch(run_id)
        expiry = settled.get_loop().call_later(seconds, _expired, settled)
        try:
            if not self._driver.has(run_id) or self._driver.at_rest(run_id):
                known = await self.get(run_id)
                if known.settled:
                    return known
            hand = await settled
        except TimeoutError:
            return await self.get(run_id)
        finally:
            expiry.cancel()
            self._driver.unwatch(run_id, settled)
        if hand.run.start.tenant != current().tenant:
            return await self.get(run_id)
        return views.full(hand.row, hand.run, hand.plan)

    async def _waited(self, run_id: str, seconds: float) -> JourneyRun:
        """Wait for a run that any process may hold."""
        loop, seen = asyncio.get_running_loop(), None
        over = loop.time() + seconds
        if self._accepted.get(run_id) != current().tenant:
            run = await self.get(run_id)
            if run.settled:
                return run
            run_id = run.run_id
        while (left := over - loop.time()) > 0:
            stored = await self._rests.next_rest(run_id, seen=seen, seconds=left)
            if stored is None:
                break
            seen = stored.row.updated_at
            run = await self._shown(stored)
            if run.settled:
                return run
        return await self.get(run_id)

    async def get(self, run_id: str) -> JourneyRun:
        hand = self._driver.durable(run_id)
        if hand is not None and hand.run.start.tenant == current().tenant:
            return views.full(hand.row, hand.run, hand.plan)
        return await self._shown(await self._stored(run_id))

    async def unfinished_naming(self, word: str) -> tuple[str, ...]:
        rows = await self._journal.unfinished_naming(current().tenant, word, limit=_MOST_NAMING)
        return tuple(row.run_id for row in rows)

    async def _shown(self, stored: Stored) -> JourneyRun:
        """A run as its journal tells it."""
        if stored.row.reason is Reason.CORRUPT_STATE:
            return views.unreadable(stored.row)
        try:
            run = folded(stored)
        except (CorruptFact, CorruptJournal):
            return views.unreadable(stored.row)
        with suppress(ObjectNotFound):  # it is held, and says so
            await self._payloads.restore(run)
        try:
            plan = await self._driver.plan(run)
        except PlatformError:
            plan = None
        return views.full(stored.row, run, plan)

    @by_its_holder
    async def supply(self, run_id: str, milestone_id: str, result: Mapping[str, Any]) -> JourneyRun:
        """Give the result of a milestone that waits or has failed; the run goes on from there.

        Raises:
            UnknownRun, UnknownMilestone: there is none.
            NotOpenForResult: the milestone is done, runs, or was never reached.
            InvalidResult: the result lacks or breaks what later milestones and contracts need.
        """
        row = await self._row(run_id)
        await self._driver.finish(self._supply(row.run_id, milestone_id, result))
        return await self.get(row.run_id)

    async def _supply(self, run_id: str, milestone_id: str, result: Mapping[str, Any]) -> None:
        async with self._driver.holding(run_id) as hand:
            user = current().user
            by = By(user.principal, self._clock.now(), user.roles)
            facts = reopening.supply(hand.plan, hand.run, by, path=milestone_id, result=result)
            await self._driver.take(hand, facts)

    async def run_called(self, id_or_alias: str) -> str:
        return (await self._row(id_or_alias)).run_id

    async def _same(self, row: RunRow, written: Written, values: Mapping[str, Any]) -> JourneyRun:
        """The run that has the alias already, if it was asked for in the same words."""
        run = await self.get(row.run_id)
        readable = run.reason is not Reason.CORRUPT_STATE
        accepted = checked_values(written.plan, values)
        if run.template != written.plan.name or (readable and run.input != accepted):
            raise AliasTaken(
                f'"{row.alias}" is a run of {run.template} with another input',
                hint="choose another alias, or ask with rerun",
            )
        return run

    async def _stored(self, id_or_alias: str) -> Stored:
        """A run of the tenant as it is kept, by one look where its id is given."""
        stored = (await self._journal.load([id_or_alias])).get(id_or_alias)
        if stored is None or stored.row.tenant != current().tenant:
            row = await self._row(id_or_alias)
            stored = (await self._journal.load([row.run_id]))[row.run_id]
        return stored

    async def _row(self, id_or_alias: str) -> RunRow:
        row = await self._journal.find(current().tenant, id_or_alias)
        if row is None:
            raise UnknownRun(
                f'no run is called "{id_or_alias}"', hint="GET /api/journey/runs lists"
            )
        return row


def _expired(waiter: "asyncio.Future[Any]") -> None:
    """Wait no longer; a timer is all that takes, where `asyncio.timeout` asks for the task too."""
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _names(alias: str, *, rerun: bool) -> Iterator[str]:
    """The aliases to try: the plain one, and for a rerun the next free number."""
    yield alias
    number = 2
    while rerun and alias:
        yield f"{alias}_{number}"
        number += 1
