"""A city of one process and no walls: the real engine, over memory, mocks and virtual time."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, cast

from foundations.boot import Duty
from foundations.curator.registry import Registry
from foundations.declarations import Effect
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from foundations.public_works.settings import Settings
from foundations.wiring import constructor_needs
from realms.journey.api import Reason
from realms.journey.engine import scope
from realms.journey.engine.accepting import Accepting, Order
from realms.journey.engine.children import SubJourneys
from realms.journey.engine.codec import decode
from realms.journey.engine.core import Perform
from realms.journey.engine.driver import Driver
from realms.journey.engine.facts import Fact, IterationEnded, MilestoneSucceeded
from realms.journey.engine.folding import fold
from realms.journey.engine.hands import Hand
from realms.journey.engine.journal import Entry, RunRow
from realms.journey.engine.keeper import Keeper
from realms.journey.engine.lanes import Lanes
from realms.journey.engine.leadership import Leadership
from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import TemplateSource, Written
from realms.journey.engine.requesting import Requesting
from realms.journey.engine.requests import NoRequests
from realms.journey.engine.runner import Made, Runner, StepBook
from realms.journey.engine.sharing import SharedDriver
from realms.journey.engine.state import RunState, Stage
from realms.journey.language.compiling import load_plan
from realms.journey.language.loading import text_hash
from realms.journey.plans.plan import Plan
from realms.journey.testing.mocks import VirtualSecrets, VirtualServices, attempting
from realms.journey.testing.virtual_time import VirtualClock, VirtualDispatch, VirtualTimeLoop
from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import TimeSortableIds
from utilities.observability.distributed_tracing import DistributedTracing

T = TypeVar("T")

USER = UserContext(tenant="test", principal="tester")
TRACE_ID = "0" * 31 + "1"


class UnbuildableCity(PlatformError):
    """The engine asks for a part that the virtual city does not have."""

    kind = ErrorKind.INTERNAL


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment at which a crash makes a difference: the `number`-th of its kind at a milestone."""

    when: str
    """`before` a call, `called` but not written, `after` a checkpoint, or any other `entry`."""
    milestone: str
    number: int = 1

    def __str__(self) -> str:
        at = f" ({self.number})" if self.number > 1 or self.when == "entry" else ""
        return f"{self.when} {self.milestone}".rstrip() + at


class VirtualTemplates(TemplateSource):
    """The journeys under test, and those below them."""

    def __init__(self, journeys: Iterable[Written], services: VirtualServices) -> None:
        self._by_name = {written.plan.name: written for written in journeys}
        self._by_hash = {w.plan.text_hash: w.plan for w in self._by_name.values()}
        self._services = services

    async def current(self, name: str, version: str = "") -> Written:
        return self._by_name[name]

    async def compiled(self, text: str) -> Plan:
        known = self._by_hash.get(text_hash(text))
        return known or load_plan(text, self._services, file="a journey of the test")


class MemoryObjects(ObjectStore):
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.kept[key] = data

    async def get(self, key: str) -> bytes:
        if key not in self.kept:
            raise ObjectNotFound(f"nothing is kept under {key}")
        return self.kept[key]

    async def delete(self, key: str) -> None:
        self.kept.pop(key, None)


class Crashes:
    """Tells of every moment, and has the city die at one of them."""

    def __init__(self) -> None:
        self.at: Moment | None = None
        self.crashed = False
        self.seen: list[Moment] = []
        self._numbers: Counter[tuple[str, str]] = Counter()
        self.die: Any = lambda: None

    def reached(self, when: str, path: str) -> bool:
        """Whether the process has just died here."""
        milestone = path.partition("[")[0]
        self._numbers[when, milestone] += 1
        moment = Moment(when, milestone, self._numbers[when, milestone])
        self.seen.append(moment)
        if moment != self.at or self.crashed:
            return False
        self.crashed = True
        self.die()
        return True


class CrashingJournal(MemoryJournal):
    """A journal whose process may die as soon as an entry is durable."""

    def __init__(self, crashes: Crashes) -> None:
        super().__init__()
        self._crashes = crashes
        self._told: dict[str, list[list[Fact]]] = {}
        self.written = 0
        """How many entries, of all runs."""

    def write(self, entries: Sequence[Entry], *, holder: int) -> Any:
        done = super().write(entries, holder=holder)
        for entry, refusal in zip(entries, done.result(), strict=True):
            if refusal is None:
                facts = decode(entry.data)
                self._told.setdefault(entry.run_id, []).append(facts)
                self.written += 1
                self._tell(facts)
        return done

    def facts(self, run_id: str) -> list[list[Fact]]:
        """What is kept of a run, entry by entry."""
        return list(self._told[run_id])

    def rows(self) -> list[RunRow]:
        """Every run."""
        return list(self._rows.values())

    def raw(self, run_id: str) -> list[bytes]:
        """The entries of a run as they are kept."""
        return list(self._entries[run_id])

    def _tell(self, facts: Sequence[Fact]) -> None:
        ended = [f.path for f in facts if isinstance(f, MilestoneSucceeded | IterationEnded)]
        if not ended:
            self._crashes.reached("entry", "")
        for path in ended:
            self._crashes.reached("after", path)


class CrashingRunner(Runner):
    """A runner whose process may die before a call, or before what it gave is written."""

    crashes: Crashes

    async def perform(self, hand: Hand, attempt: Perform, book: StepBook) -> Made:
        if self.crashes.reached("before", attempt.path):
            await asyncio.Event().wait()
        of = (hand.run.run_id, attempt.path, attempt.generation, attempt.attempt)
        with attempting(of):
            made = await super().perform(hand, attempt, book)
        if self.crashes.reached("called", attempt.path):
            await asyncio.Event().wait()
        return made


_ENGINE = (
    Payloads,
    CrashingRunner,
    SharedDriver,
    Leadership,
    Requesting,
    Lanes,
    Accepting,
    SubJourneys,
    Keeper,
)
"""The parts of the engine, each after those it is built from."""


@dataclass(slots=True)
class VirtualCity:
    """Enter it to open; `reboot` opens a new engine over what the old one left in the journal."""

    registry: Registry
    """The services of the real city, to look up."""
    journeys: Sequence[Written]
    loop: VirtualTimeLoop
    crashes: Crashes = field(default_factory=Crashes)
    services: VirtualServices = field(init=False)
    journal: CrashingJournal = field(init=False)
    clock: VirtualClock = field(init=False)
    dispatch: VirtualDispatch = field(init=False)
    driver: Driver = field(init=False)
    accepting: Accepting = field(init=False)
    ambiguous: bool = False
    """A crash cut a call that cannot be repeated."""
    _seen: tuple[int, list[tuple[RunState, Plan]]] = (0, [])
    _tracing: DistributedTracing = field(default_factory=DistributedTracing)
    _objects: MemoryObjects = field(default_factory=MemoryObjects)
    _stacks: list[AsyncExitStack] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.services = VirtualServices(registry=self.registry)
        self.journal = CrashingJournal(self.crashes)
        self.crashes.die = self._die

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.crashes.crashed or self.driver.open:
            self._die()
        for stack in self._stacks:
            await stack.aclose()

    async def reboot(self) -> None:
        """Open anew after a crash; what was only in memory is gone."""
        lost = set()
        for run, plan in self.runs():
            for state in run.active.values():
                if state.performing:
                    lost.add((run.run_id, state.path, state.generation, state.attempts))
                    call = scope.call_of(plan.nodes[state.node], state)
                    self.ambiguous |= call is not None and call.effect is Effect.GUARDED
        self.services.lose(lost)
        await self._open()

    async def start(self, written: Written, values: Mapping[str, Any]) -> str:
        """Accept a run, the first of this city.

        Raises:
            InvalidInput: the values do not fit the journey's input.
        """
        order = Order(run_id="run-0001", values=values, user=USER, trace_id=TRACE_ID)
        hand = await self.driver.finish(self.accepting.accept(written, order))
        return hand.run.run_id

    def runs(self) -> list[tuple[RunState, Plan]]:
        """Every run as it is durable, the oldest first; to look at only."""
        if self._seen[0] != self.journal.written:
            kept = [
                (fold(run_id, self.journal.facts(run_id)), plan) for run_id, plan in self._kept()
            ]
            self._seen = (self.journal.written, kept)
        return self._seen[1]

    def at_rest(self) -> bool:
        """Whether only people, signals or nobody at all move what has not ended."""
        runs = {run.run_id: run for run, _ in self.runs()}
        return all(_rests(run, runs) for run in runs.values())

    def _kept(self) -> Iterator[tuple[str, Plan]]:
        plans = {written.plan.text_hash: written.plan for written in self.journeys}
        for row in sorted(self.journal.rows(), key=lambda row: row.created_at):
            yield row.run_id, plans[row.template_hash]

    async def _open(self) -> None:
        self.dispatch = VirtualDispatch(self.loop)
        built = _built(
            _SETTINGS,
            Duty.ALL,
            TimeSortableIds(),
            NoRequests(),
            self.clock,
            self.dispatch,
            self.services,
            self.journal,
            self._objects,
            self._tracing,
            InProcessEvents(),
            VirtualSecrets(),
            VirtualTemplates(self.journeys, self.services),
        )
        _one(built, CrashingRunner).crashes = self.crashes
        self.driver = _one(built, Driver)
        self.accepting = _one(built, Accepting)
        stack = AsyncExitStack()
        await stack.enter_async_context(_one(built, Keeper).working())
        self._stacks.append(stack)

    def _die(self) -> None:
        """Die before anything else happens: what was just made durable is all that is left."""
        self.driver.open = False
        self.dispatch.forget()
        self.loop.call_soon(self.driver.vanish)


_SETTINGS = Settings.model_construct(drain_seconds=0.05, journey_beat_seconds=200_000.0)
_FOR_OTHERS = frozenset({Reason.PERSON, Reason.SIGNAL, Reason.AMBIGUOUS})


def _built(*given: object) -> list[object]:
    """The engine, from what its parts ask for by type."""
    made = list(given)
    for part in _ENGINE:
        made.append(
            part(**{name: _one(made, wanted) for name, wanted in constructor_needs(part).items()})
        )
    return made


def _one(made: Sequence[object], wanted: type[T]) -> T:
    for part in made:
        if wanted in type(part).__mro__:
            return cast("T", part)
    raise UnbuildableCity(f"nothing in the virtual city is a {wanted.__name__}")


def _rests(run: RunState, runs: Mapping[str, RunState]) -> bool:
    if run.ended is not None or run.paused or run.held:
        return True
    if run.performing or not run.active or run.stage is Stage.QUEUED:
        return False
    children = [s.child for s in run.active.values() if s.reason is Reason.JOURNEY]
    others = {s.reason for s in run.active.values()} - {Reason.JOURNEY, Reason.NONE}
    return others <= _FOR_OTHERS and all(
        child in runs and runs[child].ended is None for child in children
    )
