"""What the rest of the city may know about the content steward."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import Field

from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class Track(StrEnum):
    """Whose files: those of clients, or the platform's own. The two never mix."""

    CLIENT = "client"
    INTERNAL = "internal"


class FileStatus(StrEnum):
    """Where a file is on its way in."""

    STAGED = "staged"
    """Received, not yet judged."""
    STORED = "stored"
    """Judged good, and in the object store."""
    REFUSED = "refused"
    """Judged unfit; its bytes are gone."""
    QUARANTINED = "quarantined"
    """Something harmful was found; its bytes are kept apart until a person decides."""
    DESTROYED = "destroyed"
    """A person decided that its bytes, which were in quarantine, go."""
    WITHDRAWN = "withdrawn"
    """Unknown to everybody while it is asked whether somebody uses it; it goes, or is put back."""
    DELETING = "deleting"
    """Being deleted, with all that was made from it; unknown to everybody."""


class FileRecord(FrozenModel):
    """What is known of a file. `trace_id` is the upload's; `reason` says why it was refused."""

    file_id: str
    tenant: str
    name: str = Field(description="the sender's name for it, made safe to show")
    media_type: str = Field(description="told from the content; empty until it was judged")
    size: int = Field(description="in bytes")
    sha256: str
    status: FileStatus
    storage_location: str = Field(description="its key in the object store; empty if not there")
    trace_id: str
    created_at: datetime
    warnings: tuple[str, ...] = ()
    reason: str = ""
    owner: str = Field(default="", description="who sent it")
    version: int = Field(
        default=0,
        description="counts the stored files of an owner by name; 0 before",
    )
    previous: str = Field(default="", description="the file that is the version before")


class ProcessedFile(FrozenModel):
    """The answer of a file that was validated and stored."""

    file_id: str
    validation_status: str = Field(description="`valid`; a file that is not raises instead")
    storage_location: str


class DeletedFile(FrozenModel):
    """A file that is gone, with all that was made from it; `existed` says whether there was one."""

    file_id: str
    existed: bool


class FilePage(FrozenModel):
    """Files, newest first. `next_cursor` continues; it is empty on the last page."""

    files: tuple[FileRecord, ...]
    next_cursor: str = ""


class StorageUsage(FrozenModel):
    """What a tenant keeps, in bytes; what is there twice is counted once."""

    used: int
    limit: int = Field(description="0 where there is none")
    stored: int
    quarantined: int
    arriving: int = Field(description="set aside for uploads that have begun")


class Verdict(StrEnum):
    """What a person decided about a file in quarantine."""

    RELEASE = "release"
    DESTROY = "destroy"


class QuarantineDecision(FrozenModel):
    """Who decided what about a file in quarantine, when and why."""

    file_id: str
    verdict: Verdict
    decided_by: str
    reason: str
    decided_at: datetime
    trace_id: str


class QuarantineDecisions(FrozenModel):
    """What was decided about a file, oldest first."""

    decisions: tuple[QuarantineDecision, ...]


class Arriving(FrozenModel):
    """An upload that comes in pieces. `file_id` is there once the file is stored."""

    upload_id: str
    tenant: str
    owner: str
    name: str
    declared_type: str = ""
    sha256: str = Field(default="", description="as the sender announced it")
    length: int
    metadata: str = Field(default="", description="as the sender gave it")
    expires_at: datetime
    file_id: str = ""


class LocalCopy(NamedTuple):
    """A stored file where it can be read; not to be written to."""

    record: FileRecord
    path: Path


class FileUnknown(PlatformError):
    """There is no such file."""

    kind = ErrorKind.NOT_FOUND


Users = Callable[[], Awaitable[Sequence[str]]]
"""Tells who uses a file."""


class FileInUse(PlatformError):
    """The file is not to go while somebody uses it."""

    kind = ErrorKind.CONFLICT


class FileRefused(PlatformError):
    """The file was refused when it was uploaded."""

    kind = ErrorKind.INVALID


class FileNotStored(PlatformError):
    """The file's content is not available."""

    kind = ErrorKind.CONFLICT


class NotInQuarantine(PlatformError):
    """The file is not in quarantine."""

    kind = ErrorKind.CONFLICT


class TwinGone(PlatformError):
    """The stored bytes that a file was to share are being removed."""

    kind = ErrorKind.CONFLICT


class NotTheirDecision(PlatformError):
    """The caller may not decide about files in quarantine."""

    kind = ErrorKind.REFUSED


class QuotaExceeded(PlatformError):
    """The tenant's room for files does not hold this one."""

    kind = ErrorKind.STORAGE_FULL


class NeverFits(PlatformError):
    """The file is larger than all of the tenant's room for files."""

    kind = ErrorKind.TOO_LARGE


class UploadUnknown(PlatformError):
    """There is no such upload, or it has expired."""

    kind = ErrorKind.NOT_FOUND


class Quarantine(Protocol):
    """Keeps harmful files apart until a person decides what becomes of them."""

    async def list_quarantine(
        self, limit: int = 50, cursor: str = "", track: Track = Track.CLIENT
    ) -> FilePage:
        """The files in quarantine, newest first. Raises NotTheirDecision."""
        ...

    async def get_quarantine_decisions(
        self, file_id: str, track: Track = Track.CLIENT
    ) -> QuarantineDecisions:
        """What was decided about a file that is, or was, in quarantine. Raises FileUnknown."""
        ...

    async def release_file(
        self, file_id: str, reason: str, track: Track = Track.CLIENT
    ) -> FileRecord:
        """Let a file out of quarantine: it is stored as if nothing had been found."""
        ...

    async def destroy_file(
        self, file_id: str, reason: str, track: Track = Track.CLIENT
    ) -> FileRecord:
        """Remove the bytes of a file in quarantine; its record stays."""
        ...


class Uploads(Protocol):
    """Uploads of clients' files that come in pieces, and go on after an interruption."""

    async def begin_upload(
        self, length: int, name: str, declared_type: str = "", sha256: str = "", metadata: str = ""
    ) -> Arriving:
        """Make room for an upload. Raises QuotaExceeded, NeverFits."""
        ...

    async def open_upload(self, upload_id: str) -> Arriving:
        """An upload of the caller's own, to go on with. Raises UploadUnknown."""
        ...

    async def finish_upload(self, upload_id: str) -> FileRecord:
        """Take in the file whose last piece has come. Raises what `register_upload` does."""
        ...

    async def drop_upload(self, upload_id: str) -> Arriving:
        """Forget an upload and its pieces. Raises UploadUnknown."""
        ...

    def pieces(self, upload_id: str) -> Path:
        """Where the pieces of an upload that is open lie, one after the other."""
        ...


class ContentSteward(Quarantine, Uploads, Protocol):
    """Takes files in on two tracks, keeps them, and gives access to them."""

    async def register_upload(
        self,
        spool: str,
        name: str,
        declared_type: str = "",
        sha256: str = "",
        size: int | None = None,
    ) -> FileRecord:
        """Take in a client's file that an edge has streamed to the staging folder, and store it."""
        ...

    async def process_client_file(self, file_id: str) -> ProcessedFile:
        """Validate and store a client's file; for a stored one, verify that it is unchanged."""
        ...

    async def register_internal(self, spool: str, name: str) -> FileRecord:
        """Take in a file of the platform's own from the staging folder, and store it."""
        ...

    async def get_internal_file(self, file_id: str) -> FileRecord:
        """The record of a file of the platform's own. Raises FileUnknown."""
        ...

    async def process_internal_file(self, file_id: str) -> ProcessedFile:
        """The same as `process_client_file`, for the internal track only."""
        ...

    async def get_file(self, file_id: str) -> FileRecord:
        """The record of a client's file. Raises FileUnknown."""
        ...

    async def delete_file(self, file_id: str) -> DeletedFile:
        """Delete a client's file and all that was made from it; nothing there is no error."""
        ...

    async def delete_unused(self, file_id: str, users: Users) -> DeletedFile:
        """The same for a file that is not to go while it is used. Raises FileInUse.

        `users` is asked before the file is unknown to everybody, and once more after that.
        """
        ...

    async def list_files(self, limit: int = 50, cursor: str = "") -> FilePage:
        """The client files of the caller's tenant, newest first."""
        ...

    async def list_versions(self, file_id: str) -> FilePage:
        """The stored files with the name and the owner of this one, newest first."""
        ...

    async def get_usage(self) -> StorageUsage:
        """What the caller's tenant keeps, and how much it may."""
        ...

    def local_copy(self, file_id: str) -> AbstractAsyncContextManager[LocalCopy]:
        """A local path to read a stored client file from while the block lasts, and its record.

        Raises FileUnknown, FileRefused, or FileNotStored when it is still on its way in.
        """
        ...

    def stream_content(
        self, file_id: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a stored client file from `start` up to, not including, `end`, in chunks.

        Raises FileUnknown, FileRefused, FileNotStored or DataHidden at the first chunk.
        """
        ...
