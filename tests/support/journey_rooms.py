"""The journey and solution realms in a real registry, above small services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from foundations.boot import Duty, Works
from foundations.curator.registry import Registry
from foundations.declarations import Effect, service, soa_api
from foundations.public_works.adapters.in_process_dispatch import InProcessDispatch
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.adapters.local_objects import LocalObjectStore
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.secrets import EnvironmentSecrets
from foundations.public_works.settings import Settings
from foundations.rooms import Room
from foundations.wiring import wire
from realms.journey.container import container as journey
from realms.solution.data_mash import DataMashSolutionOrchestratorService
from smart_city.content_steward.api import ContentSteward, FileRecord, FileStatus, FileUnknown
from tests.support.journals import MIGRATIONS
from tests.support.journeys import HidesNothing
from utilities.clock import SystemClock
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import TimeSortableIds
from utilities.observability.distributed_tracing import DistributedTracing


class Stored(BaseModel):
    file_id: str
    validation_status: str
    storage_location: str


class Parsed(BaseModel):
    parse_result: dict[str, Any]
    semantic_result: dict[str, Any]
    trace_id: str


class Embedded(BaseModel):
    content_id: str
    storage_status: str
    semantic_data: dict[str, Any]


class Insights(BaseModel):
    insights_result: dict[str, Any]


class Unreadable(PlatformError):
    """No parser understands the file."""

    kind = ErrorKind.INVALID


@service
class ContentStewardService:
    """Knows every file whose id does not begin with `no`."""

    async def get_file(self, file_id: str) -> FileRecord:
        if file_id.startswith("no"):
            raise FileUnknown(f"there is no file {file_id}")
        return FileRecord(
            file_id=file_id,
            tenant=current().tenant,
            name="figures.csv",
            media_type="text/csv",
            size=3,
            sha256="00",
            status=FileStatus.STORED,
            storage_location=f"files/{file_id}",
            trace_id="trace-of-the-upload",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    @soa_api(public=True, effect=Effect.KEYED)
    async def process_client_file(self, file_id: str) -> Stored:
        """Store."""
        return Stored(
            file_id=file_id, validation_status="valid", storage_location=f"files/{file_id}"
        )


@service
class ContentAnalysisOrchestrator:
    """Parses every file whose id does not begin with `bad`; one with `slow` never ends."""

    @soa_api(public=True, effect=Effect.KEYED)
    async def parse_file(
        self, file_id: str, parse_options: dict[str, str] | None = None, trace_id: str | None = None
    ) -> Parsed:
        """Parse."""
        if file_id.startswith("bad"):
            raise Unreadable("no parser understands it")
        if file_id.startswith("slow"):
            await asyncio.Event().wait()
        return Parsed(parse_result={"rows": 3}, semantic_result={}, trace_id=trace_id or "")


@service
class ContentMetadataAbstraction:
    """Stores."""

    @soa_api(effect=Effect.KEYED)
    async def store_semantic_embeddings(
        self, file_id: str, semantic_result: dict[str, Any]
    ) -> Embedded:
        """Store."""
        return Embedded(content_id=file_id, storage_status="stored", semantic_data={})


@service
class InsightsOrchestrator:
    """Concludes."""

    @soa_api(public=True, effect=Effect.KEYED)
    async def analyze_content_for_insights(
        self, file_id: str, semantic_data: dict[str, Any]
    ) -> Insights:
        """Conclude."""
        return Insights(insights_result={"sentences": [f"{file_id} has 3 rows."]})


class KnownByType(ContentStewardService, ContentSteward):  # type: ignore[misc]  # see below
    """The small steward as the solution realm asks for it; it defines only what is used."""


@asynccontextmanager
async def open_realms(folder: Path) -> AsyncIterator[Registry]:
    """Both realms, open, over a database in `folder`."""
    settings, ids, clock = (
        Settings(data_dir=folder, drain_seconds=0.05),
        TimeSortableIds(),
        SystemClock(),
    )
    registry = Registry()
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(DataFolder(settings=settings, ids=ids))
        database = await stack.enter_async_context(SqliteDatabase(folder=data))
        await database.migrate("journey", MIGRATIONS)
        dispatch = await stack.enter_async_context(
            InProcessDispatch(settings=settings, clock=clock)
        )
        parts = (settings, ids, clock, data, database, dispatch, LocalObjectStore(folder=data))
        others = (Duty.ALL, EnvironmentSecrets(), InProcessEvents(), DistributedTracing())
        for part in (*parts, *others):
            registry.add(part)
        services = wire(
            ContentStewardService,
            ContentAnalysisOrchestrator,
            ContentMetadataAbstraction,
            InsightsOrchestrator,
        )
        registry.enrol(services(), Room("tests.support", "small"))
        registry.add(KnownByType())  # type: ignore[abstract]  # as it says
        registry.add(HidesNothing())  # type: ignore[abstract]  # it has only what is asked for
        registry.enrol(journey(), Room("realms.journey", "journey"))
        solution = wire(DataMashSolutionOrchestratorService)  # lineage needs the whole city
        registry.enrol(solution(), Room("realms.solution", "solution"))
        registry.prepare()
        await registry.open(stack)
        for _, worker in registry.implementations(Works):
            await stack.enter_async_context(worker.working())
        yield registry
