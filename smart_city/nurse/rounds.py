"""The nurse's rounds: every component is asked, all at once, each with a time limit."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from foundations.curator.health import Health, HealthStatus, TellsHealth
from foundations.curator.registry import Registry
from foundations.declarations import Effect, service, soa_api
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.scanner import Scanner
from foundations.public_works.threads import in_thread
from smart_city.nurse.api import CityHealth, ComponentHealth, Nurse
from smart_city.nurse.records import DatabaseProbe
from utilities.errors import PlatformError
from utilities.ids import Ids

PATIENCE = 5.0
"""Seconds a component has to answer."""
LOW_DISK = 1_000_000_000
FULL_DISK = 100_000_000
_PROBE = b"Is this object store there?"
_WORST_FIRST = (HealthStatus.UNHEALTHY, HealthStatus.DEGRADED, HealthStatus.HEALTHY)

Question = Callable[[], Awaitable[Health]]


@service
class NurseService(Nurse):
    """Looks after the health of the city."""

    def __init__(
        self,
        *,
        registry: Registry,
        database: DatabaseProbe,
        objects: ObjectStore,
        folder: DataFolder,
        scanner: Scanner,
        ids: Ids,
    ) -> None:
        self._registry = registry
        self._database = database
        self._objects = objects
        self._folder = folder
        self._scanner = scanner
        self._ids = ids
        self._round_trips: Mapping[str, Question] = MappingProxyType(
            {
                "database": self._ask_database,
                "object_store": self._ask_object_store,
                "disk": self._ask_disk,
                "scanner": self._ask_scanner,
            }
        )

    @soa_api(public=True, effect=Effect.PURE)
    async def check_health(self) -> CityHealth:
        """Every component that can tell, and a round trip to what the city stands on."""
        told = self._registry.implementations(TellsHealth)
        questions = {**{entry.name: part.health for entry, part in told}, **self._round_trips}
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(_asked(name, question)) for name, question in questions.items()
            ]
        components = sorted(
            (task.result() for task in asked),
            key=lambda one: (_WORST_FIRST.index(one.status), one.name),
        )
        return CityHealth(status=components[0].status, components=tuple(components))

    async def _ask_database(self) -> Health:
        await self._database.round_trip()
        return Health()

    async def _ask_object_store(self) -> Health:
        key = f"probe/{self._ids.new()}"
        await self._objects.put(key, _PROBE)
        try:
            found = await self._objects.get(key)
        finally:
            await self._objects.delete(key)
        if found != _PROBE:
            return Health(status=HealthStatus.UNHEALTHY, detail="gives back other bytes")
        return Health()

    async def _ask_disk(self) -> Health:
        free = (await in_thread(shutil.disk_usage, self._folder.path)).free
        if free < FULL_DISK:
            return Health(status=HealthStatus.UNHEALTHY, detail=f"{free:,} bytes are free")
        if free < LOW_DISK:
            return Health(status=HealthStatus.DEGRADED, detail=f"only {free:,} bytes are free")
        return Health()

    async def _ask_scanner(self) -> Health:
        path = self._folder.spool()
        await in_thread(path.write_bytes, _PROBE)
        try:
            report = await self._scanner.scan(path)
        finally:
            path.unlink(missing_ok=True)
        if not report.clean:
            return Health(status=HealthStatus.UNHEALTHY, detail="finds harm where there is none")
        return Health()


async def _asked(name: str, question: Question) -> ComponentHealth:
    begun = time.perf_counter()
    health = await _answer(question)
    return ComponentHealth(
        name=name,
        status=health.status,
        detail=health.detail,
        seconds=round(time.perf_counter() - begun, 4),
    )


async def _answer(question: Question) -> Health:
    try:
        async with asyncio.timeout(PATIENCE):
            return await question()
    except TimeoutError:
        detail = f"did not answer within {PATIENCE:.0f} seconds"
    except PlatformError as error:
        detail = error.title
    except OSError as error:
        detail = error.strerror or type(error).__name__
    return Health(status=HealthStatus.UNHEALTHY, detail=detail)
