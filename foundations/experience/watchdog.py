"""Ends a process whose event loop stalls: a busy call cannot be cut from within.

The end counts as a crash of every attempt in progress, so that a milestone that stalls its process
again and again comes to be tried alone, and then to the dead letters.
"""

import asyncio
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from loguru import logger

_LOOKS = 4
"""So often in the time that is allowed, the loop is asked for a sign of life."""


def end_like_a_crash() -> None:
    """End this process at once, with nothing tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def watched(seconds: float, *, end: Callable[[], None] = end_like_a_crash) -> Iterator[None]:
    """Watch the running loop inside the block; zero seconds watch nothing.

    When the loop gives no sign of life for so long, the log tells what it was doing, and `end` is
    called.
    """
    if not seconds:
        yield
        return
    loop, done = asyncio.get_running_loop(), threading.Event()
    watch = _Watch(loop, threading.get_ident(), seconds, done, end)
    thread = threading.Thread(target=watch.look, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(seconds)


class _Watch:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        thread_id: int,
        seconds: float,
        done: threading.Event,
        end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._thread_id = thread_id
        self._seconds = seconds
        self._done = done
        self._end = end
        self._seen = time.monotonic()

    def look(self) -> None:
        """Ask for signs of life until the block ends, or none comes."""
        looked = time.monotonic()
        while not self._done.wait(self._seconds / _LOOKS):
            now = time.monotonic()
            if now - looked > self._seconds:  # the whole process stood still; begin anew
                self._seen = now
            looked = now
            if now - self._seen > self._seconds:
                self._tell()
                self._end()
                return
            self._loop.call_soon_threadsafe(self._sign)

    def _sign(self) -> None:
        self._seen = time.monotonic()

    def _tell(self) -> None:
        frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - the documented way to another thread's stack
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        logger.critical(
            "the event loop stood still for {:g} s; the process ends. It was here:\n{}",
            self._seconds,
            stack,
        )
        logger.complete()
