"""Sessions: found in memory, kept in the database, written back at most once a minute."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from foundations.declarations import Effect, service, soa_api
from foundations.experience.road import CityRequest
from smart_city.traffic_cop.api import Session, SessionEnded, SessionUnknown, TrafficCop
from smart_city.traffic_cop.records import SessionRecords
from utilities.clock import Clock
from utilities.context import UserContext, current
from utilities.ids import Ids

SESSION_IDLE = timedelta(hours=12)
"""A session that was not seen for so long has expired."""
WRITE_BEHIND = timedelta(minutes=1)
"""How much of a session's `last_seen_at` and `requests` a crash may lose."""
CACHED = 10_000
"""Sessions kept in memory."""


@dataclass(slots=True)
class _Visit:
    """A session in memory, and what of it is in the database."""

    session: Session
    written_at: datetime

    @property
    def unwritten(self) -> bool:
        return self.session.last_seen_at > self.written_at


@service
class TrafficCopService(TrafficCop):
    """Gives every request its session."""

    def __init__(self, *, records: SessionRecords, clock: Clock, ids: Ids) -> None:
        self._records = records
        self._clock = clock
        self._ids = ids
        self._visits: OrderedDict[str, _Visit] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._records.update(v.session for v in self._visits.values() if v.unwritten)

    @soa_api(effect=Effect.KEYED)
    async def manage_session(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Session:
        """The session a request names; a new one when that has expired.

        A request that names none gets an ephemeral one, of which nothing is kept.

        Raises:
            SessionUnknown: there is none of this id, or it is somebody else's.
        """
        if request.session_id is None:
            return self._new().model_copy(update={"ephemeral": True})
        visit = await self._visit(request.session_id)
        if self._expired(visit.session):
            await self._drop(visit.session)
            return await self._opened()
        return await self._seen(visit)

    @soa_api(public=True, effect=Effect.GUARDED)
    async def open_session(self) -> Session:
        """A new session for the caller; send its id as `session_id` with requests."""
        return await self._opened()

    @soa_api(public=True)
    async def get_session(self, session_id: str) -> Session:
        """The caller's session.

        Raises:
            SessionUnknown: there is none of this id, it has expired, or it is somebody else's.
        """
        session = (await self._visit(session_id)).session
        if self._expired(session):
            raise _unknown()
        return session

    @soa_api(public=True, effect=Effect.KEYED)
    async def end_session(self, session_id: str) -> SessionEnded:
        """End the caller's session.

        Raises:
            SessionUnknown: there is none of this id, or it is somebody else's.
        """
        await self._drop((await self._visit(session_id)).session)
        return SessionEnded(session_id=session_id)

    def _new(self) -> Session:
        context, now = current(), self._clock.now()
        return Session(
            id=self._ids.new(),
            user_id=context.user.principal,
            tenant=context.tenant,
            trace_id=context.trace_id,
            created_at=now,
            last_seen_at=now,
            requests=1,
        )

    async def _opened(self) -> Session:
        session = self._new()
        await self._records.add(session, expired_before=session.created_at - SESSION_IDLE)
        await self._remember(_Visit(session, session.last_seen_at))
        return session

    async def _visit(self, session_id: str) -> _Visit:
        user = current().user
        visit = self._visits.get(session_id)
        if visit is None:
            session = await self._records.find(user.tenant, session_id)
            visit = _Visit(session, session.last_seen_at) if session else None
        if visit is None or not _belongs(visit.session, user):
            raise _unknown()
        return visit

    async def _seen(self, visit: _Visit) -> Session:
        now = self._clock.now()
        seen = {"last_seen_at": now, "trace_id": current().trace_id}
        visit.session = visit.session.model_copy(
            update={**seen, "requests": visit.session.requests + 1}
        )
        session = visit.session
        await self._remember(visit)
        if now - visit.written_at >= WRITE_BEHIND:
            visit.written_at = now
            await self._records.update([session])
        return session

    async def _remember(self, visit: _Visit) -> None:
        self._visits[visit.session.id] = visit
        self._visits.move_to_end(visit.session.id)
        if len(self._visits) > CACHED:
            _, oldest = self._visits.popitem(last=False)
            if oldest.unwritten:
                await self._records.update([oldest.session])

    async def _drop(self, session: Session) -> None:
        self._visits.pop(session.id, None)
        await self._records.remove(session.tenant, session.id)

    def _expired(self, session: Session) -> bool:
        return self._clock.now() - session.last_seen_at > SESSION_IDLE


def _belongs(session: Session, user: UserContext) -> bool:
    return (session.tenant, session.user_id) == (user.tenant, user.principal)


def _unknown() -> SessionUnknown:
    """The same for a foreign session as for none, so that ids cannot be tried out."""
    return SessionUnknown(
        "the session does not exist or is not yours",
        hint="open one with TrafficCopService.open_session, or leave session_id out",
    )
