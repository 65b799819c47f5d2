"""Where files are received: registered, judged, stored once, announced; or refused, set apart."""

import asyncio
from pathlib import Path
from weakref import WeakValueDictionary

from anyio import CancelScope
from loguru import logger

from foundations.experience.road import Event
from foundations.public_works.scanner import Malware
from foundations.public_works.settings import Settings
from smart_city.content_steward.api import (
    FileNotStored,
    FileRecord,
    FileRefused,
    FileStatus,
    FileUnknown,
    Track,
    TwinGone,
)
from smart_city.content_steward.intake import Intake
from smart_city.content_steward.naming import safe_name
from smart_city.content_steward.records.files import FileRecords
from smart_city.data_steward.api import DataSteward, DataTrack
from smart_city.post_office.api import PostOffice
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import Ids

_VERDICTS = frozenset({ErrorKind.INVALID, ErrorKind.UNSUPPORTED, ErrorKind.TOO_LARGE})
"""Faults of the file itself: its record stays, with the reason. All others leave nothing behind."""


class Reception:
    """Receives files on two tracks that never mix."""

    def __init__(
        self,
        *,
        records: FileRecords,
        intake: Intake,
        data: DataSteward,
        post_office: PostOffice,
        settings: Settings,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._records = records
        self._intake = intake
        self._data = data
        self._post_office = post_office
        self._quota = settings.storage_quota_bytes
        self._clock = clock
        self._ids = ids
        self._storing: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = (
            WeakValueDictionary()
        )
        """So that the same bytes, sent twice at once, are stored once."""

    async def receive(
        self,
        track: Track,
        spool: str,
        name: str,
        *,
        declared_type: str = "",
        sha256: str = "",
        size: int | None = None,
    ) -> FileRecord:
        """Take in the spooled file, which is gone afterwards; asked again, give the same answer."""
        known = await self._records.find_by_spool(current().tenant, track, spool)
        if known is not None:
            return available(known)
        path = self._intake.spooled(spool)
        try:
            measured = await self._intake.measure(path, sha256=sha256, size=size)
            record = self._staged(name, size=measured.size, sha256=measured.sha256)
            await self._records.add(track, record, spool=spool, limit=self._quota)
            return await self._take_in(track, record, path, declared_type=declared_type)
        finally:
            path.unlink(missing_ok=True)

    async def find(self, track: Track, file_id: str) -> FileRecord:
        """The record of a file of the caller's tenant.

        Raises:
            FileUnknown: there is none on this track.
        """
        record = await self._records.find(current().tenant, track, file_id)
        if record is None:
            raise FileUnknown(
                f"there is no file {file_id[:100]}", hint="list_files shows the files there are"
            )
        return record

    async def store(self, track: Track, record: FileRecord, path: Path) -> FileRecord:
        """Put a judged file into the object store, unless its bytes are there already."""
        key = (track.value, record.tenant, record.sha256)
        lock = self._storing.setdefault(key, asyncio.Lock())
        async with lock:
            twin = await self._records.twin(track, record)
            stored = await self._intake.store(track, record, path, twin=twin)
            if record.status is not FileStatus.STAGED:
                return stored
            try:
                return await self._records.judged(track, stored, twin=twin)
            except TwinGone:  # another process removes what this one would share
                stored = await self._intake.store(track, record, path, twin=None)
                return await self._records.judged(track, stored, twin=twin)

    async def announce(self, track: Track, record: FileRecord) -> None:
        """Needless bytes, lineage, event: all idempotent, so a crash in between costs nothing."""
        of = DataTrack.CLIENT if track is Track.CLIENT else DataTrack.PLATFORM
        await self._intake.clear_apart(track, record)
        await self._intake.clear_needless(track, record)
        await self._data.record_lineage(record.storage_location, "stores", record.file_id, track=of)
        if track is Track.CLIENT:
            facts = record.model_dump(
                mode="json", include={"file_id", "name", "media_type", "size", "sha256", "version"}
            )
            event = Event(topic="files.stored", key=record.file_id, data=facts)
            await self._post_office.publish_event(event)
        await self._records.announced(track, record)

    async def announce_or_later(self, track: Track, record: FileRecord) -> None:
        """The same; where it cannot be now, the next start of the city tells."""
        try:
            await self.announce(track, record)
        except PlatformError as error:
            logger.warning("{} is stored; the next start tells of it: {}", record.file_id, error)

    async def forget(self, track: Track, record: FileRecord) -> None:
        """Leave nothing of a file that was not judged; what cannot go goes at the next start."""
        try:
            await self._intake.discard(track, record)
            await self._intake.clear_apart(track, record)
            await self._records.remove(record.tenant, track, record.file_id)
        except PlatformError as error:
            logger.warning("{} is forgotten at the next start: {}", record.file_id, error)

    async def drop(self, track: Track, record: FileRecord) -> None:
        """Remove a file that was judged: its bytes, unless other files share them, then its record.

        Done again after it was cut short, it does the rest.
        """
        key = (track.value, record.tenant, record.sha256)
        async with self._storing.setdefault(key, asyncio.Lock()):
            if not await self._records.shared(track, record):
                await self._intake.remove(record)
            await self._records.remove(record.tenant, track, record.file_id)

    async def clear_destroyed(self, track: Track, record: FileRecord) -> None:
        """Remove the bytes of a file that a person had destroyed."""
        await self._intake.clear_apart(track, record)
        await self._records.announced(track, record)

    async def _take_in(
        self, track: Track, record: FileRecord, path: Path, *, declared_type: str
    ) -> FileRecord:
        """Judge and store; a fault of the file is written down, any other leaves nothing."""
        try:
            judged = await self._intake.judge(track, record, path, declared_type=declared_type)
            stored = await self.store(track, judged, path)
        except BaseException as error:
            with CancelScope(shield=True):
                await self._give_up(track, record, path, error)
            raise
        await self.announce_or_later(track, stored)
        return stored

    async def _give_up(
        self, track: Track, record: FileRecord, path: Path, error: BaseException
    ) -> None:
        if not (isinstance(error, PlatformError) and error.kind in _VERDICTS):
            await self.forget(track, record)
            return
        status = FileStatus.REFUSED
        if isinstance(error, Malware) and await self._set_apart(track, record, path):
            status = FileStatus.QUARANTINED
        reason = f"{error.code}: {error.detail}"
        await self._records.judged(
            track, record.model_copy(update={"status": status, "reason": reason})
        )
        logger.bind(reason=error.code).warning("the file {} is {}", record.file_id, status.value)

    async def _set_apart(self, track: Track, record: FileRecord, path: Path) -> bool:
        """Whether a harmful file could be kept for a person to see."""
        try:
            await self._intake.set_apart(track, record, path)
        except PlatformError as error:
            logger.warning("{} cannot be kept in quarantine: {}", record.file_id, error)
            return False
        return True

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
            owner=context.user.principal,
        )


def available(record: FileRecord) -> FileRecord:
    """The record of a stored file; else the reason why it is none."""
    match record.status:
        case FileStatus.STORED:
            return record
        case FileStatus.STAGED:
            raise FileNotStored(
                f"the file {record.file_id} is still on its way in", hint="retry in a moment"
            )
        case FileStatus.WITHDRAWN | FileStatus.DELETING:
            raise FileUnknown(f"the file {record.file_id} is being deleted")
        case FileStatus.QUARANTINED:
            raise FileRefused(
                f"the file {record.file_id} is in quarantine ({record.reason})",
                hint="an owner or a data steward may release or destroy it",
            )
        case FileStatus.REFUSED | FileStatus.DESTROYED:
            raise FileRefused(
                f"the file {record.file_id} was {record.status.value} ({record.reason})",
                hint="upload it anew when that is mended",
            )
