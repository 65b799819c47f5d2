"""What the rest of the city may know about the security guard."""

from typing import Protocol

from pydantic import Field

from foundations.declarations import Effect
from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class Access(FrozenModel):
    """What somebody wants to call. `inside` is said by the city's own code, never by a request.

    What `asks_roles` decides by itself whom it serves.
    """

    service: str
    api: str
    public: bool
    effect: Effect
    asks_roles: bool = False
    inside: bool = False


class AccessDecision(FrozenModel):
    """An access that was allowed, and by which rule."""

    service: str
    api: str
    rule: str = Field(description="the rule that allowed it")


class NotOffered(PlatformError):
    """This API is not offered to callers from outside."""

    kind = ErrorKind.NOT_FOUND


class AccessDenied(PlatformError):
    """The caller may not do this."""

    kind = ErrorKind.REFUSED


class SecurityGuard(Protocol):
    """Decides who may call what."""

    async def check_access(
        self, access: Access, user_context: UserContext | None = None
    ) -> AccessDecision:
        """The decision that allows an access. Raises NotOffered or AccessDenied."""
        ...
