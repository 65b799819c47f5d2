"""How much body a request may send, and how slowly."""

import time
from collections.abc import Mapping
from typing import cast

from anyio import fail_after, move_on_after
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foundations.experience.problems import HttpError
from utilities.errors import ErrorKind

MINIMUM_RATE = 1024
"""Bytes per second a client has to keep up with, averaged over the time it may be idle."""

_LINGER_SECONDS = 2.0
_DISCARDED_AT_MOST = 64 * 1024 * 1024

_CLOSE = {"Connection": "close"}
"""What is left of the body is not read, so the connection cannot serve another request."""


class BodyTooLarge(HttpError):
    """The body is larger than is accepted here."""

    kind = ErrorKind.TOO_LARGE
    status = 413
    headers: Mapping[str, str] = _CLOSE

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} bytes are accepted here", hint="send less")
        self.limit = limit


class BodyTooSlow(HttpError):
    """The body arrives too slowly."""

    kind = ErrorKind.TIMEOUT
    status = 408
    headers: Mapping[str, str] = _CLOSE

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"less than {MINIMUM_RATE} bytes a second arrived over {seconds:g} seconds",
            hint="send again over a faster connection",
        )


class BodyGuard:
    """ASGI: watches over every body while it is read; a route may allow a larger one."""

    def __init__(self, app: ASGIApp, *, limit: int, idle_seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = IncomingBody(scope, receive, self._limit, self._idle_seconds)
        scope["civitas.body"] = body

        async def send_and_linger(message: Message) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and body.overflowing:
                await send({**message, "more_body": True})
                await body.discard()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, body.receive, send_and_linger)


class IncomingBody:
    """The body of one request. Only time spent waiting for the client counts against it."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, idle_seconds: float) -> None:
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        self.declared = int(declared) if declared.isdecimal() else 0
        self.limit = limit
        self.overflowing = False
        self._waits_for_leave = "expect" in headers
        self._receive = receive
        self._idle_seconds = idle_seconds
        self._patience = idle_seconds
        self._recent = 0
        self._size = 0
        self._ended = False

    async def receive(self) -> Message:
        """The next message of the request.

        Raises:
            BodyTooLarge: the client declares, or has sent, more than the limit.
            BodyTooSlow: it sends less than the minimum rate.
        """
        if self._ended:
            return await self._receive()
        if self.declared > self.limit:
            self.overflowing = not self._waits_for_leave
            raise BodyTooLarge(self.limit)
        message = await self._in_time()
        self._size += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._size > self.limit:
            self.overflowing = not self._ended
            raise BodyTooLarge(self.limit)
        return message

    async def discard(self) -> None:
        """Read on for a while without keeping anything.

        A connection that is closed while its client still sends is reset, and the client may never
        see the answer.
        """
        left = _DISCARDED_AT_MOST
        with move_on_after(_LINGER_SECONDS):
            while left > 0:
                message = await self._receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return

    async def _in_time(self) -> Message:
        begun = time.monotonic()
        try:
            with fail_after(self._patience):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTooSlow(self._idle_seconds) from error
        self._patience -= time.monotonic() - begun
        self._recent += len(message.get("body", b""))
        if self._recent >= MINIMUM_RATE * self._idle_seconds:
            self._patience, self._recent = self._idle_seconds, 0
        return message


def allow_body(request: Request, limit: int) -> None:
    """Let this request send up to `limit` bytes; call it before anything is read."""
    cast("IncomingBody", request.scope["civitas.body"]).limit = limit
