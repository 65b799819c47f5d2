"""Wakes between processes by Celery, and within this one as if there were no other."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from foundations.public_works.adapters.celery_messages import (
    BadMessage,
    traces_of,
    unpacked,
)
from foundations.public_works.adapters.celery_sender import Sender
from foundations.public_works.adapters.in_process_dispatch import InProcessDispatch
from foundations.public_works.dispatch import PLAIN, Arrived, Handler, Road
from foundations.public_works.settings import Settings
from utilities.clock import Clock
from utilities.context import current_or_none
from utilities.long_lived import share_interpreter
from utilities.observability.distributed_tracing import DistributedTracing, carried

_TOGETHER_SECONDS = 0.003
"""Wakes that come within this time travel together; after a pause the first do not wait."""
_TOGETHER = 25
"""So many at the most, so that of many that come at once each worker takes some."""


class CeleryDispatch(InProcessDispatch):
    """Rings at the broker for the queues that this process does not handle."""

    def __init__(self, *, settings: Settings, clock: Clock, tracing: DistributedTracing) -> None:
        super().__init__(settings=settings, clock=clock)
        self._tracing = tracing
        assert settings.broker_url is not None
        self._sender = Sender(settings.broker_url.get_secret_value())
        self._arrived: dict[str, Arrived] = {}
        self._leaving: dict[tuple[str, Road], dict[str, Mapping[str, str]]] = {}
        self._departure: asyncio.TimerHandle | None = None
        self._departed = 0.0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._sender.start()
        share_interpreter()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, tb)
        self._depart()
        await asyncio.get_running_loop().run_in_executor(None, self._sender.stop)

    def handle(self, queue: str, handler: Handler, *, arrived: Arrived | None = None) -> None:
        super().handle(queue, handler)
        if arrived is not None:
            self._arrived[queue] = arrived

    async def receive(
        self, arguments: Sequence[object], message: Mapping[str, object], traces: object = None
    ) -> None:
        """Answer a message of another process; `traces` is its header of that name.

        Raises:
            BadMessage: it is none of ours; nothing was done.
        """
        wakes = unpacked(arguments, message)
        if wakes.queue not in self._handlers:
            raise BadMessage("its queue is none that a worker handles")
        if self._tracing.recording:
            for key, headers in traces_of(traces, wakes.keys).items():
                with self._tracing.received(
                    f"{wakes.queue} received", headers, remembered_as=key, key=key
                ):
                    pass
        if wakes.queue in self._arrived:
            await self._arrived[wakes.queue](wakes.keys)
            return
        for key in wakes.keys:
            self.wake(wakes.queue, key)

    def _ring(self, queue: str, key: str, road: Road | None) -> None:
        if queue in self._handlers or road is None:
            super()._ring(queue, key, road)
        else:
            self._leave(queue, key, road)

    def hand_on(self, queue: str, key: str, *, at: datetime) -> None:
        if not self._open:
            return

        def leave() -> None:
            self._timers.discard(timer)
            self._leave(queue, key, PLAIN)

        delay = max(0.0, (at - self._clock.now()).total_seconds())
        timer = asyncio.get_running_loop().call_later(delay, leave)
        self._timers.add(timer)

    def _leave(self, queue: str, key: str, road: Road) -> None:
        """Have a wake sent to other processes, with those that come soon after it."""
        leaving = self._leaving.setdefault((queue, road), {})
        leaving[key] = self._trace()
        if len(leaving) >= _TOGETHER:
            self._sender.send(queue, self._leaving.pop((queue, road)), road)
        elif self._departure is None:
            loop = asyncio.get_running_loop()
            self._departure = loop.call_at(self._departed + _TOGETHER_SECONDS, self._depart)

    def _depart(self) -> None:
        self._departure = None
        self._departed = asyncio.get_running_loop().time()
        leaving, self._leaving = self._leaving, {}
        for (name, road), keys in leaving.items():
            self._sender.send(name, keys, road)

    def _trace(self) -> Mapping[str, str]:
        """What takes the trace along of what is done at the moment."""
        context = current_or_none() if self._tracing.recording else None
        return carried(context.trace_id) if context is not None and context.trace_id else {}
