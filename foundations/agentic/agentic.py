"""The agentic foundation: which agents there are, and whether their tools exist."""

from collections.abc import Iterable

from foundations.curator.catalogue import Catalogue
from foundations.curator.curator import Agents
from foundations.curator.registry import NotRegistered, Registry
from foundations.curator.verification import BootCheck, Fault, FaultKind
from foundations.declarations import service, soa_api


@service
class AgenticFoundationService(BootCheck):
    """Keeps the agents of the city and checks the tools they declare."""

    def __init__(self, *, registry: Registry, catalogue: Catalogue) -> None:
        self._registry = registry
        self._catalogue = catalogue

    @soa_api(public=True)
    async def list_agents(self) -> Agents:
        """The declared agents with their tools."""
        return Agents(agents=self._catalogue.agents())

    def verify(self) -> Iterable[Fault]:
        """Every declared tool that does not exist."""
        for listing in self._catalogue.agents():
            for tool in listing.tools:
                try:
                    self._registry.api(*(tool.split(".", 1) if "." in tool else (tool, "")))
                except NotRegistered as error:
                    problem = f'declares the tool "{tool}": {error.detail}'
                    yield Fault(FaultKind.UNKNOWN_TOOL, listing.name, problem, error.hint)
