"""A city of two services behind the real HTTP edge, and a road without stations."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from loguru import logger
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from foundations.curator.catalogue import Catalogue
from foundations.curator.curator import CuratorFoundationService
from foundations.curator.health import HealthStatus
from foundations.curator.registry import NotRegistered, Registry
from foundations.declarations import Effect, service, soa_api
from foundations.experience.application import Application
from foundations.experience.road import CityRequest, InsideRequest, Outcome, Road, RoadSocket
from foundations.public_works.settings import Settings
from foundations.rooms import Room
from foundations.wiring import wire
from utilities.context import UserContext, current
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.distributed_tracing import DistributedTracing

KINDS: dict[str, ErrorKind] = {kind.value: kind for kind in ErrorKind}


class Colour(BaseModel):
    name: str
    parts: list[int] = []


class Painted(BaseModel):
    colour: Colour
    trace_id: str
    tenant: str
    share: float = 0.0


class Component(BaseModel):
    name: str
    status: HealthStatus


class CityHealth(BaseModel):
    status: HealthStatus
    components: tuple[Component, ...]


class Mixed(BaseModel):
    text: str


@service
class PaintingService:
    """Paints."""

    @soa_api(public=True, effect=Effect.KEYED)
    async def paint(
        self,
        colour: Colour,
        coats: int = Field(default=1, ge=1),
        extra: dict[str, Any] | None = None,
    ) -> Painted:
        """Paint something.

        Raises:
            OutOfPaint: never, in fact.
        """
        context = current()
        return Painted(colour=colour, trace_id=context.trace_id, tenant=context.tenant)

    @soa_api(public=True)
    async def get_share(self) -> Painted:
        """A share that is no number."""
        return Painted(colour=Colour(name="none"), trace_id="", tenant="", share=float("nan"))

    @soa_api(public=True)
    async def check_kind(self, kind: str) -> Mixed:
        """Raise an error of a kind."""
        wanted = KINDS[kind]

        class OutOfPaint(PlatformError):
            """There is no paint."""

            kind = wanted

        raise OutOfPaint("the tin of /secret/path is empty", hint="buy some")

    @soa_api(public=True)
    async def check_fault(self) -> Mixed:
        """Fail without a plan."""
        raise ZeroDivisionError("SELECT * FROM /home/secret")

    @soa_api()
    async def get_recipe(self) -> Mixed:
        """Nobody outside may know."""
        return Mixed(text="linseed oil")


@service
class NurseService:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.status = HealthStatus.HEALTHY

    @soa_api()
    async def check_health(self) -> CityHealth:
        components = (
            Component(name="paint", status=self.status),
            Component(name="wall", status=HealthStatus.HEALTHY),
        )
        return CityHealth(status=self.status, components=components)


class NotOffered(PlatformError):
    """This API is not offered."""

    kind = ErrorKind.NOT_FOUND


class StraightRoad(Road):
    """Look-up and call, and the one rule of the guard; remembers what went over it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.requests: list[CityRequest] = []

    async def route_request(
        self,
        request: CityRequest,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Outcome:
        self.requests.append(request)
        api = self._registry.api(request.service, request.api)
        if not api.public and not isinstance(request, InsideRequest):
            raise NotOffered(f"{api.name} is not offered")
        answer = await api.call(request.arguments)
        return Outcome(trace_id=trace_id or current().trace_id, result=api.dump(answer))


@dataclass
class SmallCity:
    """The edge with everything a test may look at."""

    registry: Registry
    application: Application
    road: StraightRoad
    socket: RoadSocket
    spans: InMemorySpanExporter
    client: TestClient
    log: list[str] = field(default_factory=list)

    @property
    def nurse(self) -> NurseService:
        return self.registry.get(NurseService)


def small_city(**settings: Any) -> Iterator[SmallCity]:
    """A small city; its log lines are kept while the generator is open."""
    registry, spans, tracing = Registry(), InMemorySpanExporter(), DistributedTracing()
    tracing.add_processor(SimpleSpanProcessor(spans))
    given = Settings(**{"upload_idle_seconds": 5, **settings})
    for instance in (given, tracing):
        registry.add(instance)
    curator = wire(Catalogue, CuratorFoundationService, RoadSocket)
    registry.enrol(curator(), Room("foundations.curator", "curator"))
    registry.enrol(wire(PaintingService)(), Room("realms.painting", "painting"))
    registry.enrol(wire(NurseService)(), Room("smart_city.nurse", "smart_city"))
    registry.enrol(wire(Application)(), Room("foundations.experience", "experience"))
    registry.prepare()
    assert registry.faults() == []
    socket, application = registry.get(RoadSocket), registry.get(Application)
    road = StraightRoad(registry)
    socket.plug(road)
    client = TestClient(
        application.asgi, base_url="http://localhost", raise_server_exceptions=False
    )
    city = SmallCity(registry, application, road, socket, spans, client)
    sink = logger.add(lambda line: city.log.append(str(line)), format="{level} {message}")
    try:
        yield city
    finally:
        logger.remove(sink)
        client.close()
        tracing.close()


__all__ = ["NotRegistered", "PaintingService", "SmallCity", "StraightRoad", "small_city"]
