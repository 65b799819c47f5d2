"""Who calls, for whom, under which trace: bound once at an edge, readable everywhere below."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from utilities.errors import ErrorKind, PlatformError


class UserContext(BaseModel):
    """The tenant a call belongs to, the principal who makes it, and the principal's roles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str = Field(min_length=1, max_length=64)
    principal: str = Field(min_length=1, max_length=128)
    roles: tuple[str, ...] = ()


LOCAL_USER = UserContext(tenant="local", principal="local", roles=("owner",))
"""The one user of a city without sign-in."""


class CallContext(NamedTuple):
    """What is known of the call in progress. Only edges make one, and nothing changes it.

    A tuple, because every milestone makes one: to freeze a dataclass costs twice as much.
    """

    trace_id: str
    user: UserContext = LOCAL_USER
    idempotency_key: str = ""
    on_heartbeat: Callable[[], None] | None = None
    run_id: str = ""
    milestone: str = ""
    """The journey's run and the path of the milestone that makes the call, where one does."""

    @property
    def tenant(self) -> str:
        return self.user.tenant

    def heartbeat(self) -> None:
        """Say that the call is alive; a milestone with a `heartbeat` is cut when silent."""
        if self.on_heartbeat is not None:
            self.on_heartbeat()


class NoCallContext(PlatformError):
    """Code that needs a call context ran outside of any call."""

    kind = ErrorKind.INTERNAL


_current: ContextVar[CallContext | None] = ContextVar("call_context", default=None)


def current() -> CallContext:
    """The context of the call in progress.

    Raises:
        NoCallContext: no edge has bound one.
    """
    context = _current.get()
    if context is None:
        raise NoCallContext(
            "no call is in progress", hint="enter through an edge, or use bound(CallContext(...))"
        )
    return context


def current_or_none() -> CallContext | None:
    """The context of the call in progress, or None between calls."""
    return _current.get()


class bound:  # noqa: N801 - a block, entered once for every call there is
    """Make `context` the current one inside the block."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: CallContext) -> None:
        self._context = context

    def __enter__(self) -> CallContext:
        self._token = _current.set(self._context)
        return self._context

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
