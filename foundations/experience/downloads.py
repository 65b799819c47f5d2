"""A stored file as a response: to be saved, never to be shown; whole, or one range of it."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import StreamingResponse

from foundations.experience.problems import HttpError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class RangeNotSatisfiable(HttpError):
    """The range begins behind the end of the file."""

    status = 416

    def __init__(self, size: int) -> None:
        super().__init__(f"the file has {size} bytes")
        self.headers = {"Content-Range": f"bytes */{size}"}


@dataclass(frozen=True, slots=True)
class Slice:
    """The bytes from `start` up to, not including, `end` of `size`."""

    start: int
    end: int
    size: int

    @property
    def partial(self) -> bool:
        return self.end - self.start < self.size


def wanted(request: Request, *, size: int, etag: str) -> Slice:
    """What of a file a request asks for: one range (RFC 9110, section 14.2), or all of it.

    Several ranges, and what is no range, are answered with all of it, which is allowed.

    Raises:
        RangeNotSatisfiable: the range holds none of the file's bytes.
    """
    whole = Slice(0, size, size)
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if found is None or request.headers.get("if-range", etag) != etag:
        return whole
    first, last = found[1], found[2]
    if not first and not last:
        return whole
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return whole
    if start >= size:
        raise RangeNotSatisfiable(size)
    return Slice(start, end, size)


def download(
    chunks: AsyncIterator[bytes], part: Slice, *, name: str, media_type: str, etag: str
) -> StreamingResponse:
    """The bytes of `part` as a response that a browser saves under `name` and does not open."""
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Type": media_type or "application/octet-stream",
        "Content-Length": str(part.end - part.start),
        "Content-Disposition": attachment(name),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "ETag": etag,
    }
    if part.partial:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{part.size}"
    return StreamingResponse(chunks, status_code=206 if part.partial else 200, headers=headers)


def attachment(name: str) -> str:
    """A Content-Disposition that any name fits in (RFC 6266 and RFC 8187)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%;]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
