"""What is registered, as others read it: services, agents, tools, APIs, and their graph."""

from typing import Any

from foundations.curator.apis import Api
from foundations.curator.entries import Entry, Kind
from foundations.curator.health import Health, health_of
from foundations.curator.registry import Registry
from utilities.models import FrozenModel

TOOL_NAME_LIMIT = 64
"""Longest tool name that clients of the Model Context Protocol take."""


class ApiListing(FrozenModel):
    """One API: where it is, what it takes and gives."""

    service: str
    name: str
    realm: str
    path: str
    public: bool
    effect: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


class ServiceListing(FrozenModel):
    """One service: what it is, who owns it, how it is."""

    name: str
    kind: Kind
    realm: str
    module: str
    version: str
    owner: str
    description: str
    apis: tuple[str, ...]
    health: Health


class AgentListing(FrozenModel):
    """One agent: its instructions and the tools it may use."""

    name: str
    realm: str
    instructions: str
    tools: tuple[str, ...]


class ToolListing(FrozenModel):
    """One API as a tool for agents."""

    name: str
    description: str
    public: bool
    input_schema: dict[str, Any]


class Catalogue:
    """Reads the registry each time it is asked, so late services are in it too."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry

    async def services(self, pattern: str = "*") -> tuple[ServiceListing, ...]:
        """The services whose names match, with their health at this moment."""
        return tuple([await self._listing(entry) for entry in self._registry.entries(pattern)])

    def apis(self) -> tuple[ApiListing, ...]:
        """Every API by path."""
        return tuple(_api(api) for api in self._by_path())

    def offered(self) -> tuple[Api, ...]:
        """The public APIs by path, of which no JSON Schema is worked out for it."""
        return tuple(api for api in self._by_path() if api.public)

    def agents(self) -> tuple[AgentListing, ...]:
        """Every declared agent by name."""
        return tuple(
            AgentListing(
                name=entry.name,
                realm=entry.room.realm,
                instructions=entry.agent.instructions,
                tools=entry.agent.tools,
            )
            for entry in self._registry.entries()
            if entry.agent is not None
        )

    def tools(self) -> tuple[ToolListing, ...]:
        """Every API as a tool, by name."""
        return tuple(
            ToolListing(
                name=tool_name(api),
                description=api.description,
                public=api.public,
                input_schema=api.input_schema,
            )
            for entry in self._registry.entries()
            for api in entry.apis.values()
        )

    def graph(self) -> str:
        """The services and what each is built from, as a mermaid flowchart."""
        groups: dict[str, list[str]] = {}
        arrows: set[str] = set()
        for entry in self._registry.entries():
            groups.setdefault(_group(entry), []).append(entry.name)
            arrows |= {f"  {entry.name} --> {other.name}" for other in self._built_from(entry)}
        lines = ["flowchart LR"]
        for group in sorted(groups):
            lines.append(f"  subgraph {group.replace('.', '_')}[{group}]")
            lines += [f"    {name}" for name in sorted(groups[group])]
            lines.append("  end")
        return "\n".join([*lines, *sorted(arrows)]) + "\n"

    def _by_path(self) -> list[Api]:
        every = (api for entry in self._registry.entries() for api in entry.apis.values())
        return sorted(every, key=lambda api: api.path)

    async def _listing(self, entry: Entry) -> ServiceListing:
        assert entry.service is not None
        return ServiceListing(
            name=entry.name,
            kind=entry.kind,
            realm=entry.room.realm,
            module=entry.cls.__module__,
            version=entry.service.version,
            owner=entry.service.owner,
            description=(entry.cls.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "),
            apis=tuple(entry.apis),
            health=await health_of(entry.provider()),
        )

    def _built_from(self, entry: Entry) -> list[Entry]:
        """The listed services below an entry, directly or through parts of its own."""
        found: dict[str, Entry] = {}
        waiting = self._registry.dependencies(entry)
        seen = {id(entry)}
        while waiting:
            other = waiting.pop()
            if id(other) in seen:
                continue
            seen.add(id(other))
            if other.listed:
                found[other.name] = other
            else:
                waiting += self._registry.dependencies(other)
        return list(found.values())


def tool_name(api: Api) -> str:
    """`{service}__{api}` in snake_case, cut to what clients take."""
    return f"{api.path.split('/')[3]}__{api.name}"[:TOOL_NAME_LIMIT]


def _api(api: Api) -> ApiListing:
    return ApiListing(
        service=api.service,
        name=api.name,
        realm=api.realm,
        path=api.path,
        public=api.public,
        effect=api.effect.value if api.effect else "unstated",
        description=api.description,
        input_schema=api.input_schema,
        output_schema=api.output_schema,
    )


def _group(entry: Entry) -> str:
    package = entry.room.package.split(".")
    return ".".join(package[:2]) if package[0] in {"foundations", "realms"} else package[0]
