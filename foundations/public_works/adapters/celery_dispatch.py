"""Wakes between processes by Celery, and within this one as if there were no other."""

import asyncio
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from loguru import logger

from foundations.public_works.adapters.celery_messages import (
    TASK,
    TRACES,
    BadMessage,
    packed,
    traces_of,
    unpacked,
)
from foundations.public_works.adapters.in_process_dispatch import InProcessDispatch
from foundations.public_works.dispatch import Arrived, Handler, Road
from foundations.public_works.settings import Settings
from utilities.clock import Clock
from utilities.context import current_or_none
from utilities.errors import PlatformError
from utilities.observability.distributed_tracing import DistributedTracing, carried

if TYPE_CHECKING:
    from celery import Celery

_TOGETHER_SECONDS = 0.003
"""Wakes that come within this time travel together; after a pause the first do not wait."""
_TOGETHER = 25
"""So many at the most, so that of many that come at once each worker takes some."""
_REST_SECONDS = 1.0
"""After the broker failed, what is to be sent is let go for so long: the sweeper rings again."""
_WAITING = 1_000
"""So many messages may wait to be sent; more are let go."""


class CeleryDispatch(InProcessDispatch):
    """Rings at the broker for the queues that this process does not handle."""

    def __init__(self, *, settings: Settings, clock: Clock, tracing: DistributedTracing) -> None:
        super().__init__(settings=settings, clock=clock)
        self._tracing = tracing
        assert settings.broker_url is not None
        self._sender = _Sender(settings.broker_url.get_secret_value())
        self._arrived: dict[str, Arrived] = {}
        self._leaving: dict[tuple[str, Road], dict[str, Mapping[str, str]]] = {}
        self._departure: asyncio.TimerHandle | None = None
        self._departed = 0.0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._sender.start()
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
            return
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


_Keys = Mapping[str, Mapping[str, str]]
"""Keys of a message, each with the headers of its trace."""


class _Sender:
    """Publishes on a thread of its own, one message after the other; nobody waits for it."""

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._messages: queue.Queue[tuple[str, _Keys, Road] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="doorbell", daemon=True)
        self._resting_until = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what is there, and end."""
        if self._thread.is_alive():
            self._messages.put(None)
            self._thread.join(_REST_SECONDS * 5)

    def send(self, name: str, keys: _Keys, road: Road) -> None:
        """Have a message sent, or lost."""
        try:
            self._messages.put_nowait((name, keys, road))
        except queue.Full:
            logger.warning("{} wakes were not sent: the broker is slow", len(keys))

    def _work(self) -> None:
        app: Any = None
        while (message := self._messages.get()) is not None:
            if time.monotonic() < self._resting_until:
                continue
            if app is None:
                app = self._app()
            name, keys, road = message
            try:
                self._publish(app, name, keys, road)
            except PlatformError as error:
                logger.error("a wake cannot be sent: {}", error.detail)
            except Exception as error:  # noqa: BLE001 - the task runner's edge: whatever a broker's client raises
                logger.error(
                    "the broker takes no wakes ({}); the scheduler rings again once it does",
                    type(error).__name__,
                )
                self._resting_until = time.monotonic() + _REST_SECONDS
        if app is not None:
            app.close()

    def _app(self) -> "Celery":
        from foundations.public_works.adapters.celery_app import make_app

        return make_app(self._broker_url)

    def _publish(self, app: "Celery", name: str, keys: _Keys, road: Road) -> None:
        from foundations.public_works.adapters.celery_app import queue_by

        traces = {key: dict(trace) for key, trace in keys.items() if trace}
        app.send_task(
            TASK,
            kwargs=packed(name, list(keys)),
            queue=queue_by(road),
            headers={TRACES: traces} if traces else None,
            ignore_result=True,
        )
