"""What object stores through obstore have in common, wherever they keep their bytes."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import obstore

from foundations.public_works.object_store import NONE, ObjectNotFound, ObjectStore

_CHUNK = 1024 * 1024


class ObstoreObjects(ObjectStore):
    """Reads and deletes; how a put is made durable and what a fault means is the adapter's."""

    @property
    @abstractmethod
    def _store(self) -> Any:
        """The library's store, opened when it is first used."""

    @abstractmethod
    def _translated(self, key: str) -> AbstractAsyncContextManager[None]:
        """Raise the port's errors for the library's inside the block."""

    @abstractmethod
    async def _put(self, key: str, content: bytes | Path) -> None: ...

    async def put(self, key: str, data: bytes) -> None:
        await self._put(key, data)

    async def put_file(self, key: str, path: Path) -> None:
        await self._put(key, path)

    async def put_files(
        self, folder: str, contents: Mapping[str, bytes | Path], *, last: Mapping[str, bytes] = NONE
    ) -> None:
        for some in (contents, last):
            puts = (self._put(f"{folder}/{name}", content) for name, content in some.items())
            await asyncio.gather(*puts)

    async def get(self, key: str) -> bytes:
        async with self._translated(key):
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())

    async def get_files(self, folder: str, names: Sequence[str]) -> list[bytes]:
        return await asyncio.gather(*(self.get(f"{folder}/{name}") for name in names))

    async def stream(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        size = await self._size(key)
        last = size if end is None else min(end, size)
        for begin in range(start, last, _CHUNK):
            stop = min(begin + _CHUNK, last)
            async with self._translated(key):
                found = await obstore.get_range_async(self._store, key, start=begin, end=stop)
            yield bytes(found)

    async def delete(self, key: str) -> None:
        try:
            async with self._translated(key):
                await obstore.delete_async(self._store, key)
        except ObjectNotFound:
            return

    async def delete_below(self, folder: str) -> int:
        async with self._translated(folder):
            listed = await obstore.list(self._store, prefix=f"{folder}/").collect_async()
        keys = [str(one["path"]) for one in listed]
        for key in keys:
            await self.delete(key)
        return len(keys)

    async def _size(self, key: str) -> int:
        """The size of an object.

        Raises:
            ObjectNotFound: there is none.
        """
        async with self._translated(key):
            return int((await obstore.head_async(self._store, key))["size"])
