"""The object store on a local folder: read through obstore, written so that it is durable."""

import errno
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import IO

from obstore.store import LocalStore

from foundations.public_works.adapters.obstore_objects import ObstoreObjects
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import StorageFull
from foundations.public_works.object_store import NONE, ObjectNotFound
from foundations.public_works.threads import in_thread

_REMEMBERED = 10_000


class LocalObjectStore(ObstoreObjects):
    """One file per key below `objects/` of the data folder; a put is on disk when it returns."""

    def __init__(self, *, folder: DataFolder) -> None:
        self._root = folder.objects
        self._opened: LocalStore | None = None
        self._durable: set[Path] = set()
        """Folders that are known to be entered in the folder above, whatever happens."""

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        if not (self._root / key).is_file():
            raise _not_found(key)
        yield self._root / key

    async def delete_below(self, folder: str) -> int:
        removed = await super().delete_below(folder)
        self._durable.discard(self._root / folder)
        with suppress(OSError):  # somebody may have put something into it again
            (self._root / folder).rmdir()
        self._durable.discard(self._root / folder)
        return removed

    @property
    def _store(self) -> LocalStore:
        if self._opened is None:
            self._opened = LocalStore(self._root)
        return self._opened

    async def put_files(
        self, folder: str, contents: Mapping[str, bytes | Path], *, last: Mapping[str, bytes] = NONE
    ) -> None:
        every = {**contents, **last}
        await self._put_all({f"{folder}/{name}": one for name, one in every.items()}, move=True)

    async def get_files(self, folder: str, names: Sequence[str]) -> list[bytes]:
        async with self._translated(folder):
            return await in_thread(_read_all, [self._root / folder / name for name in names])

    async def _put(self, key: str, content: bytes | Path) -> None:
        await self._put_all({key: content})

    async def _put_all(self, contents: Mapping[str, bytes | Path], *, move: bool = False) -> None:
        try:
            await in_thread(self._write_all, contents, move)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StorageFull(
                    "the disk that holds the data folder is full", hint="free some space and retry"
                ) from error
            raise

    def _write_all(self, contents: Mapping[str, bytes | Path], move: bool) -> None:
        """Write files beside their places, sync them, and put them there in their order.

        With `move` what lies on this disk already is not written again.
        """
        written: list[tuple[Path, Path]] = []
        try:
            with ExitStack() as opened:
                files: list[IO[bytes]] = []
                for key, content in contents.items():
                    place = self._place(key)
                    beside = place.with_name(f"{place.name}#{secrets.randbelow(2**62)}")
                    written.append((beside, place))
                    if move and isinstance(content, Path) and _moved(content, beside):
                        files.append(opened.enter_context(beside.open("rb")))
                    else:
                        files.append(opened.enter_context(_created(beside)))
                        _fill(files[-1], content)
                for file in files:
                    os.fsync(file.fileno())
            for beside, place in written:
                beside.replace(place)
        except BaseException:
            for beside, _ in written:
                beside.unlink(missing_ok=True)
            raise
        for folder in {place.parent for _, place in written}:
            self._sync_folders(folder)

    def _place(self, key: str) -> Path:
        """Where the object of a key lies.

        Raises:
            ValueError: the key leads elsewhere.
        """
        if any(part in {"", ".", ".."} for part in key.split("/")):
            raise ValueError(f"{key!r} is no key of an object")
        return self._root / key

    def _sync_folders(self, folder: Path) -> None:
        """Sync a folder, and those above it as far as they may not know it yet."""
        synced: list[Path] = []
        for one in (folder, *folder.parents):
            _sync(one)
            synced.append(one)
            if one == self._root or one in self._durable:
                break
        if len(self._durable) > _REMEMBERED:
            self._durable.clear()
        self._durable.update(synced)

    @asynccontextmanager
    async def _translated(self, key: str) -> AsyncIterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise _not_found(key) from error


def _not_found(key: str) -> ObjectNotFound:
    return ObjectNotFound(f"no object under {key}")


def _created(path: Path) -> IO[bytes]:
    """A new file, its folder made where it is missing: somebody may just have removed it."""
    try:
        return path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


def _moved(source: Path, to: Path) -> bool:
    """Move a file; False where that would be to another disk."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        source.replace(to)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _fill(file: IO[bytes], content: bytes | Path) -> None:
    if isinstance(content, bytes):
        file.write(content)
    else:
        with content.open("rb") as source:
            shutil.copyfileobj(source, file, 1024 * 1024)
    file.flush()


def _read_all(paths: Sequence[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
