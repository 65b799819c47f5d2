"""Moves what the write-ahead log holds into the database file, off the road of the commits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from loguru import logger

from foundations.public_works.adapters.sqlite_driver import SAFE_BESIDE_WRITERS, opened

LOOK_EVERY = 16
"""Commits between two looks at the log."""
ENOUGH_PAGES = 1000
"""So many pages are worth a checkpoint: 4 MiB."""
MANY_PAGES = 8000
"""So many are too many for a log that writers never leave alone: 32 MiB."""
LARGE_FILE = 64 * 1024 * 1024
"""A log beyond this gives its room back to the disk; a smaller one is faster used again."""
_PATIENCE = "PRAGMA busy_timeout=100"

OnWriter = Callable[[Callable[[], None]], object]


class Checkpoints:
    """Looks at the log now and then, on a thread and connection of its own.

    A log that grows faster than it is emptied is begun anew on the writer's thread, between two
    transactions. A reader may hold it for a while: then that is tried again when it has doubled.
    On a full disk the log gives back all its room, once `no_room` has freed enough to empty it.
    """

    def __init__(
        self,
        *,
        driver: ModuleType,
        path: Path,
        on_writer: OnWriter,
        tidy: Callable[[], None],
    ) -> None:
        self._driver = driver
        self._log = path.with_name(f"{path.name}-wal")
        self._connection: Any = opened(driver, path)
        self._connection.execute(_PATIENCE)
        self._on_writer = on_writer
        self._tidy = tidy
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-checkpoints")
        self._beside = driver.sqlite_version_info >= SAFE_BESIDE_WRITERS
        self._loop = asyncio.get_running_loop()
        self._too_many = MANY_PAGES
        self._commits = 0
        self._looking = False
        self._full = False
        self._failing = False
        self._closed = False

    def committed(self) -> None:
        """Count a commit; on the event loop."""
        self._commits += 1
        if self._commits >= LOOK_EVERY:
            self.look()

    def look(self) -> None:
        """Look at the log soon; on the event loop."""
        if self._looking or self._closed:
            return
        self._looking = True
        self._commits = 0
        if self._beside:
            self._thread.submit(self._look)
        else:
            self._on_writer(self._look)

    def no_room(self) -> None:
        """Make the log give its room back; on the event loop."""
        self._full = True
        self.look()

    def stop(self) -> None:
        """Take no more looks; on the event loop."""
        self._closed = True

    def close(self) -> None:
        """Empty the log and let go; nobody writes any more."""
        self._thread.shutdown(wait=True)
        self._checkpoint("TRUNCATE")
        self._connection.close()

    def _look(self) -> None:
        self._tidy()
        seen = self._checkpoint("NOOP")
        if seen.pages - seen.moved >= ENOUGH_PAGES:
            seen = self._checkpoint("PASSIVE")
        if seen.pages < MANY_PAGES:
            self._too_many = MANY_PAGES
        if self._full or seen.pages >= self._too_many:
            self._loop.call_soon_threadsafe(self._queue_anew)
        else:
            self._looking = False

    def _queue_anew(self) -> None:
        if not self._closed:
            self._on_writer(self._begin_anew)

    def _begin_anew(self) -> None:
        """On the writer's thread: no writer adds pages meanwhile."""
        large = self._log.exists() and self._log.stat().st_size > LARGE_FILE
        seen = self._checkpoint("TRUNCATE" if large or self._full else "RESTART")
        self._too_many = max(MANY_PAGES, 2 * seen.pages) if seen.busy else MANY_PAGES
        self._full = False
        self._looking = False

    def _checkpoint(self, mode: str) -> "_Seen":
        try:
            seen = _Seen(*self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone())
        except self._driver.DatabaseError as error:
            if not self._failing:  # told once, not at every look
                logger.warning("the write-ahead log cannot be checkpointed now: {}", error)
            self._failing = True
            return _Seen(busy=1, pages=0, moved=0)
        self._failing = self._failing and mode == "NOOP"
        return seen


class _Seen(NamedTuple):
    """Whether somebody was in the way, the pages in the log, and how many the file has of them."""

    busy: int
    pages: int
    moved: int
