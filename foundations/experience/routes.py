"""Routes of the edge itself: links, life, readiness, and what the curator knows."""

from asyncio import Lock
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import PlainTextResponse, Response

from foundations.curator.curator import Agents, Apis, Graph, Services, Tools
from foundations.curator.health import HealthStatus
from foundations.experience.edge import Answer, Call, JsonResponse, answers
from foundations.experience.problems import RETRY_AFTER_SECONDS, HttpError
from foundations.experience.road import Outcome
from utilities.context import current
from utilities.errors import ErrorKind
from utilities.models import FrozenModel

router = APIRouter()

GLANCE_SECONDS = 1.0
_CURATOR = "CuratorFoundationService"
_LINKS = {
    "openapi": "/openapi.json",
    "upload": "/api/files",
    "data_mash": "/api/solution/data-mash",
    "runs": "/api/journey/runs",
    "search": "/api/search?q=",
    "apis": "/api/curator/apis",
    "boot": "/api/city/boot",
    "alive": "/livez",
    "ready": "/readyz",
}


class Links(FrozenModel):
    """What is where."""

    name: str
    links: dict[str, str]


class Alive(FrozenModel):
    """The process answers."""

    status: str = "alive"


class Glance:
    """One look for all who ask within a second: each look writes, and anybody may ask."""

    def __init__(self) -> None:
        self._looking = Lock()
        self._until = 0.0
        self._seen: Outcome | None = None

    async def at(self, look: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """What `look` sees, or what it saw just now."""
        async with self._looking:
            if self._seen is None or monotonic() >= self._until:
                self._seen = await look()
                self._until = monotonic() + GLANCE_SECONDS
            return self._seen


async def glance_of(request: Request) -> Glance:
    """The application's glance at its health."""
    return cast("Glance", request.app.state.glance)


TheGlance = Annotated[Glance, Depends(glance_of)]


class NotReady(HttpError):
    """A part of the city is not well."""

    kind = ErrorKind.UNAVAILABLE
    status = 503

    def __init__(self, components: list[dict[str, Any]]) -> None:
        names = ", ".join(str(component["name"]) for component in components)
        super().__init__(f"not healthy: {names}", hint="see the log for the cause")
        self.headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        self._components = components

    @property
    def members(self) -> dict[str, Any]:
        return {"components": self._components}


@router.get("/", tags=["edge"], summary="What is where")
async def show_links() -> Links:
    return Links(name="Civitas", links=_LINKS)


@router.get("/openapi.json", include_in_schema=False)
async def show_openapi(request: Request) -> Response:
    return JsonResponse(request.app.openapi())


@router.get("/livez", tags=["edge"], summary="Whether the process lives")
async def show_life() -> Alive:
    return Alive()


@router.get("/readyz", tags=["edge"], summary="Whether the city can work, component by component")
async def show_readiness(call: Call, glance: TheGlance) -> Answer[dict[str, Any]]:
    outcome = await glance.at(lambda: call.inside("NurseService", "check_health"))
    unwell = [
        component
        for component in outcome.result["components"]
        if component["status"] == HealthStatus.UNHEALTHY
    ]
    if outcome.result["status"] == HealthStatus.UNHEALTHY:
        raise NotReady(unwell)
    return Answer(trace_id=current().trace_id, result=outcome.result)


@router.get(
    "/api/curator/services",
    tags=["curator"],
    summary="The registered services",
)
@answers(Services)
async def list_services(
    call: Call,
    pattern: Annotated[str, Query(max_length=200, examples=["*Steward*"])] = "*",
) -> Response:
    return await call(_CURATOR, "list_services", pattern=pattern)


@router.get(
    "/api/curator/agents",
    tags=["curator"],
    summary="The declared agents",
)
@answers(Agents)
async def list_agents(call: Call) -> Response:
    return await call(_CURATOR, "list_agents")


@router.get(
    "/api/curator/tools",
    tags=["curator"],
    summary="Every API as a tool for agents",
)
@answers(Tools)
async def list_tools(call: Call) -> Response:
    return await call(_CURATOR, "list_tools")


@router.get(
    "/api/curator/apis",
    tags=["curator"],
    summary="Every API with its path, effect and schemas",
)
@answers(Apis)
async def list_apis(call: Call) -> Response:
    return await call(_CURATOR, "list_apis")


@router.get(
    "/api/curator/graph",
    tags=["curator"],
    summary="What is built from what, as a mermaid flowchart",
    responses={200: {"content": {"text/plain": {"example": "flowchart LR\n"}}}},
)
@answers(Graph)
async def show_graph(call: Call, accept: Annotated[str, Header()] = "*/*") -> Response:
    outcome = await call.outcome(_CURATOR, "get_graph")
    if accept.split(",")[0].split(";")[0].strip() == "text/plain":
        return PlainTextResponse(outcome.result["mermaid"])
    return JsonResponse(outcome)
