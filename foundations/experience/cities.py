"""A city as the command line sees it: how one is made, and who holds the folder of one."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from foundations.boot import Duty
from foundations.curator.registry import Registry
from foundations.experience.lifespan import Serves
from foundations.public_works.data_folder import DataFolderInUse, holder_of
from foundations.public_works.settings import Settings

PATIENCE = 5.0
"""Seconds to wait for a process that holds the data folder and is about to serve, or to leave."""


class City(Serves, Protocol):
    """A booted city and what is registered in it."""

    @property
    def registry(self) -> Registry: ...


class CityFactory(Protocol):
    """Makes a city that boots when it is entered."""

    def __call__(
        self, settings: Settings, *, working: bool = True, duty: Duty | None = None
    ) -> AbstractAsyncContextManager[City]: ...


async def settled_holder(data_dir: Path, *, patience: float = PATIENCE) -> DataFolderInUse | None:
    """Who holds the folder, waiting a little for one who is about to serve or to leave."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        holder = holder_of(data_dir)
        if holder is None or holder.url or asyncio.get_running_loop().time() >= deadline:
            return holder
        await asyncio.sleep(0.05)
