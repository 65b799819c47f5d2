"""Files over HTTP: in by a streamed form or in pieces, out to be saved; and the quarantine."""

import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from anyio import CancelScope
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from foundations.curator.registry import Registry
from foundations.experience import pieces
from foundations.experience.downloads import download, wanted
from foundations.experience.edge import (
    Call,
    Caller,
    JsonResponse,
    StrictBody,
    TheRegistry,
    TheSettings,
    answers,
)
from foundations.experience.uploads import received
from foundations.public_works.data_folder import DataFolder
from smart_city.content_steward.api import (
    Arriving,
    ContentSteward,
    DeletedFile,
    FilePage,
    FileRecord,
    QuarantineDecisions,
    StorageUsage,
    Track,
    Uploads,
    UploadUnknown,
)
from utilities.models import FrozenModel

router = APIRouter(prefix="/api", tags=["files"])

FileId = Annotated[str, Path(max_length=100, examples=["01jd3k2m9x0000000000000000"])]

_SERVICE = "ContentStewardService"
_writing = pieces.Pieces()


class DecisionRequest(FrozenModel):
    """What somebody decides about a file in quarantine, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "a false alarm: our own test file"}]},
    )

    reason: str = Field(min_length=3, max_length=500)
    track: Track = Track.CLIENT


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
    "/files",
    status_code=201,
    summary="Upload a file",
    openapi_extra=_FORM,
)
@answers(FileRecord)
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


@router.get("/files", summary="The uploaded files, newest first")
@answers(FilePage)
async def list_files(
    call: Call,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    return await call(_SERVICE, "list_files", limit=limit, cursor=cursor)


@router.get("/files/usage", summary="Room for files")
@answers(StorageUsage)
async def show_usage(call: Call) -> Response:
    """How much of its room the tenant uses, in bytes."""
    return await call(_SERVICE, "get_usage")


@router.get("/files/{file_id}", summary="What is known of a file")
@answers(FileRecord)
async def show_file(call: Call, file_id: FileId) -> Response:
    return await call(_SERVICE, "get_file", file_id=file_id)


@router.delete("/files/{file_id}", summary="Delete a file")
@answers(DeletedFile)
async def delete_file(call: Call, file_id: FileId) -> Response:
    """Delete a file and all that was made from it.

    Passages, vectors, graph, index, artifacts, quality and lineage go with it. Runs keep what their
    journal holds as long as its retention says. Deleting again is no error.
    """
    return await call(_SERVICE, "delete_file", file_id=file_id)


@router.get("/files/{file_id}/versions", summary="The versions of a file")
@answers(FilePage)
async def list_versions(call: Call, file_id: FileId) -> Response:
    """The files with the name and the owner of this one, newest first."""
    return await call(_SERVICE, "list_versions", file_id=file_id)


@router.get(
    "/files/{file_id}/content",
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
    response = download(chunks, part, name=record.name, media_type=record.media_type, etag=etag)
    digest = base64.b64encode(bytes.fromhex(record.sha256)).decode()
    response.headers["Repr-Digest"] = f"sha-256=:{digest}:"
    return response


async def _begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks; what goes wrong at the first one goes wrong before the response begins."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_of_them()


@router.get("/quarantine", summary="Files in quarantine")
@answers(FilePage)
async def list_quarantine(
    call: Call,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=100)] = "",
    track: Track = Track.CLIENT,
) -> Response:
    """Harmful files that wait for somebody's decision, newest first."""
    return await call(_SERVICE, "list_quarantine", limit=limit, cursor=cursor, track=track)


@router.get(
    "/quarantine/{file_id}/decisions",
    summary="Decisions about a file",
)
@answers(QuarantineDecisions)
async def list_decisions(call: Call, file_id: FileId, track: Track = Track.CLIENT) -> Response:
    """Who decided what about a file in quarantine, when and why."""
    return await call(_SERVICE, "get_quarantine_decisions", file_id=file_id, track=track)


@router.post(
    "/quarantine/{file_id}/release",
    summary="Release a file",
)
@answers(FileRecord)
async def release_file(
    call: Call,
    file_id: FileId,
    wanted: Annotated[DecisionRequest, Depends(StrictBody(DecisionRequest))],
) -> Response:
    """Store it as if nothing had been found; the reason is kept."""
    return await call(_SERVICE, "release_file", file_id=file_id, **wanted.model_dump())


@router.post(
    "/quarantine/{file_id}/destroy",
    summary="Destroy a file",
)
@answers(FileRecord)
async def destroy_file(
    call: Call,
    file_id: FileId,
    wanted: Annotated[DecisionRequest, Depends(StrictBody(DecisionRequest))],
) -> Response:
    """Remove its bytes; its record and the reason are kept."""
    return await call(_SERVICE, "destroy_file", file_id=file_id, **wanted.model_dump())


@router.options("/uploads", summary="What of tus is spoken here", status_code=204)
@router.options("/uploads/{upload_id}", include_in_schema=False, status_code=204)
async def show_capabilities(settings: TheSettings) -> Response:
    """The version of tus, its extensions, and how large a file may be."""
    return Response(status_code=204, headers=pieces.capabilities(settings.max_upload_bytes))


@router.post(
    "/uploads", status_code=201, summary="Begin an upload in pieces", response_class=Response
)
async def begin_upload(request: Request, call: Call, registry: TheRegistry) -> Response:
    """By tus 1.0: `Upload-Length`, and in `Upload-Metadata` the name. `Location` is the upload.

    A first piece may come as the body. When all is there, `Content-Location` is the file.
    """
    pieces.require_version(request)
    told = pieces.announced(request)
    begun = Arriving.model_validate(
        (
            await call.inside(
                _SERVICE,
                "begin_upload",
                length=told.length,
                name=told.name,
                declared_type=told.declared_type,
                sha256=told.sha256,
                metadata=told.metadata,
            )
        ).result
    )
    headers = {"Location": f"/api/uploads/{begun.upload_id}"}
    try:
        if request.headers.get("content-type", "").startswith(pieces.PIECE):
            headers |= await _received(request, call, registry, begun)
        else:
            headers |= await _finished_if_whole(call, begun, 0)
    except BaseException:  # nobody was told where it is, so nobody could go on with it or drop it
        with CancelScope(shield=True), suppress(UploadUnknown):
            await call.inside(_SERVICE, "drop_upload", upload_id=begun.upload_id)
        raise
    return Response(status_code=201, headers=headers)


@router.head("/uploads/{upload_id}", summary="How far an upload has come", response_class=Response)
async def show_upload(
    request: Request, call: Call, registry: TheRegistry, upload_id: FileId
) -> Response:
    """`Upload-Offset` is where the next piece begins."""
    pieces.require_version(request)
    arriving = await _open(call, upload_id)
    offset = _offset(registry, arriving)
    headers = pieces.progress(offset, arriving.expires_at) | _of_file(arriving.file_id)
    headers |= {"Upload-Length": str(arriving.length)}
    if arriving.metadata:
        headers["Upload-Metadata"] = arriving.metadata
    return Response(headers=headers)


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    summary="Send a piece",
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": {pieces.PIECE: {}}}},
)
async def send_piece(
    request: Request, call: Call, registry: TheRegistry, upload_id: FileId
) -> Response:
    """A piece that begins at `Upload-Offset`; `Upload-Checksum` is checked before it is kept.

    With the last one the file is judged and stored: `Content-Location` is where it is.
    """
    pieces.require_version(request)
    arriving = await _open(call, upload_id)
    return Response(status_code=204, headers=await _received(request, call, registry, arriving))


@router.delete(
    "/uploads/{upload_id}", status_code=204, summary="Drop an upload", response_class=Response
)
async def drop_upload(request: Request, call: Call, upload_id: FileId) -> Response:
    """What has come of it is gone; a file that is stored already stays."""
    pieces.require_version(request)
    arriving = await _open(call, upload_id)
    async with _writing.alone(arriving.upload_id):
        await call.inside(_SERVICE, "drop_upload", upload_id=upload_id)
    return Response(status_code=204, headers={"Tus-Resumable": pieces.VERSION})


async def _open(call: Caller, upload_id: str) -> Arriving:
    outcome = await call.inside(_SERVICE, "open_upload", upload_id=upload_id)
    return Arriving.model_validate(outcome.result)


async def _received(
    request: Request, call: Caller, registry: Registry, arriving: Arriving
) -> dict[str, str]:
    """The headers that tell what became of a piece."""
    async with _writing.alone(arriving.upload_id):
        if arriving.file_id:
            raise pieces.OffsetMismatch(arriving.length)
        path = registry.get(Uploads).pieces(arriving.upload_id)
        offset = await _writing.append(request, path, length=arriving.length)
        return await _finished_if_whole(call, arriving, offset)


async def _finished_if_whole(call: Caller, arriving: Arriving, offset: int) -> dict[str, str]:
    headers = pieces.progress(offset, arriving.expires_at)
    if offset < arriving.length:
        return headers
    outcome = await call.inside(_SERVICE, "finish_upload", upload_id=arriving.upload_id)
    return headers | _of_file(outcome.result["file_id"])


def _offset(registry: Registry, arriving: Arriving) -> int:
    if arriving.file_id:
        return arriving.length
    return pieces.offset_of(registry.get(Uploads).pieces(arriving.upload_id))


def _of_file(file_id: str) -> dict[str, str]:
    return {"Content-Location": f"/api/files/{file_id}"} if file_id else {}
