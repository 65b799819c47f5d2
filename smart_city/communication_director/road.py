"""The one road: session, then look-up and policy and call, then the event a request asked for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from loguru import logger

from foundations.declarations import Effect, service, soa_api
from foundations.experience.road import CityRequest, Event, Outcome
from smart_city.api_gateway.api import APIGateway
from smart_city.communication_director.api import CommunicationDirector
from smart_city.post_office.api import PostOffice
from smart_city.traffic_cop.api import TrafficCop
from utilities.context import UserContext, current
from utilities.errors import PlatformError
from utilities.names import snake_case
from utilities.observability.distributed_tracing import DistributedTracing


@service
class CommunicationDirectorService(CommunicationDirector):
    """Takes every request of every edge past the same stations, under one span."""

    def __init__(
        self,
        *,
        traffic_cop: TrafficCop,
        gateway: APIGateway,
        post_office: PostOffice,
        tracing: DistributedTracing,
    ) -> None:
        self._traffic_cop = traffic_cop
        self._gateway = gateway
        self._post_office = post_office
        self._tracing = tracing

    @soa_api(effect=Effect.GUARDED)
    async def route_request(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Outcome:
        """Answer a request; afterwards publish an event when it asks for one.

        Raises:
            SessionUnknown: the request names a session that is not the caller's.
            PlatformError: what the gateway or the called API raises.
        """
        with self._observed(request):
            await self._traffic_cop.manage_session(request)
            outcome = await self._gateway.route_request(request)
            if request.publish_event:
                await self._post_office.publish_event(request.event or _default_event(request))
            return outcome

    @contextmanager
    def _observed(self, request: CityRequest) -> Iterator[None]:
        """One span and one log line, however the request ends."""
        begun, status = time.perf_counter(), "failed"
        try:
            with self._tracing.span(
                "route_request", current().trace_id, service=request.service, api=request.api
            ):
                yield
            status = "ok"
        except PlatformError as error:
            status = error.code
            raise
        finally:
            milliseconds = round((time.perf_counter() - begun) * 1000, 1)
            logger.bind(
                service=request.service, api=request.api, ms=milliseconds, status=status
            ).info("request")


def _default_event(request: CityRequest) -> Event:
    return Event(
        topic=f"requests.{snake_case(request.service)}.{request.api}",
        data={"service": request.service, "api": request.api, "trace_id": current().trace_id},
    )
