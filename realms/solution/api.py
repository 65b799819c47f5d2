"""What the rest of the city may know about the solution realm."""

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from realms.journey.api import Failure, Journey, Reason, RunStatus
from utilities.context import UserContext


class MilestoneOutcome(BaseModel):
    """What one milestone of a phase came to."""

    model_config = ConfigDict(frozen=True)

    status: RunStatus
    reason: Reason = Reason.NONE
    attempts: int = 0
    output: dict[str, Any] | None = None
    error: Failure | None = None


class PhaseOutcome(BaseModel):
    """A phase: the state of its milestone that is least far, and each milestone by id."""

    model_config = ConfigDict(frozen=True)

    status: RunStatus
    milestones: dict[str, MilestoneOutcome]


class Phases(BaseModel):
    """The four phases of the data mash."""

    model_config = ConfigDict(frozen=True)

    infrastructure: PhaseOutcome
    business_enablement: PhaseOutcome
    semantic_layer: PhaseOutcome
    insights: PhaseOutcome


class DataMashOutcome(BaseModel):
    """The data mash of one file, as far as it came; `error` is there when `success` is not.

    When the journey was still under way at the end of the wait, `error.code` is `still_running`.
    """

    model_config = ConfigDict(frozen=True)

    success: bool
    trace_id: str = Field(description="The trace of the whole flow, from upload or start.")
    journey_id: str
    phases: Phases
    error: Failure | None = None


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
