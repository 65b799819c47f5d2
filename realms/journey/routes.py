"""Runs and templates over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from foundations.experience.edge import Answer, Call
from realms.journey.api import JourneyRun, RunPage, RunStatus
from realms.journey.operation_routes import router as operations
from realms.journey.runs import TemplateDetail, TemplateList

router = APIRouter(prefix="/api/journey", tags=["journey"])

RunId = Annotated[
    str, Path(max_length=300, description="or its alias", examples=["data_mash_01jd3k2m_local"])
]
TemplateName = Annotated[str, Path(max_length=200, examples=["data_mash_flow"])]

_SERVICE = "JourneyRunsService"


@router.get("/runs", summary="Runs, newest first", response_model=Answer[RunPage])
async def list_runs(
    call: Call,
    status: Annotated[RunStatus | None, Query()] = None,
    template: Annotated[str, Query(max_length=200, examples=["data_mash_flow"])] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[
        str, Query(max_length=64, description="`next_cursor` of the page before")
    ] = "",
) -> Response:
    return await call(
        _SERVICE, "list_runs", status=status, template=template, limit=limit, cursor=cursor
    )


@router.get("/runs/{run_id}", summary="One run in full", response_model=Answer[JourneyRun])
async def show_run(call: Call, run_id: RunId) -> Response:
    """Each milestone with its status, attempts, times, output and error."""
    return await call(_SERVICE, "get_run", run_id=run_id)


@router.get("/templates", summary="The journey templates", response_model=Answer[TemplateList])
async def list_templates(call: Call) -> Response:
    return await call(_SERVICE, "list_templates")


@router.get(
    "/templates/{name}", summary="One template in full", response_model=Answer[TemplateDetail]
)
async def show_template(call: Call, name: TemplateName) -> Response:
    """Its text, what it takes, and what is wrong with it, if anything."""
    return await call(_SERVICE, "get_template", name=name)


router.include_router(operations)
