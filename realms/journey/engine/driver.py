"""Drives runs: decide, act, commit, for every run that moves, until it ends or waits.

Nothing is called before its attempt is durable, and nothing follows before its checkpoint is. The
end of a milestone and the begin of the next are one entry. A run that waits is in the journal and
nowhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from loguru import logger

from foundations.curator.health import Health, HealthStatus, TellsHealth
from foundations.public_works.database import Writes
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.events import Events
from foundations.public_works.settings import Settings
from realms.journey.api import Reason, UnknownRun
from realms.journey.engine import core
from realms.journey.engine.attempts import Attempts
from realms.journey.engine.codec import CorruptFact, NewerEntry, encode
from realms.journey.engine.facts import (
    AttemptFailed,
    Fact,
    RunHeld,
    RunStarted,
    RunStopping,
    StepRecorded,
)
from realms.journey.engine.failpoints import reach, reach_facts
from realms.journey.engine.folding import apply
from realms.journey.engine.gate import Gate
from realms.journey.engine.group_commit import GroupCommit
from realms.journey.engine.hands import Hand, user_of
from realms.journey.engine.journal import (
    Entry,
    Journal,
    Memo,
    RunRow,
    StaleWriter,
    Stored,
    WritesRefused,
)
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import (
    Children,
    Expecting,
    NotOpen,
    Queued,
    TemplateSource,
    Unreadable,
)
from realms.journey.engine.reading import Contradictory, PinnedPlans, Reader, Unfit, folded, waiting
from realms.journey.engine.recorded_steps import RecordedSteps
from realms.journey.engine.runner import Runner, StepBook, Steps
from realms.journey.engine.state import CorruptJournal, RunState, Stage
from realms.journey.engine.tasks import Tasks
from realms.journey.engine.telling import event
from realms.journey.plans.plan import Plan
from utilities.clock import Clock
from utilities.context import UserContext
from utilities.errors import PlatformError

T = TypeVar("T")

QUEUE = "journeys"
SOON = timedelta(minutes=1)
"""Timers further away than this are the sweeper's alone."""


# Members of enums that every milestone asks for: as names of this module they cost a quarter.
_QUEUED = Stage.QUEUED


class Driver(StepBook, TellsHealth):
    """Holds the runs that are moving."""

    def __init__(
        self,
        *,
        journal: Journal,
        templates: TemplateSource,
        runner: Runner,
        payloads: Payloads,
        dispatch: Dispatch,
        events: Events,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._journal = journal
        self._dispatch = dispatch
        self._events = events
        self._clock = clock
        self._grace = settings.drain_seconds
        self.gate = gate = Gate(settings.journey_attempts)
        self._group = GroupCommit(journal=journal, under_way=lambda: gate.under_way)
        self._hands: dict[str, Hand] = {}
        self._loading: dict[str, asyncio.Task[Hand | None]] = {}
        self._newer: set[str] = set()
        """Runs that a newer version wrote to: this process cannot read them, and never will."""
        self._waiters: dict[str, list[asyncio.Future[Hand]]] = {}
        self._tasks = Tasks()
        self._attempts = Attempts(
            runner=runner, gate=gate, tasks=self._tasks, clock=clock, driver=self
        )
        self._plans = PinnedPlans(journal=journal, templates=templates)
        self._reader = Reader(plans=self._plans, payloads=payloads)
        self._loop: asyncio.AbstractEventLoop
        self._spoilt: dict[str, AttemptFailed] = {}
        """Attempts that failed because what they write could not be written, by run."""
        self.children: Children | None = None
        self.lanes: Queued | None = None
        self.keeper: Expecting | None = None
        self.holder = 0
        self.open = False

    @asynccontextmanager
    async def driving(self, holder: int) -> AsyncIterator[None]:
        """Drive inside the block, and write as `holder`.

        At its end begin nothing more, and let attempts in progress end; cut those that take too
        long.
        """
        self.holder = holder
        self._loop = asyncio.get_running_loop()
        self._group.begin(holder)
        self._dispatch.handle(QUEUE, self.advance)
        self.open = True
        try:
            yield
        finally:
            self.open = False
            await self._drain()

    @property
    def moving(self) -> int:
        """How many runs are in memory, or being read into it."""
        return len(self._hands) + len(self._loading)

    @property
    def group(self) -> GroupCommit:
        return self._group

    @property
    def works(self) -> Collection["asyncio.Task[Any]"]:
        """The tasks that drive runs."""
        return self._tasks.all

    def hands(self) -> Iterable[Hand]:
        """The runs in memory."""
        return list(self._hands.values())

    # runs

    async def accept(
        self, plan: Plan, facts: Sequence[Fact], *, run_id: str, user: UserContext | None = None
    ) -> Hand:
        """A new run from its first facts; it is durable when this returns.

        Raises:
            AliasTaken, StaleWriter: it is there already.
            NotOpen, StorageFull, DatabaseBusy: nothing can be accepted at the moment.
        """
        if not self.open:
            raise NotOpen("no run is accepted any more", hint="try again in a moment")
        start, *others = facts
        assert isinstance(start, RunStarted)
        run = apply(None, start, run_id=run_id)
        step = core.step(plan, run, start.at, first=others)
        row = RunRow.of(run, holder=self.holder if run.performing and not run.held else 0)
        hand = Hand(plan, run, row, user or user_of(run))
        hand.users = 1
        self._hands[run_id] = hand
        self._tasks.others += 1
        reach("accept_deciding")
        try:
            await self.make_durable(hand, core.Step((start, *step.facts), step.moves))
        except PlatformError:
            self._hands.pop(run_id, None)
            raise
        finally:
            self._tasks.others -= 1
            hand.users -= 1
        reach("accepted")
        self.act(hand, step.moves)
        self.rest(hand)
        return hand

    @asynccontextmanager
    async def holding(self, run_id: str) -> AsyncIterator[Hand]:
        """A run in hand, from memory or from the journal; it stays in memory inside the block.

        Raises:
            UnknownRun: there is none.
            Unreadable: it cannot be driven by this city.
        """
        while (hand := self._hands.get(run_id)) is None:
            if await self._loaded(run_id) is None:
                raise UnknownRun(f'no run is called "{run_id}"', hint="see the list of runs")
        hand.users += 1
        try:
            yield hand
        finally:
            hand.users -= 1
            self.rest(hand)

    async def take(self, hand: Hand, facts: Sequence[Fact]) -> None:
        """Take up facts, decide what follows, make all of it durable, and act on it.

        Raises:
            UnstorableResult: a fact holds what is no JSON; nothing was changed.
        """
        encode(facts)
        await self._go(hand, core.step(hand.plan, hand.run, self._clock.now(), first=facts))

    async def take_unfit(self, run_id: str, verb: Callable[[RunState], Sequence[Fact]]) -> RunState:
        """Change a run whose text does not fit the city, by facts that no plan is needed for.

        Raises:
            UnknownRun, Unreadable: there is none, or its journal cannot be read.
            StaleWriter: somebody else drives it.
        """
        stored = (await self._journal.load([run_id])).get(run_id)
        if stored is None:
            raise UnknownRun(f'no run is called "{run_id}"', hint="see the list of runs")
        try:
            run = folded(stored)
        except (CorruptFact, CorruptJournal) as error:
            raise Unreadable(f"the journal of {run_id} cannot be read") from error
        hand = Hand(_NO_PLAN, run, stored.row, user_of(run), durable=run.entries)
        facts = tuple(verb(run))
        for fact in facts:
            apply(run, fact)
        if facts:
            await self.make_durable(hand, core.Step(facts, ()))
        return run

    def steps(self, hand: Hand, path: str) -> Steps:
        return RecordedSteps(self, hand, path)

    async def record_step(
        self,
        hand: Hand,
        path: str,
        index: int,
        *,
        name: str,
        data: Any,
        along: tuple[Writes, ...] = (),
    ) -> None:
        """Make a step inside an attempt durable, and with it what its services wrote."""
        now = self._clock.now()
        facts = (StepRecorded(at=now, path=path, index=index, name=name, data=data),)
        encode(facts)
        await self._go(hand, core.step(hand.plan, hand.run, now, first=facts), along=along)

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` to its end, also when its caller is cancelled; a stop waits for it.

        Raises:
            NotOpen: the city is closing.
        """
        if not self.open:
            work.close()
            raise NotOpen("nothing is taken up any more", hint="try again in a moment")
        return await self._tasks.finish(work)

    def begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin work beside the runs; a stop gives it its time, and then cuts it."""
        return self._tasks.own(work)

    async def advance(self, run_id: str) -> None:
        """Look at a run and let it go on. Being called twice, or in vain, is harmless."""
        if not self.open or run_id in self._newer:
            return
        try:
            async with self.holding(run_id) as hand:
                if hand.run.stage is _QUEUED and self.lanes is not None:
                    await self.lanes.look(hand)
                else:
                    reach("rung")
                    hand.rung = None  # that was it, perhaps; a ring may come before its time
                    await self._go(hand, core.woken(hand.plan, hand.run, self._clock.now()))
        except (UnknownRun, Unreadable, StaleWriter) as error:
            logger.warning("{} is not driven here: {}", run_id, error.detail)

    async def health(self) -> Health:
        """Degraded where runs wait for a newer version than this one."""
        if not self._newer:
            return Health()
        told = f"runs that a newer version wrote to wait for it: {len(self._newer)}"
        return Health(status=HealthStatus.DEGRADED, detail=told)

    async def plan(self, run: RunState) -> Plan:
        """The plan of the text that a run goes by."""
        return await self._plans.of(run)

    def has(self, run_id: str) -> bool:
        """Whether the run is in memory."""
        return run_id in self._hands

    def tenant(self, run_id: str) -> str:
        """Whose run it is, of those in memory."""
        return self._hands[run_id].run.start.tenant

    def durable(self, run_id: str) -> Hand | None:
        """The run, if it is in memory and the journal has all of it."""
        hand = self._hands.get(run_id)
        return hand if hand is not None and hand.durable == hand.run.entries else None

    def at_rest(self, run_id: str) -> bool:
        """Whether the run, in memory, is settled and durable."""
        hand = self._hands[run_id]
        return hand.settled and hand.durable == hand.run.entries

    def watch(self, run_id: str) -> "asyncio.Future[Hand]":
        """A future of the run, done as soon as it is settled from now on; to be `unwatch`ed."""
        waiter: asyncio.Future[Hand] = self._loop.create_future()
        self._waiters.setdefault(run_id, []).append(waiter)
        return waiter

    def unwatch(self, run_id: str, waiter: "asyncio.Future[Hand]") -> None:
        """Nobody waits for that future any more."""
        waiters = self._waiters.get(run_id, [])
        if waiter in waiters:  # else others have come since its run was settled
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[run_id]

    # steps

    async def _go(
        self,
        hand: Hand,
        step: core.Step,
        *,
        along: tuple[Writes, ...] = (),
        memos: tuple[Memo, ...] = (),
    ) -> None:
        if step.facts:
            await self.make_durable(hand, step, along=along, memos=memos)
        self.act(hand, step.moves)
        self.rest(hand)

    async def make_durable(
        self,
        hand: Hand,
        step: core.Step,
        *,
        along: tuple[Writes, ...] = (),
        memos: tuple[Memo, ...] = (),
    ) -> None:
        """Write the facts of a step, after those of all steps before it, and tell of them."""
        run, facts = hand.run, step.facts
        if hand.lost:
            raise StaleWriter(f"{run.run_id} was read anew in the meantime", hint="try again")
        row = None
        if not run.entries:
            row = hand.row
        elif hand.moved or hand.row.holder != self.holder:
            row = RunRow.of(run, holder=self.holder if run.performing and not run.held else 0)
            if row == hand.row:
                row = None
            else:
                hand.row = row
        parent = run.start.parent if run.ended is not None else ""
        rings = (parent,) if parent and row is not None else ()
        run.entries += 1
        number = run.entries
        entry = Entry(run.run_id, number - 1, encode(facts), row, rings, memos, along)
        reach_facts(facts, durable=False)
        durable = self._group.add(entry)
        try:
            await durable
        except (StaleWriter, WritesRefused):
            self._lose(hand)
            raise
        except asyncio.CancelledError:
            moves = step.moves if number == 1 else ()  # a run goes on whose caller gave up
            self._tasks.own(self._durable_all_the_same(hand, entry, durable, facts, moves))
            raise
        hand.durable = max(hand.durable, number)
        reach_facts(facts, durable=True)
        self._told(hand, facts)

    async def _durable_all_the_same(
        self,
        hand: Hand,
        entry: Entry,
        durable: "asyncio.Future[None]",
        facts: Sequence[Fact],
        moves: Sequence[core.Move],
    ) -> None:
        """See an entry become durable whose writer was cancelled meanwhile."""
        try:
            if not durable.cancelled():
                await durable
            elif (again := self._group.renewed(entry)) is not None:
                await again
            elif hand.lost:
                return
        except PlatformError:
            self._lose(hand)
            raise
        hand.durable = max(hand.durable, entry.seq + 1)
        self._told(hand, facts)
        self.act(hand, moves)
        self.rest(hand)

    def act(self, hand: Hand, moves: Sequence[core.Move]) -> None:
        for move in moves:
            match move:
                case core.Perform() if self.open:
                    self._attempts.begin(hand, move)
                case core.Perform():
                    self._attempts.leave(hand, move)
                case core.Cut(path):
                    if (task := hand.tasks.pop(path, None)) is not None:
                        task.cancel()
                case core.SeeToChild():
                    self._tasks.own(self._see_to(hand, move))
                case core.StopChild(child, reason):
                    assert self.children is not None
                    self._tasks.own(self.children.stop(child, reason))

    def fell(self, hand: Hand) -> None:
        """The engine itself failed over a run: begin again from its journal.

        The attempt counts as lost, so that a run over which it fails again and again comes to the
        dead letters.
        """
        self._lose(hand)
        self._dispatch.wake(QUEUE, hand.run.run_id)

    async def spoilt_by(self, error: WritesRefused, hand: Hand, attempt: core.Perform) -> None:
        """Go on from what is durable: there the attempt is under way, and it has failed."""
        self._spoilt[hand.run.run_id] = AttemptFailed(
            at=self._clock.now(),
            path=attempt.path,
            attempt=attempt.attempt,
            error=core.failure_of(error),
        )
        async with self.holding(hand.run.run_id):
            pass

    async def _see_to(self, hand: Hand, move: core.SeeToChild) -> None:
        assert self.children is not None
        async with self.holding(hand.run.run_id) as current:
            if facts := await self.children.see_to(current, move):
                await self.take(current, facts)

    # around the steps

    def _told(self, hand: Hand, facts: Sequence[Fact]) -> None:
        run = hand.run
        topic = f"journey.{run.run_id}"
        reach("publish")
        if self._events.heard(topic):
            for fact in facts:
                self._events.publish(topic, event(run, fact))
        if run.run_id in self._waiters and hand.settled and hand.durable == run.entries:
            for waiter in self._waiters.pop(run.run_id):
                if not waiter.done():
                    waiter.set_result(hand)
        if run.ended is not None:
            if run.start.parent:
                self._wake_parent(run.start.parent)
            if run.start.lane and self.lanes is not None:
                self.lanes.left(run.start.tenant, run.start.lane)

    def _wake_parent(self, parent: str) -> None:
        """Let the run that waits for one that has ended look at it."""
        self._dispatch.wake(QUEUE, parent)

    def rest(self, hand: Hand) -> None:
        """Forget a run that does not move; see to it that its timer is heard."""
        run = hand.run
        waits = len(run.active) > run.performing or run.stage is _QUEUED
        if run.ended is None and (waits or hand.plan.timeout < SOON):
            self._ring_at_its_time(hand)
        if hand.tasks or hand.users or run.performing or hand.durable < run.entries:
            return
        if self._hands.get(run.run_id) is hand:
            del self._hands[run.run_id]

    def _ring_at_its_time(self, hand: Hand) -> None:
        run = hand.run
        wake = _next_timer(hand) if run.performing else run.wake_at
        if wake is None or wake == hand.rung:
            return
        hand.rung = wake
        if run.performing or wake - self._clock.now() < SOON or self.keeper is None:
            self._dispatch.wake(QUEUE, run.run_id, at=wake)
        else:
            self.keeper.expect(wake)

    def _lose(self, hand: Hand) -> None:
        """Somebody else drives the run now: do nothing more with it here."""
        hand.lost = True
        current = asyncio.current_task()
        for task in hand.tasks.values():
            if task is not current:
                task.cancel()
        hand.tasks.clear()
        if self._hands.get(hand.run.run_id) is hand:
            del self._hands[hand.run.run_id]

    async def _loaded(self, run_id: str) -> Hand | None:
        """A run from the journal; who asks meanwhile is given the same."""
        loading = self._loading.get(run_id)
        if loading is None:
            loading = self._loading[run_id] = self._tasks.own(self._load(run_id))
        return await asyncio.shield(loading)

    async def _load(self, run_id: str, stored: Stored | None = None) -> Hand | None:
        taken_up = stored is not None
        try:
            reach("load")
            if stored is None:
                stored = (await self._journal.load([run_id])).get(run_id)
            if stored is None:
                return None
            hand = await self._read(stored)
            orphaned = await self._orphaned(hand.run)
            self._hands[run_id] = hand
            reach("loaded")
        finally:
            self._loading.pop(run_id, None)
        now = self._clock.now()
        asked_for = not taken_up or _needs_a_wake(hand.run, now)
        if asked_for:
            hand.users += 1
            self._loop.call_later(_LINGER_SECONDS, self._leave, hand)
        if taken_up and asked_for:
            self._dispatch.wake(QUEUE, run_id)
        first = core.recovered(hand.run, now)
        if (spoilt := self._spoilt.pop(run_id, None)) is not None:
            first = core.cut_short(hand.run, spoilt)
        if orphaned:
            first = (*first, RunStopping(at=now, reason=orphaned))
        await self._go(hand, core.step(hand.plan, hand.run, now, first=first))
        reach("recovered")
        return hand

    async def _orphaned(self, run: RunState) -> Reason:
        """Why the run is to be stopped whose parent waits no more, and died before it said so.

        One that somebody has opened since goes on for their sake.
        """
        if not run.start.parent or run.ended or run.stopping or run.opened_by_hand:
            return Reason.NONE
        return Reason.NONE if self.children is None else await self.children.unwanted(run)

    def _leave(self, hand: Hand) -> None:
        """Those who asked for the run have it by now."""
        hand.users -= 1
        self.rest(hand)

    async def _read(self, stored: Stored) -> Hand:
        """A run that can be driven; one that cannot be is left alone, condemned or held."""
        run_id = stored.row.run_id
        try:
            return await self._reader.read(stored)
        except NewerEntry as error:
            self._newer.add(run_id)
            raise Unreadable(f"{run_id} is left alone: {error.detail}", hint=error.hint) from error
        except Contradictory as error:
            await self._condemn(stored.row, error.__cause__)
            raise Unreadable(f"the journal of {run_id} cannot be read") from error.__cause__
        except Unfit as error:
            await self._hold(error.run, stored.row, error.why)
            raise waiting(run_id, error.why) from error.why

    async def _condemn(self, row: RunRow, why: BaseException | None) -> None:
        """Give up a run whose facts contradict themselves; they stay as they are."""
        run_id = row.run_id
        logger.error("the journal of {} cannot be read: {}", run_id, why)
        await self._journal.condemn(run_id, at=self._clock.now(), holder=self.holder)
        self._events.publish(f"journey.{run_id}", {"kind": "run_failed", "settled": True})
        if row.parent:
            self._wake_parent(row.parent)

    async def _hold(self, run: RunState, row: RunRow, error: PlatformError) -> None:
        """Let a run wait whose text does not fit the city any more, or whose payload is gone."""
        logger.error("{} cannot go on: {}", run.run_id, error.detail)
        if run.held or run.ended is not None:
            return
        fact = RunHeld(at=self._clock.now(), reason=Reason.TEMPLATE, error=core.failure_of(error))
        apply(run, fact)
        held = Hand(_NO_PLAN, run, row, user_of(run), durable=run.entries)
        await self.make_durable(held, core.Step((fact,), ()))

    def vanish(self) -> None:
        """Leave everything where it is, as a process does that dies; for tests."""
        self.open = False
        self._group.stop()
        for hand in self._hands.values():
            hand.lost = True
        self._tasks.cut()

    async def _drain(self) -> None:
        """Give attempts their time, cut the rest, and write what there is to write."""
        reach("drain")
        await self._tasks.ended_within(self._grace)
        for _ in range(_CUTS):
            if not self._cut_calls():
                break
            await self._tasks.ended_within(self._grace)
        if not await self._group.drained(seconds=max(self._grace, 1.0)):
            logger.error("some of what runs came to could not be written before the city closed")
        await self._tasks.ended_within(self._grace)
        self._group.stop()
        self._tasks.cut()
        await self._tasks.ended_within(self._grace)
        reach("drained")

    def _cut_calls(self) -> bool:
        """Cut every call that is being made; not those who wait for the journal."""
        calls = [
            task
            for hand in self._hands.values()
            for path, task in hand.tasks.items()
            if (state := hand.run.active.get(path)) is not None and state.performing
        ]
        for task in calls:
            task.cancel()
        return bool(calls)


_LINGER_SECONDS = 0.05
_CUTS = 3
"""So often a call is cut that does not heed it; then it is left behind."""
_NO_PLAN = Plan(name="", version="", text_hash="", description="", inputs={}, nodes={})


def _needs_a_wake(run: RunState, now: datetime) -> bool:
    """Whether a run that was just loaded asks for more than going on from where it stood."""
    deadline = run.deadline_passed_at
    return run.stage is _QUEUED or (deadline is not None and deadline <= now)


def _next_timer(hand: Hand) -> datetime | None:
    """When a run in memory is to be looked at: at a timer, or at a deadline that is short.

    Deadlines that are long are the keeper's.
    """
    run = hand.run
    times = [n.wake_at for n in run.active.values() if n.wake_at is not None]
    if hand.plan.timeout < SOON and run.deadline_passed_at is not None:
        times.append(run.deadline_passed_at)
    return min(times, default=None)
