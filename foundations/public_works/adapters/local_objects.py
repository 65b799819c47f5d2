"""The object store on a local folder, through obstore."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import obstore
from obstore.store import LocalStore

from foundations.public_works.adapters.obstore_objects import ObstoreObjects
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import StorageFull
from foundations.public_works.object_store import ObjectNotFound
from foundations.public_works.threads import in_thread


class LocalObjectStore(ObstoreObjects):
    """One file per key below `objects/` of the data folder; a put is on disk when it returns."""

    def __init__(self, *, folder: DataFolder) -> None:
        self._root = folder.objects
        self._opened: LocalStore | None = None

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        await self._size(key)
        yield self._root / key

    async def delete_below(self, folder: str) -> int:
        removed = await super().delete_below(folder)
        with suppress(OSError):  # somebody may have put something into it again
            (self._root / folder).rmdir()
        return removed

    @property
    def _store(self) -> LocalStore:
        if self._opened is None:
            self._opened = LocalStore(self._root)
        return self._opened

    async def put_files(self, folder: str, paths: Mapping[str, Path]) -> None:
        await self._put_all({f"{folder}/{name}": path for name, path in paths.items()})

    async def _put(self, key: str, content: bytes | Path) -> None:
        await self._put_all({key: content})

    async def _put_all(self, contents: Mapping[str, bytes | Path]) -> None:
        try:
            for key, content in contents.items():
                await obstore.put_async(self._store, key, content)
            await in_thread(_make_durable, self._root, [self._root / key for key in contents])
        except OSError as error:
            if "No space left" in str(error):
                raise StorageFull(
                    "the disk that holds the data folder is full", hint="free some space and retry"
                ) from error
            raise

    @asynccontextmanager
    async def _translated(self, key: str) -> AsyncIterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectNotFound(f"no object under {key}") from error


def _make_durable(root: Path, paths: Sequence[Path]) -> None:
    """Sync files and the folders that lead to them, so that a power cut loses none of them."""
    folders = {folder for path in paths for folder in path.parents if folder.is_relative_to(root)}
    for synced in (*paths, *sorted(folders, key=lambda folder: -len(folder.parts))):
        descriptor = os.open(synced, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
