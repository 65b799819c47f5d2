"""What the rest of the city may know about the solution realm."""

from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from foundations.public_works.parsing.insights.model import Insight
from realms.journey.api import Failure, Journey, Reason, RunStatus
from smart_city.content_steward.api import FileRecord
from smart_city.data_steward.api import DataClasses, LineageLink, Quality
from smart_city.librarian.api import IndexEntry
from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class UsedFile(FrozenModel):
    """A file whose retention has ended, and the runs that still use it."""

    file_id: str
    runs: tuple[str, ...]


class RetentionSweep(FrozenModel):
    """The files whose retention has ended: those that nothing uses, and those that runs use.

    `removed` says whether the first were removed, or would only be.
    """

    removed: bool
    unused: tuple[DataClasses, ...]
    used: tuple[UsedFile, ...]


class MilestoneOutcome(FrozenModel):
    """What one milestone of a phase came to."""

    status: RunStatus
    reason: Reason = Reason.NONE
    attempts: int = 0
    output: dict[str, Any] | None = None
    error: Failure | None = None


class PhaseOutcome(FrozenModel):
    """A phase: the state of its milestone that is least far, and each milestone by id."""

    status: RunStatus
    milestones: dict[str, MilestoneOutcome]


class Phases(FrozenModel):
    """The four phases of the data mash."""

    infrastructure: PhaseOutcome
    business_enablement: PhaseOutcome
    semantic_layer: PhaseOutcome
    insights: PhaseOutcome


class DataMashOutcome(FrozenModel):
    """The data mash of one file, as far as it came; `error` is there when `success` is not.

    When the journey was still under way at the end of the wait, `error.code` is `still_running`.
    """

    success: bool
    trace_id: str = Field(description="The trace of the whole flow, from upload or start.")
    journey_id: str
    phases: Phases
    error: Failure | None = None


class MadeByMilestone(FrozenModel):
    """A milestone that did some of the work: which service, of which version, in which attempt."""

    milestone_id: str
    service: str
    api: str
    service_version: str = Field(description="as it is registered now; empty when it is not")
    status: RunStatus
    attempt: int = Field(description="the one that gave the result, counted from 1")
    ended_at: datetime | None = None
    supplied_by: str = Field(default="", description="who supplied the result by hand")


class MadeByRun(FrozenModel):
    """A run that read a file: its template, and the milestones that did the work."""

    run_id: str
    journey_id: str = Field(description="its alias, or its id where it has none")
    template: str
    template_hash: str
    status: RunStatus
    trace_id: str
    milestones: tuple[MadeByMilestone, ...]
    findings: int = Field(description="insights that it found")


class ParsedContent(FrozenModel):
    """What parsing gave, and the keys of its artifacts in the object store."""

    artifact: str
    sha256: str = Field(description="of the file as it was parsed")
    tables: tuple[str, ...]
    passages: int
    files_within: int


class KnownContent(FrozenModel):
    """What the semantic layer holds: passages with their vectors, and edges of the graph."""

    content_id: str
    model: str
    dimensions: int
    vectors: int
    edges: int
    stored_at: datetime
    trace_id: str


class FileLineage(FrozenModel):
    """What came from a file. What it has not come to yet is empty."""

    file: FileRecord
    parsed: tuple[ParsedContent, ...] = Field(max_length=1)
    content: tuple[KnownContent, ...] = Field(max_length=1)
    indexed: tuple[IndexEntry, ...] = Field(max_length=1)
    quality: tuple[Quality, ...] = Field(max_length=1)
    runs: tuple[MadeByRun, ...] = Field(description="the first hundred")
    links: tuple[LineageLink, ...]


class FindingLineage(FrozenModel):
    """What made a finding: the file and its version, the milestone and its attempt, the service."""

    number: int
    finding: Insight
    file: FileRecord
    run: MadeByRun
    milestone: MadeByMilestone


class NoSuchFinding(PlatformError):
    """The run has no finding of this number."""

    kind = ErrorKind.NOT_FOUND


class DataLineages(Protocol):
    """Tells what came from a file, and what made a finding."""

    async def trace_file(self, file_id: str) -> FileLineage:
        """What came from a file of the caller's tenant. Raises FileUnknown."""
        ...

    async def trace_finding(self, journey_id: str, number: int = 1) -> FindingLineage:
        """What made the finding of this number. Raises UnknownRun, NoSuchFinding."""
        ...


class DataMashSolutions(Protocol):
    """Runs the data mash of a file and shapes what came of it."""

    async def execute_data_mash_flow(
        self,
        file_id: str,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
        own_trace: bool = False,
        rerun: bool = False,
        wait_seconds: float = 60,
    ) -> DataMashOutcome: ...

    async def start_data_mash(
        self, file_id: str, own_trace: bool = False, rerun: bool = False
    ) -> Journey: ...

    async def get_data_mash(self, journey_id: str) -> DataMashOutcome: ...


class FileRetention(Protocol):
    """Removes files whose retention has ended."""

    async def preview_retention(self) -> RetentionSweep:
        """What would be removed of the caller's tenant's files now; nothing is."""
        ...

    async def sweep_retention(self) -> RetentionSweep:
        """Remove the caller's tenant's files whose retention has ended, but those in use."""
        ...
