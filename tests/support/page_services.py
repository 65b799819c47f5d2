"""Services that a document declares for its examples, so that its templates can be checked."""

import ast
import inspect
from collections.abc import Collection
from typing import Any

from foundations.curator.registry import Registry
from foundations.declarations import service_of
from foundations.rooms import Room
from realms.journey.plans.plan import Signature, Signatures
from realms.journey.registry_services import RegistryServices
from tests.support.documents import code_blocks

ROOM = Room("realms.examples", "examples")


def page_registry(page: str) -> Registry:
    """The services and agents that a page declares."""
    registry = Registry()
    for declared in _declared_in(page):
        registry.register(declared(), ROOM)
    return registry


class PageServices(Signatures):
    """The services of a running city, and beside them those that one page declares."""

    def __init__(self, page: str, city: Signatures) -> None:
        self._own: Signatures = RegistryServices(registry=page_registry(page))
        self._city = city

    def services(self) -> Collection[str]:
        return [*self._own.services(), *self._city.services()]

    def apis(self, service: str) -> Collection[str]:
        return self._of(service).apis(service)

    def signature(self, service: str, api: str) -> Signature:
        return self._of(service).signature(service, api)

    def agents(self) -> Collection[str]:
        return [*self._own.agents(), *self._city.agents()]

    def _of(self, service: str) -> Signatures:
        return self._own if service in self._own.services() else self._city


def _declared_in(page: str) -> list[type[Any]]:
    """The services and agents in the python blocks of a page that can be made of nothing."""
    found: list[type[Any]] = []
    for block in code_blocks(page):
        if block.language != "python" or "@service" not in block.text:
            continue
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(ast.parse(block.text), "example", "exec"), names)
        found += [value for value in names.values() if _can_be_made(value)]
    return found


def _can_be_made(value: Any) -> bool:
    if not inspect.isclass(value) or value.__module__ != "example":
        return False
    return service_of(value) is not None and not inspect.signature(value).parameters
