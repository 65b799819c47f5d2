"""Writes that wait for the writer's thread, and are made in one transaction when it is free."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from threading import Lock
from typing import Any, NamedTuple

from loguru import logger
from sqlalchemy import Connection, Engine

from foundations.public_works.adapters.sqlite_transactions import Explained

_MOST = 64
"""Writes of one transaction: a slow one holds up so many others at most."""

Work = Callable[[Connection], Any]


class Gathered(NamedTuple):
    """One write, the context of who asked for it, and what tells them."""

    work: Work
    context: Context
    future: asyncio.Future[Any]

    def settle(self, outcome: "Outcome") -> None:
        """Tell who asked what became of it; on the event loop."""
        if self.future.cancelled():
            if outcome.error is not None:
                logger.warning("a write failed whose caller had gone: {}", outcome.error)
        elif outcome.error is not None:
            self.future.set_exception(outcome.error)
        else:
            self.future.set_result(outcome.result)


class Outcome(NamedTuple):
    """What a write answered, or raised."""

    result: Any = None
    error: Exception | None = None


class Gathering:
    """Takes writes until the writer's thread begins with them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._writes: list[Gathered] = []
        self._open = True

    def add(self, work: Work, future: asyncio.Future[Any]) -> bool:
        """Take another write; False when it comes too late, or there are enough."""
        with self._lock:
            if not self._open or len(self._writes) >= _MOST:
                return False
            self._writes.append(Gathered(work, copy_context(), future))
            return True

    def close(self) -> Sequence[Gathered]:
        """All that were taken; there will be no more."""
        with self._lock:
            self._open = False
            return self._writes


def write_together(
    writes: Sequence[Gathered], engine: Engine, explained: Explained
) -> tuple[list[Outcome], int]:
    """Make writes in one transaction; what came of each, and how many commits it took.

    Where one of them raises, nothing of that transaction is kept, and each is made again in one of
    its own: what is refused spoils nothing for the others.
    """
    try:
        connection = explained(engine.connect)
    except Exception as error:  # noqa: BLE001 - nothing is lost: every future hands it on
        return [Outcome(error=error)] * len(writes), 0
    with connection:
        if len(writes) > 1:
            together = _tried(connection, writes, explained)
            if all(one.error is None for one in together):
                return together, 1
        outcomes = [_tried(connection, [one], explained)[0] for one in writes]
    return outcomes, sum(one.error is None for one in outcomes)


def _tried(
    connection: Connection, writes: Sequence[Gathered], explained: Explained
) -> list[Outcome]:
    """Make writes in one transaction; each has its answer, or all have what one raised."""

    def run() -> list[Outcome]:
        with connection.begin():
            return [Outcome(one.context.run(one.work, connection)) for one in writes]

    try:
        return explained(run)
    except Exception as error:  # noqa: BLE001 - nothing is lost: every future hands it on
        return [Outcome(error=error)] * len(writes)
