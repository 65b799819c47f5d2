"""Files over HTTP: in by a streamed form, out to be saved."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from foundations.experience.downloads import download, wanted
from foundations.experience.edge import Answer, Call, JsonResponse, TheRegistry, TheSettings
from foundations.experience.uploads import received
from foundations.public_works.data_folder import DataFolder
from smart_city.content_steward.api import ContentSteward, DeletedFile, FilePage, FileRecord

router = APIRouter(prefix="/api/files", tags=["files"])

FileId = Annotated[str, Path(max_length=100, examples=["01jd3k2m9x0000000000000000"])]

_SERVICE = "ContentStewardService"
_FORM = {
    "parameters": [
        {
            "name": "X-Content-SHA256",
            "in": "header",
            "required": False,
            "description": "the SHA-256 of the file in hex; another file is refused",
            "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream"}
                    },
                },
                "example": {"file": "date,station,rain\n2026-01-31,A,4.2\n"},
            }
        },
    },
}


@router.post(
    "",
    status_code=201,
    summary="Upload a file",
    response_model=Answer[FileRecord],
    openapi_extra=_FORM,
)
async def upload_file(
    request: Request, call: Call, registry: TheRegistry, settings: TheSettings
) -> Response:
    """Send one file as the field `file` of a form.

    It is streamed to disk, recognised by its content, scanned, judged by policy, and stored.
    """
    folder = registry.get(DataFolder)
    async with received(request, folder=folder, limit=settings.max_upload_bytes) as upload:
        outcome = await call.inside(
            _SERVICE,
            "register_upload",
            spool=upload.spool,
            name=upload.name,
            declared_type=upload.declared_type,
            sha256=upload.sha256,
        )
    response = JsonResponse(outcome, status_code=201)
    response.headers["Location"] = f"/api/files/{outcome.result['file_id']}"
    return response


@router.get("", summary="The uploaded files, newest first", response_model=Answer[FilePage])
async def list_files(
    call: Call,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    return await call(_SERVICE, "list_files", limit=limit, cursor=cursor)


@router.get("/{file_id}", summary="What is known of a file", response_model=Answer[FileRecord])
async def show_file(call: Call, file_id: FileId) -> Response:
    return await call(_SERVICE, "get_file", file_id=file_id)


@router.delete("/{file_id}", summary="Delete a file", response_model=Answer[DeletedFile])
async def delete_file(call: Call, file_id: FileId) -> Response:
    """Delete a file and all that was made from it.

    Passages, vectors, graph, index, artifacts, quality and lineage go with it. Runs keep what their
    journal holds as long as its retention says. Deleting again is no error.
    """
    return await call(_SERVICE, "delete_file", file_id=file_id)


@router.get(
    "/{file_id}/content",
    summary="The bytes of a file",
    response_class=Response,
    responses={
        200: {"description": "The file", "content": {"application/octet-stream": {}}},
        206: {"description": "The asked range of the file"},
    },
)
async def download_file(
    request: Request, call: Call, registry: TheRegistry, file_id: FileId
) -> Response:
    """Save a file. One range is answered with 206; several are answered with the whole file."""
    outcome = await call.outcome(_SERVICE, "get_file", file_id=file_id)
    record = FileRecord.model_validate(outcome.result)
    etag = f'"{record.sha256}"'
    part = wanted(request, size=record.size, etag=etag)
    steward = registry.get(ContentSteward)
    chunks = await _begun(steward.stream_content(file_id, start=part.start, end=part.end))
    return download(chunks, part, name=record.name, media_type=record.media_type, etag=etag)


async def _begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks; what goes wrong at the first one goes wrong before the response begins."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_of_them()
