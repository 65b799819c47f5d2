"""The folder in which a city keeps everything, and the lock that makes it one city's."""

import asyncio
import fcntl
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from foundations.public_works.mounts import network_file_system
from foundations.public_works.settings import Settings
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import Ids

DATABASE_FILE = "city.sqlite3"
OBJECTS = "objects"
_LOCK = "city.lock"
_GLANCES = 20


class DataFolderInUse(PlatformError):
    """Another city runs on this data folder."""

    kind = ErrorKind.CONFLICT

    def __init__(self, folder: Path, *, pid: int, url: str) -> None:
        at = f" at {url}" if url else ""
        super().__init__(
            f"the data folder {folder} is in use by process {pid}{at}",
            hint=f"stop it{f' (kill {pid})' if pid else ''}, or choose another with --data-dir",
        )
        self.pid = pid
        self.url = url


class DataFolderUnusable(PlatformError):
    """The data folder cannot be used."""

    kind = ErrorKind.CONFIGURATION


class DataFolder:
    """`city.sqlite3`, `objects/`, `logs/`, `staging/`, `uploads/`; one process at a time holds it.

    What lies in `staging/` is gone at the next start; what lies in `uploads/` goes on then.
    """

    def __init__(self, *, settings: Settings, ids: Ids) -> None:
        self.path = settings.data_dir.expanduser().absolute()
        self.staging = self.path / "staging"
        self.uploads = self.path / "uploads"
        self.objects = self.path / OBJECTS
        self.logs = self.path / "logs"
        self.database = self.path / DATABASE_FILE
        self._ids = ids
        self._shared = settings.lease_seconds > 0
        """With leases several processes hold the folder."""
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> Self:
        self._refuse_network()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.staging, self.uploads, self.objects, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = await _locked_soon(self.path, shared=self._shared)
            if not self._shared:
                self._sweep_staging()
        except OSError as error:
            raise DataFolderUnusable(
                f"cannot use the data folder {self.path}: {error.strerror}",
                hint="choose a folder you may write to with --data-dir",
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def announce(self, url: str) -> None:
        """Tell those who find the folder held where its city answers."""
        if self._lock is not None:
            _write_holder(self._lock, url)

    def spool(self) -> Path:
        """A new path for a temporary file, on the same disk as the objects."""
        return self.staging / self._ids.new()

    def _refuse_network(self) -> None:
        if kind := network_file_system(self.path):
            raise DataFolderUnusable(
                f"the data folder {self.path} is on a network file system ({kind}), "
                "where a database loses data",
                hint="choose a folder on a disk of this machine with --data-dir",
            )

    def _sweep_staging(self) -> None:
        """Remove what a crash left half written; the lock says that nobody is writing it."""
        for leftover in self.staging.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def holder_of(data_dir: Path) -> DataFolderInUse | None:
    """Who holds a data folder at this moment, or None when it is free."""
    path = data_dir.expanduser().absolute()
    if not (path / _LOCK).exists():
        return None
    with (path / _LOCK).open(encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, url = _parsed(lock.read())
            return DataFolderInUse(path, pid=pid, url=url)
    return None


def _locked(folder: Path, *, shared: bool) -> IO[str]:
    """Take the folder's lock; the kernel frees it when the process ends, however it ends."""
    lock = (folder / _LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = _parsed(lock.read())
        lock.close()
        raise DataFolderInUse(folder, pid=holder[0], url=holder[1]) from None
    _write_holder(lock, "")
    return lock


async def _locked_soon(folder: Path, *, shared: bool) -> IO[str]:
    """Take the lock, letting pass those who only look whether it is taken."""
    for _ in range(_GLANCES):
        with suppress(DataFolderInUse):
            return _locked(folder, shared=shared)
        await asyncio.sleep(0.01)
    return _locked(folder, shared=shared)


def _write_holder(lock: IO[str], url: str) -> None:
    lock.seek(0)
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "url": url}))
    lock.flush()


def _parsed(text: str) -> tuple[int, str]:
    try:
        holder = json.loads(text)
        return int(holder["pid"]), str(holder["url"])
    except (ValueError, KeyError, TypeError):
        return 0, ""  # the holder is between two writes
