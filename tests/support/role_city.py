"""The smart city alone: every role from its own container, on real infrastructure, no realms."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from loguru import logger
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from foundations.boot import BootReport, StageRecord, StageStatus
from foundations.curator.discovery import roles
from foundations.curator.registry import Registry
from foundations.curator.verification import BootRefused
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.adapters.local_objects import LocalObjectStore
from foundations.public_works.adapters.postgres import PostgresDatabase
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.adapters.wordllama_embedder import WordLlamaEmbedder
from foundations.public_works.adapters.yara_scanner import YaraScanner
from foundations.public_works.content_graph import ContentGraphAbstraction
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.content_reindexing import ContentIndexAbstraction
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Database
from foundations.public_works.embedder import Embedder
from foundations.public_works.graph.records import GraphRecords
from foundations.public_works.records import ContentRecords
from foundations.public_works.settings import Settings
from foundations.public_works.vectors.records import VectorRecords
from foundations.rooms import Room
from foundations.wiring import wire
from smart_city.gateway import SmartCityGateway
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, bound
from utilities.ids import TimeSortableIds
from utilities.observability.distributed_tracing import DistributedTracing

T = TypeVar("T")

NORTH = UserContext(tenant="north", principal="first", roles=("owner",))
NORTH_SECOND = UserContext(tenant="north", principal="second", roles=("owner",))
SOUTH = UserContext(tenant="south", principal="first", roles=("owner",))
EMBEDDER = WordLlamaEmbedder()
SCANNER = YaraScanner()


class MovableClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by


@dataclass
class RoleCity:
    """The roles with everything a test may look at or move."""

    registry: Registry
    clock: MovableClock
    spans: InMemorySpanExporter
    log: list[str] = field(default_factory=list)

    @property
    def gateway(self) -> SmartCityGateway:
        return self.registry.get(SmartCityGateway)

    @property
    def folder(self) -> DataFolder:
        return self.registry.get(DataFolder)

    def get(self, wanted: type[T]) -> T:
        return self.registry.get(wanted)

    def spool(self, content: bytes) -> str:
        """Lay a file into the staging folder, as the upload route does; its base name."""
        path = self.folder.spool()
        path.write_bytes(content)
        return path.name

    def objects(self, folder: str = "") -> list[str]:
        """The keys in the object store below `folder`."""
        root = self.folder.objects
        found = (p for p in (root / folder).rglob("*") if p.is_file())
        return sorted(str(p.relative_to(root)) for p in found)

    def staged(self) -> list[str]:
        return sorted(path.name for path in self.folder.staging.iterdir())


@asynccontextmanager
async def role_city(
    path: Path,
    *,
    clock: MovableClock | None = None,
    extra: tuple[Any, ...] = (),
    database_url: str = "",
    embedder: Embedder | None = None,
    **more: Any,
) -> AsyncIterator[RoleCity]:
    """Open the roles over the data folder `path`; leave them, and the folder can be opened again.

    `extra` are containers with their rooms, enrolled after the roles; `more` are settings.
    """
    spans, tracing, registry = InMemorySpanExporter(), DistributedTracing(), Registry()
    tracing.add_processor(SimpleSpanProcessor(spans))
    report = BootReport([StageRecord("public_works", StageStatus.OPEN, 0.25)])
    moved = clock or MovableClock()
    settings = Settings(data_dir=path, database_url=SecretStr(database_url), **more)
    given = (settings, report, moved, TimeSortableIds(), tracing)
    for part in (*given, embedder or EMBEDDER, SCANNER):
        registry.add(part)
    city = RoleCity(registry, moved, spans)
    async with AsyncExitStack() as stack:
        stack.callback(tracing.close)
        stack.enter_context(_listening(city.log))
        below = wire(
            DataFolder,
            PostgresDatabase if database_url else SqliteDatabase,
            LocalObjectStore,
            InProcessEvents,
            VectorRecords,
            GraphRecords,
            ContentRecords,
            ContentGraphAbstraction,
            ContentMetadataAbstraction,
            ContentIndexAbstraction,
        )
        registry.enrol(below(), Room("foundations.public_works", "public_works"))
        registry.prepare()
        await registry.open(stack)
        rooms = [Room("foundations.public_works", "public_works"), *roles()]
        for room in rooms:
            if room.migrations is not None:
                await registry.get(Database).migrate(room.name, room.migrations)
        for room in [Room("smart_city", "smart_city"), *roles()]:
            registry.enrol(import_module(f"{room.package}.container").container(), room)
        for container, room in extra:
            registry.enrol(container, room)
        registry.prepare()
        if faults := registry.faults():
            raise BootRefused(faults)
        await registry.open(stack)
        yield city


@contextmanager
def _listening(log: list[str]) -> Iterator[None]:
    sink = logger.add(lambda line: log.append(str(line)), format="{level} {message} {extra}")
    try:
        yield
    finally:
        with suppress(ValueError):  # a command in between set the logs anew
            logger.remove(sink)


@contextmanager
def as_user(user: UserContext, trace_id: str = "trace-1", *, key: str = "") -> Iterator[None]:
    """Be `user` inside the block."""
    with bound(CallContext(trace_id, user, key)):
        yield
