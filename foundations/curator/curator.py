"""The curator itself: registers services at run time and answers what there is."""

from typing import Any

from pydantic import ConfigDict

from foundations.curator.catalogue import (
    AgentListing,
    ApiListing,
    Catalogue,
    ServiceListing,
    ToolListing,
)
from foundations.curator.registry import Registry
from foundations.declarations import ServiceDeclaration, service, soa_api
from foundations.rooms import Room
from utilities.models import FrozenModel


class ServiceMetadata(FrozenModel):
    """What a service registered late says of itself, where its class does not."""

    model_config = ConfigDict(extra="forbid")

    realm: str = ""
    version: str = "1"
    owner: str = ""


class Registered(FrozenModel):
    """The name and the addresses a late service got."""

    name: str
    realm: str
    paths: tuple[str, ...]


class Services(FrozenModel):
    services: tuple[ServiceListing, ...]


class Agents(FrozenModel):
    agents: tuple[AgentListing, ...]


class Tools(FrozenModel):
    tools: tuple[ToolListing, ...]


class Apis(FrozenModel):
    apis: tuple[ApiListing, ...]


class Graph(FrozenModel):
    """A diagram as mermaid text."""

    mermaid: str


@service
class CuratorFoundationService:
    """Keeps the registry of every service, agent, tool and API of the platform."""

    def __init__(self, *, registry: Registry, catalogue: Catalogue) -> None:
        self._registry = registry
        self._catalogue = catalogue

    async def register_service(
        self, service_instance: Any, service_metadata: ServiceMetadata | None = None
    ) -> Registered:
        """Add a finished service to the running city, after the same checks as at boot.

        Raises:
            RegistrationRefused: it breaks a rule, or its name is taken.
        """
        module = type(service_instance).__module__
        realm = (service_metadata and service_metadata.realm) or _realm_of(module)
        declaration = None
        if service_metadata is not None:
            declaration = ServiceDeclaration(service_metadata.version, service_metadata.owner)
        entry = self._registry.register(service_instance, Room(module, realm), declaration)
        paths = tuple(api.path for api in entry.apis.values() if api.public)
        return Registered(name=entry.name, realm=realm, paths=paths)

    @soa_api(public=True)
    async def list_services(self, pattern: str = "*") -> Services:
        """The registered services whose names match a pattern such as `*Steward*`."""
        return Services(services=await self._catalogue.services(pattern))

    @soa_api(public=True)
    async def list_agents(self) -> Agents:
        """The declared agents with their tools."""
        return Agents(agents=self._catalogue.agents())

    @soa_api(public=True)
    async def list_tools(self) -> Tools:
        """Every API as a tool for agents, with the JSON Schema of its input."""
        return Tools(tools=self._catalogue.tools())

    @soa_api(public=True)
    async def list_apis(self) -> Apis:
        """Every API with its path, effect and JSON Schemas."""
        return Apis(apis=self._catalogue.apis())

    @soa_api(public=True)
    async def get_graph(self) -> Graph:
        """The services and what each is built from, as a mermaid flowchart."""
        return Graph(mermaid=self._catalogue.graph())


def _realm_of(module: str) -> str:
    """The realm a module stands in: the second part of `realms.journey.runs`, else the first."""
    parts = module.split(".")
    return parts[1] if parts[0] in {"realms", "foundations"} and len(parts) > 1 else parts[0]
