"""What people do to runs, over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from foundations.experience.edge import Answer, Call, described_body, strict_body
from realms.journey.api import (
    DeadLetterPage,
    JourneyRun,
    MigrationReport,
    QuestionPage,
    Reason,
    ReplayReport,
)

router = APIRouter()

RunId = Annotated[
    str, Path(max_length=300, description="or its alias", examples=["data_mash_01jd3k2m_local"])
]

_SERVICE = "JourneyOperationsService"
Route = TypeVar("Route", bound=Callable[..., Any])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(_Body):
    """An empty object, or no body at all."""


class Noted(_Body):
    """Why."""

    note: str = ""


class Retried(_Body):
    """Which milestone (all that failed when empty), and what of its input is edited."""

    milestone_id: str = ""
    input: dict[str, Any] | None = None


class Skipped(_Body):
    """The milestone, and the result that it would have had."""

    milestone_id: str
    result: dict[str, Any] | list[dict[str, Any]]


class Rerun(_Body):
    """The milestone from which all is done anew."""

    milestone_id: str
    note: str = ""


class RolledBack(_Body):
    """The milestone whose followers are undone; everything when empty."""

    to: str = ""


class Signalled(_Body):
    """The signal's name, its data, and an id that counts once."""

    signal: str
    data: dict[str, Any] = Field(default_factory=dict)
    id: str = ""


class Answered(_Body):
    """Which question, and the answer; or that it is pushed back, and why."""

    wait_id: str
    answer: dict[str, Any] = Field(default_factory=dict)
    push_back: bool = False
    note: str = ""


class Forked(_Body):
    """From which milestone on the fork does it by itself, and what of the input changes."""

    milestone_id: str = ""
    input: dict[str, Any] | None = None
    alias: str = ""


class Migrated(_Body):
    """To which version; as it is today when empty. A dry run changes nothing."""

    version: str = ""
    dry_run: bool = True


class Settled(_Body):
    """Why, and the run that did the work in its place."""

    note: str = ""
    settled_by: str = ""


class Replayed(_Body):
    """Which dead letters, how fast, and whether as other runs. A dry run changes nothing."""

    template: str = ""
    reason: Reason | None = None
    since: AwareDatetime | None = None
    error: str = ""
    limit: int = 100
    per_second: float = 10.0
    anew: bool = False
    dry_run: bool = True


def _verb(path: str, summary: str, body: type[BaseModel]) -> Callable[[Route], Route]:
    """The decorator of a verb's route."""
    return router.post(
        f"/runs/{{run_id}}/{path}",
        summary=summary,
        response_model=Answer[JourneyRun],
        openapi_extra=described_body(body),
        dependencies=[Depends(strict_body(body))] if body is Nothing else [],
    )


@_verb("pause", "Begin nothing of it any more", Nothing)
async def pause_run(call: Call, run_id: RunId) -> Response:
    return await call(_SERVICE, "pause_run", run_id=run_id)


@_verb("resume", "Let a paused run go on", Nothing)
async def resume_run(call: Call, run_id: RunId) -> Response:
    return await call(_SERVICE, "resume_run", run_id=run_id)


@_verb("cancel", "End it, and the journeys that it waits for", Noted)
async def cancel_run(
    call: Call, run_id: RunId, body: Annotated[Noted, Depends(strict_body(Noted))]
) -> Response:
    return await call(_SERVICE, "cancel_run", run_id=run_id, note=body.note)


@_verb("retry", "Try again what failed", Retried)
async def retry_milestone(
    call: Call, run_id: RunId, body: Annotated[Retried, Depends(strict_body(Retried))]
) -> Response:
    return await call(_SERVICE, "retry_milestone", run_id=run_id, **body.model_dump())


@_verb("skip", "Skip a milestone with the result it would have had", Skipped)
async def skip_milestone(
    call: Call, run_id: RunId, body: Annotated[Skipped, Depends(strict_body(Skipped))]
) -> Response:
    return await call(_SERVICE, "skip_milestone", run_id=run_id, **body.model_dump())


@_verb("rerun", "Do a milestone and what follows anew", Rerun)
async def rerun_milestone(
    call: Call, run_id: RunId, body: Annotated[Rerun, Depends(strict_body(Rerun))]
) -> Response:
    return await call(_SERVICE, "rerun_milestone", run_id=run_id, **body.model_dump())


@_verb("rollback", "Undo what it did", RolledBack)
async def roll_back_run(
    call: Call, run_id: RunId, body: Annotated[RolledBack, Depends(strict_body(RolledBack))]
) -> Response:
    return await call(_SERVICE, "roll_back_run", run_id=run_id, to=body.to)


@_verb("signal", "Send it a signal", Signalled)
async def signal_run(
    call: Call, run_id: RunId, body: Annotated[Signalled, Depends(strict_body(Signalled))]
) -> Response:
    return await call(_SERVICE, "signal_run", run_id=run_id, **body.model_dump())


@_verb("answer", "Answer what it asks, or push it back", Answered)
async def answer_question(
    call: Call, run_id: RunId, body: Annotated[Answered, Depends(strict_body(Answered))]
) -> Response:
    """An answer that does not fit the form is refused; the question is open as before."""
    named = {"run_id": run_id, "wait_id": body.wait_id}
    if body.push_back:
        return await call(_SERVICE, "push_back_question", **named, note=body.note)
    return await call(_SERVICE, "answer_question", **named, answer=body.answer)


@_verb("fork", "Begin another run where this one stands", Forked)
async def fork_run(
    call: Call, run_id: RunId, body: Annotated[Forked, Depends(strict_body(Forked))]
) -> Response:
    return await call(_SERVICE, "fork_run", run_id=run_id, **body.model_dump())


@router.post(
    "/runs/{run_id}/migrate",
    summary="Let it go on by another text of its journey",
    response_model=Answer[MigrationReport],
    openapi_extra=described_body(Migrated),
)
async def migrate_run(
    call: Call, run_id: RunId, body: Annotated[Migrated, Depends(strict_body(Migrated))]
) -> Response:
    return await call(_SERVICE, "migrate_run", run_id=run_id, **body.model_dump())


@_verb("settle", "Take it from the dead letters", Settled)
async def settle_run(
    call: Call, run_id: RunId, body: Annotated[Settled, Depends(strict_body(Settled))]
) -> Response:
    return await call(_SERVICE, "settle_run", run_id=run_id, **body.model_dump())


@router.get(
    "/questions",
    summary="What runs ask that you may answer",
    response_model=Answer[QuestionPage],
)
async def list_questions(
    call: Call,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    return await call(_SERVICE, "list_questions", limit=limit, cursor=cursor)


@router.get(
    "/dead-letters",
    summary="Runs that failed and that nobody has settled",
    response_model=Answer[DeadLetterPage],
)
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
        _SERVICE,
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
    response_model=Answer[ReplayReport],
    openapi_extra=described_body(Replayed),
)
async def replay_dead_letters(
    call: Call, body: Annotated[Replayed, Depends(strict_body(Replayed))]
) -> Response:
    return await call(_SERVICE, "replay_dead_letters", **body.model_dump(mode="json"))
