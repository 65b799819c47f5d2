"""Finds the API a request names, has the call allowed, calls it, and shapes its answer."""

from foundations.curator.apis import Api
from foundations.curator.registry import Registry
from foundations.declarations import Effect, service, soa_api
from foundations.experience.road import CityRequest, InsideRequest, Outcome
from smart_city.api_gateway.api import APIGateway
from smart_city.data_steward.api import DataSteward
from smart_city.security_guard.api import Access, SecurityGuard
from utilities.context import UserContext, current
from utilities.errors import PlatformError


@service
class APIGatewayService(APIGateway):
    """The only place where a request becomes a call."""

    def __init__(self, *, registry: Registry, guard: SecurityGuard, data: DataSteward) -> None:
        self._registry = registry
        self._guard = guard
        self._data = data

    @soa_api(effect=Effect.GUARDED)
    async def route_request(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Outcome:
        """Call the API that `request` names; of what it answers the caller sees what they may.

        So it is with what it refuses, and with what may be asked of it: a question is no way to
        learn what an answer would not tell.

        Raises:
            NotRegistered: there is no such service or API; the hint has the nearest name.
            NotOffered, AccessDenied: the security guard refuses the call.
            InvalidArguments: the arguments do not fit the API.
        """
        masking = self._data.masking()
        try:
            api = self._registry.api(request.service, request.api)
            await self._guard.check_access(_access(api, request))
            asked = request.arguments
            if api.effect is Effect.PURE and not isinstance(request, InsideRequest):
                asked = masking.answer(asked)
            answer = await api.call(asked)
        except PlatformError as error:
            error.retell(masking.text)
            raise
        return Outcome(trace_id=current().trace_id, result=masking.answer(api.dump(answer)))


def _access(api: Api, request: CityRequest) -> Access:
    return Access(
        service=api.service,
        api=api.name,
        public=api.public,
        effect=api.effect or Effect.GUARDED,
        asks_roles=api.declaration.asks_roles,
        inside=isinstance(request, InsideRequest),
    )
