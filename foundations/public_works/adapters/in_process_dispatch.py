"""Wakes work in this process, in tasks that the dispatch owns and drains when it closes."""

import asyncio
from contextvars import Context
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from loguru import logger

from foundations.public_works.dispatch import Arrived, Dispatch, Handler, Road
from foundations.public_works.settings import Settings
from utilities.clock import Clock


class InProcessDispatch(Dispatch):
    """One task per key and queue at a time; a wake during the task runs it once more afterwards."""

    def __init__(self, *, settings: Settings, clock: Clock) -> None:
        self._drain_seconds = settings.drain_seconds
        self._clock = clock
        self._handlers: dict[str, Handler] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._again: set[tuple[str, str]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._open = False

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Take no more wakes, give the tasks in progress their time, then cancel the rest."""
        self._open = False
        for timer in self._timers:
            timer.cancel()
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._drain_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def handle(self, queue: str, handler: Handler, *, arrived: Arrived | None = None) -> None:
        self._handlers[queue] = handler

    def wake(
        self, queue: str, key: str, *, at: datetime | None = None, road: Road | None = None
    ) -> None:
        if not self._open:
            return
        delay = 0.0 if at is None else (at - self._clock.now()).total_seconds()
        if delay > 0:
            self._ring_later(delay, queue, key, at=at, road=road)
        else:
            self._ring(queue, key, road)

    def hand_on(self, queue: str, key: str, *, at: datetime) -> None:
        self.wake(queue, key, at=at)

    def _ring(self, queue: str, key: str, road: Road | None) -> None:
        """Have the handler called in a task, now."""
        if queue not in self._handlers:
            return  # this process has nothing to do with it
        if (queue, key) in self._tasks:
            self._again.add((queue, key))
        else:
            task = asyncio.get_running_loop().create_task(self._run(queue, key), context=Context())
            self._tasks[queue, key] = task

    def _ring_later(
        self, delay: float, queue: str, key: str, *, at: datetime | None, road: Road | None
    ) -> None:
        def ring() -> None:
            self._timers.discard(timer)
            self.wake(queue, key, at=at if self._early(at) else None, road=road)

        timer = asyncio.get_running_loop().call_later(delay, ring)
        self._timers.add(timer)

    def _early(self, at: datetime | None) -> bool:
        """Whether the loop rang a little early, as uvloop does, which counts in milliseconds.

        A clock that was set back is another matter: then it rings, and who is rung looks again.
        """
        return at is not None and timedelta() < at - self._clock.now() < _A_LITTLE

    async def _run(self, queue: str, key: str) -> None:
        try:
            await self._handlers[queue](key)
        except Exception as error:  # noqa: BLE001 - the task runner's edge: one task stops no other
            logger.opt(exception=error).error("the handler of {} failed on {}", queue, key)
        finally:
            del self._tasks[queue, key]
            if (queue, key) in self._again:
                self._again.discard((queue, key))
                self.wake(queue, key)


_A_LITTLE = timedelta(milliseconds=50)
