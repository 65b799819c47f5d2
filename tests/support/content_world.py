"""A content world: real store, database, parsers and embedder; the steward alone is a fake."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.adapters.local_objects import LocalObjectStore
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.adapters.wordllama_embedder import WordLlamaEmbedder
from foundations.public_works.content_graph import ContentGraphAbstraction
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Writes
from foundations.public_works.graph.records import GraphRecords
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.records import ContentRecords
from foundations.public_works.semantics import IndexableContent
from foundations.public_works.settings import Settings
from foundations.public_works.vectors.records import VectorRecords
from realms.business_enablement.content_analysis import ContentAnalysisOrchestrator
from realms.business_enablement.insights import InsightsOrchestrator
from smart_city.content_steward.api import FileRecord, FileStatus, FileUnknown, LocalCopy
from smart_city.data_steward.governance import DataStewardService
from smart_city.data_steward.policy_reading import PolicyInForce
from smart_city.data_steward.records import DataRecords
from smart_city.librarian.api import Only
from utilities.clock import SystemClock
from utilities.context import current
from utilities.ids import TimeSortableIds

MIGRATIONS = Path(__file__).parents[2] / "foundations" / "public_works" / "migrations"
DATA_STEWARD = Path(__file__).parents[2] / "smart_city" / "data_steward" / "migrations"
EMBEDDER = WordLlamaEmbedder()


class FakeSteward:
    """Keeps records in memory and bytes in the object store, each tenant's apart."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._records: dict[str, FileRecord] = {}

    async def take(self, file_id: str, name: str, data: bytes) -> str:
        key = f"client/{current().tenant}/{file_id}"
        await self._objects.put(key, data)
        self._records[file_id] = FileRecord(
            file_id=file_id,
            tenant=current().tenant,
            name=name,
            media_type="text/plain",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            status=FileStatus.STORED,
            storage_location=key,
            trace_id=current().trace_id,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        return file_id

    async def get_file(self, file_id: str) -> FileRecord:
        record = self._records.get(file_id)
        if record is None or record.tenant != current().tenant:
            raise FileUnknown(f"no file {file_id!r}")
        return record

    @asynccontextmanager
    async def local_copy(self, file_id: str) -> AsyncIterator[LocalCopy]:
        record = await self.get_file(file_id)
        async with self._objects.local_copy(record.storage_location) as path:
            yield LocalCopy(record, path)


@dataclass
class FakeIndex:
    """Remembers what it was given."""

    given: list[IndexableContent] = field(default_factory=list)

    def indexing(self, content: IndexableContent) -> Writes:
        return lambda _: self.given.append(content)

    async def forget_content(self, file_id: str) -> Only:
        self.given = [content for content in self.given if content.file_id != file_id]
        return Only()


@dataclass
class World:
    """Everything a content test touches."""

    settings: Settings
    folder: DataFolder
    objects: ObjectStore
    steward: FakeSteward
    analysis: ContentAnalysisOrchestrator
    insights: InsightsOrchestrator
    metadata: ContentMetadataAbstraction
    graph: ContentGraphAbstraction
    index: FakeIndex
    data: DataStewardService

    async def mash(self, file_id: str, name: str, data: bytes) -> Any:
        """The three milestones of content, one after the other."""
        await self.steward.take(file_id, name, data)
        parsed = await self.analysis.parse_file(file_id)
        stored = await self.metadata.store_semantic_embeddings(file_id, parsed.semantic_result)
        return await self.insights.analyze_content_for_insights(file_id, stored.semantic_data)


@asynccontextmanager
async def content_world(data_dir: Path) -> AsyncIterator[World]:
    """A world over a new data folder."""
    settings = Settings(data_dir=data_dir)
    folder = DataFolder(settings=settings, ids=TimeSortableIds())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(folder)
        database = SqliteDatabase(folder=folder)
        await stack.enter_async_context(database)
        await database.migrate("public_works", MIGRATIONS)
        await database.migrate("data_steward", DATA_STEWARD)
        force = await stack.enter_async_context(PolicyInForce(settings=settings))
        yield _built(settings, folder, database, force)


def _built(
    settings: Settings, folder: DataFolder, database: SqliteDatabase, force: PolicyInForce
) -> World:
    objects = LocalObjectStore(folder=folder)
    steward: Any = FakeSteward(objects)
    parsers = ChildProcessParsers(settings=settings)
    data = DataStewardService(
        records=DataRecords(database=database), clock=SystemClock(), force=force
    )
    index = FakeIndex()
    vectors, graphs = (
        VectorRecords(database=database, settings=settings),
        GraphRecords(database=database),
    )
    records = ContentRecords(database=database, vectors=vectors)
    metadata = ContentMetadataAbstraction(
        records=records,
        vectors=vectors,
        graphs=graphs,
        embedder=EMBEDDER,
        objects=objects,
        clock=SystemClock(),
    )
    metadata.plug_index(index)
    return World(
        settings=settings,
        folder=folder,
        objects=objects,
        steward=steward,
        analysis=ContentAnalysisOrchestrator(
            steward=steward,
            data=data,
            parsers=parsers,
            embedder=EMBEDDER,
            objects=objects,
            folder=folder,
        ),
        insights=InsightsOrchestrator(steward=steward, parsers=parsers, objects=objects),
        metadata=metadata,
        graph=ContentGraphAbstraction(records=records, graphs=graphs),
        index=index,
        data=data,
    )
