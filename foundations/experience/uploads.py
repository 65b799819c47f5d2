"""One file out of a multipart form, streamed to disk while it arrives; an abort leaves nothing."""

import base64
import binascii
import errno
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from foundations.experience.problems import HttpError, InvalidRequest
from foundations.experience.request_bodies import allow_body
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import StorageFull
from foundations.public_works.threads import in_thread
from utilities.errors import ErrorKind, FieldError, PlatformError

FIELD = "file"
WRITTEN_AT_ONCE = 512 * 1024
_FOLLOWED_AT_ONCE = 64 * 1024
_LARGEST_HEADER = 16 * 1024
_MOST_OUTSIDE = 1024 * 1024
"""Bytes before the first and after the last boundary, which nobody needs."""
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NotAForm(HttpError):
    """The body is no form with a file in it."""

    kind = ErrorKind.UNSUPPORTED
    status = 415


class MalformedForm(HttpError):
    """The form cannot be read."""


class DigestMismatch(PlatformError):
    """The body is not what its digest announces."""

    kind = ErrorKind.INVALID


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived in the staging folder. `sha256` is what the sender announced."""

    spool: str
    name: str
    declared_type: str
    sha256: str


@asynccontextmanager
async def received(request: Request, *, folder: DataFolder, limit: int) -> AsyncIterator[Upload]:
    """The one file of a form whose body has at most `limit` bytes; it is gone after the block.

    Raises:
        NotAForm, MalformedForm: it is not multipart/form-data, or not one file in the field `file`.
        BodyTooLarge, BodyTooSlow: see `BodyGuard`.
        DigestMismatch: `Content-Digest` or `Content-MD5` belongs to another body.
        StorageFull: the disk is full.
    """
    allow_body(request, limit)
    form = _Form(_boundary(request))
    digests = _Digests(request.headers)
    sha256 = _announced(request.headers)
    spool = folder.spool()
    try:
        await _write(spool, request, form, digests)
        form.check_complete()
        digests.check()
        yield Upload(spool.name, form.name, form.declared_type, sha256)
    finally:
        spool.unlink(missing_ok=True)


async def _write(spool: Path, request: Request, form: "_Form", digests: "_Digests") -> None:
    with full_disk_told():
        file = await in_thread(_opened, spool)
        try:
            pending = bytearray()
            async for chunk in request.stream():
                digests.feed(chunk)
                pending += form.feed(chunk)
                if len(pending) >= WRITTEN_AT_ONCE:
                    await in_thread(file.write, bytes(pending))
                    pending.clear()
            await in_thread(file.write, bytes(pending))
        finally:
            await in_thread(file.close)


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Tell a full disk as what it is.

    Raises:
        StorageFull: nothing more can be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise StorageFull(
                "the disk that holds the data folder is full", hint="free some space and retry"
            ) from error
        raise


def _opened(spool: Path) -> IO[bytes]:
    return spool.open("xb")


def _boundary(request: Request) -> bytes:
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    if media_type != b"multipart/form-data":
        raise NotAForm("only multipart/form-data is read here", hint=f"curl -F {FIELD}=@FILE")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MalformedForm("Content-Type names no boundary")
    return boundary


def _announced(headers: Mapping[str, str]) -> str:
    given = headers.get("x-content-sha256", "").strip()
    if given and not _SHA256.fullmatch(given):
        fault = FieldError("/header/x-content-sha256", "is not 64 hex digits")
        raise InvalidRequest("X-Content-SHA256 is no SHA-256 digest", errors=[fault])
    return given.lower()


class _Form:
    """Follows a form and hands out the bytes of its file."""

    def __init__(self, boundary: bytes) -> None:
        self.name = ""
        self.declared_type = ""
        self._headers: dict[str, bytes] = {}
        self._field = b""
        self._value = b""
        self._found: list[bytes] = []
        self._parts = 0
        self._ended = False
        self._outside = 0
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
                max_header_size=_LARGEST_HEADER,
            )
        except FormParserError as error:
            raise MalformedForm("the boundary is too long") from error

    def feed(self, chunk: bytes) -> bytes:
        """The bytes of the file that a piece of the body holds."""
        for start in range(0, len(chunk), _FOLLOWED_AT_ONCE):
            self._follow(chunk[start : start + _FOLLOWED_AT_ONCE])
        found = b"".join(self._found)
        self._found.clear()
        return found

    def check_complete(self) -> None:
        """Refuse a form that broke off, or held no file."""
        if not self._ended:
            raise MalformedForm("the form ends before its closing boundary")
        if not self._parts:
            raise _misfit("the form has no file")

    def _follow(self, piece: bytes) -> None:
        if self._ended or not self._parts:
            self._outside += len(piece)
            if self._outside > _MOST_OUTSIDE:
                raise MalformedForm("too much stands outside of the form's parts")
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise MalformedForm("the form is not well-formed (RFC 7578)") from error

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > 1:
            raise _misfit("the form has more than one part")
        self._headers.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._field.lower().decode("latin-1")] = self._value
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        disposition = self._headers.get("content-disposition", b"").decode("latin-1")
        _, options = parse_options_header(disposition)
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            raise _misfit("the form's only part has to be a file")
        self.name = _decoded(options[b"filename"])
        declared = self._headers.get("content-type", b"").decode("latin-1")
        self.declared_type = declared.split(";")[0].strip()[:200]

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(data[start:end])

    def _on_end(self) -> None:
        self._ended = True


def _misfit(detail: str) -> MalformedForm:
    fault = FieldError(f"/{FIELD}", "has to be the one part of the form, with a filename")
    return MalformedForm(detail, hint=f"curl -F {FIELD}=@FILE", errors=[fault])


def _decoded(name: bytes) -> str:
    """A file name as browsers send it: UTF-8, with quotes and line ends as %22, %0D and %0A."""
    text = name.decode("utf-8", errors="replace")
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def digests_of(field: str) -> Iterator[tuple[str, str]]:
    """The digests in a header of RFC 9530 that can be checked: algorithm, and Base64."""
    for item in field.split(","):
        algorithm, _, value = item.strip().partition("=")
        if algorithm.lower() in {"sha-256", "sha-512"}:
            yield algorithm.lower(), value.strip().strip(":")


class _Digests:
    """`Content-Digest` and `Repr-Digest` (RFC 9530), `Content-MD5` (RFC 1864): of a whole body.

    As no coding is applied to a body here, the first two are digests of the same bytes.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._expected: list[tuple[str, Any, bytes]] = []
        for header in ("content-digest", "repr-digest"):
            for algorithm, digest in digests_of(headers.get(header, "")):
                made = hashlib.new(algorithm.replace("-", ""))
                self._expect(header, made, digest)
        if given := headers.get("content-md5"):
            made = hashlib.md5(usedforsecurity=False)
            self._expect("content-md5", made, given)

    def feed(self, chunk: bytes) -> None:
        for _, made, _ in self._expected:
            made.update(chunk)

    def check(self) -> None:
        for header, made, expected in self._expected:
            if made.digest() != expected:
                fault = FieldError(f"/header/{header}", "is the digest of another body")
                raise DigestMismatch(
                    "the body changed on its way", hint="send it again", errors=[fault]
                )

    def _expect(self, header: str, made: Any, value: str) -> None:
        try:
            self._expected.append((header, made, base64.b64decode(value, validate=True)))
        except binascii.Error as error:
            fault = FieldError(f"/header/{header}", "is not Base64")
            raise InvalidRequest("a digest cannot be read", errors=[fault]) from error
