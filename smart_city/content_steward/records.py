"""The table of files. Every query names a tenant and a track, so the tracks cannot mix."""

import sqlalchemy as sa

from foundations.public_works.database import Database
from smart_city.content_steward.api import FileRecord, FileStatus, Track
from smart_city.stamps import stamp

_files = sa.Table(
    "files",
    sa.MetaData(),
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
)


class FileRecords:
    """What is known of files, by tenant and track."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(self, track: Track, record: FileRecord, *, spool: str) -> None:
        """Keep the record of a file that has arrived under `spool`."""
        values = {
            **record.model_dump(),
            "track": track,
            "spool": spool,
            "created_at": stamp(record.created_at),
            "announced": False,
        }
        statement = sa.insert(_files).values(values)
        await self._database.write(lambda connection: connection.execute(statement))

    async def find(self, tenant: str, track: Track, file_id: str) -> FileRecord | None:
        return await self._one(_of(tenant, track).where(_files.c.file_id == file_id))

    async def find_by_spool(self, tenant: str, track: Track, spool: str) -> FileRecord | None:
        return await self._one(_of(tenant, track).where(_files.c.spool == spool))

    async def page(
        self, tenant: str, track: Track, *, before: str, limit: int
    ) -> tuple[FileRecord, ...]:
        """Files that were judged, newest first; those older than the file `before`, if named."""
        chosen = _of(tenant, track).where(_files.c.status != FileStatus.STAGED)
        if before:
            chosen = chosen.where(_files.c.file_id < before)
        chosen = chosen.order_by(_files.c.file_id.desc()).limit(limit)
        rows = await self._database.read(lambda c: c.execute(chosen).mappings().all())
        return tuple(_record(row) for row in rows)

    async def judged(self, track: Track, record: FileRecord) -> None:
        """Write down what became of a file."""
        await self._update(
            track,
            record,
            status=record.status,
            media_type=record.media_type,
            storage_location=record.storage_location,
            warnings=record.warnings,
            reason=record.reason,
        )

    async def announced(self, track: Track, record: FileRecord) -> None:
        """Write down that the city has been told of a stored file."""
        await self._update(track, record, announced=True)

    async def remove(self, tenant: str, track: Track, file_id: str) -> None:
        statement = sa.delete(_files).where(
            _files.c.tenant == tenant, _files.c.track == track, _files.c.file_id == file_id
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def staged(self) -> list[tuple[Track, FileRecord]]:
        """The files of every tenant and track that were never judged."""
        return await self._everywhere(_files.c.status == FileStatus.STAGED)

    async def deleting(self) -> list[FileRecord]:
        """The client files of every tenant whose deletion was begun."""
        found = await self._everywhere(_files.c.status == FileStatus.DELETING)
        return [record for track, record in found if track is Track.CLIENT]

    async def unannounced(self) -> list[tuple[Track, FileRecord]]:
        """The stored files of every tenant and track that the city was not told of."""
        return await self._everywhere(
            sa.and_(_files.c.status == FileStatus.STORED, sa.not_(_files.c.announced))
        )

    async def _everywhere(
        self, condition: sa.ColumnElement[bool]
    ) -> list[tuple[Track, FileRecord]]:
        chosen = sa.select(_files).where(condition).order_by(_files.c.file_id)
        rows = await self._database.across_tenants().read(
            lambda c: c.execute(chosen).mappings().all()
        )
        return [(Track(row["track"]), _record(row)) for row in rows]

    async def _update(self, track: Track, record: FileRecord, **values: object) -> None:
        statement = (
            sa.update(_files)
            .where(
                _files.c.tenant == record.tenant,
                _files.c.track == track,
                _files.c.file_id == record.file_id,
            )
            .values(values)
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def _one(self, chosen: sa.Select[tuple[object, ...]]) -> FileRecord | None:
        row = await self._database.read(lambda c: c.execute(chosen).mappings().one_or_none())
        return _record(row) if row else None


def _of(tenant: str, track: Track) -> sa.Select[tuple[object, ...]]:
    """Those that are not being deleted."""
    return sa.select(_files).where(
        _files.c.tenant == tenant,
        _files.c.track == track,
        _files.c.status != FileStatus.DELETING,
    )


def _record(row: sa.RowMapping) -> FileRecord:
    return FileRecord.model_validate(dict(row))
