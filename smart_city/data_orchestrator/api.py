"""What the rest of the city may know about the data orchestrator."""

from typing import Any, Protocol

from pydantic import Field

from smart_city.content_steward.api import FileRecord
from smart_city.data_steward.api import LineageLink, PolicyDecision, Quality
from smart_city.librarian.api import IndexEntry
from utilities.models import FrozenModel


class DataStewardAccount(FrozenModel):
    """What the data steward did: decisions, quality (none or one) and lineage."""

    decisions: tuple[PolicyDecision, ...]
    quality: tuple[Quality, ...] = Field(max_length=1)
    lineage: tuple[LineageLink, ...]


class DataMashAccount(FrozenModel):
    """A data mash, and what three roles did in it. `flow` is the flow's own outcome, whole."""

    success: bool
    trace_id: str
    journey_id: str
    flow: dict[str, Any]
    content_steward: FileRecord
    data_steward: DataStewardAccount
    librarian: tuple[IndexEntry, ...] = Field(
        max_length=1, description="empty when the flow did not get as far as the index"
    )


class DataOrchestrator(Protocol):
    """Runs the data mash and gives account of it."""

    async def orchestrate_data_mash_flow(self, file_id: str) -> DataMashAccount:
        """Run the data mash on a file, or join the run there is, and tell what was done."""
        ...
