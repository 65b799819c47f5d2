"""A small city for journeys: fake services, a virtual clock, a dispatch that runs on request."""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from pathlib import Path
from typing import Any, Self

from foundations.boot import Duty
from foundations.declarations import Effect
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.dispatch import Arrived, Dispatch, Handler, Road
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.secrets import EnvironmentSecrets
from foundations.public_works.settings import Settings
from realms.journey.control.asking import Asking
from realms.journey.control.dead_letters import DeadLetters
from realms.journey.control.engine import JourneyEngine
from realms.journey.control.operators import JourneyOperators
from realms.journey.control.waiting import Waiting
from realms.journey.engine.accepting import Accepting
from realms.journey.engine.backlog import Backlog
from realms.journey.engine.children import SubJourneys
from realms.journey.engine.journal import Journal
from realms.journey.engine.keeper import Keeper
from realms.journey.engine.lanes import Lanes
from realms.journey.engine.leadership import Leadership
from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import TemplateSource, Written
from realms.journey.engine.requesting import Requesting
from realms.journey.engine.requests import NoRequests, Requests
from realms.journey.engine.runner import Runner, Services, Steps
from realms.journey.engine.sharing import SharedDriver
from realms.journey.language.compiling import load_plan
from realms.journey.plans.plan import ParameterShape, Plan, Signature
from realms.journey.testing.city import MemoryObjects
from smart_city.data_steward.api import DataSteward, Masking
from smart_city.data_steward.masking import PlainSight
from tests.support.journals import PowerCutJournal
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, current
from utilities.ids import Ids
from utilities.observability.distributed_tracing import DistributedTracing

ROOT = Path(__file__).parents[2]
DATA_MASH = (ROOT / "templates/journeys/data_mash_journey_template.yaml").read_text()
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
USER = CallContext("trace-of-the-test", UserContext(tenant="north", principal="ada"))

TEXT = {"type": "string"}
OBJECT = {"type": "object"}

Answer = Callable[[Mapping[str, Any]], Any]
"""What a service answers, or a coroutine that does."""


class VirtualClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = BEGAN

    def now(self) -> datetime:
        return self.time


class CountingIds(Ids):
    """`run-0001`, `run-0002` ..."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return f"run-{next(self._numbers):04}"


class VirtualDispatch(Dispatch):
    """Keeps wakes until `settle` runs them in order of time, moving the clock to each."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._handlers: dict[str, Handler] = {}
        self._wakes: list[tuple[datetime, int, str, str]] = []
        self.progress: Callable[[], object] = lambda: None
        """What changes while something moves."""
        self.patience: Callable[[], int] = lambda: _STILL
        """How many looks in a row at which nothing moved are enough."""
        self._order = itertools.count()

    def handle(self, queue: str, handler: Handler, *, arrived: Arrived | None = None) -> None:
        self._handlers[queue] = handler

    def wake(
        self, queue: str, key: str, *, at: datetime | None = None, road: Road | None = None
    ) -> None:
        when = max(at or self._clock.time, self._clock.time)
        heapq.heappush(self._wakes, (when, next(self._order), queue, key))

    def hand_on(self, queue: str, key: str, *, at: datetime) -> None:
        self.wake(queue, key, at=at)

    async def settle(self, *, until: timedelta = timedelta(hours=23)) -> None:
        """Run what is due, and what becomes due, up to `until` from the beginning."""
        await self.quiet()
        while self._wakes and self._wakes[0][0] <= BEGAN + until:
            when, _, queue, key = heapq.heappop(self._wakes)
            self._clock.time = max(when, self._clock.time)
            await self._handlers[queue](key)
            await self.quiet()

    async def quiet(self) -> None:
        """Let everything go on that can, until nothing moves."""
        still = 0
        while still < self.patience():
            before = self.progress()
            for _ in range(10):
                await asyncio.sleep(0)
            if still >= _STILL:
                await asyncio.sleep(0.001)
            still = still + 1 if self.progress() == before else 0

    def forget(self) -> None:
        """Lose every wake, as a dead process does."""
        self._wakes.clear()


_STILL, _HANGS, _WRITES = 2, 40, 10_000
"""Looks after which nothing moves any more; after which whoever is at work hangs; and for which the
store is waited for, however loaded the machine is."""


class HidesNothing(DataSteward):
    """The data steward of a city without a policy, as the journey realm asks for it."""

    def masking(self) -> Masking:
        return PlainSight()


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a fake service received, and under which context."""

    api: str
    arguments: dict[str, Any]
    trace_id: str
    tenant: str
    principal: str
    key: str


def signature(
    name: str,
    takes: Mapping[str, Mapping[str, Any]],
    gives: Mapping[str, Mapping[str, Any]],
    *,
    effect: Effect | None = Effect.KEYED,
    optional: Collection[str] = (),
) -> Signature:
    service, api = name.split(".")
    shapes = {n: ParameterShape(n not in optional, schema) for n, schema in takes.items()}
    return Signature(service, api, effect, shapes, gives)


DATA_MASH_SIGNATURES = (
    signature(
        "ContentStewardService.process_client_file",
        {"file_id": TEXT},
        {"file_id": TEXT, "validation_status": TEXT, "storage_location": TEXT},
    ),
    signature(
        "ContentAnalysisOrchestrator.parse_file",
        {"file_id": TEXT, "parse_options": OBJECT},
        {"parse_result": OBJECT, "semantic_result": OBJECT, "trace_id": TEXT},
        optional=["parse_options"],
    ),
    signature(
        "ContentMetadataAbstraction.store_semantic_embeddings",
        {"file_id": TEXT, "semantic_result": OBJECT},
        {"content_id": TEXT, "storage_status": TEXT, "semantic_data": OBJECT},
    ),
    signature(
        "InsightsOrchestrator.analyze_content_for_insights",
        {"file_id": TEXT, "semantic_data": OBJECT},
        {"insights_result": OBJECT},
    ),
)

DATA_MASH_ANSWERS: dict[str, Answer] = {
    "process_client_file": lambda a: {
        "file_id": a["file_id"],
        "validation_status": "valid",
        "storage_location": f"files/{a['file_id']}",
    },
    "parse_file": lambda _: {
        "parse_result": {"rows": 3},
        "semantic_result": {"passages": ["one", "two"]},
        "trace_id": current().trace_id,
    },
    "store_semantic_embeddings": lambda a: {
        "content_id": f"content-{a['file_id']}",
        "storage_status": "stored",
        "semantic_data": {"passages": 2},
    },
    "analyze_content_for_insights": lambda _: {"insights_result": {"sentences": ["Three rows."]}},
}


class FakeServices(Services):
    """Services by signature; each answers by a function that a test may replace."""

    def __init__(self, *signatures: Signature, answers: Mapping[str, Answer] | None = None) -> None:
        self.known = {(s.service, s.api): s for s in signatures or DATA_MASH_SIGNATURES}
        self.answers: dict[str, Answer] = {**DATA_MASH_ANSWERS, **(answers or {})}
        self.calls: list[Call] = []
        self.published: list[tuple[str, dict[str, Any], str]] = []

    def services(self) -> Collection[str]:
        return sorted({service for service, _ in self.known})

    def apis(self, service: str) -> Collection[str]:
        return sorted(api for known, api in self.known if known == service)

    def signature(self, service: str, api: str) -> Signature:
        return self.known[service, api]

    def agents(self) -> Collection[str]:
        return ["InsightsAgent"]

    async def publish(self, event: str, data: Mapping[str, Any]) -> dict[str, Any]:
        self.published.append((event, dict(data), current().idempotency_key))
        return {"event_id": f"event-{len(self.published)}"}

    async def delegate(
        self, agent: str, arguments: Mapping[str, Any], steps: Steps
    ) -> dict[str, Any]:
        raise NotImplementedError

    async def call(self, service: str, api: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        context = current()
        self.calls.append(
            Call(
                api,
                dict(arguments),
                context.trace_id,
                context.tenant,
                context.user.principal,
                context.idempotency_key,
            )
        )
        answer: Any = self.answers[api](arguments)
        given: dict[str, Any] = await answer if isawaitable(answer) else answer
        return given

    @property
    def called(self) -> list[str]:
        return [call.api for call in self.calls]


class TextTemplates(TemplateSource):
    """Templates given as texts, by name."""

    def __init__(self, services: Services, **texts: str) -> None:
        self._services = services
        self.texts = texts

    async def current(self, name: str, version: str = "") -> Written:
        return Written(await self.compiled(self.texts[name]), self.texts[name])

    async def compiled(self, text: str) -> Plan:
        return load_plan(text, self._services, file="templates/journeys/test.yaml")


_SETTINGS = Settings(drain_seconds=0.05, journey_beat_seconds=200_000)


@dataclass(slots=True)
class JourneyCity:
    """An engine over a journal; `reboot` is a crash and a new start over the same journal."""

    journal: Journal = field(default_factory=MemoryJournal)
    services: FakeServices = field(default_factory=FakeServices)
    texts: dict[str, str] = field(default_factory=lambda: {"data_mash_flow": DATA_MASH})
    clock: VirtualClock = field(default_factory=VirtualClock)
    ids: CountingIds = field(default_factory=CountingIds)
    events: InProcessEvents = field(default_factory=InProcessEvents)
    tracing: DistributedTracing = field(default_factory=DistributedTracing)
    objects: ObjectStore = field(default_factory=MemoryObjects)
    settings: Settings = field(default_factory=lambda: _SETTINGS)
    dispatch: VirtualDispatch = field(init=False)
    templates: TextTemplates = field(init=False)
    duty: Duty = Duty.ALL
    requests: Requests = field(default_factory=NoRequests)
    runner: Runner = field(init=False)
    driver: SharedDriver = field(init=False)
    leadership: Leadership = field(init=False)
    keeper: Keeper = field(init=False)
    engine: JourneyEngine = field(init=False)
    operators: JourneyOperators = field(init=False)
    dead_letters: DeadLetters = field(init=False)
    asking: Asking = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        await self.boot()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def boot(self) -> None:
        """Build an engine of its own over the journal, and open it."""
        self.dispatch = self._dispatch()
        self.templates = TextTemplates(self.services, **self.texts)
        self.keeper = self._build()
        self.dispatch.progress = self._progress
        self.dispatch.patience = self._patience
        await self._stack.enter_async_context(self.keeper.working())
        await self._stack.enter_async_context(self.dead_letters.working())

    def _dispatch(self) -> VirtualDispatch:
        return VirtualDispatch(self.clock)

    def _build(self) -> Keeper:
        payloads = Payloads(objects=self.objects)
        runner = self.runner = Runner(
            services=self.services,
            journal=self.journal,
            payloads=payloads,
            secrets=EnvironmentSecrets(),
            tracing=self.tracing,
            clock=self.clock,
        )
        self.driver = driver = SharedDriver(
            journal=self.journal,
            templates=self.templates,
            runner=runner,
            payloads=payloads,
            dispatch=self.dispatch,
            events=self.events,
            clock=self.clock,
            settings=self.settings,
            duty=self.duty,
        )
        lanes = Lanes(
            journal=self.journal,
            driver=driver,
            dispatch=self.dispatch,
            clock=self.clock,
            settings=self.settings,
            duty=self.duty,
        )
        requesting = Requesting(
            records=self.requests,
            dispatch=self.dispatch,
            clock=self.clock,
            ids=self.ids,
            duty=self.duty,
        )
        self.leadership = Leadership(
            journal=self.journal,
            driver=driver,
            clock=self.clock,
            settings=self.settings,
            duty=self.duty,
        )
        accepting = Accepting(
            journal=self.journal,
            templates=self.templates,
            driver=driver,
            lanes=lanes,
            payloads=payloads,
            clock=self.clock,
        )
        SubJourneys(
            journal=self.journal,
            templates=self.templates,
            accepting=accepting,
            driver=driver,
            runner=runner,
            payloads=payloads,
            requesting=requesting,
            clock=self.clock,
        )
        self.engine = JourneyEngine(
            journal=self.journal,
            templates=self.templates,
            accepting=accepting,
            driver=driver,
            payloads=payloads,
            requesting=requesting,
            clock=self.clock,
            ids=self.ids,
            settings=self.settings,
            backlog=Backlog(
                journal=self.journal, clock=self.clock, settings=self.settings, duty=Duty.ALL
            ),
            waiting=Waiting(journal=self.journal),
        )
        self.operators = JourneyOperators(
            journal=self.journal,
            driver=driver,
            accepting=accepting,
            templates=self.templates,
            services=self.services,
            payloads=payloads,
            requesting=requesting,
            clock=self.clock,
            ids=self.ids,
        )
        self.asking = Asking(journal=self.journal, driver=driver, clock=self.clock)
        self.dead_letters = DeadLetters(
            journal=self.journal,
            driver=driver,
            engine=self.engine,
            operators=self.operators,
            data=HidesNothing(),  # type: ignore[abstract]  # it has only what is asked for
        )
        return Keeper(
            journal=self.journal,
            driver=driver,
            lanes=lanes,
            leadership=self.leadership,
            dispatch=self.dispatch,
            clock=self.clock,
            settings=self.settings,
            duty=self.duty,
        )

    def _progress(self) -> object:
        group = self.driver.group
        return group.written, group.commits, len(self.driver.works), self.services.calls[-1:]

    def _patience(self) -> int:
        group, journal = self.driver.group, self.journal
        dark = isinstance(journal, PowerCutJournal) and journal.in_the_dark(self.driver.holder)
        if group.pending and group.trouble is None and not dark:
            return _WRITES
        return _HANGS if self.driver.works else _STILL

    async def reboot(self) -> None:
        """Crash: what was only in memory is gone. Then boot again over what is durable."""
        dead = self._stack.pop_all()
        self.driver.vanish()
        await self.boot()
        await dead.aclose()  # its lease was taken away: it changes nothing any more

    async def close(self) -> None:
        """Close in good order."""
        await self._stack.aclose()
