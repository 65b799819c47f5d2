"""What the rest of the city may know about the API gateway."""

from typing import Protocol

from foundations.experience.road import CityRequest, Outcome
from utilities.context import UserContext


class APIGateway(Protocol):
    """Carries a request to the API it names."""

    async def route_request(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Outcome:
        """Look the API up, have the call allowed, call it, and shape its answer."""
        ...
