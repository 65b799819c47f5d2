"""What the registry keeps of a class, read from the class itself, and what is wrong with it."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from foundations.curator.apis import READING_VERBS, Api, Contract, UntypedApi, stated_effect
from foundations.curator.verification import Fault, FaultKind
from foundations.declarations import (
    AgentDeclaration,
    ServiceDeclaration,
    agent_of,
    apis_of,
    service_of,
)
from foundations.rooms import Room
from foundations.wiring import Provider
from utilities.names import snake_case


class Kind(StrEnum):
    """What an entry is, by the package it stands in."""

    FOUNDATION = "foundation"
    ABSTRACTION = "abstraction"
    ROLE = "role"
    SERVICE = "service"
    AGENT = "agent"
    PART = "part"
    """A collaborator that is injected by type and called by nobody else."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One class of the city with the provider that builds it."""

    name: str
    cls: type
    room: Room
    kind: Kind
    provider: Provider
    service: ServiceDeclaration | None = None
    agent: AgentDeclaration | None = None
    apis: Mapping[str, Api] = field(default_factory=dict)

    @property
    def listed(self) -> bool:
        """Whether it has a public name; parts have none."""
        return self.service is not None


def describe(
    cls: type,
    provider: Provider,
    room: Room,
    *,
    declaration: ServiceDeclaration | None = None,
) -> tuple[Entry, list[Fault]]:
    """The entry of a class, and every rule the class breaks."""
    service = declaration or service_of(cls)
    faults = _undefined_methods(cls)
    if service is None:
        return Entry(cls.__name__, cls, room, Kind.PART, provider), faults
    faults += _bad_names(cls)
    apis = dict(_apis(cls, provider, room, faults))
    agent = agent_of(cls)
    kind = Kind.AGENT if agent else _kind_of(cls, room)
    return Entry(cls.__name__, cls, room, kind, provider, service, agent, apis), faults


def _apis(
    cls: type, provider: Provider, room: Room, faults: list[Fault]
) -> Iterator[tuple[str, Api]]:
    for name, declaration in apis_of(cls).items():
        subject = f"{cls.__name__}.{name}"
        if stated_effect(name, declaration) is None:
            verbs = ", ".join(f"{verb}_" for verb in READING_VERBS)
            problem = f"is not named for reading ({verbs}...) and declares no effect"
            remedy = "say effect=Effect.KEYED, GUARDED or TRANSACTIONAL, or PURE if it only reads"
            faults.append(Fault(FaultKind.NO_EFFECT, subject, problem, remedy))
        if not name.islower() or name.startswith("_"):
            problem, remedy = "is not in snake_case", f"call it {snake_case(name).strip('_')}"
            faults.append(Fault(FaultKind.BAD_NAME, subject, problem, remedy))
        method = getattr(cls, name)
        try:
            contract = Contract.of(method)
        except UntypedApi as error:
            faults.append(Fault(FaultKind.UNTYPED, subject, error.detail, error.hint))
            continue
        text = inspect.cleandoc(method.__doc__ or "")
        yield (
            name,
            Api(
                service=cls.__name__,
                name=name,
                realm=room.realm,
                declaration=declaration,
                contract=contract,
                description=text,
                method=partial(_looked_up, provider, name),
            ),
        )


def _looked_up(provider: Provider, name: str) -> Any:
    return getattr(provider(), name)


def _kind_of(cls: type, room: Room) -> Kind:
    if cls.__name__.endswith("FoundationService"):
        return Kind.FOUNDATION
    if room.package == "foundations.public_works":
        return Kind.ABSTRACTION
    if room.package.startswith("smart_city"):
        return Kind.ROLE
    return Kind.SERVICE


def _bad_names(cls: type) -> list[Fault]:
    name = cls.__name__
    if name[0].isupper() and "_" not in name:
        return []
    right = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return [Fault(FaultKind.BAD_NAME, name, "is not in CamelCase", f"call it {right}")]


def _undefined_methods(cls: type) -> list[Fault]:
    """Methods of a protocol in the class's ancestry that the class leaves as they stand there."""
    faults = []
    for base in cls.__mro__[1:]:
        if not getattr(base, "_is_protocol", False):
            continue
        for name, member in base.__dict__.items():
            if not inspect.isfunction(member) or name.startswith("_"):
                continue
            if getattr(cls, name) is member:
                problem = f"is a {base.__name__} and does not define {name}"
                faults.append(
                    Fault(FaultKind.UNDEFINED, cls.__name__, problem, f"define {name} on it")
                )
    return faults
