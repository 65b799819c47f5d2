"""The room that a tenant's client files take, and whether there is room for another."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from smart_city.content_steward.api import (
    FileStatus,
    NeverFits,
    QuotaExceeded,
    StorageUsage,
    Track,
)
from smart_city.content_steward.records.tables import FILES, UPLOADS
from smart_city.stamps import stamp

KEEPING = (FileStatus.STORED, FileStatus.WITHDRAWN)
"""Files whose bytes are in the object store, and stay there."""


def usage(
    connection: sa.Connection, tenant: str, limit: int, *, now: datetime, but: str = ""
) -> StorageUsage:
    """What client files take; bytes that several files share are counted once.

    An upload in pieces has room set aside until it is whole or expires.
    """
    files = FILES[Track.CLIENT]

    def total(chosen: sa.Select[Any]) -> int:
        return int(connection.execute(chosen).scalar() or 0)

    kept = (
        sa.select(files.c.storage_location, files.c.size)
        .where(files.c.tenant == tenant, files.c.status.in_(KEEPING))
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
        sa.select(sa.func.sum(UPLOADS.c.length)).where(
            UPLOADS.c.tenant == tenant,
            UPLOADS.c.file_id == "",
            UPLOADS.c.upload_id != but,
            UPLOADS.c.expires_at > stamp(now),
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


def require_room(
    connection: sa.Connection,
    tenant: str,
    size: int,
    limit: int,
    *,
    now: datetime,
    but: str = "",
) -> None:
    if size > limit:
        raise NeverFits(
            f"the file has {size:,} bytes; all files together may have {limit:,}",
            hint="split the file, or ask for a larger CIVITAS_STORAGE_QUOTA_BYTES",
        )
    used = usage(connection, tenant, limit, now=now, but=but).used
    if used + size > limit:
        raise QuotaExceeded(
            f"{used:,} of {limit:,} bytes are in use, and the file has {size:,}",
            hint="remove files, or ask for a larger CIVITAS_STORAGE_QUOTA_BYTES",
        )
