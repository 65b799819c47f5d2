"""What the rest of the city may know about the content steward."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from utilities.errors import ErrorKind, PlatformError


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
    """Malware was found; its bytes are gone."""
    DELETING = "deleting"
    """Being deleted, with all that was made from it; unknown to everybody."""


class FileRecord(BaseModel):
    """What is known of a file. `trace_id` is the upload's; `reason` says why it was refused."""

    model_config = ConfigDict(frozen=True)

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


class ProcessedFile(BaseModel):
    """The answer of a file that was validated and stored."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    validation_status: str = Field(description="`valid`; a file that is not raises instead")
    storage_location: str


class DeletedFile(BaseModel):
    """A file that is gone, with all that was made from it; `existed` says whether there was one."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    existed: bool


class FilePage(BaseModel):
    """Files, newest first. `next_cursor` continues; it is empty on the last page."""

    model_config = ConfigDict(frozen=True)

    files: tuple[FileRecord, ...]
    next_cursor: str = ""


class FileUnknown(PlatformError):
    """There is no such file."""

    kind = ErrorKind.NOT_FOUND


class FileRefused(PlatformError):
    """The file was refused when it was uploaded."""

    kind = ErrorKind.INVALID


class FileNotStored(PlatformError):
    """The file's content is not available."""

    kind = ErrorKind.CONFLICT


class ContentSteward(Protocol):
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

    async def list_files(self, limit: int = 50, cursor: str = "") -> FilePage:
        """The client files of the caller's tenant, newest first."""
        ...

    def local_copy(self, file_id: str) -> AbstractAsyncContextManager[Path]:
        """A local path to read a stored client file from while the block lasts.

        Raises FileUnknown, FileRefused, or FileNotStored when it is still on its way in.
        """
        ...

    def stream_content(
        self, file_id: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a stored client file from `start` up to, not including, `end`, in chunks.

        Raises FileUnknown, FileRefused or FileNotStored at the first chunk.
        """
        ...
