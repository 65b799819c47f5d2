"""The one door through which blocking work leaves the event loop."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import to_thread

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_thread(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Run `work(*arguments)` in a worker thread; the call context goes with it."""
    return await to_thread.run_sync(work, *arguments)
