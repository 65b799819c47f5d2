"""The tasks of an engine: begun here, waited for, and cut when it closes."""

import asyncio
from collections.abc import Collection, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from loguru import logger

from utilities.errors import PlatformError

T = TypeVar("T")


class Tasks:
    """Keeps hold of every task until it has ended, and tells in the log what it failed with."""

    def __init__(self) -> None:
        self._all: set[asyncio.Task[Any]] = set()
        self.others = 0
        """How many callers do something in tasks of their own that is waited for as well."""

    @property
    def all(self) -> Collection["asyncio.Task[Any]"]:
        """Those that have not ended."""
        return self._all

    def own(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin work that nobody else looks after."""
        task = asyncio.get_running_loop().create_task(work)
        self._all.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work to its end, also when its caller is cancelled, who hears what it raises."""
        task = asyncio.get_running_loop().create_task(work)
        self._all.add(task)
        task.add_done_callback(self._all.discard)
        return await asyncio.shield(task)

    async def ended_within(self, seconds: float) -> None:
        """Wait until none is left, but no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._all or self.others:
                    if self._all:
                        await asyncio.wait(self._all)
                    await asyncio.sleep(0)

    def cut(self) -> None:
        """Cancel all of them."""
        for task in self._all:
            task.cancel()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._all.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, PlatformError):
                logger.warning("a run is not driven here any more: {}", error.detail)
            else:
                logger.opt(exception=error).error("the engine failed while it drove a run")
