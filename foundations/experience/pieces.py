"""Files that come in pieces, by tus 1.0: how the protocol is spoken, and how a piece is written.

https://tus.io/protocols/resumable-upload, with creation, creation-with-upload, expiration, checksum
and termination.
"""

import asyncio
import base64
import binascii
import hashlib
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import IO, Any
from weakref import WeakValueDictionary

from anyio import CancelScope
from starlette.requests import ClientDisconnect, Request

from foundations.experience.problems import HttpError
from foundations.experience.request_bodies import allow_body
from foundations.experience.uploads import WRITTEN_AT_ONCE, digests_of, full_disk_told
from foundations.public_works.threads import in_thread
from utilities.errors import ErrorKind, FieldError

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
PIECE = "application/offset+octet-stream"
_ALGORITHMS = ("sha256", "sha1", "md5")
_LONGEST_METADATA = 4096
_DIGITS = 15
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TusVersionNeeded(HttpError):
    """The request does not speak the version of tus that is spoken here."""

    status = 412
    headers: Mapping[str, str] = {"Tus-Version": VERSION, "Tus-Resumable": VERSION}


class MalformedTus(HttpError):
    """A header of tus cannot be read."""

    headers: Mapping[str, str] = {"Tus-Resumable": VERSION}


class NotAPiece(HttpError):
    """The body is no piece of a file."""

    kind = ErrorKind.UNSUPPORTED
    status = 415
    headers: Mapping[str, str] = {"Tus-Resumable": VERSION}


class OffsetMismatch(HttpError):
    """The piece does not begin where the upload ends."""

    kind = ErrorKind.CONFLICT
    status = 409

    def __init__(self, offset: int) -> None:
        super().__init__(
            f"the upload has come to byte {offset:,}", hint="ask by HEAD, and go on from there"
        )
        self.headers = {"Tus-Resumable": VERSION, "Upload-Offset": str(offset)}


class ChecksumMismatch(HttpError):
    """The piece is not what its checksum announces; nothing of it was kept."""

    status = 460
    headers: Mapping[str, str] = {"Tus-Resumable": VERSION}


class PieceInProgress(HttpError):
    """Another piece of this upload is on its way."""

    kind = ErrorKind.CONFLICT
    status = 423
    headers: Mapping[str, str] = {"Tus-Resumable": VERSION, "Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Announced:
    """What the sender says of an upload before it begins."""

    length: int
    name: str
    declared_type: str
    sha256: str
    metadata: str


def require_version(request: Request) -> None:
    """Pass a request that speaks our version.

    Raises:
        TusVersionNeeded: it speaks another, or none.
    """
    if request.headers.get("tus-resumable") != VERSION:
        raise TusVersionNeeded(
            f"the header Tus-Resumable has to be {VERSION}", hint="send it with every request"
        )


def capabilities(largest: int) -> dict[str, str]:
    """The headers that tell a client what is spoken here."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(largest),
        "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
    }


def progress(offset: int, expires_at: datetime) -> dict[str, str]:
    """The headers that tell how far an upload has come, and how long it may go on."""
    return {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(offset),
        "Upload-Expires": format_datetime(expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }


def announced(request: Request) -> Announced:
    """What a creation says of the file: its length, and its name and type as metadata.

    The whole file's digest may stand in `Repr-Digest` (RFC 9530), or as metadata `sha256`.

    Raises:
        MalformedTus: the length is missing, or something cannot be read.
    """
    headers = request.headers
    if "upload-defer-length" in headers:
        raise _malformed("upload-defer-length", "is not offered; send Upload-Length")
    metadata = headers.get("upload-metadata", "")
    told = _metadata(metadata)
    sha256 = _digest(headers) or told.get("sha256", "").lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        by = "repr-digest" if "repr-digest" in headers else "upload-metadata"
        raise _malformed(by, "holds no SHA-256 digest")
    return Announced(
        length=_number(headers, "upload-length"),
        name=told.get("filename") or told.get("name") or "unnamed",
        declared_type=(told.get("filetype") or told.get("type") or "")[:200],
        sha256=sha256,
        metadata=metadata,
    )


def offset_of(path: Path) -> int:
    """How far an upload has come."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Pieces:
    """Writes pieces, of each upload one at a time."""

    def __init__(self) -> None:
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def alone(self, upload_id: str) -> AsyncIterator[None]:
        """Nobody else writes to this upload while the block lasts.

        Raises:
            PieceInProgress: somebody does.
        """
        lock = self._writing.setdefault(upload_id, asyncio.Lock())
        if lock.locked():
            raise PieceInProgress("a piece is being received", hint="retry in a moment")
        async with lock:
            yield

    async def append(self, request: Request, path: Path, *, length: int) -> int:
        """Write the body behind what has come, and answer with how far it came.

        What has arrived when the connection breaks stays, unless a checksum was announced.

        Raises:
            NotAPiece, MalformedTus, OffsetMismatch: the body cannot be a piece of this upload.
            ChecksumMismatch: it is another than was announced; nothing of it stays.
            BodyTooLarge, BodyTooSlow: see `BodyGuard`.
            StorageFull: the disk is full.
        """
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != PIECE:
            raise NotAPiece(f"a piece is of the type {PIECE}")
        offset = offset_of(path)
        first = None if request.method == "PATCH" else 0  # what begins an upload needs not say so
        if _number(request.headers, "upload-offset", absent=first) != offset:
            raise OffsetMismatch(offset)
        checksum = _checksum(request.headers)
        allow_body(request, max(length - offset, 1))
        kept = False
        try:
            with full_disk_told():
                await self._written(request, path, checksum)
            kept = True
        except ClientDisconnect:
            kept = checksum is None
            raise
        except HttpError:
            kept = checksum is None and offset_of(path) <= length
            raise
        finally:
            if not kept:
                with CancelScope(shield=True):
                    await in_thread(_cut, path, offset)
        return offset_of(path)

    async def _written(self, request: Request, path: Path, checksum: "_Checksum | None") -> None:
        file = await in_thread(_opened, path)
        try:
            pending = bytearray()
            try:
                async for chunk in request.stream():
                    pending += chunk
                    if len(pending) >= WRITTEN_AT_ONCE:
                        await in_thread(_put, file, bytes(pending), checksum)
                        pending.clear()
            finally:
                with CancelScope(shield=True):
                    await in_thread(_put, file, bytes(pending), checksum)
        finally:
            with CancelScope(shield=True):
                await in_thread(_closed, file)
        if checksum is not None and checksum.made.digest() != checksum.wanted:
            raise ChecksumMismatch("the piece changed on its way", hint="send it again")


@dataclass(frozen=True, slots=True)
class _Checksum:
    made: Any
    wanted: bytes


def _opened(path: Path) -> IO[bytes]:
    return path.open("ab")


def _put(file: IO[bytes], data: bytes, checksum: _Checksum | None) -> None:
    file.write(data)
    if checksum is not None:
        checksum.made.update(data)


def _closed(file: IO[bytes]) -> None:
    """Close what is to be found again after a crash of the machine, too."""
    with file:
        file.flush()
        os.fsync(file.fileno())


def _cut(path: Path, offset: int) -> None:
    if path.exists():
        os.truncate(path, offset)


def _number(headers: Mapping[str, str], name: str, *, absent: int | None = None) -> int:
    given = headers.get(name)
    if given is None and absent is not None:
        return absent
    if given is None or not given.isascii() or not given.isdecimal() or len(given) > _DIGITS:
        raise _malformed(name, "has to be a number of bytes")
    return int(given)


def _metadata(field: str) -> dict[str, str]:
    """`filename cmFpbi5jc3Y=,private`: names, each with a value in Base64 or none."""
    if len(field) > _LONGEST_METADATA:
        raise _malformed("upload-metadata", f"is longer than {_LONGEST_METADATA:,} characters")
    told: dict[str, str] = {}
    for pair in filter(None, (item.strip() for item in field.split(","))):
        key, _, value = pair.partition(" ")
        if key in told:
            raise _malformed("upload-metadata", f"names {key[:50]!r} twice")
        try:
            told[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
        except binascii.Error as error:
            raise _malformed("upload-metadata", f"{key[:50]!r} is not Base64") from error
    return told


def _digest(headers: Mapping[str, str]) -> str:
    """The SHA-256 that `Repr-Digest` announces for the whole file, in hex."""
    for algorithm, value in digests_of(headers.get("repr-digest", "")):
        if algorithm == "sha-256":
            try:
                return base64.b64decode(value, validate=True).hex()
            except binascii.Error as error:
                raise _malformed("repr-digest", "is not Base64") from error
    return ""


def _checksum(headers: Mapping[str, str]) -> _Checksum | None:
    given = headers.get("upload-checksum")
    if given is None:
        return None
    algorithm, _, value = given.strip().partition(" ")
    if algorithm not in _ALGORITHMS:
        raise _malformed("upload-checksum", f"is none of {', '.join(_ALGORITHMS)}")
    try:
        wanted = base64.b64decode(value.strip(), validate=True)
    except binascii.Error as error:
        raise _malformed("upload-checksum", "is not Base64") from error
    return _Checksum(hashlib.new(algorithm, usedforsecurity=False), wanted)


def _malformed(header: str, what: str) -> MalformedTus:
    return MalformedTus(
        f"the header {header} {what}", errors=[FieldError(f"/header/{header}", what)]
    )
