"""The insights pillar: from what was parsed to sentences with figures and evidence."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from foundations.public_works import semantics
from foundations.public_works.content_metadata import NotParsed, WrongFile
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from foundations.public_works.parsers import Parsers
from foundations.public_works.parsing.insights.comparing import ParsedFile
from foundations.public_works.semantics import Manifest, SemanticData, folder_of
from realms.business_enablement.api import MOST_COMPARED, ComparisonAnswer, Insights, InsightsAnswer
from smart_city.content_steward.api import ContentSteward

FileIds = Annotated[list[str], Field(min_length=2, max_length=MOST_COMPARED)]


@service
class InsightsOrchestrator(Insights):
    """Says what is worth knowing of a file: computed, never invented."""

    def __init__(self, *, steward: ContentSteward, parsers: Parsers, objects: ObjectStore) -> None:
        self._steward = steward
        self._parsers = parsers
        self._objects = objects

    @soa_api(public=True, effect=Effect.PURE)
    async def analyze_content_for_insights(
        self, file_id: str, semantic_data: SemanticData
    ) -> InsightsAnswer:
        """Compute the insights of a file from its artifacts, in a child process with limits.

        Raises:
            FileUnknown: there is no such file.
            WrongFile: `semantic_data` is another file's.
            NotParsed: the file's artifacts are not there.
        """
        if semantic_data.file_id != file_id:
            raise WrongFile(
                f"the semantic data is of {semantic_data.file_id!r}, not of {file_id!r}"
            )
        async with self._parsed(file_id) as file:
            found = await self._parsers.find_insights(file.parsed, file.artifacts)
        return InsightsAnswer(insights_result=found)

    @soa_api(public=True, effect=Effect.PURE)
    async def compare_files(self, file_ids: FileIds) -> ComparisonAnswer:
        """Find joins, changes, contradictions and likenesses between files, in the order given.

        Raises:
            FileUnknown: one of the files is not there.
            NotParsed: the artifacts of one are not there.
        """
        async with AsyncExitStack() as stack:
            files = [
                await stack.enter_async_context(self._parsed(file_id))
                for file_id in dict.fromkeys(file_ids)
            ]
            found = await self._parsers.compare(files)
        return ComparisonAnswer(comparison_result=found)

    @asynccontextmanager
    async def _parsed(self, file_id: str) -> AsyncIterator[ParsedFile]:
        """What is known of a file, with local copies of its artifacts."""
        record = await self._steward.get_file(file_id)
        folder = folder_of(record.tenant, record.file_id)
        try:
            stored = await self._objects.get(f"{folder}/{semantics.MANIFEST}")
        except ObjectNotFound as error:
            raise NotParsed(
                f"the content of {file_id!r} is not there", hint="parse the file first"
            ) from error
        parsed = Manifest.model_validate_json(stored).parse_result
        async with AsyncExitStack() as stack:
            artifacts = {
                name: await stack.enter_async_context(self._objects.local_copy(f"{folder}/{name}"))
                for name in parsed.artifacts
            }
            yield ParsedFile(parsed, artifacts)
