"""Writes that wait for the writer's thread, to be made in one transaction when it is free."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from threading import Lock
from typing import Any, NamedTuple

from loguru import logger
from sqlalchemy import Connection

_MOST = 64
"""Writes of one transaction: a slow one holds up so many others at most."""

Work = Callable[[Connection], Any]


class Gathered(NamedTuple):
    """One write, the context of who asked for it, and what tells them."""

    work: Work
    context: Context
    future: asyncio.Future[Any]

    def make(self, connection: Connection) -> Any:
        """Do the work, in somebody's transaction."""
        return self.context.run(self.work, connection)

    def answer(self, result: Any) -> None:
        """Tell who asked that it is done; on the event loop."""
        if not self.future.cancelled():
            self.future.set_result(result)

    def refuse(self, error: BaseException) -> None:
        """Tell who asked that it was not done; on the event loop."""
        if self.future.cancelled():
            logger.warning("a write failed whose caller had gone: {}", error)
        else:
            self.future.set_exception(error)


class Gathering:
    """Takes writes until the writer's thread begins with them; one that is `alone` stays so."""

    def __init__(self, first: Gathered, *, alone: bool = False) -> None:
        self._lock = Lock()
        self._writes = [first]
        self._open = not alone

    def add(self, write: Gathered) -> bool:
        """Take another write; False when it comes too late, or there are enough."""
        with self._lock:
            fits = self._open and len(self._writes) < _MOST
            if fits:
                self._writes.append(write)
            return fits

    def close(self) -> Sequence[Gathered]:
        """All that were taken; there will be no more."""
        with self._lock:
            self._open = False
            return self._writes


def gathered(work: Work, future: asyncio.Future[Any]) -> Gathered:
    """A write in the context of who asks for it now."""
    return Gathered(work, copy_context(), future)
