"""The content steward's work: files of two tracks that never mix, from upload to access."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Annotated, Self
from weakref import WeakValueDictionary

from loguru import logger
from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.settings import Settings
from smart_city.content_steward.api import (
    ContentSteward,
    DeletedFile,
    FilePage,
    FileRecord,
    FileStatus,
    LocalCopy,
    ProcessedFile,
    StorageUsage,
    Track,
    Users,
)
from smart_city.content_steward.forgetting import Forgetting
from smart_city.content_steward.intake import Intake
from smart_city.content_steward.pages import MOST_LISTED, page_of
from smart_city.content_steward.quarantine import QuarantineDesk
from smart_city.content_steward.reception import Reception, available
from smart_city.content_steward.records.files import FileRecords
from smart_city.content_steward.records.uploads import UploadRecords
from smart_city.content_steward.uploading import UploadDesk
from smart_city.data_steward.api import DataSteward
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, bound, current
from utilities.ids import Ids


@service
class ContentStewardService(QuarantineDesk, UploadDesk, ContentSteward):
    """Takes files in on two tracks, keeps them, and gives access to them."""

    def __init__(
        self,
        *,
        records: FileRecords,
        uploads: UploadRecords,
        reception: Reception,
        intake: Intake,
        forgetting: Forgetting,
        objects: ObjectStore,
        data: DataSteward,
        folder: DataFolder,
        settings: Settings,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._records = records
        self._uploads = uploads
        self._reception = reception
        self._intake = intake
        self._forgetting = forgetting
        self._objects = objects
        self._data = data
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._deciding = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        """Undo uploads that a crash cut short, and tell of those it left stored and untold.

        The sender of an upload cut short got no answer, and its bytes are gone. Uploads in pieces
        go on, but those that have expired.
        """
        await self._clear_uploads()
        for track, record in await self._records.staged():
            await self._reception.forget(track, record)
            logger.info("the upload {} was cut short and is undone", record.file_id)
        for track, record in await self._records.unannounced():
            user = UserContext(tenant=record.tenant, principal=type(self).__name__)
            with bound(CallContext(record.trace_id, user)):
                if record.status is FileStatus.DESTROYED:
                    await self._reception.clear_destroyed(track, record)
                else:
                    await self._reception.announce(track, record)
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
        return await self._reception.receive(
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
        return await self._reception.receive(Track.INTERNAL, spool, name)

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
        return await self._reception.find(Track.CLIENT, file_id)

    @soa_api(public=True, effect=Effect.KEYED)
    async def delete_file(self, file_id: str) -> DeletedFile:
        """Delete a client's file: bytes, record, and all that was made from it.

        Passages, vectors, full text, graph, artifacts, quality, lineage and decisions go. What
        journals of runs hold stays as long as their retention says. Deleting again, or what never
        was, deletes nothing and is no error.
        """
        return await self._forgetting.forget(file_id)

    async def delete_unused(self, file_id: str, users: Users) -> DeletedFile:
        """The same, unless somebody uses it. Raises FileInUse."""
        return await self._forgetting.forget(file_id, users=users)

    @soa_api()
    async def get_internal_file(self, file_id: str) -> FileRecord:
        """What is known of a file of the platform's own."""
        return await self._reception.find(Track.INTERNAL, file_id)

    @soa_api(public=True)
    async def list_files(
        self, limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50, cursor: str = ""
    ) -> FilePage:
        """The client files of the caller's tenant, newest first; `cursor` is a `next_cursor`.

        Raises:
            BadPage: the cursor is none that was given to this tenant, or the limit is no page's.
        """
        return await page_of(self._records, Track.CLIENT, limit=limit, cursor=cursor)

    @soa_api(public=True)
    async def list_versions(self, file_id: str) -> FilePage:
        """The stored files with the name and the owner of this one, newest first, at most 200.

        Raises:
            FileUnknown: the caller's tenant has no such client file.
        """
        record = await self._reception.find(Track.CLIENT, file_id)
        found = await self._records.versions(Track.CLIENT, record, limit=MOST_LISTED)
        return FilePage(files=found)

    @soa_api(public=True)
    async def get_usage(self) -> StorageUsage:
        """What the caller's tenant keeps of clients' files, and how much it may."""
        limit, now = self._settings.storage_quota_bytes, self._clock.now()
        return await self._records.usage(current().tenant, limit=limit, now=now)

    @asynccontextmanager
    async def local_copy(self, file_id: str) -> AsyncIterator[LocalCopy]:
        """A local path to read a stored client file from while the block lasts, and its record."""
        record = available(await self._reception.find(Track.CLIENT, file_id))
        async with self._objects.local_copy(record.storage_location) as path:
            yield LocalCopy(record, path)

    async def stream_content(
        self, file_id: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a stored client file from `start` up to, not including, `end`.

        They are shown whole, so only to who may see every class of data in the file.
        """
        record = available(await self._reception.find(Track.CLIENT, file_id))
        await self._data.require_sight(file_id)
        async for chunk in self._objects.stream(record.storage_location, start=start, end=end):
            yield chunk

    async def _process(self, track: Track, file_id: str) -> ProcessedFile:
        record = available(await self._reception.find(track, file_id))
        await self._intake.verify(record)
        return ProcessedFile(
            file_id=file_id, validation_status="valid", storage_location=record.storage_location
        )
