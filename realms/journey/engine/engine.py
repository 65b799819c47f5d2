"""The journey engine as others use it: start a run, wait for it, look at it, supply a result."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from foundations.public_works.events import Events
from realms.journey.api import JourneyRun, Journeys, Reason, RunStatus, UnknownRun
from realms.journey.engine import core, views
from realms.journey.engine.driver import Driver, Held, TemplateSource, Written, folded
from realms.journey.engine.facts import CorruptFact, ResultSupplied, RunStarted, encode
from realms.journey.engine.failpoints import reach
from realms.journey.engine.inputs import checked_result, checked_values
from realms.journey.engine.journal import AliasTaken, Journal, RunRow
from realms.journey.engine.plan import Plan
from realms.journey.engine.state import CorruptJournal, apply
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import Ids
from utilities.suggest import did_you_mean


class Closing(PlatformError):
    """The city is closing and takes no more work."""

    kind = ErrorKind.UNAVAILABLE


class UnknownMilestone(PlatformError):
    """The journey has no such milestone."""

    kind = ErrorKind.NOT_FOUND


class NotOpenForResult(PlatformError):
    """The milestone takes no result from outside."""

    kind = ErrorKind.CONFLICT


class JourneyEngine(Journeys):
    """Accepts runs and tells of them; the driver moves them."""

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        driver: Driver,
        events: Events,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._journal = journal
        self._templates = templates
        self._driver = driver
        self._events = events
        self._clock = clock
        self._ids = ids
        self._pinned: set[str] = set()

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
            Closing: the city is closing.
            InvalidInput: the values do not fit the template's input.
            AliasTaken: the alias belongs to a run of something else.
        """
        if not self._driver.open:
            raise Closing("no run is accepted any more", hint="try again in a moment")
        written = await self._templates.current(template)
        accepted = checked_values(written.plan, values)
        await self._pin(written)
        context = current()
        for name in _names(alias, rerun=rerun):
            if name and (row := await self._journal.find(context.tenant, name)):
                if rerun:
                    continue
                return await self._same(row, template, accepted)
            fact = RunStarted(
                at=self._clock.now(),
                template=template,
                template_hash=written.plan.text_hash,
                values=accepted,
                trace_id=trace_id or context.trace_id,
                tenant=context.tenant,
                principal=context.user.principal,
                roles=context.user.roles,
                alias=name,
            )
            try:
                return await self._driver.finish(self._accept(written.plan, fact))
            except AliasTaken:
                if not rerun:
                    return await self._same(await self._row(name), template, accepted)
        raise AssertionError("there is always a next number")

    async def wait(self, run_id: str, *, seconds: float) -> JourneyRun:
        known = await self.get(run_id)
        async with self._events.subscribe(f"journey.{known.run_id}") as events:
            run = await self.get(known.run_id)
            if run.settled:
                return run
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for event in events:
                        if event["settled"]:
                            break
        return await self.get(run.run_id)

    async def get(self, run_id: str) -> JourneyRun:
        row = await self._row(run_id)
        stored = await self._journal.load(row.run_id)
        assert stored is not None
        try:
            run = folded(stored)
        except (CorruptFact, CorruptJournal):
            return views.unreadable(stored.row)
        try:
            plan = await self._driver.plan(run)
        except PlatformError:
            plan = None
        return views.full(stored.row, run, plan)

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
        with self._driver.claim(run_id) as free:
            if not free:
                raise NotOpenForResult(f"{milestone_id} is being worked on at this moment")
            await self._driver.take(await self._supplied(run_id, milestone_id, result))

    async def _accept(self, plan: Plan, fact: RunStarted) -> JourneyRun:
        run = apply(None, fact, run_id=self._ids.new())
        begun = core.step(plan, run, fact.at)
        row = RunRow.of(begun.run)
        facts = (fact, *begun.facts)
        await self._journal.create(row, tuple(map(encode, facts)), epoch=self._driver.epoch)
        reach("accepted")
        await self._driver.take(Held(plan, begun.run, replace(begun, facts=())))
        return views.full(row, begun.run, plan)

    async def _same(self, row: RunRow, template: str, values: Mapping[str, Any]) -> JourneyRun:
        """The run that has the alias already, if it was asked for in the same words."""
        run = await self.get(row.run_id)
        readable = run.reason is not Reason.CORRUPT_STATE
        if run.template != template or (readable and run.input != dict(values)):
            raise AliasTaken(
                f'"{row.alias}" is a run of {run.template} with another input',
                hint="choose another alias, or ask with rerun",
            )
        return run

    async def _pin(self, written: Written) -> None:
        plan = written.plan
        if plan.text_hash not in self._pinned:
            await self._journal.pin_text(
                plan.text_hash, written.text, name=plan.name, version=plan.version
            )
            self._pinned.add(plan.text_hash)

    async def _supplied(self, run_id: str, path: str, result: Mapping[str, Any]) -> Held:
        stored = await self._journal.load(run_id)
        assert stored is not None
        run = folded(stored)
        plan = await self._driver.plan(run)
        if path not in plan.nodes:
            near = did_you_mean(path, plan.nodes)
            raise UnknownMilestone(f'{plan.name} has no milestone "{path}"', hint=near)
        status = run.node(path).status
        if status not in {RunStatus.WAITING, RunStatus.FAILED}:
            raise NotOpenForResult(
                f"{path} is {status}; a result is taken while it waits or after it has failed"
            )
        fact = ResultSupplied(
            at=self._clock.now(),
            path=path,
            output=checked_result(plan.nodes[path], result),
            principal=current().user.principal,
        )
        return Held(plan, run, core.step(plan, run, fact.at, first=(fact,)))

    async def _row(self, id_or_alias: str) -> RunRow:
        row = await self._journal.find(current().tenant, id_or_alias)
        if row is None:
            raise UnknownRun(
                f'no run is called "{id_or_alias}"', hint="GET /api/journey/runs lists"
            )
        return row


def _names(alias: str, *, rerun: bool) -> Iterator[str]:
    """The aliases to try: the plain one, and for a rerun the next free number."""
    yield alias
    number = 2
    while rerun and alias:
        yield f"{alias}_{number}"
        number += 1
