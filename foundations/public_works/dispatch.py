"""The port that wakes work: a doorbell, never the truth."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

Handler = Callable[[str], Awaitable[None]]
Arrived = Callable[[Sequence[str]], Awaitable[None]]


class Road(NamedTuple):
    """By which way a wake travels between processes; it makes no difference within one."""

    queue: str = ""
    """A name of which only some workers take; empty for all."""
    priority: int = 0
    """0 to 9; from `URGENT` on it overtakes what waits."""


PLAIN = Road()
URGENT = 5


class Dispatch(Protocol):
    """Calls the handler of a queue with a key, soon or at a time. A wake may be lost or doubled.

    A wake with a road goes to other processes, where there are any, if this one does not handle its
    queue.
    """

    def handle(self, queue: str, handler: Handler, *, arrived: Arrived | None = None) -> None:
        """Let `handler` answer the wakes of `queue`, and `arrived` those of other processes.

        The latter come many at a time, and while it takes its time no more come.
        """
        ...

    def wake(
        self, queue: str, key: str, *, at: datetime | None = None, road: Road | None = None
    ) -> None:
        """Ring for `key`: now, or when the clock says `at`. Never waits."""
        ...

    def hand_on(self, queue: str, key: str, *, at: datetime) -> None:
        """Ring other processes for `key` at a time, though this one handles the queue.

        Where there are no others, or they do not hear it first, it is rung here.
        """
        ...
