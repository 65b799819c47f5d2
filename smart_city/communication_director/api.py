"""What the rest of the city may know about the communication director."""

from typing import Protocol

from foundations.experience.road import CityRequest, Outcome, Road
from utilities.context import UserContext


class CommunicationDirector(Road, Protocol):
    """The one way in."""

    async def route_request(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Outcome:
        """Pass a request through session, policy and look-up; publish an event when it asks."""
        ...
