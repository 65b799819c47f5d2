"""Makes the attempts of runs, one after the other as long as each leads to the next.

Nothing is called before its attempt is durable, and nothing follows before its checkpoint is.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from foundations.public_works.database import Writes
from realms.journey.engine import core
from realms.journey.engine.facts import AttemptAlone, AttemptReleased
from realms.journey.engine.failpoints import reach
from realms.journey.engine.folding import apply
from realms.journey.engine.gate import Gate
from realms.journey.engine.hands import Hand
from realms.journey.engine.journal import Memo, WritesRefused
from realms.journey.engine.runner import CutBeforeCall, Made, Runner, StepBook
from realms.journey.engine.tasks import Tasks
from utilities.clock import Clock


class Driving(StepBook, Protocol):
    """What attempts need of whoever drives their runs."""

    open: bool

    async def make_durable(
        self,
        hand: Hand,
        step: core.Step,
        *,
        along: tuple[Writes, ...] = (),
        memos: tuple[Memo, ...] = (),
    ) -> None:
        """Write the facts of a step, after those of all steps before it, and tell of them."""
        ...

    def act(self, hand: Hand, moves: Sequence[core.Move]) -> None:
        """Do what is to be done once a step is durable."""
        ...

    def rest(self, hand: Hand) -> None:
        """Forget a run that does not move."""
        ...

    def fell(self, hand: Hand) -> None:
        """The engine itself failed over a run."""
        ...

    async def spoilt_by(self, error: WritesRefused, hand: Hand, attempt: core.Perform) -> None:
        """What an attempt wrote was refused."""
        ...


class Attempts:
    """Makes attempts, as many at once as the gate lets in."""

    def __init__(
        self, *, runner: Runner, gate: Gate, tasks: Tasks, clock: Clock, driver: Driving
    ) -> None:
        self._runner = runner
        self._gate = gate
        self._tasks = tasks
        self._clock = clock
        self._driver = driver

    def begin(self, hand: Hand, attempt: core.Perform) -> None:
        """Make an attempt that is durable, and those that follow from it."""
        hand.tasks[attempt.path] = self._tasks.own(self._in_a_row(hand, attempt))

    def leave(self, hand: Hand, attempt: core.Perform) -> None:
        """Make it not; whoever drives the run next will."""
        self._tasks.own(self._release(hand, attempt, called=False))

    async def _in_a_row(self, hand: Hand, attempt: core.Perform) -> None:
        """Make attempts of one run one after the other, as long as each leads to the next."""
        driver, task = self._driver, hand.tasks[attempt.path]
        following: core.Perform | None = attempt
        known = True
        try:
            while following is not None:
                attempt = following
                made = await self._made(hand, attempt)
                if hand.lost or not core.wanted(hand.run, attempt):
                    return
                known = False
                step = core.step(hand.plan, hand.run, made.facts[0].at, first=made.facts)
                known = True
                reach("decided", attempt.path)
                await driver.make_durable(hand, step, along=made.along, memos=made.memos)
                reach("after", attempt.path)
                _done_with(hand, attempt.path, task)
                following = self._followed(hand, step.moves, task) if step.moves else None
        except WritesRefused as error:
            await driver.spoilt_by(error, hand, attempt)
        finally:
            _done_with(hand, attempt.path, task)
            if not known:
                driver.fell(hand)
            driver.rest(hand)

    def _followed(
        self, hand: Hand, moves: Sequence[core.Move], task: "asyncio.Task[Any]"
    ) -> core.Perform | None:
        """Act on moves; an attempt that comes first is answered, for the caller to make."""
        first = moves[0]
        if not self._driver.open or hand.lost or not isinstance(first, core.Perform):
            self._driver.act(hand, moves)
            return None
        if len(moves) > 1:
            self._driver.act(hand, moves[1:])
        hand.tasks[first.path] = task
        return first

    async def _made(self, hand: Hand, attempt: core.Perform) -> Made:
        """What an attempt came to."""
        if attempt.alone or not self._gate.enter_at_once():
            node = hand.plan.nodes[hand.run.nodes[attempt.path].node]
            priority = node.priority or hand.plan.priority
            try:
                await self._gate.enter(priority=priority, alone=attempt.alone)
            except asyncio.CancelledError:
                await asyncio.shield(self._tasks.own(self._release(hand, attempt, called=False)))
                raise
            if hand.lost or not core.wanted(hand.run, attempt):
                self._gate.leave()
                return _NOTHING
        try:
            if attempt.alone:
                await self._called_alone(hand, attempt)
            reach("before", attempt.path)
            made = await self._runner.perform(hand, attempt, self._driver)
            reach("called", attempt.path)
        except asyncio.CancelledError as cut:
            called = not isinstance(cut, CutBeforeCall)
            await asyncio.shield(self._tasks.own(self._release(hand, attempt, called=called)))
            raise
        finally:
            self._gate.leave()
        return made

    async def _called_alone(self, hand: Hand, attempt: core.Perform) -> None:
        """Make durable that nothing else runs: only this attempt is to blame for a crash."""
        fact = AttemptAlone(at=self._clock.now(), path=attempt.path, attempt=attempt.attempt)
        apply(hand.run, fact)
        await self._driver.make_durable(hand, core.Step((fact,), ()))

    async def _release(self, hand: Hand, attempt: core.Perform, *, called: bool) -> None:
        """Leave an attempt to the next boot, which shall not take it for a crash."""
        if hand.lost or not core.wanted(hand.run, attempt):
            return
        fact = AttemptReleased(
            at=self._clock.now(), path=attempt.path, attempt=attempt.attempt, called=called
        )
        apply(hand.run, fact)
        reach("released", attempt.path)
        await self._driver.make_durable(hand, core.Step((fact,), ()))
        self._driver.rest(hand)


_NOTHING = Made(())


def _done_with(hand: Hand, path: str, task: "asyncio.Task[Any]") -> None:
    """`task` makes no attempt at `path` any more; another may by now."""
    if hand.tasks.get(path) is task:
        del hand.tasks[path]
