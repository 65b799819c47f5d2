"""Plays one test: starts the run, lets time pass, sends and answers what the test says."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from foundations.curator.registry import Registry
from realms.journey.api import Failure
from realms.journey.control import questions, reopening, verbs
from realms.journey.control.questions import OpenQuestion
from realms.journey.control.verbs import By
from realms.journey.engine.core import failure_of
from realms.journey.engine.facts import AnswerGiven, AnswerRefused, Fact, GenerationBegan
from realms.journey.engine.hands import Hand
from realms.journey.engine.ports import Written
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan
from realms.journey.testing.city import Moment, VirtualCity
from realms.journey.testing.language import Case, PersonsAnswer, SentSignal
from realms.journey.testing.mocks import Given, Mock
from realms.journey.testing.virtual_time import BEGAN, NeverQuiet, NothingMoves, VirtualTimeLoop
from utilities.errors import PlatformError

MOST_STEPS = 20_000
"""So often may time move on in one test."""
LONGEST = 10.0
"""So many seconds of real time may one run of a test take."""


@dataclass(frozen=True, slots=True)
class PlayedRun:
    """One run of a virtual city: the journey's own, or one below it."""

    run: RunState
    plan: Plan
    entries: Sequence[Sequence[Fact]]
    raw: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a test."""

    runs: Sequence[PlayedRun] = ()
    given: Given
    now: datetime
    moments: Sequence[Moment] = ()
    crash: Moment | None = None
    """Where the process was to die."""
    crashed: bool = False
    ambiguous: bool = False
    refused: Failure | None = None
    problems: Sequence[str] = ()

    @property
    def main(self) -> PlayedRun | None:
        return self.runs[0] if self.runs else None

    @property
    def duration(self) -> timedelta:
        run = self.main.run if self.main else None
        ended = run.updated_at if run is not None and run.ended is not None else None
        return (ended or self.now) - BEGAN


def play(
    journeys: Sequence[Written],
    case: Case,
    *,
    registry: Registry,
    mocks: Mapping[str, Sequence[Mock]],
    crash: Moment | None = None,
) -> Played:
    """Play a test of the first of `journeys`; it takes no time, and blocks."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        city = VirtualCity(registry, journeys, loop)
        city.services.mocks = mocks
        city.crashes.at = crash
        try:
            return runner.run(_Play(city, case).played())
        except (NeverQuiet, NothingMoves) as error:
            return Played(
                given=Given(), now=BEGAN, crash=crash, crashed=True, problems=[error.detail]
            )


@dataclass(slots=True)
class _Play:
    """One test while it is played."""

    city: VirtualCity
    case: Case
    signals: list[SentSignal] = field(default_factory=list)
    """Those that were not sent yet."""
    answers: list[PersonsAnswer] = field(default_factory=list)
    asked: dict[str, float] = field(default_factory=dict)
    """When each question was seen first."""
    timers: set[float] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    refused: Failure | None = None

    async def played(self) -> Played:
        self.signals = [
            _with_id(sent, number) for number, sent in enumerate(self.case.signals, start=1)
        ]
        self.answers = list(self.case.answers)
        async with self.city:
            await self._begin()
            if self.refused is None:
                await self._go_on()
            return self._outcome()

    async def _begin(self) -> None:
        try:
            await self._done(self.city.start(self.city.journeys[0], dict(self.case.input)))
        except PlatformError as error:
            self.refused = failure_of(error)

    async def _go_on(self) -> None:
        until = None if self.case.until is None else self.case.until.total_seconds()
        if until is not None:
            self._timer(until)
        began = time.monotonic()
        for step in range(MOST_STEPS):
            if time.monotonic() - began > LONGEST:
                self.problems.append(f"it came to no end in {LONGEST:g} s, after {step:,} steps")
                return
            await self.city.loop.quiet()
            if self.city.crashes.crashed and not self.city.driver.open:
                await self.city.reboot()
            elif not await self._stimulated():
                if self._over(until):
                    return
                await self.city.loop.next_time()
        self.problems.append(f"it came to no end after {MOST_STEPS:,} steps")

    def _over(self, until: float | None) -> bool:
        (run, _), *_ = self.city.runs()
        if run.ended is not None or (until is not None and self.city.loop.time() >= until):
            return True
        waits_for_a_time = any(when > self.city.loop.time() for when in self.timers)
        return until is None and not waits_for_a_time and self.city.at_rest()

    # what people and others do

    async def _stimulated(self) -> bool:
        """Do one thing that is due, if anything is."""
        now = self.city.loop.time()
        for sent in self.signals:
            due = sent.after.total_seconds() if sent.after else 0.0
            if due <= now:
                return await self._send(sent)
            self._timer(due)
        seen: set[str] = set()
        for answer in self.answers:
            if answer.milestone in seen:
                continue
            seen.add(answer.milestone)
            asked = next(self._questions(answer.milestone), None)
            if asked is None:
                continue
            began = self.asked.setdefault(asked[1].wait_id, now)
            due = began + (answer.after.total_seconds() if answer.after else 0.0)
            if due <= now:
                return await self._answer(answer, *asked)
            self._timer(due)
        return False

    async def _send(self, sent: SentSignal) -> bool:
        found = (
            run.run_id
            for run, plan in self.city.runs()
            if any(getattr(n.work, "signal", "") == sent.signal for n in plan.nodes.values())
        )
        run_id = next(found, None)
        if run_id is None:
            return False  # the journey below that waits for it has not begun

        def verb(hand: Hand, by: By) -> Sequence[Fact]:
            return verbs.signal(
                hand.plan, hand.run, by, name=sent.signal, signal_id=sent.id, data=sent.data
            )

        if await self._by_hand(run_id, By("somebody", self.city.clock.now()), verb, sent.signal):
            self.signals.remove(sent)
        return True

    async def _answer(self, answer: PersonsAnswer, run: RunState, asked: OpenQuestion) -> bool:
        roles = (asked.role,) if answer.roles is None and asked.role else answer.roles or ()
        by = By(answer.by or "somebody", self.city.clock.now(), tuple(roles))

        def verb(hand: Hand, by: By) -> Sequence[Fact]:
            at = asked.wait_id
            if answer.push_back:
                return reopening.push_back(hand.plan, hand.run, by, wait_id=at, note="")
            return questions.answer(hand.plan, hand.run, by, wait_id=at, given=dict(answer.answer))

        before = self._heard(run.run_id)
        done = await self._by_hand(run.run_id, by, verb, answer.milestone)
        if done or self._heard(run.run_id) > before:
            self.answers.remove(answer)
        return True

    def _heard(self, run_id: str) -> int:
        kinds = (AnswerGiven, AnswerRefused, GenerationBegan)
        return sum(isinstance(f, kinds) for facts in self.city.journal.facts(run_id) for f in facts)

    def _questions(self, milestone: str) -> Iterator[tuple[RunState, OpenQuestion]]:
        for run, plan in self.city.runs():
            for asked in questions.open_questions(plan, run):
                if asked.state.node == milestone:
                    yield run, asked

    async def _by_hand(
        self,
        run_id: str,
        by: By,
        verb: Callable[[Hand, By], Sequence[Fact]],
        about: str,
    ) -> bool:
        """Do something to a run; False when the process died meanwhile."""

        async def work() -> None:
            async with self.city.driver.holding(run_id) as hand:
                await self.city.driver.take(hand, verb(hand, by))

        try:
            return await self._done(work())
        except PlatformError as error:
            self.problems.append(f"{about}: {error.detail}")
            return True

    async def _done(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Do it, and let everything follow; False when the process died meanwhile."""
        task = self.city.loop.create_task(work)
        await self.city.loop.quiet()
        if not task.done() or task.cancelled():
            task.cancel()
            await asyncio.wait([task])
            return False
        task.result()
        return True

    def _timer(self, at: float) -> None:
        """Have time stop there."""
        if at not in self.timers:
            self.timers.add(at)
            self.city.loop.call_at(at, lambda: None)

    # the outcome

    def _outcome(self) -> Played:
        city, crashes = self.city, self.city.crashes
        runs = [self._played_run(run, plan) for run, plan in city.runs()]
        waiting = [a.milestone for a in self.answers]
        if waiting and not city.ambiguous:
            self.problems.append(f"nobody was asked to answer {', '.join(waiting)}")
        return Played(
            runs=runs,
            given=city.services.given,
            now=city.clock.now(),
            moments=tuple(crashes.seen),
            crash=crashes.at,
            crashed=crashes.crashed,
            ambiguous=city.ambiguous,
            refused=self.refused,
            problems=[*self.problems, *city.services.given.problems],
        )

    def _played_run(self, run: RunState, plan: Plan) -> PlayedRun:
        journal = self.city.journal
        return PlayedRun(run, plan, journal.facts(run.run_id), journal.raw(run.run_id))


def _with_id(sent: SentSignal, number: int) -> SentSignal:
    """A signal with an id, by which it is known when it is sent again."""
    return sent if sent.id else sent.model_copy(update={"id": f"signal-{number}"})
