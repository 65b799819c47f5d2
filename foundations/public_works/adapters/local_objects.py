"""The object store on a local folder, through obstore."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import obstore
from obstore.store import LocalStore

from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import StorageFull
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from foundations.public_works.threads import in_thread

_CHUNK = 1024 * 1024


class LocalObjectStore(ObjectStore):
    """One file per key below `objects/` of the data folder; a put is on disk when it returns."""

    def __init__(self, *, folder: DataFolder) -> None:
        self._root = folder.objects
        self._opened: LocalStore | None = None

    async def put(self, key: str, data: bytes) -> None:
        await self._put(key, data)

    async def put_file(self, key: str, path: Path) -> None:
        await self._put(key, path)

    async def get(self, key: str) -> bytes:
        with _translated(key):
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())

    async def stream(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        with _translated(key):
            size = (await obstore.head_async(self._store, key))["size"]
        last = size if end is None else min(end, size)
        for begin in range(start, last, _CHUNK):
            stop = min(begin + _CHUNK, last)
            yield bytes(await obstore.get_range_async(self._store, key, start=begin, end=stop))

    async def delete(self, key: str) -> None:
        try:
            with _translated(key):
                await obstore.delete_async(self._store, key)
        except ObjectNotFound:
            return

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        with _translated(key):
            await obstore.head_async(self._store, key)
        yield self._root / key

    @property
    def _store(self) -> LocalStore:
        if self._opened is None:
            self._opened = LocalStore(self._root)
        return self._opened

    async def _put(self, key: str, content: bytes | Path) -> None:
        try:
            await obstore.put_async(self._store, key, content)
            await in_thread(_make_durable, self._root, self._root / key)
        except OSError as error:
            if "No space left" in str(error):
                raise StorageFull(
                    "the disk that holds the data folder is full", hint="free some space and retry"
                ) from error
            raise


def _make_durable(root: Path, path: Path) -> None:
    """Sync a file and the folders that lead to it, so that a power cut loses neither."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    for synced in (path, *folders):
        descriptor = os.open(synced, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Raise ObjectNotFound for the library's error."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFound(f"no object under {key}") from error
