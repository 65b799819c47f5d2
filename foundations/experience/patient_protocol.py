"""HTTP/1.1 for uvicorn, which does not wait for ever for the head of a request."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 128 * 1024
"""Bytes that are taken in before a head is complete; see HeadGuard for what one may have."""


class PatientProtocol(HttpToolsProtocol):
    """Closes connections on which a head never ends, or takes longer than `slowest_head`."""

    slowest_head = 20.0
    """Seconds for a head: from connecting on, later from its first byte on."""

    _size = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn declares it
    ) -> None:
        super().connection_made(transport)
        self._expect_a_head()

    def data_received(self, data: bytes) -> None:
        if self._size == 0:
            self._expect_a_head()
        self._size += len(data)
        super().data_received(data)
        if self._deadline is not None and self._size > LARGEST_HEAD:
            self._give_up()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._size = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_a_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.slowest_head, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_a_head()  # a pipelined head; the answer before it must not be spoilt
        elif not self.transport.is_closing():
            self.send_400_response("The head of the request is too large, or came too slowly.")
