"""The FastAPI application of a city."""

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from foundations.curator.catalogue import Catalogue
from foundations.curator.registry import Registry
from foundations.curator.verification import Fault, FaultKind
from foundations.experience import routes
from foundations.experience.access import AccessGuard
from foundations.experience.api_route import ApiRoute
from foundations.experience.openapi import PROBLEM_RESPONSE, openapi_document, with_token
from foundations.experience.problems import SafetyNet, answer_with_problems
from foundations.experience.request_bodies import BodyGuard
from foundations.experience.request_heads import HeadGuard
from foundations.experience.request_tracing import RequestTracing
from foundations.experience.road import RoadSocket
from foundations.public_works.settings import Settings
from foundations.rooms import Room
from utilities.observability.distributed_tracing import DistributedTracing


class Application:
    """Serves the city over HTTP: hand-made routes of rooms, and a route for every public API."""

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        catalogue: Catalogue,
        road: RoadSocket,
        tracing: DistributedTracing,
    ) -> None:
        self._registry = registry
        self._paths: list[str] = []
        guarded = settings.access_token is not None
        self.asgi = _City(
            registry,
            guarded=guarded,
            middleware=[
                Middleware(RequestTracing, tracing=tracing),
                Middleware(HeadGuard, host=settings.host, guarded=guarded),
                Middleware(AccessGuard, token=settings.access_token, roles=settings.role_tokens),
                Middleware(SafetyNet),
                Middleware(
                    BodyGuard,
                    limit=settings.max_body_bytes,
                    idle_seconds=settings.upload_idle_seconds,
                ),
            ],
        )
        answer_with_problems(self.asgi)
        self.asgi.router.default = ApiRoute(registry, catalogue, self._paths)
        self.asgi.state.settings = settings
        self.asgi.state.registry = registry
        self.asgi.state.road = road
        self.asgi.state.glance = routes.Glance()
        self._serve(routes.router)

    def include(self, room: Room) -> None:
        """Serve the hand-made routes of a room, if it has any."""
        module = room.module("routes")
        if module is None:
            return
        router = getattr(module, "router", None)
        if isinstance(router, APIRouter):
            self._serve(router)
            return
        problem, remedy = "has no APIRouter called router", "define router = APIRouter() in it"
        self._registry.report(Fault(FaultKind.REALM, module.__name__, problem, remedy))

    def _serve(self, router: APIRouter) -> None:
        self.asgi.include_router(router)
        self._paths += [path for route in router.routes if (path := getattr(route, "path", ""))]


class _City(FastAPI):
    """FastAPI without what the edge does itself: telemetry, documents, redirects."""

    def __init__(self, registry: Registry, *, guarded: bool, middleware: list[Middleware]) -> None:
        super().__init__(
            title="Civitas",
            description="A city of services for durable journeys.",
            telemetry={"tracing": False, "metrics": False, "logs": False},
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            middleware=middleware,
            responses=PROBLEM_RESPONSE,
        )
        self._registry = registry
        self._guarded = guarded
        self._made_of = -1

    def openapi(self) -> dict[str, Any]:
        """The document, made anew when a service has joined."""
        entries = self._registry.entries()
        if self.openapi_schema is None or self._made_of != len(entries):
            apis = [api for entry in entries for api in entry.apis.values() if api.public]
            document = openapi_document(self, sorted(apis, key=lambda api: api.path))
            self.openapi_schema = with_token(document) if self._guarded else document
            self._made_of = len(entries)
        return self.openapi_schema
