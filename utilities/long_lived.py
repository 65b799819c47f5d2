"""What a process does that is to serve for long: a quick event loop, and a calm collector."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ALLOCATIONS = 50_000
"""So many objects more than were freed begin a collection of the youngest; Python begins at 700."""

ALLOCATIONS_AT_START = 200_000
"""More than all imports of a city make, of which hardly anything is garbage."""

TURN_SECONDS = 0.001
"""So long a thread may keep others from the interpreter; Python begins at 5 ms."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Uvloop where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection inside: what a program makes while it boots, it keeps.

    All there is at its end counts as old at once. Else the next object that is made would have all
    of it gone through as what is young. What `calm_collector` has left out before is thawed.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.freeze()
            gc.unfreeze()  # to the oldest
            gc.enable()


def collect_rarely() -> None:
    """Do not look for garbage while a program imports what it consists of: that is none."""
    gc.set_threshold(ALLOCATIONS_AT_START, 20, 100)


def calm_collector() -> None:
    """Leave what a booted program consists of out of every collection from now on.

    It is not gone through once more for that: of a hundred thousand objects a hundred are garbage.
    A collection comes more often than at the start, so that none holds up the loop for long.
    """
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 20, 100)


def share_interpreter() -> None:
    """Let threads that talk to a broker have their turn soon, beside a loop that is always busy.

    Each of their words to it would wait as long as a turn lasts, and so would the run it is about.
    """
    sys.setswitchinterval(TURN_SECONDS)
