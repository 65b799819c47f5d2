"""What the rest of the city may know about the traffic cop."""

from datetime import datetime
from typing import Protocol

from pydantic import Field

from foundations.experience.road import CityRequest
from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class Session(FrozenModel):
    """The visit of one principal. An ephemeral one lasts for a single request and is not kept."""

    id: str
    user_id: str
    tenant: str
    trace_id: str = Field(description="of the request in progress")
    created_at: datetime
    last_seen_at: datetime
    requests: int
    ephemeral: bool = False


class SessionEnded(FrozenModel):
    """A session that is over."""

    session_id: str


class SessionUnknown(PlatformError):
    """There is no such session."""

    kind = ErrorKind.NOT_FOUND


class TrafficCop(Protocol):
    """Keeps sessions and decides who may go on."""

    async def manage_session(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Session:
        """The session of a request: the one it names, a new one if that has expired.

        A request that names none gets an ephemeral one. Raises SessionUnknown.
        """
        ...

    async def open_session(self) -> Session:
        """A new session for the caller."""
        ...

    async def get_session(self, session_id: str) -> Session:
        """The caller's session. Raises SessionUnknown."""
        ...

    async def end_session(self, session_id: str) -> SessionEnded:
        """End the caller's session. Raises SessionUnknown."""
        ...
