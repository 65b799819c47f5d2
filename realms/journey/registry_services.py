"""The services of the city as the engine sees them: signatures to plan with, and a way to call."""

from collections.abc import Collection, Coroutine, Mapping
from typing import Any

from foundations.agentic.delegating import Delegation
from foundations.curator.registry import Registry
from realms.journey.engine.runner import Services, Steps
from realms.journey.plans.plan import ParameterShape, Signature


class RegistryServices(Services):
    """Reads the curator's registry; what is registered late is there from then on."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry

    def services(self) -> Collection[str]:
        return [entry.name for entry in self._registry.entries() if entry.apis]

    def apis(self, service: str) -> Collection[str]:
        return list(self._registry.entry(service).apis)

    def signature(self, service: str, api: str) -> Signature:
        found = self._registry.api(service, api)
        shapes = {
            name: ParameterShape(parameter.required, parameter.schema)
            for name, parameter in found.parameters.items()
        }
        return Signature(service, api, found.effect, shapes, dict(found.output_fields))

    def agents(self) -> Collection[str]:
        return [entry.name for entry in self._registry.entries() if entry.agent is not None]

    async def publish(self, event: str, data: Mapping[str, Any]) -> dict[str, Any]:
        said = {"event": {"topic": event, "data": dict(data)}}
        published = await self.call("PostOfficeService", "publish_event", said)
        return {"event_id": str(published["event_id"])}

    async def delegate(
        self, agent: str, arguments: Mapping[str, Any], steps: Steps
    ) -> dict[str, Any]:
        return await self._registry.get(Delegation).delegate(agent, arguments, steps)

    def call(
        self, service: str, api: str, arguments: Mapping[str, Any]
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        return self._registry.api(service, api).ask(arguments)
