"""Tables of files, of each track its own, of decisions about quarantine, and of begun uploads.

Every query names a tenant and a track, so the tracks cannot mix.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from foundations.public_works.database import Database
from foundations.public_works.rows import Rows
from smart_city.content_steward.api import (
    Arriving,
    FileRecord,
    FileStatus,
    NeverFits,
    NotInQuarantine,
    QuarantineDecision,
    QuotaExceeded,
    StorageUsage,
    Track,
    TwinGone,
    UploadUnknown,
)
from smart_city.content_steward.naming import storage_key
from smart_city.stamps import stamp

_metadata = sa.MetaData()


def _of_files(name: str) -> sa.Table:
    return sa.Table(
        name,
        _metadata,
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text),
        sa.Column("track", sa.Text),
        sa.Column("spool", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("media_type", sa.Text),
        sa.Column("size", sa.Integer),
        sa.Column("sha256", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("storage_location", sa.Text),
        sa.Column("trace_id", sa.Text),
        sa.Column("created_at", sa.Text),
        sa.Column("warnings", sa.JSON),
        sa.Column("reason", sa.Text),
        sa.Column("announced", sa.Boolean),
        sa.Column("owner", sa.Text),
        sa.Column("version", sa.Integer),
        sa.Column("previous", sa.Text),
    )


_TABLES = {Track.CLIENT: _of_files("files"), Track.INTERNAL: _of_files("platform_files")}
_FILES = {track: Rows(table, "tenant", "track", "file_id") for track, table in _TABLES.items()}
_decisions = sa.Table(
    "quarantine_decisions",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("track", sa.Text),
    sa.Column("file_id", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("decided_at", sa.Text),
    sa.Column("trace_id", sa.Text),
)
_uploads = sa.Table(
    "uploads",
    _metadata,
    sa.Column("upload_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("declared_type", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("length", sa.Integer),
    sa.Column("metadata", sa.Text),
    sa.Column("expires_at", sa.Text),
    sa.Column("file_id", sa.Text),
)


class FileRecords:
    """What is known of files, by tenant and track."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(self, track: Track, record: FileRecord, *, spool: str, limit: int = 0) -> None:
        """Keep the record of a file that has arrived under `spool`, where there is room for it.

        Raises:
            QuotaExceeded, NeverFits: a client's file would take more than `limit` bytes, if any.
        """
        values = {
            **record.model_dump(),
            "track": track,
            "spool": spool,
            "created_at": stamp(record.created_at),
            "announced": False,
        }

        def work(connection: sa.Connection) -> None:
            if limit and track is Track.CLIENT and not _twin(connection, track, record):
                _require_room(connection, record.tenant, record.size, limit, but=spool)
            connection.execute(sa.insert(_TABLES[track]).values(values))

        await self._database.write(work)

    async def find(self, tenant: str, track: Track, file_id: str) -> FileRecord | None:
        row = await self._database.read(lambda c: _FILES[track].first(c, tenant, track, file_id))
        if row is None or row["status"] == FileStatus.DELETING:
            return None
        return _record(row)

    async def find_by_spool(self, tenant: str, track: Track, spool: str) -> FileRecord | None:
        return await self._one(_of(tenant, track).where(_TABLES[track].c.spool == spool))

    async def twin(self, track: Track, record: FileRecord) -> FileRecord | None:
        """A stored file of the same tenant and track with the same bytes."""
        row = await self._database.read(lambda c: _twin(c, track, record))
        return _record(row) if row else None

    async def shared(self, track: Track, record: FileRecord) -> bool:
        """Whether another file that is not being deleted has its bytes where this one has them."""
        table = _TABLES[track]
        chosen = _of(record.tenant, track).where(
            table.c.file_id != record.file_id,
            table.c.storage_location == record.storage_location,
            table.c.status == FileStatus.STORED,
        )
        return await self._one(chosen.limit(1)) is not None

    async def page(
        self,
        tenant: str,
        track: Track,
        *,
        before: str,
        limit: int,
        status: FileStatus | None = None,
    ) -> tuple[FileRecord, ...]:
        """Files that were judged, newest first; those older than the file `before`, if named."""
        table = _TABLES[track]
        chosen = _of(tenant, track).where(
            table.c.status == status if status else table.c.status != FileStatus.STAGED
        )
        if before:
            chosen = chosen.where(table.c.file_id < before)
        return await self._all(chosen.order_by(table.c.file_id.desc()).limit(limit))

    async def versions(
        self, track: Track, record: FileRecord, *, limit: int
    ) -> tuple[FileRecord, ...]:
        """The stored files with the name and the owner of this one, newest first."""
        table = _TABLES[track]
        chosen = _same_name(track, record).order_by(table.c.version.desc()).limit(limit)
        return await self._all(chosen)

    async def judged(
        self, track: Track, record: FileRecord, *, twin: FileRecord | None = None
    ) -> FileRecord:
        """Write down what became of a file; one that is stored becomes the newest version.

        Where another process has stored the same bytes meanwhile, the file is where those are;
        `twin` is what was known of them before.

        Raises:
            TwinGone: the bytes it shares with its twin are being removed.
        """
        known = twin.storage_location if twin else ""

        def work(connection: sa.Connection) -> FileRecord:
            judged = record
            if record.status is FileStatus.STORED:
                other = _twin(connection, track, record)
                if other and record.storage_location != known != other["storage_location"]:
                    shared = {"storage_location": other["storage_location"]}
                    judged = record.model_copy(update=shared)
                _require_bytes(connection, track, judged)
                judged = _newest(connection, track, judged)
            connection.execute(_update(track, judged))
            return judged

        return await self._database.write(work)

    async def put_back(self, track: Track, record: FileRecord) -> None:
        """Write down that a file is again as it was."""
        await self._database.write(lambda connection: connection.execute(_update(track, record)))

    async def announced(self, track: Track, record: FileRecord) -> None:
        """Write down that the city has been told of a stored file."""
        statement = _chosen(track, record).values(announced=True)
        await self._database.write(lambda connection: connection.execute(statement))

    async def remove(self, tenant: str, track: Track, file_id: str) -> None:
        await self._database.write(lambda c: _FILES[track].forget(c, tenant, track, file_id))

    async def decide(
        self, track: Track, record: FileRecord, decision: QuarantineDecision
    ) -> FileRecord:
        """Write down what a person decided about a file in quarantine, and what becomes of it.

        Raises:
            NotInQuarantine: somebody else has decided meanwhile.
            TwinGone: see `judged`.
        """
        table = _TABLES[track]
        values = {**decision.model_dump(), "decided_at": stamp(decision.decided_at)}

        def work(connection: sa.Connection) -> FileRecord:
            judged = record
            if record.status is FileStatus.STORED:
                _require_bytes(connection, track, record)
                judged = _newest(connection, track, record)
            change = _update(track, judged).where(table.c.status == FileStatus.QUARANTINED)
            if connection.execute(change.values(announced=False)).rowcount != 1:
                raise NotInQuarantine(f"the file {record.file_id} is in quarantine no more")
            connection.execute(
                sa.insert(_decisions).values(tenant=record.tenant, track=track, **values)
            )
            return judged

        return await self._database.write(work)

    async def decisions(
        self, tenant: str, track: Track, file_id: str
    ) -> tuple[QuarantineDecision, ...]:
        chosen = (
            sa.select(_decisions)
            .where(
                _decisions.c.tenant == tenant,
                _decisions.c.track == track,
                _decisions.c.file_id == file_id,
            )
            .order_by(_decisions.c.id)
        )
        rows = await self._database.read(lambda c: c.execute(chosen).mappings().all())
        return tuple(QuarantineDecision.model_validate(dict(row)) for row in rows)

    async def usage(self, tenant: str, *, limit: int) -> StorageUsage:
        """What a tenant's client files take."""
        return await self._database.read(lambda c: _usage(c, tenant, limit))

    async def staged(self) -> list[tuple[Track, FileRecord]]:
        """The files of every tenant and track that were never judged."""
        return await self._everywhere(FileStatus.STAGED)

    async def deleting(self) -> list[FileRecord]:
        """The client files of every tenant whose deletion was begun."""
        found = await self._everywhere(FileStatus.DELETING)
        return [record for track, record in found if track is Track.CLIENT]

    async def unannounced(self) -> list[tuple[Track, FileRecord]]:
        """Files of every tenant and track that were stored or destroyed, and not to the end."""
        done = (FileStatus.STORED, FileStatus.DESTROYED)
        return [one for status in done for one in await self._everywhere(status, announced=False)]

    async def _everywhere(
        self, status: FileStatus, *, announced: bool | None = None
    ) -> list[tuple[Track, FileRecord]]:
        found: list[tuple[Track, FileRecord]] = []
        for track, table in _TABLES.items():
            chosen = sa.select(table).where(table.c.status == status).order_by(table.c.file_id)
            if announced is not None:
                chosen = chosen.where(table.c.announced == announced)
            rows = await self._all(chosen, self._database.across_tenants())
            found += [(track, record) for record in rows]
        return found

    async def _all(
        self, chosen: sa.Select[tuple[object, ...]], database: Database | None = None
    ) -> tuple[FileRecord, ...]:
        asked = database or self._database
        rows = await asked.read(lambda c: c.execute(chosen).mappings().all())
        return tuple(_record(row) for row in rows)

    async def _one(self, chosen: sa.Select[tuple[object, ...]]) -> FileRecord | None:
        row = await self._database.read(lambda c: c.execute(chosen).mappings().one_or_none())
        return _record(row) if row else None


class UploadRecords:
    """The uploads that have begun and not expired."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(self, arriving: Arriving, *, limit: int) -> None:
        """Set room aside for an upload.

        Raises:
            QuotaExceeded, NeverFits: there is not as much.
        """
        values = {**arriving.model_dump(), "expires_at": stamp(arriving.expires_at)}

        def work(connection: sa.Connection) -> None:
            if limit:
                _require_room(connection, arriving.tenant, arriving.length, limit)
            connection.execute(sa.insert(_uploads).values(values))

        await self._database.write(work)

    async def find(self, tenant: str, owner: str, upload_id: str, *, now: datetime) -> Arriving:
        """An upload of this owner.

        Raises:
            UploadUnknown: there is none, or it has expired.
        """
        chosen = sa.select(_uploads).where(
            _uploads.c.tenant == tenant,
            _uploads.c.owner == owner,
            _uploads.c.upload_id == upload_id,
            _uploads.c.expires_at > stamp(now),
        )
        row = await self._database.read(lambda c: c.execute(chosen).mappings().one_or_none())
        if row is None:
            raise UploadUnknown("there is no such upload, or it has expired", hint="begin anew")
        return Arriving.model_validate(dict(row))

    async def finished(self, arriving: Arriving, file_id: str) -> None:
        statement = (
            sa.update(_uploads)
            .where(_uploads.c.tenant == arriving.tenant, _uploads.c.upload_id == arriving.upload_id)
            .values(file_id=file_id)
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def remove(self, arriving: Arriving) -> None:
        statement = sa.delete(_uploads).where(
            _uploads.c.tenant == arriving.tenant, _uploads.c.upload_id == arriving.upload_id
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def clear(self, *, now: datetime) -> frozenset[str]:
        """Forget every tenant's uploads that have expired; the ids of those that have not."""
        everywhere = self._database.across_tenants()
        gone = sa.delete(_uploads).where(_uploads.c.expires_at <= stamp(now))
        await everywhere.write(lambda connection: connection.execute(gone))
        left = sa.select(_uploads.c.upload_id)
        return frozenset(await everywhere.read(lambda c: c.execute(left).scalars().all()))


def _of(tenant: str, track: Track) -> sa.Select[tuple[object, ...]]:
    """Those that are not being deleted."""
    table = _TABLES[track]
    return sa.select(table).where(
        table.c.tenant == tenant,
        table.c.track == track,
        table.c.status != FileStatus.DELETING,
    )


def _same_name(track: Track, record: FileRecord) -> sa.Select[tuple[object, ...]]:
    table = _TABLES[track]
    return _of(record.tenant, track).where(
        table.c.owner == record.owner,
        table.c.name == record.name,
        table.c.status == FileStatus.STORED,
    )


def _twin(connection: sa.Connection, track: Track, record: FileRecord) -> sa.RowMapping | None:
    table = _TABLES[track]
    chosen = _of(record.tenant, track).where(
        table.c.sha256 == record.sha256,
        table.c.size == record.size,
        table.c.status == FileStatus.STORED,
    )
    return connection.execute(chosen.order_by(table.c.file_id).limit(1)).mappings().first()


def _require_bytes(connection: sa.Connection, track: Track, record: FileRecord) -> None:
    """Pass a file that has bytes of its own, or shares those of a file that is stored."""
    if record.storage_location == storage_key(track.value, record.tenant, record.file_id):
        return
    table = _TABLES[track]
    sharing = _of(record.tenant, track).where(
        table.c.storage_location == record.storage_location,
        table.c.status == FileStatus.STORED,
    )
    if connection.execute(sharing.limit(1)).first() is None:
        raise TwinGone(f"the bytes of {record.file_id} were just removed", hint="retry")


def _newest(connection: sa.Connection, track: Track, record: FileRecord) -> FileRecord:
    """A stored file as the next version of its name."""
    chosen = _same_name(track, record).order_by(_TABLES[track].c.version.desc()).limit(1)
    last = connection.execute(chosen).mappings().first()
    version, previous = (last["version"] + 1, last["file_id"]) if last else (1, "")
    return record.model_copy(update={"version": version, "previous": previous})


def _chosen(track: Track, record: FileRecord) -> sa.Update:
    table = _TABLES[track]
    return sa.update(table).where(
        table.c.tenant == record.tenant,
        table.c.track == track,
        table.c.file_id == record.file_id,
    )


def _update(track: Track, record: FileRecord) -> sa.Update:
    return _chosen(track, record).values(
        status=record.status,
        media_type=record.media_type,
        storage_location=record.storage_location,
        warnings=record.warnings,
        reason=record.reason,
        version=record.version,
        previous=record.previous,
    )


def _usage(connection: sa.Connection, tenant: str, limit: int, *, but: str = "") -> StorageUsage:
    """What client files take; bytes that several files share are counted once."""
    files = _TABLES[Track.CLIENT]

    def total(chosen: sa.Select[Any]) -> int:
        return int(connection.execute(chosen).scalar() or 0)

    kept = (
        sa.select(files.c.storage_location, files.c.size)
        .where(files.c.tenant == tenant, files.c.status == FileStatus.STORED)
        .distinct()
        .subquery()
    )
    stored = total(sa.select(sa.func.sum(kept.c.size)))
    of_status = {
        status: total(
            sa.select(sa.func.sum(files.c.size)).where(
                files.c.tenant == tenant, files.c.status == status
            )
        )
        for status in (FileStatus.QUARANTINED, FileStatus.STAGED)
    }
    begun = total(
        sa.select(sa.func.sum(_uploads.c.length)).where(
            _uploads.c.tenant == tenant, _uploads.c.file_id == "", _uploads.c.upload_id != but
        )
    )
    quarantined, arriving = of_status[FileStatus.QUARANTINED], of_status[FileStatus.STAGED] + begun
    return StorageUsage(
        used=stored + quarantined + arriving,
        limit=limit,
        stored=stored,
        quarantined=quarantined,
        arriving=arriving,
    )


def _require_room(
    connection: sa.Connection, tenant: str, size: int, limit: int, *, but: str = ""
) -> None:
    if size > limit:
        raise NeverFits(
            f"the file has {size:,} bytes; all files together may have {limit:,}",
            hint="split the file, or ask for a larger CIVITAS_STORAGE_QUOTA_BYTES",
        )
    used = _usage(connection, tenant, limit, but=but).used
    if used + size > limit:
        raise QuotaExceeded(
            f"{used:,} of {limit:,} bytes are in use, and the file has {size:,}",
            hint="remove files, or ask for a larger CIVITAS_STORAGE_QUOTA_BYTES",
        )


def _record(row: sa.RowMapping) -> FileRecord:
    return FileRecord.model_validate(dict(row))
