"""How a file comes in: measured, recognised, scanned, judged by policy, stored, verified."""

import hashlib
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from foundations.public_works import media_types
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from foundations.public_works.scanner import Scanner
from foundations.public_works.threads import in_thread
from smart_city.content_steward.api import FileRecord, FileStatus, Track
from smart_city.content_steward.naming import storage_key
from smart_city.data_steward.api import DataSteward, PolicySubject
from utilities.errors import ErrorKind, PlatformError

_ANY_TYPE = ("", "application/octet-stream", "binary/octet-stream")


class UnknownUpload(PlatformError):
    """No upload of this name is waiting."""

    kind = ErrorKind.NOT_FOUND


class DigestMismatch(PlatformError):
    """The bytes that arrived are not those that were announced."""

    kind = ErrorKind.INVALID


class StoredFileCorrupt(PlatformError):
    """The stored file is not what was uploaded."""

    kind = ErrorKind.INTERNAL


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found on disk."""

    size: int
    sha256: str


class Intake:
    """The stations a file passes. None of them writes a record; the caller does."""

    def __init__(
        self, *, folder: DataFolder, objects: ObjectStore, scanner: Scanner, data: DataSteward
    ) -> None:
        self._staging = folder.staging
        self._objects = objects
        self._scanner = scanner
        self._data = data

    def spooled(self, spool: str) -> Path:
        """The waiting file of this name: a plain file directly inside the staging folder.

        Raises:
            UnknownUpload: there is none, or the name is a path.
        """
        path = self._staging / spool
        if Path(spool).name == spool and "\0" not in spool and _is_plain_file(path):
            return path
        raise UnknownUpload(f"no upload {spool!r} is waiting", hint="upload the file again")

    async def measure(self, path: Path, *, sha256: str = "", size: int | None = None) -> Measured:
        """Size and digest of a file, compared with what its sender announced.

        Raises:
            DigestMismatch: they differ.
        """
        found = await in_thread(_measured, path)
        if sha256 and sha256.strip().lower() != found.sha256:
            raise DigestMismatch(
                f"the body's SHA-256 is {found.sha256}, announced was another",
                hint="send the file again; it changed on its way, or the digest is of another",
            )
        if size is not None and size != found.size:
            raise DigestMismatch(
                f"{found.size:,} bytes arrived, {size:,} were announced",
                hint="send the file again; it was cut off on its way",
            )
        return found

    async def judge(
        self, track: Track, record: FileRecord, path: Path, *, declared_type: str = ""
    ) -> FileRecord:
        """Recognise a file, scan it and ask the policy; the answer is its record, ready to store.

        Raises:
            UnsupportedFile, EmptyFile, Encrypted: see `media_types.detect`.
            Malware, DecompressionLimit, DamagedArchive, UnsafeMarkup: see `Scanner`.
            PolicyRefused: the track's data policy does not let it in.
        """
        media = await in_thread(media_types.detect, path, record.name)
        (await self._scanner.scan(path)).require_clean()
        await self._enforce_policy(track, record, media.name)
        warnings = (*media.warnings, *_mismatch(declared_type, media.name))
        return record.model_copy(update={"media_type": media.name, "warnings": warnings})

    async def judge_released(self, track: Track, record: FileRecord, path: Path) -> FileRecord:
        """The same for a file that a person lets out of quarantine, which is not scanned again."""
        media = await in_thread(media_types.detect, path, record.name)
        await self._enforce_policy(track, record, media.name)
        return record.model_copy(update={"media_type": media.name, "warnings": media.warnings})

    async def store(
        self, track: Track, record: FileRecord, path: Path, *, twin: FileRecord | None
    ) -> FileRecord:
        """Put a file into the object store, or use what its `twin` with the same bytes has there.

        Raises:
            StoredFileCorrupt: what was stored is not what was read.
        """
        if twin is not None:
            shared = _stored(record, twin.storage_location)
            with suppress(StoredFileCorrupt):  # the twin's bytes are spoilt; these are not
                await self.verify(shared)
                return shared
        key = storage_key(track.value, record.tenant, record.file_id)
        await self._objects.put_file(key, path)
        stored = _stored(record, key)
        await self.verify(stored)
        return stored

    async def set_apart(self, track: Track, record: FileRecord, path: Path) -> None:
        """Keep a harmful file where nothing but a person's decision reaches it."""
        await self._objects.put_file(quarantine_key(track, record), path)

    @asynccontextmanager
    async def apart(self, track: Track, record: FileRecord) -> AsyncIterator[Path]:
        """A local copy of a file in quarantine while the block lasts."""
        try:
            async with self._objects.local_copy(quarantine_key(track, record)) as path:
                yield path
        except ObjectNotFound as error:
            raise _corrupt(record, "is missing from quarantine") from error

    async def clear_apart(self, track: Track, record: FileRecord) -> None:
        """Remove what quarantine may hold of a file."""
        await self._objects.delete(quarantine_key(track, record))

    async def clear_needless(self, track: Track, record: FileRecord) -> None:
        """Remove bytes of a file's own where it shares those that another process was to store."""
        own = storage_key(track.value, record.tenant, record.file_id)
        if record.storage_location != own:
            await self._objects.delete(own)

    async def verify(self, record: FileRecord) -> None:
        """Compare a stored file with the digest in its record.

        Raises:
            StoredFileCorrupt: it is missing, or has changed.
        """
        try:
            async with self._objects.local_copy(record.storage_location) as path:
                found = await in_thread(_measured, path)
        except ObjectNotFound as error:
            raise _corrupt(record, "is missing") from error
        if found.sha256 != record.sha256:
            raise _corrupt(record, "has changed since it was uploaded")

    async def discard(self, track: Track, record: FileRecord) -> None:
        """Remove what may have been stored of a file."""
        await self._objects.delete(storage_key(track.value, record.tenant, record.file_id))

    async def remove(self, record: FileRecord) -> None:
        """Remove the bytes of a stored file, wherever they are."""
        if record.storage_location:
            await self._objects.delete(record.storage_location)

    async def _enforce_policy(self, track: Track, record: FileRecord, media_type: str) -> None:
        subject = PolicySubject(
            file_id=record.file_id, name=record.name, media_type=media_type, size=record.size
        )
        match track:
            case Track.CLIENT:
                await self._data.enforce_client_data_policy(subject)
            case Track.INTERNAL:
                await self._data.enforce_platform_data_policy(subject)


def quarantine_key(track: Track, record: FileRecord) -> str:
    """Where the bytes of a file in quarantine lie."""
    return "quarantine/" + storage_key(track.value, record.tenant, record.file_id)


def _stored(record: FileRecord, key: str) -> FileRecord:
    return record.model_copy(update={"status": FileStatus.STORED, "storage_location": key})


def _is_plain_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _measured(path: Path) -> Measured:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Measured(file.tell(), digest.hexdigest())


def _mismatch(declared: str, found: str) -> tuple[str, ...]:
    plain = declared.split(";", maxsplit=1)[0].strip().lower()
    if plain in _ANY_TYPE or plain == found:
        return ()
    return (f"the sender calls it {plain[:100]!r}, the content is {found}",)


def _corrupt(record: FileRecord, what: str) -> StoredFileCorrupt:
    return StoredFileCorrupt(
        f"the stored file {record.file_id} {what}", hint="restore it from a backup, or upload again"
    )
