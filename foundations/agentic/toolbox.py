"""The tools an agent may use: SOA APIs, by the names it declares."""

from collections.abc import Mapping
from typing import Any

from foundations.agentic.model_client import Tool
from foundations.curator.apis import Api
from foundations.curator.catalogue import tool_name
from foundations.curator.registry import Registry
from foundations.declarations import AgentDeclaration, Effect
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean


class ToolNotAllowed(PlatformError):
    """An agent asked for a tool that it does not declare."""

    kind = ErrorKind.REFUSED


class Toolbox:
    """Finds and calls the declared tools of an agent; any other tool is refused."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry

    def tools_of(self, agent: AgentDeclaration) -> tuple[Tool, ...]:
        """The agent's tools as its model sees them."""
        return tuple(
            Tool(name=name, description=api.description, input_schema=api.input_schema)
            for name, api in self._apis(agent).items()
        )

    async def call(
        self, agent: AgentDeclaration, tool: str, arguments: Mapping[str, object]
    ) -> dict[str, Any]:
        """Call one tool and return its answer as JSON-able data.

        Raises:
            ToolNotAllowed: the agent does not declare it.
            InvalidArguments: the arguments do not fit its schema.
        """
        apis = self._apis(agent)
        if tool not in apis:
            hint = did_you_mean(tool, apis) or f"it may use {', '.join(apis) or 'no tool'}"
            raise ToolNotAllowed(f'the agent does not declare the tool "{tool}"', hint=hint)
        return apis[tool].dump(await apis[tool].call(arguments))

    def effect(self, agent: AgentDeclaration, tool: str) -> Effect | None:
        """What a call of a tool leaves behind; that of one the agent does not declare is pure."""
        apis = self._apis(agent)
        return apis[tool].effect if tool in apis else Effect.PURE

    def _apis(self, agent: AgentDeclaration) -> dict[str, Api]:
        """By tool name. A declared name is `Service.api`."""
        apis = (self._registry.api(*name.split(".", 1)) for name in agent.tools)
        return {tool_name(api): api for api in apis}
