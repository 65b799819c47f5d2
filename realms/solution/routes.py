"""The data mash over HTTP, accepted at once or waited for; and what came from what."""

import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from foundations.experience.edge import (
    Call,
    JsonResponse,
    Nothing,
    StrictBody,
    Trace,
    answers,
)
from foundations.experience.problems import STATUS, InvalidRequest, problem_response
from realms.journey.api import Failure, RunStatus
from realms.solution.api import DataMashOutcome, FileLineage, FindingLineage, Phases, RetentionSweep
from utilities.errors import FieldError, PlatformError
from utilities.models import FrozenModel

router = APIRouter(prefix="/api/solution", tags=["solution"])

LONGEST_WAIT = 60.0
_SERVICE = "DataMashSolutionOrchestratorService"
_LINEAGE = "DataLineageService"
_RETENTION = "FileRetentionService"
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


class DataMashRequest(FrozenModel):
    """Which file to mash."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"file_id": "01jd3k2m9x0000000000000000"}]},
    )

    file_id: str = Field(min_length=1, max_length=128)
    rerun: bool = Field(default=False, description="begin a new journey where there is one")


class DataMashAccepted(FrozenModel):
    """A data mash that is under way; `Location` leads to its run."""

    success: bool = True
    trace_id: str
    journey_id: str
    status: RunStatus
    run_id: str = Field(default="", description="given when nothing was waited for")
    phases: Phases | None = Field(default=None, description="as far as they came in the wait")


class _Failed(PlatformError):
    """A data mash that failed, told as its journey tells it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail, hint=failure.hint, errors=failure.errors)
        self._failure = failure
        self.kind = failure.kind  # type: ignore[misc]  # of this one failure, not of a class

    @property
    def code(self) -> str:
        return self._failure.code

    @property
    def title(self) -> str:
        return self._failure.title


@router.post(
    "/data-mash",
    summary="Mash a file",
    status_code=202,
)
@answers(DataMashAccepted, bare=True)
@answers(DataMashOutcome, bare=True, status=200, description="It ended well within the wait")
async def mash_file(
    request: Request,
    mash: Annotated[DataMashRequest, Depends(StrictBody(DataMashRequest))],
    call: Call,
    trace: Trace,
    wait: Annotated[
        str,
        Query(
            max_length=20,
            description="how long to wait for the outcome, such as 30s, 500ms or 1m; at most 60s",
            examples=["30s"],
        ),
    ] = "",
) -> Response:
    """Run the data mash on a stored file; asked again, join the journey there is.

    The journey continues the trace of the upload, unless this request brings one of its own. When
    it fails within the wait, the problem carries `journey_id` and the `phases` as far as they came.
    """
    wanted = {"file_id": mash.file_id, "rerun": mash.rerun, "own_trace": trace.sent}
    if not wait:
        journey = (await call.outcome(_SERVICE, "start_data_mash", **wanted)).result
        return _accepted(journey)
    seconds = _seconds(wait)
    outcome = (
        await call.outcome(_SERVICE, "execute_data_mash_flow", **wanted, wait_seconds=seconds)
    ).result
    if outcome["success"]:
        return JsonResponse(outcome, headers={"X-Trace-ID": outcome["trace_id"]})
    failure = Failure.model_validate(outcome["error"])
    if failure.code == "still_running":
        return _accepted({**outcome, "status": RunStatus.RUNNING})
    return _failed(request, failure, outcome)


@router.get("/data-mash/{journey_id}", summary="A data mash as it stands")
@answers(DataMashOutcome, bare=True)
async def show_mash(call: Call, journey_id: Annotated[str, Path(max_length=300)]) -> Response:
    """Its phases as far as they came; `error` says why it is no success, or not yet."""
    return JsonResponse(
        (await call.outcome(_SERVICE, "get_data_mash", journey_id=journey_id)).result
    )


@router.get("/lineage/files/{file_id}", summary="What came from a file")
@answers(FileLineage)
async def trace_file(call: Call, file_id: Annotated[str, Path(max_length=100)]) -> Response:
    """What parsing gave, vectors, index, quality, and the runs with their milestones."""
    return await call(_LINEAGE, "trace_file", file_id=file_id)


@router.get(
    "/lineage/findings/{journey_id}",
    summary="What made a finding",
)
@answers(FindingLineage)
async def trace_finding(
    call: Call,
    journey_id: Annotated[str, Path(max_length=300)],
    number: Annotated[int, Query(ge=1, le=100_000, description="of the run's insights")] = 1,
) -> Response:
    """The file and its digest, the run, the milestone and its attempt, the service's version."""
    return await call(_LINEAGE, "trace_finding", journey_id=journey_id, number=number)


def _accepted(journey: dict[str, Any]) -> Response:
    accepted = DataMashAccepted.model_validate(
        {name: journey[name] for name in DataMashAccepted.model_fields if name in journey}
        | {"success": True}
    )
    headers = {
        "Location": f"/api/journey/runs/{quote(accepted.journey_id, safe='')}",
        "X-Trace-ID": accepted.trace_id,
    }
    content = accepted.model_dump(mode="json", exclude_none=True)
    return JsonResponse(content, status_code=202, headers=headers)


def _failed(request: Request, failure: Failure, outcome: dict[str, Any]) -> Response:
    members = {name: outcome[name] for name in ("trace_id", "journey_id", "phases")}
    return problem_response(
        request.scope,
        _Failed(failure),
        status=STATUS[failure.kind],
        headers={"X-Trace-ID": outcome["trace_id"]},
        members=members,
    )


def _seconds(wait: str) -> float:
    found = _DURATION.fullmatch(wait)
    if found is None:
        fault = FieldError("/query/wait", "is no duration such as 30s, 500ms or 1m")
        raise InvalidRequest("the wait is no duration", errors=[fault])
    return min(float(found[1]) * _SECONDS[found[2]], LONGEST_WAIT)


@router.get(
    "/retention",
    summary="Files that would be removed by retention",
)
@answers(RetentionSweep)
async def preview_retention(call: Call) -> Response:
    """The files whose retention has ended: those that nothing uses, and those that runs use."""
    return await call(_RETENTION, "preview_retention")


@router.post(
    "/retention/sweep",
    summary="Remove files whose retention has ended",
    dependencies=[Depends(StrictBody(Nothing))],
)
@answers(RetentionSweep)
async def sweep_retention(call: Call) -> Response:
    """Delete them with all that was made from them, but those that unfinished runs use."""
    return await call(_RETENTION, "sweep_retention")
