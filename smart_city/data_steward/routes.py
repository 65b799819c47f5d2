"""The data policy, and what it found in files, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from foundations.experience.edge import Call, answers
from smart_city.data_steward.api import DataClasses, Policies, Quality, RemovalPage, RetentionPage

router = APIRouter(prefix="/api/data", tags=["data"])

FileId = Annotated[str, Path(max_length=100)]

_SERVICE = "DataStewardService"


@router.get("/policy", summary="The data policy")
@answers(Policies)
async def show_policy(call: Call) -> Response:
    """What each track lets in, and for each class of data who may see it and how long it stays."""
    return await call(_SERVICE, "get_policies")


@router.get("/retention", summary="Files by the end of retention")
@answers(RetentionPage)
async def list_retention(
    call: Call,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    due: Annotated[bool, Query(description="only those it has ended for")] = False,
) -> Response:
    """The first to end first."""
    return await call(_SERVICE, "list_retention", limit=limit, due=due)


@router.get("/removals", summary="Files removed by retention")
@answers(RemovalPage)
async def list_removals(call: Call, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Response:
    """What stays of files whose retention had ended: which, when and by which policy."""
    return await call(_SERVICE, "list_removals", limit=limit)


@router.get("/files/{file_id}/classes", summary="Data in a file")
@answers(DataClasses)
async def show_classes(call: Call, file_id: FileId) -> Response:
    """What classes of data a file holds, in which columns and passages, and what told so."""
    return await call(_SERVICE, "get_data_classes", file_id=file_id)


@router.get("/files/{file_id}/quality", summary="Quality of a file")
@answers(Quality)
async def show_quality(call: Call, file_id: FileId) -> Response:
    """The score of a file out of 100, and what took points from it."""
    return await call(_SERVICE, "get_quality", file_id=file_id)
