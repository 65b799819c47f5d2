"""Transient events by bounded queues in this process."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from foundations.public_works.events import Events

_BUFFER = 1000


class InProcessEvents(Events):
    """One bounded queue per listener; a listener that does not read loses the oldest events."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Queue[Mapping[str, object]]]] = defaultdict(
            set
        )

    def publish(self, topic: str, data: Mapping[str, object]) -> None:
        for queue in self._listeners.get(topic, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(data)

    def heard(self, topic: str) -> bool:
        return topic in self._listeners

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[Mapping[str, object]]]:
        queue: asyncio.Queue[Mapping[str, object]] = asyncio.Queue(_BUFFER)
        self._listeners[topic].add(queue)
        try:
            yield _drained(queue)
        finally:
            self._listeners[topic].discard(queue)
            if not self._listeners[topic]:
                del self._listeners[topic]


async def _drained(
    queue: asyncio.Queue[Mapping[str, object]],
) -> AsyncIterator[Mapping[str, object]]:
    while True:
        yield await queue.get()
