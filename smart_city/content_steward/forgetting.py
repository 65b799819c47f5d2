"""Deletes a client's file, and with it everything that was made from it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from loguru import logger

from foundations.boot import Duty, Works
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from smart_city.content_steward.api import (
    DeletedFile,
    FileInUse,
    FileRecord,
    FileRefused,
    FileStatus,
    Track,
    Users,
)
from smart_city.content_steward.reception import Reception
from smart_city.content_steward.records.files import FileRecords
from smart_city.data_steward.api import DataSteward
from utilities.context import CallContext, UserContext, bound, current


async def nobody() -> Sequence[str]:
    """Whoever deletes a file in person does so whoever uses it."""
    return ()


class Forgetting(Works):
    """Forgets files on request.

    The record is marked first, as withdrawn: from then on the file is unknown to everybody. It is
    marked as being deleted when nobody turns out to use it, and only then is anything removed. Of
    what a crash cut short, the next start puts back what was withdrawn, and deletes the rest.
    """

    duties = frozenset({Duty.ALL, Duty.ACCEPT})

    def __init__(
        self,
        *,
        records: FileRecords,
        reception: Reception,
        data: DataSteward,
        semantic_layer: ContentMetadataAbstraction,
    ) -> None:
        self._records = records
        self._reception = reception
        self._data = data
        self._semantic_layer = semantic_layer

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Finish the deletions that were cut short, of every tenant."""
        for record in await self._records.leaving():
            user = UserContext(tenant=record.tenant, principal=type(self).__name__)
            with bound(CallContext(record.trace_id, user)):
                await self._go_on(record)
        yield

    async def forget(self, file_id: str, *, users: Users = nobody) -> DeletedFile:
        """Delete a client's file of the caller's tenant, unless somebody uses it.

        `users` is asked before the file is unknown to everybody, and once more after that, when
        nobody new can begin to use it.

        Raises:
            FileRefused: it is in quarantine, where others decide about it.
            FileInUse: somebody uses it, or another is at it.
        """
        tenant = current().tenant
        record = await self._records.find(tenant, Track.CLIENT, file_id)
        if record is None:
            if await self._records.is_withdrawn(tenant, Track.CLIENT, file_id):
                raise _busy(file_id)
            return DeletedFile(file_id=file_id, existed=False)
        if record.status is FileStatus.QUARANTINED:
            raise FileRefused(
                f"the file {file_id} is in quarantine",
                hint="an owner or a data steward may release or destroy it",
            )
        _require_unused(file_id, await users())
        if record.status is FileStatus.STORED:
            if not await self._records.changed(Track.CLIENT, record, FileStatus.WITHDRAWN):
                raise _busy(file_id)
            record = record.model_copy(update={"status": FileStatus.WITHDRAWN})
            try:
                _require_unused(file_id, await users())
            except BaseException:  # used, or nobody can say
                await self._records.changed(Track.CLIENT, record, FileStatus.STORED)
                raise
        if not await self._records.changed(Track.CLIENT, record, FileStatus.DELETING):
            raise _busy(file_id)
        await self._forget(record)
        return DeletedFile(file_id=file_id, existed=True)

    async def _go_on(self, record: FileRecord) -> None:
        """Finish what a crash cut short; whether somebody uses a withdrawn file nobody knows."""
        if record.status is FileStatus.DELETING:
            await self._forget(record)
            logger.info("the deletion of {} was cut short and is done now", record.file_id)
        elif await self._records.changed(Track.CLIENT, record, FileStatus.STORED):
            logger.info("{} is put back: its deletion was cut short", record.file_id)

    async def _forget(self, record: FileRecord) -> None:
        """The decision that let it in goes first: nothing of it is indexed any more after that."""
        await self._data.forget_file(record.file_id)
        await self._semantic_layer.forget_content(record.file_id)
        await self._data.forget_file(record.file_id)  # what was recorded meanwhile
        await self._reception.drop(Track.CLIENT, record)


def _busy(file_id: str) -> FileInUse:
    return FileInUse(
        f"another is just deleting the file {file_id}, or has put it back",
        hint="look in a moment whether it is there, and delete it once more",
    )


def _require_unused(file_id: str, users: Sequence[str]) -> None:
    if users:
        raise FileInUse(
            f"the file {file_id} is used by {', '.join(users)}",
            hint="delete it when they have ended, or cancel them",
        )
