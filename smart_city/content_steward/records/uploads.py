"""The uploads that have begun: whose they are, and the room that is set aside for them."""

from datetime import datetime

import sqlalchemy as sa

from foundations.public_works.database import Database
from smart_city.content_steward.api import Arriving, UploadUnknown
from smart_city.content_steward.records.room import require_room
from smart_city.content_steward.records.tables import UPLOADS
from smart_city.stamps import stamp


class UploadRecords:
    """The uploads that have begun and not expired."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(self, arriving: Arriving, *, limit: int, now: datetime) -> None:
        """Set room aside for an upload.

        Raises:
            QuotaExceeded, NeverFits: there is not as much.
        """
        values = {**arriving.model_dump(), "expires_at": stamp(arriving.expires_at)}

        def work(connection: sa.Connection) -> None:
            if limit:
                require_room(connection, arriving.tenant, arriving.length, limit, now=now)
            connection.execute(sa.insert(UPLOADS).values(values))

        await self._database.write(work)

    async def find(self, tenant: str, owner: str, upload_id: str, *, now: datetime) -> Arriving:
        """An upload of this owner.

        Raises:
            UploadUnknown: there is none, or it has expired.
        """
        chosen = sa.select(UPLOADS).where(
            UPLOADS.c.tenant == tenant,
            UPLOADS.c.owner == owner,
            UPLOADS.c.upload_id == upload_id,
            UPLOADS.c.expires_at > stamp(now),
        )
        row = await self._database.read(lambda c: c.execute(chosen).mappings().one_or_none())
        if row is None:
            raise UploadUnknown("there is no such upload, or it has expired", hint="begin anew")
        return Arriving.model_validate(dict(row))

    async def finished(self, arriving: Arriving, file_id: str) -> None:
        statement = (
            sa.update(UPLOADS)
            .where(UPLOADS.c.tenant == arriving.tenant, UPLOADS.c.upload_id == arriving.upload_id)
            .values(file_id=file_id)
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def remove(self, arriving: Arriving) -> None:
        statement = sa.delete(UPLOADS).where(
            UPLOADS.c.tenant == arriving.tenant, UPLOADS.c.upload_id == arriving.upload_id
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def clear(self, *, now: datetime) -> frozenset[str]:
        """Forget every tenant's uploads that have expired; the ids of those that have not."""
        everywhere = self._database.across_tenants()
        gone = sa.delete(UPLOADS).where(UPLOADS.c.expires_at <= stamp(now))
        await everywhere.write(lambda connection: connection.execute(gone))
        left = sa.select(UPLOADS.c.upload_id)
        return frozenset(await everywhere.read(lambda c: c.execute(left).scalars().all()))
