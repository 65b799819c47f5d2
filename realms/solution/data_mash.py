"""The data mash from end to end: start its journey, wait for it, shape its outcome."""

import functools
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from realms.journey.api import (
    DataMashJourneys,
    Failure,
    Journey,
    JourneyRun,
    Journeys,
    MilestoneRecord,
    RunStatus,
)
from realms.solution.api import (
    DataMashOutcome,
    DataMashSolutions,
    MilestoneOutcome,
    PhaseOutcome,
    Phases,
)
from smart_city.content_steward.api import ContentSteward
from utilities.context import UserContext, current
from utilities.errors import ErrorKind

P = ParamSpec("P")
R = TypeVar("R")

FileId = Annotated[str, Field(min_length=1, max_length=128)]
OwnTrace = Annotated[
    bool,
    Field(description="The caller named the trace; else the file's upload trace goes on."),
]
Seconds = Annotated[float, Field(ge=0, le=3600)]

_FARTHEST_LAST = (
    RunStatus.FAILED,
    RunStatus.CANCELLED,
    RunStatus.PAUSED,
    RunStatus.WAITING,
    RunStatus.RUNNING,
    RunStatus.QUEUED,
)


def _a_given_trace_is_its_own(
    call: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Tell the method that `trace_id=` was given: by its body's time every call has a trace.

    An edge, where the trace came by header, passes `own_trace` itself.
    """

    @functools.wraps(call)
    async def noted(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs.get("trace_id") is not None:
            kwargs.setdefault("own_trace", True)
        return await call(*args, **kwargs)

    return noted


@service
class DataMashSolutionOrchestratorService(DataMashSolutions):
    """Gives a user the data mash of a file as one thing."""

    def __init__(
        self, *, files: ContentSteward, mashes: DataMashJourneys, journeys: Journeys
    ) -> None:
        self._files = files
        self._mashes = mashes
        self._journeys = journeys

    @_a_given_trace_is_its_own
    @soa_api(public=True, effect=Effect.KEYED)
    async def execute_data_mash_flow(
        self,
        file_id: FileId,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
        own_trace: OwnTrace = False,
        rerun: bool = False,
        wait_seconds: Seconds = 60,
    ) -> DataMashOutcome:
        """Run the data mash of a stored file and wait for its outcome.

        Asked again it gives the outcome of the same journey, unless `rerun`. What was reached is
        in the outcome also when a phase failed or the wait was too short.

        Raises:
            FileUnknown: there is no such file.
        """
        journey = await self._started(file_id, own_trace=own_trace, rerun=rerun)
        return _outcome(await self._journeys.wait(journey.run_id, seconds=wait_seconds))

    @_a_given_trace_is_its_own
    @soa_api(public=True, effect=Effect.KEYED)
    async def start_data_mash(
        self, file_id: FileId, own_trace: OwnTrace = False, rerun: bool = False
    ) -> Journey:
        """Accept the data mash of a stored file and answer at once.

        Raises:
            FileUnknown: there is no such file.
        """
        return await self._started(file_id, own_trace=own_trace, rerun=rerun)

    @soa_api(public=True)
    async def get_data_mash(self, journey_id: str) -> DataMashOutcome:
        """The outcome of a data mash as far as it has come.

        Raises:
            UnknownRun: there is none of this id.
        """
        return _outcome(await self._journeys.get(journey_id))

    async def _started(self, file_id: str, *, own_trace: bool, rerun: bool) -> Journey:
        file = await self._files.get_file(file_id)
        trace_id = None if own_trace else file.trace_id or None
        user_id = current().user.principal
        return await self._mashes.start_data_mash_journey(
            user_id, file_id, rerun, trace_id=trace_id
        )


def _outcome(run: JourneyRun) -> DataMashOutcome:
    success = run.status is RunStatus.SUCCEEDED
    return DataMashOutcome(
        success=success,
        trace_id=run.trace_id,
        journey_id=run.alias or run.run_id,
        phases=Phases(**{name: _phase(run, name) for name in Phases.model_fields}),
        error=None if success else run.error or _unfinished(run),
    )


def _phase(run: JourneyRun, name: str) -> PhaseOutcome:
    found = {m.milestone_id: m for m in run.milestones if m.phase == name}
    return PhaseOutcome(
        status=_least_far([m.status for m in found.values()]),
        milestones={path: _milestone(m) for path, m in found.items()},
    )


def _least_far(statuses: list[RunStatus]) -> RunStatus:
    """The state that keeps a phase from being done."""
    for status in _FARTHEST_LAST:
        if status in statuses:
            return status
    if statuses and all(status is RunStatus.SUCCEEDED for status in statuses):
        return RunStatus.SUCCEEDED
    return RunStatus.RUNNING if RunStatus.SUCCEEDED in statuses else RunStatus.PENDING


def _milestone(milestone: MilestoneRecord) -> MilestoneOutcome:
    return MilestoneOutcome(
        status=milestone.status,
        reason=milestone.reason,
        attempts=milestone.attempts,
        output=milestone.output,
        error=milestone.error,
    )


def _unfinished(run: JourneyRun) -> Failure:
    """Why there is no success yet, when nothing has failed."""
    if run.settled:
        return Failure(
            kind=ErrorKind.CONFLICT,
            code="waiting",
            title="The journey waits for a person.",
            detail=f"{run.run_id} waits, reason {run.reason}",
            hint="supply the milestone's result with advance_milestone",
        )
    return Failure(
        kind=ErrorKind.TIMEOUT,
        code="still_running",
        title="The journey is still under way.",
        detail=f"{run.run_id} is {run.status}",
        hint="ask for it again in a moment",
    )
