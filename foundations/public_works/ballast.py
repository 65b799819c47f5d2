"""A file that is given up when the disk is full, so that there is room to delete and to tidy up."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

SIZE = 8 * 1024 * 1024
"""Twice the pages that the write-ahead log commonly holds before they are checkpointed."""
_PLENTY = 4 * SIZE


class Ballast:
    """Takes up a few MiB of the disk; a full SQLite database cannot even delete without them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> None:
        """Make the file where it is missing and the disk has plenty of room."""
        with suppress(OSError):  # no ballast is no fault; the next call tries again
            if not self._path.exists() and shutil.disk_usage(self._path.parent).free >= _PLENTY:
                _allocate(self._path)

    def give_up(self) -> None:
        """Give its room back to the disk."""
        self._path.unlink(missing_ok=True)


def _allocate(path: Path) -> None:
    """Really take the room: a file with holes takes none."""
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, SIZE)
        except OSError:
            path.unlink()
            raise
