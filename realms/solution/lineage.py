"""Lineage: what came from a file, and what made a finding; told from what each part has kept."""

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from foundations.curator.registry import NotRegistered, Registry
from foundations.declarations import Effect, service, soa_api
from foundations.public_works.content_metadata import ContentMetadataAbstraction, ContentUnknown
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from foundations.public_works.parsing.insights.model import Insight, InsightsResult
from foundations.public_works.semantics import MANIFEST, Manifest, folder_of
from realms.journey.api import JourneyRun, Journeys, MilestoneRecord, UnknownRun
from realms.solution.api import (
    DataLineages,
    FileLineage,
    FindingLineage,
    KnownContent,
    MadeByMilestone,
    MadeByRun,
    NoSuchFinding,
    ParsedContent,
)
from smart_city.content_steward.api import ContentSteward, FileRecord
from smart_city.data_steward.api import DataSteward, LineageLink, QualityUnknown
from smart_city.librarian.api import Librarian, NotIndexed
from utilities.errors import PlatformError

T = TypeVar("T")
_MOST_RUNS = 100
_RESULT = "insights_result"


@service
class DataLineageService(DataLineages):
    """Tells what came from a file, and what made a finding."""

    def __init__(
        self,
        *,
        registry: Registry,
        files: ContentSteward,
        data: DataSteward,
        library: Librarian,
        content: ContentMetadataAbstraction,
        objects: ObjectStore,
        journeys: Journeys,
    ) -> None:
        self._registry = registry
        self._files = files
        self._data = data
        self._library = library
        self._content = content
        self._objects = objects
        self._journeys = journeys

    @soa_api(public=True, effect=Effect.PURE)
    async def trace_file(self, file_id: str) -> FileLineage:
        """What came from a file: what parsing gave, vectors, index, quality, runs and findings.

        Raises:
            FileUnknown: the caller's tenant has no such client file.
        """
        record = await self._files.get_file(file_id)
        links = (await self._data.get_lineage(file_id)).links
        return FileLineage(
            file=record,
            parsed=await _if_any(self._parsed(record), ObjectNotFound),
            content=await _if_any(self._known(file_id), ContentUnknown),
            indexed=await _if_any(self._library.get_entry(file_id), NotIndexed),
            quality=await _if_any(self._data.get_quality(file_id), QualityUnknown),
            runs=tuple([run async for run in self._runs(file_id, links)]),
            links=links,
        )

    @soa_api(public=True, effect=Effect.PURE)
    async def trace_finding(
        self, journey_id: str, number: Annotated[int, Field(ge=1)] = 1
    ) -> FindingLineage:
        """What made a finding: file and digest, milestone and attempt, service and version.

        `number` counts the insights of the run from 1, in their order.

        Raises:
            UnknownRun: there is no such run.
            NoSuchFinding: it has no insight of this number.
            FileUnknown: the file it read is gone.
        """
        run = await self._journeys.get(journey_id)
        found = list(_findings(run))
        if not 1 <= number <= len(found):
            raise NoSuchFinding(
                f"{journey_id[:200]} has {len(found)} findings, none is number {number}",
                hint="its milestone insights_generated shows them in their order",
            )
        milestone, finding = found[number - 1]
        return FindingLineage(
            number=number,
            finding=finding,
            file=await self._files.get_file(str(run.input.get("file_id", ""))),
            run=self._told(run),
            milestone=self._made_by(milestone),
        )

    async def _parsed(self, record: FileRecord) -> ParsedContent:
        folder = folder_of(record.tenant, record.file_id)
        manifest = Manifest.model_validate_json(await self._objects.get(f"{folder}/{MANIFEST}"))
        parsed = manifest.parse_result
        return ParsedContent(
            artifact=folder,
            sha256=manifest.sha256,
            tables=tuple(table.name for table in parsed.tables),
            passages=parsed.passage_count,
            files_within=len(parsed.files),
        )

    async def _known(self, file_id: str) -> KnownContent:
        known = await self._content.get_content_metadata(file_id)
        return KnownContent(
            content_id=known.content_id,
            model=known.model,
            dimensions=known.dimensions,
            vectors=known.passage_count,
            edges=known.edge_count,
            stored_at=known.stored_at,
            trace_id=known.trace_id,
        )

    async def _runs(self, file_id: str, links: tuple[LineageLink, ...]) -> AsyncIterator[MadeByRun]:
        """The runs that are there still; finished ones are not kept for ever."""
        used = (one for one in links if one.predicate == "used" and one.object == file_id)
        named = [one.subject for one in used][:_MOST_RUNS]
        for name in named:
            for run in await _if_any(self._journeys.get(name.removeprefix("run:")), UnknownRun):
                yield self._told(run)

    def _told(self, run: JourneyRun) -> MadeByRun:
        return MadeByRun(
            run_id=run.run_id,
            journey_id=run.alias or run.run_id,
            template=run.template,
            template_hash=run.template_hash,
            status=run.status,
            trace_id=run.trace_id,
            milestones=tuple(self._made_by(one) for one in run.milestones if one.service),
            findings=len(list(_findings(run))),
        )

    def _made_by(self, milestone: MilestoneRecord) -> MadeByMilestone:
        return MadeByMilestone(
            milestone_id=milestone.milestone_id,
            service=milestone.service,
            api=milestone.api,
            service_version=self._version(milestone.service),
            status=milestone.status,
            attempt=milestone.attempts,
            ended_at=milestone.ended_at,
            supplied_by=milestone.supplied_by,
        )

    def _version(self, name: str) -> str:
        try:
            entry = self._registry.entry(name)
        except NotRegistered:
            return ""
        return entry.service.version if entry.service else ""


def _findings(run: JourneyRun) -> Iterator[tuple[MilestoneRecord, Insight]]:
    """The insights in the results of a run, with the milestone that gave them."""
    for milestone in run.milestones:
        outputs = milestone.output if isinstance(milestone.output, list) else [milestone.output]
        for output in outputs:
            for insight in _insights(output):
                yield milestone, insight


def _insights(output: Any) -> tuple[Insight, ...]:
    if not isinstance(output, dict) or _RESULT not in output:
        return ()
    try:
        return InsightsResult.model_validate(output[_RESULT]).insights
    except ValidationError:
        return ()  # supplied by hand, in a form of its own


async def _if_any(asked: Awaitable[T], absent: type[PlatformError]) -> tuple[T, ...]:
    try:
        return (await asked,)
    except absent:
        return ()
