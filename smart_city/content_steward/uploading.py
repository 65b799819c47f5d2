"""Uploads that come in pieces: begun, gone on with after an interruption, finished or dropped."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from loguru import logger
from pydantic import Field

from foundations.declarations import Effect, soa_api
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from foundations.public_works.threads import in_thread
from smart_city.content_steward.api import (
    Arriving,
    FileRecord,
    NeverFits,
    Track,
    Uploads,
)
from smart_city.content_steward.naming import safe_name
from smart_city.content_steward.reception import Reception
from smart_city.content_steward.records.uploads import UploadRecords
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import Ids


class PiecesMissing(PlatformError):
    """Not all pieces of the upload have come."""

    kind = ErrorKind.CONFLICT


class UploadDesk(Uploads):
    """The part of the content steward that takes files in pieces.

    The pieces lie in the data folder, one file for each upload: its size is how far it came.
    """

    _uploads: UploadRecords
    _reception: Reception
    _folder: DataFolder
    _settings: Settings
    _clock: Clock
    _ids: Ids

    @soa_api(effect=Effect.GUARDED)
    async def begin_upload(
        self,
        length: Annotated[int, Field(ge=0)],
        name: str,
        declared_type: str = "",
        sha256: str = "",
        metadata: str = "",
    ) -> Arriving:
        """Make room for an upload of `length` bytes, which may come until it expires.

        Raises:
            NeverFits: it is larger than is accepted.
            QuotaExceeded: the tenant has not as much room.
        """
        if length > self._settings.max_upload_bytes:
            raise NeverFits(
                f"the file has {length:,} bytes; {self._settings.max_upload_bytes:,} are accepted",
                hint="split the file, or ask for a larger CIVITAS_MAX_UPLOAD_BYTES",
            )
        await self._clear_uploads()
        context, now = current(), self._clock.now()
        arriving = Arriving(
            upload_id=self._ids.new(),
            tenant=context.tenant,
            owner=context.user.principal,
            name=safe_name(name),
            declared_type=declared_type,
            sha256=sha256,
            length=length,
            metadata=metadata,
            expires_at=now + timedelta(seconds=self._settings.upload_expire_seconds),
        )
        await self._uploads.add(arriving, limit=self._settings.storage_quota_bytes, now=now)
        return arriving

    @soa_api(effect=Effect.KEYED)
    async def open_upload(self, upload_id: str) -> Arriving:
        """An upload of the caller's own, to go on with.

        Raises:
            UploadUnknown: there is none, or it has expired.
        """
        context = current()
        return await self._uploads.find(
            context.tenant, context.user.principal, upload_id, now=self._clock.now()
        )

    @soa_api(effect=Effect.KEYED)
    async def finish_upload(self, upload_id: str) -> FileRecord:
        """Take in the file whose last piece has come; asked again, give the same answer.

        The pieces stay until the file was stored or judged unfit, so that a fault of the city's
        own costs nothing but a retry.

        Raises:
            UploadUnknown: there is none, or it has expired.
            PiecesMissing: not all of it has come.
            DigestMismatch, PlatformError: see `register_upload`.
        """
        arriving = await self.open_upload(upload_id)
        pieces = self.pieces(upload_id)
        if not arriving.file_id:
            await in_thread(self._lay_out, arriving, pieces)
        try:
            record = await self._reception.receive(
                Track.CLIENT,
                upload_id,
                arriving.name,
                declared_type=arriving.declared_type,
                sha256=arriving.sha256,
                size=arriving.length,
            )
        except PlatformError as error:
            if error.kind in {ErrorKind.INVALID, ErrorKind.UNSUPPORTED, ErrorKind.TOO_LARGE}:
                await self._drop(arriving)
            raise
        finally:
            (self._folder.staging / upload_id).unlink(missing_ok=True)
        await self._uploads.finished(arriving, record.file_id)
        pieces.unlink(missing_ok=True)
        return record

    @soa_api(effect=Effect.KEYED)
    async def drop_upload(self, upload_id: str) -> Arriving:
        """Forget an upload and its pieces; a file that is stored already stays.

        Raises:
            UploadUnknown: there is none, or it has expired.
        """
        arriving = await self.open_upload(upload_id)
        await self._drop(arriving)
        return arriving

    def pieces(self, upload_id: str) -> Path:
        """Where the pieces of an upload that is open lie, one after the other."""
        return self._folder.uploads / upload_id

    def _lay_out(self, arriving: Arriving, pieces: Path) -> None:
        """Let the pieces be found in the staging folder as one file, by a second name."""
        size = pieces.stat().st_size if pieces.exists() else 0
        if size != arriving.length:
            raise PiecesMissing(
                f"{size:,} of {arriving.length:,} bytes have come", hint="send the rest"
            )
        spool = self._folder.staging / arriving.upload_id
        spool.unlink(missing_ok=True)
        pieces.touch()
        os.link(pieces, spool)

    async def _drop(self, arriving: Arriving) -> None:
        await self._uploads.remove(arriving)
        self.pieces(arriving.upload_id).unlink(missing_ok=True)

    async def _clear_uploads(self) -> None:
        # Looked for before it is asked what is left: what begins in between has no pieces here.
        lying = await in_thread(lambda: list(self._folder.uploads.iterdir()))
        left = await self._uploads.clear(now=self._clock.now())
        for pieces in lying:
            if pieces.name not in left:
                pieces.unlink(missing_ok=True)
                logger.info("the pieces of the upload {} are gone: it has expired", pieces.name)
