"""A small city over a real file, for one process: an engine that may be cut anywhere."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from foundations.curator.registry import Registry
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.dispatch import Road
from foundations.public_works.settings import Settings
from foundations.rooms import Room
from realms.journey.engine.keeper import QUEUE as KEEPER
from realms.journey.engine.ports import TemplateSource, Written
from realms.journey.language.compiling import load_plan
from realms.journey.plans.plan import Plan
from realms.journey.records import DatabaseJournal
from realms.journey.registry_services import RegistryServices
from realms.journey.testing.city import MemoryObjects
from tests.chaos.city.trial.steps import TrialStepsService
from tests.chaos.clients import Client
from tests.chaos.meddling import How, Meddler, PowerCut, meddled
from tests.chaos.witness import WITNESS, Note
from tests.support.journals import open_database
from tests.support.journeys import (
    BEGAN,
    ROOT,
    FakeServices,
    JourneyCity,
    VirtualClock,
    VirtualDispatch,
)
from utilities.context import current
from utilities.errors import PlatformError

TRIAL = Path(__file__).parent / "city" / "trial"
_PATIENCE = 5.0
_SOON = 0.01


def trial_texts() -> dict[str, str]:
    """The trial journeys by name."""
    return {path.stem: path.read_text() for path in sorted((TRIAL / "journeys").glob("*.yaml"))}


def shipped_texts() -> dict[str, str]:
    """The journeys that are shipped, by name."""
    paths = [
        *(ROOT / "templates/journeys").glob("*.yaml"),
        *(ROOT / "realms").glob("*/journeys/*.yaml"),
    ]
    texts = [path.read_text() for path in sorted(paths) if ".tests." not in path.name]
    return {text.split("journey_template:")[1].split()[0]: text for text in texts}


class CachedTemplates(TemplateSource):
    """Texts by name, each compiled once in a process."""

    _plans: dict[str, Plan] = {}  # noqa: RUF012 - shared on purpose: plans never change

    def __init__(self, services: Any, texts: Mapping[str, str]) -> None:
        self._services = services
        self._texts = texts

    async def current(self, name: str, version: str = "") -> Written:
        return Written(await self.compiled(self._texts[name]), self._texts[name])

    async def compiled(self, text: str) -> Plan:
        if text not in self._plans:
            self._plans[text] = load_plan(text, self._services, file="trial.yaml")
        return self._plans[text]


class TrialServices(FakeServices):
    """The trial realm's own service, and fakes of what shipped journeys call."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__()
        registry = Registry()
        registry.register(TrialStepsService(database=database), Room("tests.chaos.city.trial", ""))
        self._real = RegistryServices(registry=registry)

    def services(self) -> Collection[str]:
        return [*super().services(), *self._real.services()]

    def apis(self, service: str) -> Collection[str]:
        real = service in self._real.services()
        return self._real.apis(service) if real else super().apis(service)

    def signature(self, service: str, api: str) -> Any:
        real = service in self._real.services()
        return self._real.signature(service, api) if real else super().signature(service, api)

    async def call(self, service: str, api: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if service in self._real.services():
            return await self._real.call(service, api, arguments)
        answer = await super().call(service, api, arguments)
        WITNESS.effect("keyed", "", api, 0, key=current().idempotency_key)
        return answer


class LossyDispatch(VirtualDispatch):
    """Sends pass the meddler; a handler that fails stops nothing, as in the city."""

    def __init__(self, clock: VirtualClock, meddler: Meddler) -> None:
        super().__init__(clock)
        self._meddler = meddler

    def wake(
        self, queue: str, key: str, *, at: datetime | None = None, road: Road | None = None
    ) -> None:
        if not self._meddler.reach(f"SEND {queue}"):
            super().wake(queue, key, at=at, road=road)

    async def settle(self, *, until: timedelta = timedelta(days=1)) -> None:
        while True:
            with suppress(PlatformError):
                return await super().settle(until=until)


class LossyEvents(InProcessEvents):
    """Publications pass the meddler."""

    def __init__(self, meddler: Meddler) -> None:
        super().__init__()
        self._meddler = meddler

    def heard(self, topic: str) -> bool:
        return True

    def publish(self, topic: str, data: Mapping[str, object]) -> None:
        if not self._meddler.reach("PUBLISH"):
            super().publish(topic, data)


@dataclass(slots=True)
class SmallCity(JourneyCity):
    """An engine over one file, which a meddler watches."""

    meddler: Meddler = field(default_factory=Meddler)

    async def boot(self) -> None:
        self.dispatch = LossyDispatch(self.clock, self.meddler)
        self.templates = CachedTemplates(self.services, self.texts)  # type: ignore[assignment]  # a cache in its place
        self.events = LossyEvents(self.meddler)
        self.keeper = self._build()
        self.dispatch.progress = self._moved
        await self._stack.enter_async_context(self.keeper.working())

    def _moved(self) -> object:
        group = self.driver.group
        return group.written, group.commits, len(self.driver.works), self.meddler.count

    async def look_again(self) -> None:
        """What the next beat of the sweeper does."""
        self.dispatch.wake(KEEPER, "")
        await self.dispatch.settle()

    def abandon(self) -> None:
        """Leave everything as a dead process does."""
        self._stack.pop_all()
        self.driver.vanish()


class Clockwork(VirtualClock):
    """Begins later at each boot, as time does."""

    def __init__(self, boots: int) -> None:
        super().__init__()
        self.time = BEGAN + boots * timedelta(hours=1)


class Ids:
    """Ids that sort, and never come twice in a trial."""

    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"run-{self._count:022}"


@dataclass(slots=True)
class Trial:
    """One folder, one ledger, and cities that come and go over them."""

    folder: Path
    texts: Mapping[str, str]
    notes: list[Note] = field(default_factory=list)
    ids: Ids = field(default_factory=Ids)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    boots: int = 0

    @asynccontextmanager
    async def city(self, meddler: Meddler) -> AsyncIterator[SmallCity]:
        """A city over the folder until it is left, or dead."""
        WITNESS.tell = self.notes.append
        self.boots += 1
        settings = Settings(data_dir=self.folder, drain_seconds=0.05, journey_beat_seconds=200_000)
        async with AsyncExitStack() as stack:
            with meddled(meddler):
                database = await stack.enter_async_context(open_database(self.folder))
            await database.migrate("trial", TRIAL / "migrations")
            meddler.awake = True
            city = SmallCity(
                journal=DatabaseJournal(database=database),
                services=TrialServices(database),
                texts=dict(self.texts),
                clock=Clockwork(self.boots),
                ids=self.ids,  # type: ignore[arg-type]  # all that is asked of it
                objects=self.objects,
                settings=settings,
                meddler=meddler,
            )
            yield city

    async def played(self, template: str, *, at: int = 0, how: How = How.NOTHING) -> Meddler:
        """Boot, let clients do all there is to do, and close; or be dead before."""
        meddler = Meddler(at=at, how=how)
        async with self.city(meddler) as city:
            task = asyncio.get_running_loop().create_task(self._play(city, template))
            dead = asyncio.get_running_loop().create_task(meddler.dead.wait())
            await asyncio.wait({task, dead}, timeout=_PATIENCE, return_when="FIRST_COMPLETED")
            if not task.done() or meddler.dead.is_set():
                task.cancel()
                city.abandon()
                with suppress(PowerCut, PlatformError, asyncio.CancelledError):
                    await task
                await _gone(city)
            else:
                try:
                    await task
                except PlatformError:
                    meddler.refused = True
            dead.cancel()
        return meddler

    async def _play(self, city: SmallCity, template: str) -> None:
        async with city:
            client = Client(city.engine, city.driver, city.journal, self.notes.append)
            for _ in range(4):
                with suppress(PlatformError):
                    await client.ask_for(template, f"order-{template}")
                    await city.dispatch.settle()
                    for _ in range(3):
                        if not await client.serve(template, f"order-{template}"):
                            break
                        await city.dispatch.settle()
                    if city.meddler.how is How.FAULT:
                        await city.look_again()
                    if await client.done(f"order-{template}"):
                        break
                await asyncio.sleep(_SOON)
                await city.look_again()


async def _gone(city: SmallCity) -> None:
    """Wait until nothing of the dead city runs."""
    deadline = time.monotonic() + 5
    while city.driver.works and time.monotonic() < deadline:
        for task in list(city.driver.works):
            task.cancel()
        await asyncio.wait(list(city.driver.works), timeout=0.1)


@asynccontextmanager
async def fresh(texts: Mapping[str, str], scratch: Path, seed: Path) -> AsyncIterator[Trial]:
    """A trial in a folder of its own, copied from one that has its tables."""
    shutil.copytree(seed, scratch)
    try:
        yield Trial(scratch, texts)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
