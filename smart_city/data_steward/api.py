"""What the rest of the city may know about the data steward."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from utilities.errors import ErrorKind, PlatformError


class DataTrack(StrEnum):
    """Whose data a policy is for: clients', or the platform's own."""

    CLIENT = "client"
    PLATFORM = "platform"


class Classification(StrEnum):
    """How careful one has to be with data."""

    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class PolicySubject(BaseModel):
    """What a policy is asked about: a file on its way in."""

    model_config = ConfigDict(frozen=True)

    file_id: str = Field(min_length=1)
    name: str
    media_type: str
    size: int = Field(ge=0, description="in bytes")


class PolicyDecision(BaseModel):
    """What a policy said. `rules` are those that were looked at; `refused_by` is one of them."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    track: DataTrack
    allowed: bool
    classification: Classification
    rules: tuple[str, ...]
    refused_by: str = ""
    reason: str = ""
    policy_version: str
    decided_at: datetime
    trace_id: str


class PolicyDecisions(BaseModel):
    """The decisions about one file."""

    model_config = ConfigDict(frozen=True)

    decisions: tuple[PolicyDecision, ...]


class PolicyRule(BaseModel):
    """One rule of a policy, in words."""

    model_config = ConfigDict(frozen=True)

    name: str
    track: DataTrack
    description: str


class Policies(BaseModel):
    """Every rule there is."""

    model_config = ConfigDict(frozen=True)

    version: str
    rules: tuple[PolicyRule, ...]


class QualityReport(BaseModel):
    """How good the data in a file is. `completeness` is the share of values that are there."""

    model_config = ConfigDict(frozen=True)

    completeness: float = Field(default=1.0, ge=0, le=1)
    measures: dict[str, float] = Field(
        default_factory=dict, description="figures by name, such as rows or duplicate_rows"
    )
    issues: tuple[str, ...] = Field(default=(), description="sentences, worst first")


class Quality(BaseModel):
    """The newest quality report of a file."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    report: QualityReport
    recorded_at: datetime
    trace_id: str


class LineageLink(BaseModel):
    """One fact of where something comes from, such as content `was_derived_from` a file."""

    model_config = ConfigDict(frozen=True)

    subject: str
    predicate: str
    object: str
    recorded_at: datetime
    trace_id: str


class Lineage(BaseModel):
    """The links of a file and of everything that was made from it, oldest first."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    links: tuple[LineageLink, ...]


class Forgotten(BaseModel):
    """How many rows of decisions, quality and lineage there were of a file."""

    model_config = ConfigDict(frozen=True)

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


class QualityUnknown(PlatformError):
    """No quality has been recorded for this file."""

    kind = ErrorKind.NOT_FOUND


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

    async def forget_file(self, file_id: str) -> Forgotten:
        """Remove decisions, quality and lineage of a client's file, which is being deleted."""
        ...

    async def get_policies(self) -> Policies: ...

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
