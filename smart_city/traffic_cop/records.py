"""The table of sessions."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from foundations.public_works.database import Database
from smart_city.stamps import stamp
from smart_city.traffic_cop.api import Session

_sessions = sa.Table(
    "sessions",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("user_id", sa.Text),
    sa.Column("trace_id", sa.Text),
    sa.Column("created_at", sa.Text),
    sa.Column("last_seen_at", sa.Text),
    sa.Column("requests", sa.Integer),
)


class SessionRecords:
    """Sessions that outlive a restart."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(self, session: Session, *, expired_before: datetime) -> None:
        """Keep a new session, and drop those of its tenant last seen before a time."""
        old = sa.delete(_sessions).where(
            _sessions.c.tenant == session.tenant,
            _sessions.c.last_seen_at < stamp(expired_before),
        )
        new = sa.insert(_sessions).values(
            id=session.id,
            tenant=session.tenant,
            user_id=session.user_id,
            trace_id=session.trace_id,
            created_at=stamp(session.created_at),
            last_seen_at=stamp(session.last_seen_at),
            requests=session.requests,
        )

        def work(connection: sa.Connection) -> None:
            connection.execute(old)
            connection.execute(new)

        await self._database.write(work)

    async def find(self, tenant: str, session_id: str) -> Session | None:
        chosen = sa.select(_sessions).where(
            _sessions.c.tenant == tenant, _sessions.c.id == session_id
        )
        row = await self._database.read(
            lambda connection: connection.execute(chosen).mappings().one_or_none()
        )
        return Session.model_validate(dict(row)) if row else None

    async def update(self, sessions: Iterable[Session]) -> None:
        """Write when sessions were last seen and how often; one that was removed stays removed."""
        statements = [
            sa.update(_sessions)
            .where(_sessions.c.tenant == session.tenant, _sessions.c.id == session.id)
            .values(
                last_seen_at=stamp(session.last_seen_at),
                requests=session.requests,
                trace_id=session.trace_id,
            )
            for session in sessions
        ]

        def work(connection: sa.Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        if statements:
            await self._database.across_tenants().write(work)

    async def remove(self, tenant: str, session_id: str) -> None:
        statement = sa.delete(_sessions).where(
            _sessions.c.tenant == tenant, _sessions.c.id == session_id
        )
        await self._database.write(lambda connection: connection.execute(statement))
