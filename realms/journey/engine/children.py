"""Journeys that milestones of others wait for: begun once, looked at, cancelled with them."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine import core
from realms.journey.engine.accepting import Accepting, Order
from realms.journey.engine.codec import CorruptFact
from realms.journey.engine.facts import (
    Fact,
    IterationEnded,
    MilestoneFailed,
    MilestoneSucceeded,
    RunStopping,
)
from realms.journey.engine.failpoints import reach
from realms.journey.engine.hands import Hand
from realms.journey.engine.journal import Journal, StaleWriter
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import Children, TemplateSource, Written
from realms.journey.engine.reading import folded
from realms.journey.engine.requesting import Requesting
from realms.journey.engine.runner import Beginner, Runner
from realms.journey.engine.sharing import SharedDriver
from realms.journey.engine.state import CorruptJournal, NodeState, RunState
from realms.journey.plans.handing_down import called
from realms.journey.plans.plan import SubJourney
from utilities.clock import Clock
from utilities.errors import ErrorKind

_MOMENT = timedelta(seconds=1)
_FEW = 4
"""So many runs are remembered as they were a moment ago."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A run as the journal had it at a time."""

    at: datetime
    run: RunState


class SubJourneys(Children, Beginner):
    """Begins child runs under an id that follows from their parent's, so that none is doubled."""

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        accepting: Accepting,
        driver: SharedDriver,
        runner: Runner,
        payloads: Payloads,
        requesting: Requesting,
        clock: Clock,
    ) -> None:
        self._requesting = requesting
        self._journal = journal
        self._templates = templates
        self._accepting = accepting
        self._driver = driver
        self._payloads = payloads
        self._clock = clock
        self._parents: dict[str, _Seen] = {}
        driver.children = self
        driver.requesting = requesting
        runner.beginner = self

    async def begin(self, hand: Hand, state: NodeState, values: Mapping[str, Any]) -> str:
        run = hand.run
        work = hand.plan.nodes[state.node].work
        assert isinstance(work, SubJourney)
        text = await self._journal.pinned_text(run.pins[called(work)])
        written = Written(await self._templates.compiled(text), text)
        order = Order(
            run_id=_child_id(run, state),
            values=values,
            user=hand.user,
            trace_id=run.start.trace_id,
            parent=run.run_id,
            parent_path=state.path,
            pins=run.pins,
        )
        if order.run_id not in await self._journal.load([order.run_id]):
            reach("child_begins", state.path)
            with suppress(StaleWriter):  # another attempt began it at the same moment
                await self._accepting.accept(written, order)
        reach("child_begun", state.path)
        return order.run_id

    async def see_to(self, hand: Hand, move: core.SeeToChild) -> Sequence[Fact]:
        state = hand.run.active.get(move.path)
        if state is None or state.reason is not Reason.JOURNEY or state.child != move.child:
            return ()
        stored = (await self._journal.load([move.child])).get(move.child)
        try:
            child = None if stored is None else folded(stored)
        except (CorruptFact, CorruptJournal):
            child = None
        if child is None:
            at = self._clock.now()
            return [
                MilestoneFailed(at=at, path=move.path, reason=Reason.JOURNEY, error=_lost(move))
            ]
        if child.ended is None:
            return ()
        output, spilled = await self._given(child, hand.run, state)
        state = hand.run.active.get(move.path)
        if state is None or state.child != move.child:
            return ()
        reach("child_seen", move.path)
        node = hand.plan.nodes[state.node]
        now = self._clock.now()
        if child.ended is RunStatus.SUCCEEDED:
            done = core.completed(hand.plan, hand.run, node, move.path, output, now)
            if spilled and isinstance(done, MilestoneSucceeded | IterationEnded):
                done = replace(done, spilled=spilled)
            return [done]
        error = child.error or _not_done(child)
        return [MilestoneFailed(at=now, path=move.path, reason=Reason.JOURNEY, error=error)]

    async def _given(self, child: RunState, run: RunState, state: NodeState) -> tuple[Any, str]:
        """What a child came to, and where its parent keeps that if it is large."""
        if child.ended is not RunStatus.SUCCEEDED:
            return None, ""
        await self._payloads.restore(child)
        output = _output(child)
        name = f"{state.path}-{state.generation}-{state.iteration}-child"
        return output, await self._payloads.spill(output, run_id=run.run_id, name=name)

    async def unwanted(self, run: RunState) -> Reason:
        row = await self._journal.find(run.start.tenant, run.start.parent)
        if row is None:
            return Reason.NONE
        if row.status.ended:
            return _passed_on(row.reason)
        known = self._parents.get(row.run_id)  # it is read once for its many journeys
        lately = known is not None and self._clock.now() - known.at < _MOMENT
        if known is not None and lately and not _why_unwanted(run, known.run):
            return Reason.NONE
        stored = (await self._journal.load([row.run_id])).get(row.run_id)
        try:
            parent = None if stored is None else folded(stored)
        except (CorruptFact, CorruptJournal):
            parent = None
        if parent is None:
            return Reason.NONE
        self._parents.pop(row.run_id, None)
        while len(self._parents) >= _FEW:
            del self._parents[next(iter(self._parents))]
        self._parents[row.run_id] = _Seen(self._clock.now(), parent)
        return _why_unwanted(run, parent)

    async def stop(self, child: str, reason: Reason) -> None:
        reach("child_stops")
        if not self._requesting.local:
            await self._requesting.tell(child, "stop", {"reason": reason.value})
            return
        try:
            async with self._driver.holding(child) as hand:
                if hand.run.ended is None and hand.run.stopping is None:
                    now = self._clock.now()
                    await self._driver.take(hand, [RunStopping(at=now, reason=reason)])
        except StaleWriter:
            if not self._requesting.shared:
                raise
            await self._requesting.tell(child, "stop", {"reason": reason.value})


def _child_id(run: RunState, state: NodeState) -> str:
    """Sorts beside its parent, and is the same at every attempt."""
    key = core.idempotency_key(run, state).encode()
    return f"{run.run_id[:26]}-{hashlib.blake2b(key, digest_size=10).hexdigest()}"


def _why_unwanted(child: RunState, parent: RunState) -> Reason:
    """Why a run waits no more for one that it began; empty while it does, or is about to."""
    state = parent.nodes.get(child.start.parent_path)
    if state is not None and state.ended_at is None and _child_id(parent, state) == child.run_id:
        return Reason.NONE
    return _passed_on(Reason.NONE if state is None else state.reason)


def _passed_on(reason: Reason) -> Reason:
    """The reason that those below are told of what came over those above."""
    return reason if reason in {Reason.TIMEOUT, Reason.RACE_LOST} else Reason.OPERATOR


def _output(child: RunState) -> Any:
    """What the journey gives: its `output`, else the results of its milestones by their ids."""
    return dict(child.results) if child.output is None else child.output


def _lost(move: core.SeeToChild) -> Failure:
    return Failure(
        kind=ErrorKind.INTERNAL,
        code="journey_lost",
        title="What the journey that was waited for came to is not known.",
        detail=f"{move.child} was removed, or its journal cannot be read",
        hint="rerun the milestone, to begin another",
    )


def _not_done(child: RunState) -> Failure:
    return Failure(
        kind=ErrorKind.CONFLICT,
        code=f"journey_{child.status}",
        title="The journey that was waited for did not succeed.",
        detail=f"{child.run_id} is {child.status}",
    )
