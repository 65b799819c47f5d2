"""What the rest of the city may know about the data steward."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field

from foundations.public_works.database import Writes
from foundations.public_works.parsing.models import Passage, TableProfile
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class DataTrack(StrEnum):
    """Whose data a policy is for: clients', or the platform's own."""

    CLIENT = "client"
    PLATFORM = "platform"


class Classification(StrEnum):
    """How careful one has to be with data."""

    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class ContentSeen(FrozenModel):
    """What a file was found to hold when it was parsed."""

    tables: tuple[TableProfile, ...] = ()
    passages: tuple[Passage, ...] = ()


class PolicySubject(FrozenModel):
    """What a policy is asked about: a file on its way in, and once it is parsed its content."""

    file_id: str = Field(min_length=1)
    name: str
    media_type: str
    size: int = Field(ge=0, description="in bytes")
    content: ContentSeen | None = Field(
        default=None, description="given at the handoff to the semantic layer"
    )


class PolicyDecision(FrozenModel):
    """What a policy said. `rules` are those that were looked at; `refused_by` is one of them.

    `data_classes` are the classes of data in the file, once its content was seen.
    """

    file_id: str
    track: DataTrack
    allowed: bool
    classification: Classification
    rules: tuple[str, ...]
    refused_by: str = ""
    reason: str = ""
    data_classes: tuple[str, ...] = ()
    policy_version: str
    decided_at: datetime
    trace_id: str


class PolicyDecisions(FrozenModel):
    """The decisions about one file."""

    decisions: tuple[PolicyDecision, ...]


class PolicyRule(FrozenModel):
    """One rule of a policy, in words."""

    name: str
    track: DataTrack
    description: str


class ClassOfData(FrozenModel):
    """A class of data: who may see it, how long it is kept, and what tells it."""

    name: str
    description: str
    classification: Classification
    may_see: tuple[str, ...] = Field(description="roles; everyone else sees a mask")
    retention_days: int
    refused: bool = Field(description="whether files that hold it are let no further")
    detectors: tuple[str, ...]


class Policies(FrozenModel):
    """Every rule there is, and every class of data."""

    name: str
    version: str
    rules: tuple[PolicyRule, ...]
    classes: tuple[ClassOfData, ...]


class ContentFinding(FrozenModel):
    """Data of a class: in a column of a table, or in passages."""

    data_class: str
    detector: str
    table: str = ""
    column: str = ""
    passages: tuple[int, ...] = Field(default=(), description="the first twenty")
    count: int = Field(default=0, description="how often, in passages")


class DataClasses(FrozenModel):
    """What classes of data a file holds, by its content as it was parsed last."""

    file_id: str
    policy_version: str
    classification: Classification
    classes: tuple[str, ...]
    findings: tuple[ContentFinding, ...]
    keep_until: datetime = Field(description="when the retention of its data ends")
    recorded_at: datetime
    trace_id: str


class RetentionPage(FrozenModel):
    """Files by the end of their retention, the first to end first."""

    files: tuple[DataClasses, ...]


class EndedRetention(FrozenModel):
    """A client's file of some tenant that may be kept no longer."""

    tenant: str
    seen: DataClasses


class Removal(FrozenModel):
    """A file that was removed because its retention had ended: what stays of it."""

    file_id: str
    keep_until: datetime
    classes: tuple[str, ...]
    policy_version: str
    removed_at: datetime
    trace_id: str


class RemovalPage(FrozenModel):
    """Files that were removed because their retention had ended, the last one first."""

    removals: tuple[Removal, ...]


class Deduction(FrozenModel):
    """What was taken from the full score of a file, and why."""

    name: str
    points: float = Field(gt=0, le=100)
    reason: str
    where: tuple[str, ...] = Field(
        default=(), description="columns as `table.column`, the worst ten"
    )


class QualityReport(FrozenModel):
    """How good the data in a file is. `completeness` is the share of values that are there.

    `score` is 100 less the points of the deductions, and never below 0.
    """

    score: float = Field(default=100.0, ge=0, le=100)
    deductions: tuple[Deduction, ...] = Field(default=(), description="the largest first")
    completeness: float = Field(default=1.0, ge=0, le=1)
    measures: dict[str, float] = Field(
        default_factory=dict, description="figures by name, such as rows or duplicate_rows"
    )
    issues: tuple[str, ...] = Field(default=(), description="sentences, worst first")


class Quality(FrozenModel):
    """The newest quality report of a file."""

    file_id: str
    report: QualityReport
    recorded_at: datetime
    trace_id: str


class LineageLink(FrozenModel):
    """One fact of where something comes from, such as content `was_derived_from` a file."""

    subject: str
    predicate: str
    object: str
    recorded_at: datetime
    trace_id: str


class Lineage(FrozenModel):
    """The links of a file and of everything that was made from it, oldest first."""

    file_id: str
    links: tuple[LineageLink, ...]


class Forgotten(FrozenModel):
    """How many rows of decisions, quality and lineage there were of a file."""

    file_id: str
    rows: int


class PolicyRefused(PlatformError):
    """The data policy does not allow this."""

    kind = ErrorKind.INVALID


class KindOfDataRefused(PolicyRefused):
    """The data policy does not allow this kind of file."""

    kind = ErrorKind.UNSUPPORTED


class TooMuchData(PolicyRefused):
    """The data policy does not allow a file of this size."""

    kind = ErrorKind.TOO_LARGE


class ClassRefused(PolicyRefused):
    """The data policy does not allow files with data of this class."""


class ContentUnseen(PlatformError):
    """The content of this file has not been looked at."""

    kind = ErrorKind.NOT_FOUND


class DataHidden(PlatformError):
    """The file holds data that the caller may not see."""

    kind = ErrorKind.REFUSED


class QualityUnknown(PlatformError):
    """No quality has been recorded for this file."""

    kind = ErrorKind.NOT_FOUND


class Masking(Protocol):
    """Takes out of answers what their reader may not see; pure."""

    hides: frozenset[str]
    """The classes of data that the reader may not see."""

    def text(self, text: str) -> str:
        """A text without what is hidden."""
        ...

    def answer(self, document: Any) -> Any:
        """An answer as JSON without what is hidden."""
        ...


class DataSteward(Protocol):
    """Decides what data may come in and how it is treated; keeps its quality and lineage."""

    async def enforce_client_data_policy(self, subject: PolicySubject) -> PolicyDecision:
        """Judge a client's file; the decision is recorded either way. Raises PolicyRefused."""
        ...

    async def enforce_platform_data_policy(self, subject: PolicySubject) -> PolicyDecision:
        """Judge a file of the platform's own, by the rules of that track."""
        ...

    async def enforce_semantic_policy(self, file_id: str) -> PolicyDecision:
        """The decision that lets a client file's content into the semantic layer.

        Raises PolicyRefused when there is none, so content of the platform's own never gets in.
        """
        ...

    def admitting(self, content_id: str, file_id: str) -> Writes:
        """What asks the same in the transaction that stores content of a client's file.

        It raises PolicyRefused there, or keeps that the content was derived from the file.
        """
        ...

    async def forget_file(self, file_id: str) -> Forgotten:
        """Remove decisions, quality and lineage of a client's file, which is being deleted."""
        ...

    async def get_policies(self) -> Policies: ...

    def masking(self) -> Masking:
        """The mask for what the caller in progress is shown."""
        ...

    async def require_sight(self, file_id: str) -> None:
        """Pass a caller who may see all that a client's file holds. Raises DataHidden.

        A file whose content was not looked at may hold anything.
        """
        ...

    async def get_data_classes(self, file_id: str) -> DataClasses:
        """What classes of data a client's file holds. Raises ContentUnseen."""
        ...

    async def list_retention(self, limit: int = 50, due: bool = False) -> RetentionPage:
        """The client files by the end of their retention; with `due` those it has ended for."""
        ...

    async def ended_retentions(
        self, *, limit: int, after: EndedRetention | None = None
    ) -> tuple[EndedRetention, ...]:
        """The client files of every tenant whose retention has ended, those after `after`."""
        ...

    async def record_removal(self, seen: DataClasses) -> Removal:
        """Keep that a file was removed because its retention had ended."""
        ...

    async def list_removals(self, limit: int = 50) -> RemovalPage:
        """The files that were removed because their retention had ended, the last one first."""
        ...

    async def get_decisions(self, file_id: str) -> PolicyDecisions:
        """The client track's decisions about a file; none is no error."""
        ...

    async def record_quality(
        self, file_id: str, report: QualityReport, track: DataTrack = DataTrack.CLIENT
    ) -> Quality:
        """Keep the newest quality report of a file."""
        ...

    async def get_quality(self, file_id: str) -> Quality:
        """The newest quality report of a client's file. Raises QualityUnknown."""
        ...

    async def get_platform_quality(self, file_id: str) -> Quality:
        """The newest quality report of a file of the platform's own. Raises QualityUnknown."""
        ...

    async def record_lineage(
        self,
        subject: str,
        predicate: str,
        object: str,  # noqa: A002 - the third part of a triple is its object
        track: DataTrack = DataTrack.CLIENT,
    ) -> LineageLink:
        """Keep where `subject` comes from; the same link again changes nothing."""
        ...

    async def get_lineage(self, file_id: str) -> Lineage:
        """The links of a client's file and of what was made from it; none is no error."""
        ...

    async def get_platform_lineage(self, file_id: str) -> Lineage:
        """The same for a file of the platform's own."""
        ...
