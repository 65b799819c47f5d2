"""The data mash as a journey: one run for each file and user, continued or supplied by hand."""

from typing import Annotated, Any

from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from realms.journey.api import DataMashJourneys, Journey, JourneyRun
from realms.journey.control.engine import JourneyEngine
from utilities.context import current

TEMPLATE = "data_mash_flow"

UserId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._@+-]{1,128}$")]
FileId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]


@service
class DataMashJourneyOrchestratorService(DataMashJourneys):
    """Starts data mash journeys and lets people put in a result where a milestone is stuck."""

    def __init__(self, *, engine: JourneyEngine) -> None:
        self._engine = engine

    @soa_api(public=True, effect=Effect.KEYED)
    async def start_data_mash_journey(
        self,
        user_id: UserId,
        file_id: FileId,
        rerun: bool = False,
        trace_id: str | None = None,
    ) -> Journey:
        """Accept the journey `data_mash_{file_id}_{user_id}`; asking again gives the same one.

        With `rerun` a new one begins, as `..._2` and so on. Its trace is that of this call, or
        the one that code inside the city gives.
        """
        alias = f"data_mash_{file_id}_{user_id}"
        run = await self._engine.start(TEMPLATE, {"file_id": file_id}, alias=alias, rerun=rerun)
        return _journey(run, user_id)

    @soa_api(public=True, effect=Effect.KEYED)
    async def advance_milestone(
        self, journey_id: str, milestone_id: str, result: dict[str, Any]
    ) -> Journey:
        """Supply the result of a milestone that waits or has failed; the journey goes on from it.

        Raises:
            UnknownRun, UnknownMilestone: there is none.
            NotOpenForResult: the milestone is done, is running, or has not been reached.
            InvalidResult: the result lacks what follows needs, or breaks a contract.
        """
        run = await self._engine.supply(journey_id, milestone_id, result)
        return _journey(run, run.principal or current().user.principal)


def _journey(run: JourneyRun, user_id: str) -> Journey:
    return Journey(
        journey_id=run.alias or run.run_id,
        run_id=run.run_id,
        user_id=user_id,
        file_id=str(run.input.get("file_id", "")),
        trace_id=run.trace_id,
        status=run.status,
        reason=run.reason,
        milestones=run.milestones,
        error=run.error,
    )
