"""Runs and templates over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from foundations.experience.edge import Answer, Call, JsonResponse, described_body, strict_body
from realms.journey.api import JourneyRun, RunPage, RunStatus
from realms.journey.operation_routes import router as operations
from realms.journey.runs import TemplateDetail, TemplateList
from realms.journey.template_versions import PutTemplate, ScheduleList, TemplateVersions

router = APIRouter(prefix="/api/journey", tags=["journey"])

RunId = Annotated[
    str, Path(max_length=300, description="or its alias", examples=["data_mash_01jd3k2m_local"])
]
TemplateName = Annotated[str, Path(max_length=200, examples=["data_mash_flow"])]

_SERVICE = "JourneyRunsService"
_TEMPLATES = "JourneyTemplatesService"


class TemplateText(BaseModel):
    """A template as it stands in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(description="YAML.")


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
async def show_template(
    call: Call, name: TemplateName, version: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Its text, what it takes, and what is wrong with it, if anything."""
    return await call(_SERVICE, "get_template", name=name, version=version)


@router.put(
    "/templates/{name}",
    summary="Store a version of a template",
    response_model=Answer[PutTemplate],
    responses={201: {"model": Answer[PutTemplate]}},
    openapi_extra=described_body(TemplateText),
)
async def put_template(
    call: Call,
    name: TemplateName,
    body: Annotated[TemplateText, Depends(strict_body(TemplateText))],
) -> Response:
    """It is the current version from now on. Templates in files are read-only."""
    outcome = await call.outcome(_TEMPLATES, "put_template", text=body.text, name=name)
    return JsonResponse(outcome, status_code=201 if outcome.result["new"] else 200)


@router.get(
    "/templates/{name}/versions",
    summary="The versions of a template",
    response_model=Answer[TemplateVersions],
)
async def list_versions(call: Call, name: TemplateName) -> Response:
    return await call(_TEMPLATES, "list_versions", name=name)


@router.get("/schema", summary="The JSON Schema of the journey language")
async def show_schema(call: Call) -> Response:
    """The document itself, for the `yaml-language-server` line of a template."""
    outcome = await call.outcome(_TEMPLATES, "get_language_schema")
    return JsonResponse(outcome.result["language"], media_type="application/schema+json")


@router.get(
    "/schedules", summary="When runs begin by themselves", response_model=Answer[ScheduleList]
)
async def list_schedules(call: Call) -> Response:
    return await call(_TEMPLATES, "list_schedules")


router.include_router(operations)
