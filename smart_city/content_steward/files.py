"""The content steward's work: files of two tracks that never mix, from upload to access."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

from anyio import CancelScope
from loguru import logger
from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from foundations.experience.road import Event
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.scanner import Malware
from smart_city.content_steward.api import (
    ContentSteward,
    DeletedFile,
    FileNotStored,
    FilePage,
    FileRecord,
    FileRefused,
    FileStatus,
    FileUnknown,
    ProcessedFile,
    Track,
)
from smart_city.content_steward.forgetting import Forgetting
from smart_city.content_steward.intake import Intake
from smart_city.content_steward.naming import safe_name
from smart_city.content_steward.records import FileRecords
from smart_city.data_steward.api import DataSteward, DataTrack
from smart_city.post_office.api import PostOffice
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, bound, current
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import Ids

MOST_LISTED = 200

_VERDICTS = frozenset({ErrorKind.INVALID, ErrorKind.UNSUPPORTED, ErrorKind.TOO_LARGE})
"""Faults of the file itself: its record stays, with the reason. All others leave nothing behind."""


class BadPage(PlatformError):
    """This page of the list does not exist."""

    kind = ErrorKind.INVALID


@service
class ContentStewardService(ContentSteward):
    """Takes files in on two tracks, keeps them, and gives access to them."""

    def __init__(
        self,
        *,
        records: FileRecords,
        intake: Intake,
        forgetting: Forgetting,
        objects: ObjectStore,
        data: DataSteward,
        post_office: PostOffice,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._records = records
        self._intake = intake
        self._forgetting = forgetting
        self._objects = objects
        self._data = data
        self._post_office = post_office
        self._clock = clock
        self._ids = ids

    async def __aenter__(self) -> Self:
        """Undo uploads that a crash cut short, and tell of those it left stored and untold.

        The sender of an upload cut short got no answer, and its bytes are gone.
        """
        for track, record in await self._records.staged():
            await self._forget(track, record)
            logger.info("the upload {} was cut short and is undone", record.file_id)
        for track, record in await self._records.unannounced():
            user = UserContext(tenant=record.tenant, principal=type(self).__name__)
            with bound(CallContext(record.trace_id, user)):
                await self._announce(track, record)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        return None

    @soa_api(effect=Effect.KEYED)
    async def register_upload(
        self,
        spool: str,
        name: str,
        declared_type: str = "",
        sha256: str = "",
        size: int | None = None,
    ) -> FileRecord:
        """Take in a client's file that an edge has streamed to the staging folder, and store it.

        `spool` is the base name of the file there and the key of the call: asked again, the first
        answer is given again. `sha256` and `size` are what the sender announced, if anything. The
        spooled file is gone afterwards, whatever the outcome.

        Raises:
            UnknownUpload: no such file is waiting.
            DigestMismatch: other bytes arrived than were announced.
            PlatformError: of kind INVALID, UNSUPPORTED or TOO_LARGE: the file was judged unfit.
        """
        return await self._register(
            Track.CLIENT, spool, name, declared_type=declared_type, sha256=sha256, size=size
        )

    @soa_api(public=True, effect=Effect.KEYED)
    async def process_client_file(self, file_id: str) -> ProcessedFile:
        """Answer that a client's file is validated and stored, after verifying its bytes again.

        Raises:
            FileUnknown: the caller's tenant has no such client file.
            FileRefused: it was judged unfit at its upload.
            StoredFileCorrupt: its bytes are no longer what was uploaded.
        """
        return await self._process(Track.CLIENT, file_id)

    @soa_api(effect=Effect.KEYED)
    async def register_internal(self, spool: str, name: str) -> FileRecord:
        """The same as `register_upload` for a file of the platform's own."""
        return await self._register(Track.INTERNAL, spool, name)

    @soa_api(effect=Effect.KEYED)
    async def process_internal_file(self, file_id: str) -> ProcessedFile:
        """The same as `process_client_file` for a file of the platform's own."""
        return await self._process(Track.INTERNAL, file_id)

    @soa_api(public=True)
    async def get_file(self, file_id: str) -> FileRecord:
        """What is known of a client's file.

        Raises:
            FileUnknown: the caller's tenant has no such client file.
        """
        return await self._found(Track.CLIENT, file_id)

    @soa_api(public=True, effect=Effect.KEYED)
    async def delete_file(self, file_id: str) -> DeletedFile:
        """Delete a client's file: bytes, record, and all that was made from it.

        Passages, vectors, full text, graph, artifacts, quality, lineage and decisions go. What
        journals of runs hold stays as long as their retention says. Deleting again, or what never
        was, deletes nothing and is no error.
        """
        return await self._forgetting.forget(file_id)

    @soa_api()
    async def get_internal_file(self, file_id: str) -> FileRecord:
        """What is known of a file of the platform's own."""
        return await self._found(Track.INTERNAL, file_id)

    @soa_api(public=True)
    async def list_files(
        self, limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50, cursor: str = ""
    ) -> FilePage:
        """The client files of the caller's tenant, newest first; `cursor` is a `next_cursor`.

        Raises:
            BadPage: the cursor is none that was given to this tenant, or the limit is no page's.
        """
        tenant = current().tenant
        if not 1 <= limit <= MOST_LISTED:
            raise BadPage(f"a page has 1 to {MOST_LISTED} files, not {limit}")
        if cursor and await self._records.find(tenant, Track.CLIENT, cursor) is None:
            raise BadPage("the cursor is unknown", hint="begin without one, then use next_cursor")
        found = await self._records.page(tenant, Track.CLIENT, before=cursor, limit=limit + 1)
        more = len(found) > limit
        return FilePage(files=found[:limit], next_cursor=found[limit - 1].file_id if more else "")

    @asynccontextmanager
    async def local_copy(self, file_id: str) -> AsyncIterator[Path]:
        """A local path to read a stored client file from while the block lasts."""
        record = _available(await self._found(Track.CLIENT, file_id))
        async with self._objects.local_copy(record.storage_location) as path:
            yield path

    async def stream_content(
        self, file_id: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a stored client file from `start` up to, not including, `end`."""
        record = _available(await self._found(Track.CLIENT, file_id))
        async for chunk in self._objects.stream(record.storage_location, start=start, end=end):
            yield chunk

    async def _register(
        self,
        track: Track,
        spool: str,
        name: str,
        *,
        declared_type: str = "",
        sha256: str = "",
        size: int | None = None,
    ) -> FileRecord:
        known = await self._records.find_by_spool(current().tenant, track, spool)
        if known is not None:
            return _available(known)
        path = self._intake.spooled(spool)
        try:
            measured = await self._intake.measure(path, sha256=sha256, size=size)
            record = self._staged(name, size=measured.size, sha256=measured.sha256)
            await self._records.add(track, record, spool=spool)
            return await self._take_in(track, record, path, declared_type=declared_type)
        finally:
            path.unlink(missing_ok=True)

    async def _take_in(
        self, track: Track, record: FileRecord, path: Path, *, declared_type: str
    ) -> FileRecord:
        """Judge and store; a fault of the file is written down, any other leaves nothing."""
        try:
            stored = await self._intake.store(track, record, path, declared_type=declared_type)
            await self._records.judged(track, stored)
        except BaseException as error:
            with CancelScope(shield=True):
                await self._give_up(track, record, error)
            raise
        try:
            await self._announce(track, stored)
        except PlatformError as error:
            logger.warning("{} is stored; the next start tells of it: {}", stored.file_id, error)
        return stored

    async def _announce(self, track: Track, record: FileRecord) -> None:
        """Lineage and event. Both are idempotent, so a crash in between costs nothing."""
        of = DataTrack.CLIENT if track is Track.CLIENT else DataTrack.PLATFORM
        await self._data.record_lineage(record.storage_location, "stores", record.file_id, track=of)
        if track is Track.CLIENT:
            facts = record.model_dump(
                mode="json", include={"file_id", "name", "media_type", "size", "sha256"}
            )
            event = Event(topic="files.stored", key=record.file_id, data=facts)
            await self._post_office.publish_event(event)
        await self._records.announced(track, record)

    async def _give_up(self, track: Track, record: FileRecord, error: BaseException) -> None:
        if not (isinstance(error, PlatformError) and error.kind in _VERDICTS):
            await self._forget(track, record)
            return
        status = FileStatus.QUARANTINED if isinstance(error, Malware) else FileStatus.REFUSED
        reason = f"{error.code}: {error.detail}"
        await self._records.judged(
            track, record.model_copy(update={"status": status, "reason": reason})
        )
        logger.bind(reason=error.code).warning("the file {} is {}", record.file_id, status.value)

    async def _forget(self, track: Track, record: FileRecord) -> None:
        await self._records.remove(record.tenant, track, record.file_id)
        await self._intake.discard(track, record)

    async def _process(self, track: Track, file_id: str) -> ProcessedFile:
        record = _available(await self._found(track, file_id))
        await self._intake.verify(record)
        return ProcessedFile(
            file_id=file_id, validation_status="valid", storage_location=record.storage_location
        )

    async def _found(self, track: Track, file_id: str) -> FileRecord:
        record = await self._records.find(current().tenant, track, file_id)
        if record is None:
            raise FileUnknown(
                f"there is no file {file_id[:100]}", hint="list_files shows the files there are"
            )
        return record

    def _staged(self, name: str, *, size: int, sha256: str) -> FileRecord:
        context = current()
        return FileRecord(
            file_id=self._ids.new(),
            tenant=context.tenant,
            name=safe_name(name),
            media_type="",
            size=size,
            sha256=sha256,
            status=FileStatus.STAGED,
            storage_location="",
            trace_id=context.trace_id,
            created_at=self._clock.now(),
        )


def _available(record: FileRecord) -> FileRecord:
    """The record of a stored file; else the reason why it is none."""
    match record.status:
        case FileStatus.STORED:
            return record
        case FileStatus.STAGED:
            raise FileNotStored(
                f"the file {record.file_id} is still on its way in", hint="retry in a moment"
            )
        case FileStatus.DELETING:
            raise FileUnknown(f"the file {record.file_id} is being deleted")
        case FileStatus.REFUSED | FileStatus.QUARANTINED:
            raise FileRefused(
                f"the file {record.file_id} was refused ({record.reason})",
                hint="upload it anew when that is mended",
            )
