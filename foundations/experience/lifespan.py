"""A web application that boots its city when the server starts, and stops it when it ends."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from utilities.errors import PlatformError


class Serves(Protocol):
    """A booted city."""

    @property
    def asgi(self) -> ASGIApp: ...


class CityApplication:
    """ASGI: answers the lifespan messages by booting, hands everything else to the city."""

    def __init__(self, city: Callable[[], AbstractAsyncContextManager[Serves]]) -> None:
        self._city = city
        self._asgi: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._asgi is None:
            raise RuntimeError("the server does not run the lifespan; start it with lifespan on")
        else:
            await self._asgi(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._city() as city:
                self._asgi = city.asgi
                await send({"type": "lifespan.startup.complete"})
                await receive()
                self._asgi = None
        except PlatformError as error:
            message = f"{error.detail}\n{error.hint}"
            await send({"type": "lifespan.startup.failed", "message": message})
            return
        await send({"type": "lifespan.shutdown.complete"})
