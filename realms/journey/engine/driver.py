"""Drives runs: decide, perform, commit, for every run that moves, until it ends or waits.

Nothing is called before its attempt is durable, and nothing follows before its checkpoint is. The
end of a milestone and the begin of the next are one commit.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from loguru import logger

from foundations.boot import Works
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.events import Events
from foundations.public_works.settings import Settings
from realms.journey.api import Reason
from realms.journey.engine import core, views
from realms.journey.engine.facts import (
    AttemptReleased,
    CorruptFact,
    MilestoneSucceeded,
    RunHeld,
    decode,
    encode,
)
from realms.journey.engine.failpoints import reach
from realms.journey.engine.journal import Journal, RunRow, StaleWriter, Stored
from realms.journey.engine.plan import Plan
from realms.journey.engine.runner import Runner
from realms.journey.engine.state import CorruptJournal, RunState, apply, fold
from utilities.clock import Clock
from utilities.errors import PlatformError

T = TypeVar("T")

QUEUE = "journeys"
_AT_ONCE = 100
_PAGE = 500
_COMMIT_AGAIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Written:
    """A template as it stands now: its text and what that compiles to."""

    plan: Plan
    text: str


class TemplateSource(Protocol):
    """Where templates come from."""

    async def current(self, name: str) -> Written:
        """The template as it is now."""
        ...

    async def compiled(self, text: str) -> Plan:
        """The plan of a text that a run began with."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A run in hand: `run` is what the journal has, `step` what is to be written and done next."""

    plan: Plan
    run: RunState
    step: core.Step

    @property
    def durable(self) -> "Held":
        """The same after its step was written."""
        return Held(self.plan, self.step.run, replace(self.step, facts=()))


class Driver(Works):
    """Holds the runs that are moving; a waiting one is in the journal and nowhere else."""

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        runner: Runner,
        dispatch: Dispatch,
        events: Events,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._journal = journal
        self._templates = templates
        self._runner = runner
        self._dispatch = dispatch
        self._events = events
        self._clock = clock
        self._grace = settings.drain_seconds
        self._held: dict[str, Held] = {}
        self._claimed: set[str] = set()
        self._rung: set[str] = set()
        self._moving: set[asyncio.Task[Any]] = set()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self.epoch = 0
        self.open = False

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Take over: earlier writers are fenced off, and every unfinished run goes on.

        At the end begin nothing more, let attempts in progress end, and cut those that take too
        long.
        """
        self.epoch = await self._journal.take_epoch()
        self._dispatch.handle(QUEUE, self.advance)
        self.open = True
        try:
            await self._resume()
            yield
        finally:
            self.open = False
            await self._drain()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` to its end, also when its caller is cancelled; a stop waits for it."""
        task = asyncio.ensure_future(work)
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)
        return await asyncio.shield(task)

    async def take(self, held: Held) -> None:
        """Make the facts of a step durable, and drive the run on from there."""
        await self.commit(held)
        if not self.open:
            await self._lay_down(held.durable)
            return
        self._held[held.run.run_id] = held.durable
        self._dispatch.wake(QUEUE, held.run.run_id)

    async def advance(self, run_id: str) -> None:
        """Drive a run as far as it goes by itself. Being called twice, or in vain, is harmless."""
        task = asyncio.current_task()
        assert task is not None
        with self.claim(run_id) as free:
            if not free:
                self._rung.add(run_id)  # whoever has it now will ring again
                return
            if not self.open:
                return
            self._moving.add(task)
            try:
                async with self._at_once:
                    await self._drive(run_id)
            finally:
                self._moving.discard(task)

    async def commit(self, held: Held) -> None:
        """Make the facts of a step durable, then tell of them."""
        if not held.step.facts:
            return
        row = RunRow.of(held.step.run)
        facts = tuple(map(encode, held.step.facts))
        await self._journal.append(row, facts, expected=held.run.next_seq, epoch=self.epoch)
        for fact in held.step.facts:
            if isinstance(fact, MilestoneSucceeded):
                reach(f"after:{fact.path}")
        for fact in held.step.facts:
            self._events.publish(f"journey.{row.run_id}", views.event(held.step.run, fact))

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Whether the run is free for the length of the block; then nobody else touches it."""
        if run_id in self._claimed:
            yield False
            return
        self._claimed.add(run_id)
        try:
            yield True
        finally:
            self._claimed.discard(run_id)
            if run_id in self._rung:
                self._rung.discard(run_id)
                self._dispatch.wake(QUEUE, run_id)

    async def plan(self, run: RunState) -> Plan:
        """The plan of the text that a run began with."""
        text = await self._journal.pinned_text(run.start.template_hash)
        return await self._templates.compiled(text)

    async def _drain(self) -> None:
        if self._moving:
            _, late = await asyncio.wait(self._moving, timeout=self._grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for held in list(self._held.values()):
            await self._lay_down(held)

    async def _drive(self, run_id: str) -> None:
        try:
            held = self._held.pop(run_id, None) or await self._taken_over(run_id)
            while held is not None:
                await self._commit_or_keep(held)
                held = await self._next(held.durable)
        except StaleWriter as error:
            logger.warning("{} was written by somebody else: {}", run_id, error.detail)
        except PlatformError as error:
            # The store refuses (full, busy). What is to be written stays in hand.
            logger.error("{} cannot be journalled: {}", run_id, error.detail)
            self._dispatch.wake(QUEUE, run_id, at=self._clock.now() + _COMMIT_AGAIN)

    async def _commit_or_keep(self, held: Held) -> None:
        try:
            await self.commit(held)
        except StaleWriter:
            raise
        except PlatformError:
            self._held[held.run.run_id] = held
            raise

    async def _next(self, held: Held) -> Held | None:
        """Do what the step asks for; the run in hand with what is to be written after it."""
        match held.step.then:
            case core.Perform() as attempt if not self.open:
                return self._released(held, attempt, called=False)
            case core.Perform() as attempt:
                return await self._performed(held, attempt)
            case core.Sleep(until):
                self._dispatch.wake(QUEUE, held.run.run_id, at=until)
        return None

    async def _performed(self, held: Held, attempt: core.Perform) -> Held:
        reach(f"before:{attempt.path}")
        try:
            fact = await self._runner.perform(held.plan, held.run, attempt)
        except asyncio.CancelledError:
            await self.commit(self._released(held, attempt, called=True))
            raise
        reach(f"called:{attempt.path}")
        then = core.step(held.plan, held.run, self._clock.now(), first=(fact,))
        done = Held(held.plan, held.run, then)
        if isinstance(then.then, core.Perform) and not self.open:
            released = self._released(done.durable, then.then, called=False)
            together = replace(released.step, facts=(*then.facts, *released.step.facts))
            return Held(held.plan, held.run, together)
        return done

    def _released(self, held: Held, attempt: core.Perform, *, called: bool) -> Held:
        """Lay an attempt down for the next boot."""
        fact = AttemptReleased(
            at=self._clock.now(), path=attempt.path, attempt=attempt.attempt, called=called
        )
        step = core.Step((fact,), apply(held.run, fact), None)
        return Held(held.plan, held.run, step)

    async def _lay_down(self, held: Held) -> None:
        """Leave a run for the next boot, which shall not take its attempt for a crash."""
        run_id = held.run.run_id
        self._held.pop(run_id, None)
        if isinstance(held.step.then, core.Perform) and not held.step.facts:
            try:
                await self.commit(self._released(held, held.step.then, called=False))
            except PlatformError as error:
                logger.error("{} could not be laid down: {}", run_id, error.detail)

    async def _resume(self) -> None:
        """Wake every run that goes on by itself, page by page."""
        after = ""
        while rows := await self._journal.due(after=after, limit=_PAGE):
            for row in rows:
                self._dispatch.wake(QUEUE, row.run_id, at=row.wake_at)
            after = rows[-1].run_id

    async def _taken_over(self, run_id: str) -> Held | None:
        """A run from the journal, with what its last holder left undone; None when it has ended."""
        stored = await self._journal.load(run_id)
        if stored is None or stored.row.status.ended:
            return None
        now = self._clock.now()
        try:
            run = folded(stored)
        except (CorruptFact, CorruptJournal) as error:
            logger.error("the journal of {} cannot be read: {}", run_id, error.detail)
            await self._journal.condemn(run_id, at=now, epoch=self.epoch)
            self._events.publish(f"journey.{run_id}", {"kind": "run_failed", "settled": True})
            return None
        try:
            plan = await self.plan(run)
        except PlatformError as error:
            await self._hold(run, error)
            return None
        step = core.step(plan, run, now, first=core.recovered(run, now))
        return Held(plan, run, step)

    async def _hold(self, run: RunState, error: PlatformError) -> None:
        """Let a run wait whose text does not fit the city any more."""
        logger.error("{} cannot go on: {}", run.run_id, error.detail)
        if run.reason is Reason.TEMPLATE:
            return
        fact = RunHeld(at=self._clock.now(), reason=Reason.TEMPLATE, error=core.failure_of(error))
        held = apply(run, fact)
        row = RunRow.of(held)
        await self._journal.append(row, (encode(fact),), expected=run.next_seq, epoch=self.epoch)
        self._events.publish(f"journey.{run.run_id}", views.event(held, fact))


def folded(stored: Stored) -> RunState:
    """The run that a stored journal tells.

    Raises:
        CorruptFact, CorruptJournal: it cannot be read.
    """
    run = fold(stored.row.run_id, map(decode, stored.facts))
    if run.next_seq != stored.row.next_seq:
        raise CorruptJournal(f"{run.run_id} has {run.next_seq} facts, not {stored.row.next_seq}")
    return run
