"""The port of the store for files: bytes under keys."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from utilities.errors import ErrorKind, PlatformError

NONE: Mapping[str, bytes] = MappingProxyType({})


class ObjectNotFound(PlatformError):
    """No object is stored under this key."""

    kind = ErrorKind.NOT_FOUND


class ObjectStoreUnreachable(PlatformError):
    """The store for files does not answer at the moment."""

    kind = ErrorKind.UNAVAILABLE


class ObjectStoreRefused(PlatformError):
    """The store for files answers, and refuses what the city may not do there."""

    kind = ErrorKind.UNAVAILABLE


class ObjectStore(Protocol):
    """Keeps bytes under keys such as `client/local/01jd...`; a put is whole or not at all.

    Every call may raise `ObjectStoreUnreachable` or `ObjectStoreRefused` where the store is another
    machine's, and a put `StorageFull`; nothing is half done then.
    """

    async def put(self, key: str, data: bytes) -> None: ...

    async def put_file(self, key: str, path: Path) -> None: ...

    async def put_files(
        self, folder: str, contents: Mapping[str, bytes | Path], *, last: Mapping[str, bytes] = NONE
    ) -> None:
        """Put several files below a folder, by their names: quicker than one after the other.

        Those that lie at a path may be moved from there. The bytes of `last` are put after all of
        them: where those are, the others are.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The bytes under `key`.

        Raises:
            ObjectNotFound: there are none.
        """
        ...

    async def get_files(self, folder: str, names: Sequence[str]) -> list[bytes]:
        """What several objects below a folder hold, in the order of their names.

        Raises:
            ObjectNotFound: one of them is not there.
        """
        ...

    def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`, in chunks of about a megabyte."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        ...

    async def delete_below(self, folder: str) -> int:
        """Remove every object whose key begins with `folder` and a slash; how many there were."""
        ...

    def local_copy(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A local path to read the object from while the block lasts. Do not write to it."""
        ...
