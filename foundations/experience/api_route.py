"""POST /api/{realm}/{service}/{api}: every public API, through the registry and by the road."""

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from foundations.curator.apis import Api
from foundations.curator.catalogue import Catalogue
from foundations.curator.registry import NotRegistered, Registry
from foundations.experience.edge import JsonResponse, caller
from foundations.experience.json_bodies import json_object
from foundations.experience.problems import MethodNotAllowed, NoSuchPath
from utilities.suggest import did_you_mean

_LONGEST_PATH = 300


class ApiRoute:
    """ASGI: serves what no hand-made route does, services registered a moment ago included."""

    def __init__(self, registry: Registry, catalogue: Catalogue, paths: list[str]) -> None:
        self._registry = registry
        self._catalogue = catalogue
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        request = Request(scope, receive, send)
        api = self._api(scope["path"])
        if request.method != "POST":
            raise MethodNotAllowed(request.method, allowed="POST")
        scope["route"] = api  # its path names the span
        call = await caller(request)
        outcome = await call.outcome(api.service, api.name, **await json_object(request))
        await JsonResponse(outcome)(scope, receive, send)

    def _api(self, path: str) -> Api:
        """The public API served at a path.

        Raises:
            NoSuchPath: none is.
        """
        parts = path.split("/")
        if len(path) > _LONGEST_PATH:
            raise NoSuchPath("nothing is served at this path", hint="GET / tells what is where")
        if len(parts) != 5 or parts[:2] != ["", "api"]:
            raise self._unknown(path)
        try:
            api = self._registry.api_at(*parts[2:])
        except NotRegistered as error:
            raise self._unknown(path, also=error) from error
        if not api.public:
            raise self._unknown(path)
        return api

    def _unknown(self, path: str, *, also: NotRegistered | None = None) -> NoSuchPath:
        offered = [api.path for api in self._catalogue.offered()]
        near = did_you_mean(path, [*self._paths, *offered])
        detail = also.detail if also else "nothing is served at this path"
        return NoSuchPath(detail, hint=near or "GET / tells what is where")
