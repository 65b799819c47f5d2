"""Journeys that milestones of others wait for: begun once, looked at, cancelled with them."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine import core
from realms.journey.engine.accepting import Accepting, Order, called
from realms.journey.engine.driver import Children, Driver, TemplateSource, Written, folded
from realms.journey.engine.facts import Fact, MilestoneFailed, RunStopping
from realms.journey.engine.failpoints import reach
from realms.journey.engine.hands import Hand
from realms.journey.engine.journal import Journal, StaleWriter
from realms.journey.engine.plan import SubJourney
from realms.journey.engine.runner import Beginner, Runner
from realms.journey.engine.state import NodeState, RunState
from utilities.clock import Clock
from utilities.errors import ErrorKind


class SubJourneys(Children, Beginner):
    """Begins child runs under an id that follows from their parent's, so that none is doubled."""

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        accepting: Accepting,
        driver: Driver,
        runner: Runner,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._templates = templates
        self._accepting = accepting
        self._driver = driver
        self._clock = clock
        driver.children = self
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
        state = hand.run.active.get(move.path)
        if stored is None or state is None or state.child != move.child:
            return ()
        child = folded(stored)
        if child.ended is None:
            return ()
        reach("child_seen", move.path)
        node = hand.plan.nodes[state.node]
        now = self._clock.now()
        if child.ended is RunStatus.SUCCEEDED:
            output = _output(child)
            return [core.completed(hand.plan, hand.run, node, move.path, output, now)]
        error = child.error or _not_done(child)
        return [MilestoneFailed(at=now, path=move.path, reason=Reason.JOURNEY, error=error)]

    async def stop(self, child: str, reason: Reason) -> None:
        reach("child_stops")
        async with self._driver.holding(child) as hand:
            if hand.run.ended is None and hand.run.stopping is None:
                now = self._clock.now()
                await self._driver.take(hand, [RunStopping(at=now, reason=reason)])


def _child_id(run: RunState, state: NodeState) -> str:
    """Sorts beside its parent, and is the same at every attempt."""
    key = core.idempotency_key(run, state).encode()
    return f"{run.run_id[:26]}-{hashlib.blake2b(key, digest_size=10).hexdigest()}"


def _output(child: RunState) -> Any:
    """What the journey gives: its `output`, else the results of its milestones by their ids."""
    return dict(child.results) if child.output is None else child.output


def _not_done(child: RunState) -> Failure:
    return Failure(
        kind=ErrorKind.CONFLICT,
        code=f"journey_{child.status}",
        title="The journey that was waited for did not succeed.",
        detail=f"{child.run_id} is {child.status}",
    )
