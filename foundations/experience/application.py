"""The FastAPI application of a city."""

from fastapi import FastAPI

from foundations.curator.catalogue import Catalogue
from foundations.curator.registry import Registry
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
        self.asgi = FastAPI(title="Civitas")

    def include(self, room: Room) -> None:
        """Serve the hand-made routes of a room, if it has any."""
