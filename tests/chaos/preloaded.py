"""Imported once, where city processes are forked off: all modules, and what every boot works out.

What no boot changes (the contracts of methods) is read once, so that a city boots in half the time.
"""

import inspect
from importlib import import_module

import realms
from foundations.curator import discovery
from foundations.curator.apis import Contract, UntypedApi
from foundations.declarations import apis_of
from foundations.public_works.cloud_ready import chosen
from foundations.public_works.settings import Settings
from foundations.rooms import Room
from main import STAGES
from tests.chaos.host import CITY

realms.__path__.append(str(CITY))
for _stage in STAGES:
    import_module(_stage.module)


def _contracts(room: Room) -> None:
    module = room.module("container")
    settings = Settings()
    choices = (
        (chosen(settings), settings) if module and inspect.isfunction(module.container) else ()
    )
    for provider in module.container(*choices).providers.values() if module else ():
        for name in apis_of(provider.cls) if hasattr(provider, "cls") else ():
            try:
                Contract.of(getattr(provider.cls, name))
            except UntypedApi:
                continue  # the boot tells of it


for _package in ("public_works", "curator", "agentic", "experience"):
    _contracts(Room(f"foundations.{_package}", _package))
for _room in (*discovery.roles(), *discovery.realms()[0]):
    _contracts(_room)
