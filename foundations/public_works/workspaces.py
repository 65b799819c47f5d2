"""Folders for the time of a piece of work, on the disk of the objects."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from foundations.public_works.data_folder import DataFolder


@asynccontextmanager
async def workspace(folder: DataFolder) -> AsyncIterator[Path]:
    """A new empty folder that is gone after the block; a crash's are swept at the next boot."""
    path = folder.spool()
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)  # in no thread: it must run when cancelled too
