"""Runs and templates over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from foundations.experience.edge import (
    Call,
    JsonResponse,
    Nothing,
    StrictBody,
    answers,
)
from foundations.experience.problems import InvalidRequest
from realms.journey.api import (
    DeadLetterPage,
    JourneyRun,
    MigrationReport,
    QuestionPage,
    Reason,
    ReplayReport,
    RunHistory,
    RunPage,
    RunStatus,
)
from realms.journey.operation_bodies import (
    Answered,
    Forked,
    Migrated,
    Noted,
    Replayed,
    Rerun,
    Retried,
    RolledBack,
    Settled,
    Signalled,
    Skipped,
    Started,
)
from realms.journey.runs import MOST_EVENTS, TemplateDetail, TemplateList
from realms.journey.template_versions import PutTemplate, ScheduleList, TemplateVersions
from utilities.errors import FieldError
from utilities.models import FrozenModel

router = APIRouter(prefix="/api/journey", tags=["journey"])

RunId = Annotated[
    str, Path(max_length=300, description="or its alias", examples=["data_mash_01jd3k2m_local"])
]
TemplateName = Annotated[str, Path(max_length=200, examples=["data_mash_flow"])]

_SERVICE = "JourneyRunsService"
_TEMPLATES = "JourneyTemplatesService"
_OPERATIONS = "JourneyOperationsService"


class TemplateText(FrozenModel):
    """A template as it stands in a file."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="YAML.")


@router.get("/runs", summary="Runs, newest first")
@answers(RunPage)
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


@router.post("/runs", summary="Begin a run", status_code=202)
@answers(JourneyRun)
async def start_run(call: Call, body: Annotated[Started, Depends(StrictBody(Started))]) -> Response:
    """It survives any crash from the moment this answers; `Location` leads to it."""
    outcome = await call.outcome(_SERVICE, "start_run", **body.model_dump())
    where = f"/api/journey/runs/{outcome.result['run_id']}"
    return JsonResponse(outcome, status_code=202, headers={"Location": where})


@router.get("/runs/{run_id}", summary="One run in full")
@answers(JourneyRun)
async def show_run(call: Call, run_id: RunId) -> Response:
    """Each milestone with its status, attempts, times, output and error."""
    return await call(_SERVICE, "get_run", run_id=run_id)


@router.get("/runs/{run_id}/history", summary="What happened to a run")
@answers(RunHistory)
async def show_run_history(
    call: Call,
    run_id: RunId,
    after: Annotated[
        int, Query(ge=0, le=MOST_EVENTS, description="`next_after` of the page before")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> Response:
    """Every fact of its journal in order, with what earlier generations gave and who did what."""
    return await call(_SERVICE, "get_run_history", run_id=run_id, after=after, limit=limit)


@router.get("/templates", summary="The journey templates")
@answers(TemplateList)
async def list_templates(call: Call) -> Response:
    return await call(_SERVICE, "list_templates")


@router.get("/templates/{name}", summary="One template in full")
@answers(TemplateDetail)
async def show_template(
    call: Call, name: TemplateName, version: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Its text, what it takes, and what is wrong with it, if anything."""
    return await call(_SERVICE, "get_template", name=name, version=version)


@router.put(
    "/templates/{name}",
    summary="Store a version of a template",
)
@answers(PutTemplate)
@answers(PutTemplate, status=201)
async def put_template(
    call: Call,
    name: TemplateName,
    body: Annotated[TemplateText, Depends(StrictBody(TemplateText))],
) -> Response:
    """It is the current version from now on. Templates in files are read-only."""
    outcome = await call.outcome(_TEMPLATES, "put_template", text=body.text, name=name)
    return JsonResponse(outcome, status_code=201 if outcome.result["new"] else 200)


@router.get(
    "/templates/{name}/versions",
    summary="The versions of a template",
)
@answers(TemplateVersions)
async def list_versions(call: Call, name: TemplateName) -> Response:
    return await call(_TEMPLATES, "list_versions", name=name)


@router.get("/schema", summary="The JSON Schema of the journey language")
async def show_schema(call: Call) -> Response:
    """The document itself, for the `yaml-language-server` line of a template."""
    outcome = await call.outcome(_TEMPLATES, "get_language_schema")
    return JsonResponse(outcome.result["language"], media_type="application/schema+json")


@router.get("/schedules", summary="When runs begin by themselves")
@answers(ScheduleList)
async def list_schedules(call: Call) -> Response:
    return await call(_TEMPLATES, "list_schedules")


# what people do to runs

Route = TypeVar("Route", bound=Callable[..., Any])


def _verb(path: str, summary: str, body: type[BaseModel]) -> Callable[[Route], Route]:
    """The decorator of a verb's route."""
    route = router.post(
        f"/runs/{{run_id}}/{path}",
        summary=summary,
        dependencies=[Depends(StrictBody(body))] if body is Nothing else [],
    )
    return lambda endpoint: route(answers(JourneyRun)(endpoint))


@_verb("pause", "Begin nothing of it any more", Nothing)
async def pause_run(call: Call, run_id: RunId) -> Response:
    return await call(_OPERATIONS, "pause_run", run_id=run_id)


@_verb("resume", "Let a paused run go on", Nothing)
async def resume_run(call: Call, run_id: RunId) -> Response:
    return await call(_OPERATIONS, "resume_run", run_id=run_id)


@_verb("cancel", "End it, and the journeys that it waits for", Noted)
async def cancel_run(
    call: Call, run_id: RunId, body: Annotated[Noted, Depends(StrictBody(Noted))]
) -> Response:
    return await call(_OPERATIONS, "cancel_run", run_id=run_id, note=body.note)


@_verb("retry", "Try again what failed", Retried)
async def retry_milestone(
    call: Call, run_id: RunId, body: Annotated[Retried, Depends(StrictBody(Retried))]
) -> Response:
    return await call(_OPERATIONS, "retry_milestone", run_id=run_id, **body.model_dump())


@_verb("skip", "Skip a milestone with the result it would have had", Skipped)
async def skip_milestone(
    call: Call, run_id: RunId, body: Annotated[Skipped, Depends(StrictBody(Skipped))]
) -> Response:
    return await call(_OPERATIONS, "skip_milestone", run_id=run_id, **body.model_dump())


@_verb("rerun", "Do a milestone and what follows anew", Rerun)
async def rerun_milestone(
    call: Call, run_id: RunId, body: Annotated[Rerun, Depends(StrictBody(Rerun))]
) -> Response:
    return await call(_OPERATIONS, "rerun_milestone", run_id=run_id, **body.model_dump())


@_verb("rollback", "Undo what it did", RolledBack)
async def roll_back_run(
    call: Call, run_id: RunId, body: Annotated[RolledBack, Depends(StrictBody(RolledBack))]
) -> Response:
    return await call(_OPERATIONS, "roll_back_run", run_id=run_id, to=body.to)


@_verb("signal", "Send it a signal", Signalled)
async def signal_run(
    call: Call, run_id: RunId, body: Annotated[Signalled, Depends(StrictBody(Signalled))]
) -> Response:
    return await call(_OPERATIONS, "signal_run", run_id=run_id, **body.model_dump())


@_verb("answer", "Answer what it asks, or push it back", Answered)
async def answer_question(
    call: Call, run_id: RunId, body: Annotated[Answered, Depends(StrictBody(Answered))]
) -> Response:
    """An answer that does not fit the form is refused; the question is open as before."""
    named = {"run_id": run_id, "wait_id": body.wait_id}
    if body.push_back and body.answer:
        raise InvalidRequest(
            "a question is answered or pushed back, not both",
            errors=[FieldError("/push_back", "stands beside an answer")],
        )
    if body.push_back:
        return await call(_OPERATIONS, "push_back_question", **named, note=body.note)
    return await call(_OPERATIONS, "answer_question", **named, answer=body.answer)


@_verb("fork", "Begin another run where this one stands", Forked)
async def fork_run(
    call: Call, run_id: RunId, body: Annotated[Forked, Depends(StrictBody(Forked))]
) -> Response:
    return await call(_OPERATIONS, "fork_run", run_id=run_id, **body.model_dump())


@router.post(
    "/runs/{run_id}/migrate",
    summary="Let it go on by another text of its journey",
)
@answers(MigrationReport)
async def migrate_run(
    call: Call, run_id: RunId, body: Annotated[Migrated, Depends(StrictBody(Migrated))]
) -> Response:
    return await call(_OPERATIONS, "migrate_run", run_id=run_id, **body.model_dump())


@_verb("settle", "Take it from the dead letters", Settled)
async def settle_run(
    call: Call, run_id: RunId, body: Annotated[Settled, Depends(StrictBody(Settled))]
) -> Response:
    return await call(_OPERATIONS, "settle_run", run_id=run_id, **body.model_dump())


@router.get(
    "/questions",
    summary="What runs ask that you may answer",
)
@answers(QuestionPage)
async def list_questions(
    call: Call,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    return await call(_OPERATIONS, "list_questions", limit=limit, cursor=cursor)


@router.get(
    "/dead-letters",
    summary="Runs that failed and that nobody has settled",
)
@answers(DeadLetterPage)
async def list_dead_letters(
    call: Call,
    template: Annotated[str, Query(max_length=300)] = "",
    reason: Annotated[Reason | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(description="failed then or later")] = None,
    error: Annotated[str, Query(max_length=200, description="part of the error")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    return await call(
        _OPERATIONS,
        "list_dead_letters",
        template=template,
        reason=reason,
        since=since and since.isoformat(),
        error=error,
        limit=limit,
        cursor=cursor,
    )


@router.post(
    "/dead-letters/replay",
    summary="Replay dead letters at a rate",
)
@answers(ReplayReport)
async def replay_dead_letters(
    call: Call, body: Annotated[Replayed, Depends(StrictBody(Replayed))]
) -> Response:
    return await call(_OPERATIONS, "replay_dead_letters", **body.model_dump(mode="json"))
