"""Events between processes by the channels of a Redis; it keeps none of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError

from foundations.public_works.adapters.events_between import (
    CHANNEL,
    CONNECT_SECONDS,
    EventsBetween,
    Line,
)
from foundations.public_works.settings import MIB, Settings
from utilities.tasks import ended


@dataclass(slots=True)
class _Connection:
    client: Any
    channel: str
    listening: "asyncio.Task[None]"

    @property
    def broken(self) -> bool:
        return self.listening.done()

    async def send(self, letter: str) -> None:
        await self.client.publish(self.channel, letter)


class RedisEvents(EventsBetween):
    """Events of all processes that name the same database of a Redis."""

    largest = MIB
    failures = (OSError, TimeoutError, RedisError)

    def __init__(self, *, settings: Settings) -> None:
        super().__init__()
        assert settings.redis_url is not None
        self._url = settings.redis_url.get_secret_value()
        number = urlsplit(self._url).path.strip("/") or "0"
        self._channel = f"{CHANNEL}.{number}"
        """Channels are those of all databases of a server."""

    @asynccontextmanager
    async def line(
        self, heard: Callable[[str], None], broke: Callable[[], None]
    ) -> AsyncIterator[Line]:
        async with (
            Redis.from_url(
                self._url,
                socket_connect_timeout=CONNECT_SECONDS,
                health_check_interval=10,
                decode_responses=True,
            ) as client,
            client.pubsub(ignore_subscribe_messages=True) as channel,
        ):
            await channel.subscribe(self._channel)
            listening = asyncio.get_running_loop().create_task(_listened(channel, heard))
            listening.add_done_callback(lambda _: broke())
            try:
                yield _Connection(client, self._channel, listening)
            finally:
                await ended(listening)


async def _listened(channel: Any, heard: Callable[[str], None]) -> None:
    async for message in channel.listen():
        heard(str(message["data"]))
