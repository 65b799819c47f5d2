"""The one way in: what a request is, what it gets, and the road between."""

from typing import Any, Protocol

from pydantic import ConfigDict, Field

from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class Event(FrozenModel):
    """Something that happened, under a topic such as `files.stored`."""

    model_config = ConfigDict(extra="forbid")

    topic: str = Field(min_length=1, max_length=200, pattern=r"^[a-z0-9_.\-]+$")
    key: str | None = Field(default=None, max_length=200, description="orders and deduplicates")
    data: dict[str, Any] = Field(default_factory=dict)


class CityRequest(FrozenModel):
    """A call of one API of one service, by class name and method name."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(min_length=1, max_length=200)
    api: str = Field(min_length=1, max_length=200)
    arguments: dict[str, Any] = Field(default_factory=dict)
    session_id: str | None = Field(default=None, max_length=200)
    publish_event: bool = False
    event: Event | None = Field(
        default=None, description="published when publish_event asks; without one a default is made"
    )


class InsideRequest(CityRequest):
    """A request that the city's own code makes at an edge, such as the upload route.

    It may name an API that is not public. Nothing from outside is ever parsed into this class.
    """


class Outcome(FrozenModel):
    """The answer to a request. Failures are raised, so `success` is true wherever one is seen."""

    success: bool = True
    trace_id: str
    result: dict[str, Any]


class Road(Protocol):
    """Carries a request to its service, through session, policy and look-up."""

    async def route_request(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Outcome: ...


class RoadClosed(PlatformError):
    """The city is still booting, or stopping."""

    kind = ErrorKind.UNAVAILABLE


class RoadSocket:
    """Where the smart city plugs its road in; until then every request is refused."""

    def __init__(self) -> None:
        self._road: Road | None = None

    def plug(self, road: Road | None) -> None:
        """Connect the road, or with None disconnect it."""
        self._road = road

    async def route_request(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Outcome:
        """Pass a request on to the road.

        Raises:
            RoadClosed: none is plugged in.
        """
        if self._road is None:
            raise RoadClosed("the city takes no requests yet", hint="wait until /readyz says ready")
        return await self._road.route_request(request, trace_id, user_context)
