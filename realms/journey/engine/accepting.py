"""How a run is accepted: its text pinned, its input checked, its lane looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realms.journey.engine.driver import Driver
from realms.journey.engine.facts import Fact, RunStarted
from realms.journey.engine.failpoints import reach
from realms.journey.engine.hands import Hand
from realms.journey.engine.inputs import checked_values
from realms.journey.engine.journal import Journal
from realms.journey.engine.lanes import Lanes
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import TemplateSource, Written
from realms.journey.plans.handing_down import begun_by, called, unmet
from realms.journey.plans.plan import Plan
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, FieldError, PlatformError


class TooManyRuns(PlatformError):
    """So many runs are on the move that no other is accepted at the moment."""

    kind = ErrorKind.TOO_MANY


class TooDeep(PlatformError):
    """Journeys that begin journeys that begin journeys: too many levels, or no end."""

    kind = ErrorKind.INVALID


@dataclass(slots=True)
class Order:
    """A run that somebody wants."""

    run_id: str
    values: Mapping[str, Any]
    user: UserContext
    trace_id: str
    alias: str = ""
    parent: str = ""
    parent_path: str = ""
    forked_from: str = ""
    pins: Mapping[str, str] | None = None
    """Texts of the journeys below, as they were pinned before; else as they are now."""


@dataclass(slots=True)
class _Met:
    """A journey that another begins, and how deep below the outermost it was met."""

    written: Written
    depth: int = 0


_DEEPEST = 8


class UnfitJourney(PlatformError):
    """A journey within is not given what it takes."""

    kind = ErrorKind.INVALID


class Accepting:
    """Makes the first facts of runs, and hands them to the driver."""

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        driver: Driver,
        lanes: Lanes,
        payloads: Payloads,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._templates = templates
        self._driver = driver
        self._lanes = lanes
        self._payloads = payloads
        self._clock = clock
        self._pinned: dict[str, Mapping[str, str]] = {}

    async def accept(self, written: Written, order: Order, *, more: tuple[Fact, ...] = ()) -> Hand:
        """Accept a run; it is durable when this returns. `more` are facts right after the start.

        Raises:
            InvalidInput: the values do not fit the template's input.
            AliasTaken, StaleWriter: it is there already.
            LaneFull: its lane is, and the template says to reject.
        """
        plan = written.plan
        values = checked_values(plan, order.values)
        reach("accept_checked")
        pins = self._pinned.get(plan.text_hash) if order.pins is None else order.pins
        if pins is None:
            with bound(CallContext(order.trace_id, order.user)):  # a child's has none of its own
                pins = await self._pin(written)
            reach("accept_pinned")
        now = self._clock.now()
        spilled = ""
        if not self._payloads.fits(values):
            spilled = await self._payloads.spill(values, run_id=order.run_id, name="input")
        start = RunStarted(
            now,
            plan.name,
            plan.text_hash,
            values,
            order.trace_id,
            order.user.tenant,
            order.user.principal,
            order.user.roles,
            order.alias,
            order.parent,
            order.parent_path,
            order.forked_from,
            "",
            pins,
            now + plan.timeout,
            spilled,
        )
        if plan.concurrency is None and plan.rate_limit is None:
            return await self._driver.accept(
                plan, (start, *more), run_id=order.run_id, user=order.user
            )
        async with self._lanes.entered(plan, start) as (start_in_lane, queued):
            facts: tuple[Fact, ...] = (start_in_lane, *more)
            if queued is not None:
                facts = (*facts, queued)
            return await self._driver.accept(plan, facts, run_id=order.run_id)

    async def pinned(self, written: Written) -> Mapping[str, str]:
        """Keep a text and those of the journeys below it: their hashes by name and version."""
        return self._pinned.get(written.plan.text_hash) or await self._pin(written)

    async def _pin(self, written: Written) -> Mapping[str, str]:
        below: dict[str, _Met] = {}
        await self._pin_below(written, below, 0)
        _check_handed_down(written.plan, {name: met.written.plan for name, met in below.items()})
        pins = {name: found.written.plan.text_hash for name, found in below.items()}
        if not pins:  # what is below may change while this text stays
            self._pinned[written.plan.text_hash] = pins
        return pins

    async def _pin_below(self, written: Written, below: dict[str, _Met], depth: int) -> None:
        """Look again below what is met deeper than before, so that a circle gets too deep."""
        plan = written.plan
        if depth > _DEEPEST:
            raise TooDeep(
                f"{plan.name} stands more than {_DEEPEST} journeys deep",
                hint="let no journey begin itself, directly or by others",
            )
        version = "" if written.apart else plan.version
        await self._journal.pin_text(plan.text_hash, written.text, name=plan.name, version=version)
        for work in begun_by(plan):
            name = called(work)
            found = below.get(name)
            if found is None:
                found = _Met(await self._templates.current(work.template, work.version))
                below[name] = found
            if depth + 1 > found.depth:
                found.depth = depth + 1
                await self._pin_below(found.written, below, depth + 1)


def _check_handed_down(plan: Plan, below: Mapping[str, Plan]) -> None:
    """Refuse a run that would come to a journey which it cannot begin, before anything is done.

    Raises:
        UnfitJourney: with everything of the kind, at whatever depth.
    """
    faults = [
        FieldError(
            f"/{one.name}/{found.milestone_id}/with/{found.parameter}",
            f"{found.problem}. {found.suggestion}" if found.suggestion else found.problem,
        )
        for one in (plan, *below.values())
        for found in unmet(one, below)
    ]
    if faults:
        raise UnfitJourney(
            f"{plan.name} hands down what journeys within do not take",
            hint="mend the template, or the journey that it begins",
            errors=faults,
        )
