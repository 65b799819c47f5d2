"""What is known of files, of each track its own, and of the decisions about quarantine.

Every query names a tenant and a track, so the tracks cannot mix.
"""

from datetime import datetime

import sqlalchemy as sa

from foundations.public_works.database import Database
from foundations.public_works.rows import Rows
from smart_city.content_steward.api import (
    FileRecord,
    FileStatus,
    NotInQuarantine,
    QuarantineDecision,
    StorageUsage,
    Track,
    TwinGone,
)
from smart_city.content_steward.naming import storage_key
from smart_city.content_steward.records.room import KEEPING, require_room, usage
from smart_city.content_steward.records.tables import DECISIONS, FILES
from smart_city.stamps import stamp

_ROWS = {track: Rows(table, "tenant", "track", "file_id") for track, table in FILES.items()}
_UNKNOWN = (FileStatus.WITHDRAWN, FileStatus.DELETING)
"""Files that are known to nobody: they go, or may go."""


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
                now = record.created_at
                require_room(connection, record.tenant, record.size, limit, now=now, but=spool)
            connection.execute(sa.insert(FILES[track]).values(values))

        await self._database.write(work)

    async def find(self, tenant: str, track: Track, file_id: str) -> FileRecord | None:
        row = await self._database.read(lambda c: _ROWS[track].first(c, tenant, track, file_id))
        if row is None or row["status"] in _UNKNOWN:
            return None
        return _record(row)

    async def is_withdrawn(self, tenant: str, track: Track, file_id: str) -> bool:
        """Whether it is just asked if a file may go."""
        row = await self._database.read(lambda c: _ROWS[track].first(c, tenant, track, file_id))
        return row is not None and row["status"] == FileStatus.WITHDRAWN

    async def find_by_spool(self, tenant: str, track: Track, spool: str) -> FileRecord | None:
        return await self._one(_of(tenant, track).where(FILES[track].c.spool == spool))

    async def twin(self, track: Track, record: FileRecord) -> FileRecord | None:
        """A stored file of the same tenant and track with the same bytes."""
        row = await self._database.read(lambda c: _twin(c, track, record))
        return _record(row) if row else None

    async def shared(self, track: Track, record: FileRecord) -> bool:
        """Whether another file that is not being deleted has its bytes where this one has them."""
        table = FILES[track]
        chosen = _sharing(track, record).where(
            table.c.file_id != record.file_id, table.c.status.in_(KEEPING)
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
        table = FILES[track]
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
        table = FILES[track]
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

    async def changed(self, track: Track, record: FileRecord, status: FileStatus) -> bool:
        """Give a file another status, unless somebody has given it one since it was looked up."""
        statement = (
            _chosen(track, record)
            .where(FILES[track].c.status == record.status)
            .values(status=status)
        )
        done = await self._database.write(lambda c: c.execute(statement).rowcount)
        return done == 1

    async def announced(self, track: Track, record: FileRecord) -> None:
        """Write down that the city has been told of a stored file."""
        statement = _chosen(track, record).values(announced=True)
        await self._database.write(lambda connection: connection.execute(statement))

    async def remove(self, tenant: str, track: Track, file_id: str) -> None:
        await self._database.write(lambda c: _ROWS[track].forget(c, tenant, track, file_id))

    async def decide(
        self, track: Track, record: FileRecord, decision: QuarantineDecision
    ) -> FileRecord:
        """Write down what a person decided about a file in quarantine, and what becomes of it.

        Raises:
            NotInQuarantine: somebody else has decided meanwhile.
            TwinGone: see `judged`.
        """
        table = FILES[track]
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
                sa.insert(DECISIONS).values(tenant=record.tenant, track=track, **values)
            )
            return judged

        return await self._database.write(work)

    async def decisions(
        self, tenant: str, track: Track, file_id: str
    ) -> tuple[QuarantineDecision, ...]:
        chosen = (
            sa.select(DECISIONS)
            .where(
                DECISIONS.c.tenant == tenant,
                DECISIONS.c.track == track,
                DECISIONS.c.file_id == file_id,
            )
            .order_by(DECISIONS.c.id)
        )
        rows = await self._database.read(lambda c: c.execute(chosen).mappings().all())
        return tuple(QuarantineDecision.model_validate(dict(row)) for row in rows)

    async def usage(self, tenant: str, *, limit: int, now: datetime) -> StorageUsage:
        """What a tenant's client files take."""
        return await self._database.read(lambda c: usage(c, tenant, limit, now=now))

    async def staged(self) -> list[tuple[Track, FileRecord]]:
        """The files of every tenant and track that were never judged."""
        return await self._everywhere(FileStatus.STAGED)

    async def leaving(self) -> list[FileRecord]:
        """The client files of every tenant whose deletion was begun."""
        found = [one for status in _UNKNOWN for one in await self._everywhere(status)]
        return [record for track, record in found if track is Track.CLIENT]

    async def unannounced(self) -> list[tuple[Track, FileRecord]]:
        """Files of every tenant and track that were stored or destroyed, and not to the end."""
        done = (FileStatus.STORED, FileStatus.DESTROYED)
        return [one for status in done for one in await self._everywhere(status, announced=False)]

    async def _everywhere(
        self, status: FileStatus, *, announced: bool | None = None
    ) -> list[tuple[Track, FileRecord]]:
        found: list[tuple[Track, FileRecord]] = []
        for track, table in FILES.items():
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


def _of(tenant: str, track: Track) -> sa.Select[tuple[object, ...]]:
    """Those that somebody knows."""
    table = FILES[track]
    return sa.select(table).where(
        table.c.tenant == tenant,
        table.c.track == track,
        table.c.status.not_in(_UNKNOWN),
    )


def _sharing(track: Track, record: FileRecord) -> sa.Select[tuple[object, ...]]:
    """The files that have their bytes where this one has them, it among them."""
    table = FILES[track]
    return sa.select(table).where(
        table.c.tenant == record.tenant,
        table.c.track == track,
        table.c.storage_location == record.storage_location,
    )


def _same_name(track: Track, record: FileRecord) -> sa.Select[tuple[object, ...]]:
    table = FILES[track]
    return _of(record.tenant, track).where(
        table.c.owner == record.owner,
        table.c.name == record.name,
        table.c.status == FileStatus.STORED,
    )


def _twin(connection: sa.Connection, track: Track, record: FileRecord) -> sa.RowMapping | None:
    table = FILES[track]
    chosen = _of(record.tenant, track).where(
        table.c.sha256 == record.sha256,
        table.c.size == record.size,
        table.c.status == FileStatus.STORED,
    )
    return connection.execute(chosen.order_by(table.c.file_id).limit(1)).mappings().first()


def _require_bytes(connection: sa.Connection, track: Track, record: FileRecord) -> None:
    """Pass a file that has bytes of its own, or shares those of a file that is stored.

    Until the end of the transaction nobody gives that one another status: whoever deletes it looks
    afterwards who shares its bytes, and finds this one.
    """
    if record.storage_location == storage_key(track.value, record.tenant, record.file_id):
        return
    sharing = _sharing(track, record).where(FILES[track].c.status == FileStatus.STORED).limit(1)
    if connection.execute(sharing.with_for_update(read=True)).first() is None:
        raise TwinGone(f"the bytes of {record.file_id} were just removed", hint="retry")


def _newest(connection: sa.Connection, track: Track, record: FileRecord) -> FileRecord:
    """A stored file as the next version of its name."""
    chosen = _same_name(track, record).order_by(FILES[track].c.version.desc()).limit(1)
    last = connection.execute(chosen).mappings().first()
    version, previous = (last["version"] + 1, last["file_id"]) if last else (1, "")
    return record.model_copy(update={"version": version, "previous": previous})


def _chosen(track: Track, record: FileRecord) -> sa.Update:
    table = FILES[track]
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


def _record(row: sa.RowMapping) -> FileRecord:
    return FileRecord.model_validate(dict(row))
