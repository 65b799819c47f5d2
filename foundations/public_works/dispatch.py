"""The port that wakes work: a doorbell, never the truth."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

Handler = Callable[[str], Awaitable[None]]


class Dispatch(Protocol):
    """Calls the handler of a queue with a key, soon or at a time. A wake may be lost or doubled."""

    def handle(self, queue: str, handler: Handler) -> None:
        """Let `handler` answer the wakes of `queue`."""
        ...

    def wake(self, queue: str, key: str, *, at: datetime | None = None) -> None:
        """Ring for `key`: now, or when the clock says `at`. Never waits."""
        ...
