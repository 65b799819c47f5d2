"""Judges ZIP archives and messages, which hold files, before and while they are unpacked."""

import io
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from foundations.public_works import messages
from utilities.errors import ErrorKind, PlatformError

MIB = 1024 * 1024
ZIP_MAGIC = b"PK\x03\x04"
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
HEAD = 64 * 1024
"""Bytes that tell what a file is."""
_PIECE = 4 * MIB
OVERLAP = 4096
"""Bytes that a later piece of an entry begins with again."""
_SMALLEST_RECORD = 46  # bytes of one entry in the central directory, without its name
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_EXTERNAL = re.compile(rb"<Relationship\b[^>]*TargetMode\s*=\s*[\"']External[\"'][^>]*>")


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may declare, and what may come out of it."""

    entries: int = 10_000
    total_bytes: int = 500 * 1_000_000
    ratio: float = 100
    ratio_from_bytes: int = MIB
    depth: int = 2
    messages: int = 3


DEFAULT_LIMITS = ArchiveLimits()


class DecompressionLimit(PlatformError):
    """The file unpacks to more than is allowed."""

    kind = ErrorKind.INVALID


class UnsafeMarkup(PlatformError):
    """The document's XML declares entities or fetches something from outside."""

    kind = ErrorKind.INVALID


class Truncated(PlatformError):
    """The file ends before it is complete."""

    kind = ErrorKind.INVALID


class Encrypted(PlatformError):
    """The file is protected by a password."""

    kind = ErrorKind.INVALID


class DamagedArchive(PlatformError):
    """The archive inside the file cannot be read."""

    kind = ErrorKind.INVALID


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes out of an entry. Pieces of one entry overlap by some kilobytes."""

    entry: str
    depth: int
    first: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Listing:
    """What an archive says of itself. `mimetype` is the entry by which ODF tells its kind."""

    names: tuple[str, ...]
    mimetype: str
    encrypted: bool


def listing(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> Listing:
    """An archive's directory, read only after it was found small enough."""
    with path.open("rb") as file:
        archive = _opened(file, limits)
        infos = archive.infolist()
        known = {info.filename: info for info in infos}
        return Listing(
            names=tuple(known),
            mimetype=_start(archive, known.get("mimetype"), 200).strip(),
            encrypted=any(info.flag_bits & 1 for info in infos)
            or "encryption-data" in _start(archive, known.get("META-INF/manifest.xml"), MIB),
        )


def walk(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> Iterator[Piece]:
    """Every entry's bytes, of archives and messages inside too, inflated under `limits`.

    Raises:
        DecompressionLimit: declared sizes, or the bytes that really came out, pass a limit.
        MessageLimit: a message is too big, or made of too many parts.
        DamagedArchive: entries overlap, or do not inflate.
        Encrypted: an entry needs a password.
        Truncated: the end of it is missing.
        UnsafeMarkup: XML inside declares a DTD or entities, or loads something from outside.
    """
    budget = _Budget(limits)
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(0)
        if messages.is_message(head):
            data = file.read(messages.MAX_BYTES + 1)
            yield from _walk_message(data, limits, budget, depth=0, within=1)
        else:
            yield from _walk(file, limits, budget, depth=1)


def inspect(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> None:
    """Walk an archive for what `walk` raises."""
    for _ in walk(path, limits):
        pass


def safe_markup(name: str, data: bytes) -> None:
    """Refuse XML that declares a DTD or entities, and relationships that load from outside.

    A hyperlink is an external relationship too, but nothing fetches it; it passes.

    Raises:
        UnsafeMarkup: says which part of the document.
    """
    plain = data.replace(b"\x00", b"")  # makes UTF-16 readable enough for ASCII patterns
    if _DECLARATION.search(plain):
        raise UnsafeMarkup(
            f"{name} declares a document type or entities, which no office program writes",
            hint="save the document anew with an office program",
        )
    if name.endswith(".rels"):
        for relationship in _EXTERNAL.findall(plain):
            if b"/hyperlink" not in relationship:
                raise UnsafeMarkup(
                    f"{name} loads content from outside the document",
                    hint="embed linked pictures and templates, then save the document again",
                )


class _Budget:
    """Counts what came out of an archive and all archives inside it."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self._entries = 0

    def spend_entries(self, count: int) -> None:
        self._entries += count
        if self._entries > self._limits.entries:
            raise _too_much(f"more than {self._limits.entries:,} entries")

    def spend(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limits.total_bytes:
            raise _too_much(f"more than {self._limits.total_bytes // 1_000_000} MB unpacked")


def _start(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None, most: int) -> str:
    """The first bytes of an entry as text; "" when there is none that can be read."""
    if info is None or info.flag_bits & 1:
        return ""
    with _explained(info.filename), archive.open(info) as entry:
        return entry.read(most).decode("utf-8", errors="replace")


def holds_files(head: bytes) -> bool:
    """Whether a file that begins so is one that `walk` walks."""
    return head.startswith(ZIP_MAGIC) or messages.is_message(head[:HEAD])


def _walk_message(
    data: bytes, limits: ArchiveLimits, budget: _Budget, *, depth: int, within: int
) -> Iterator[Piece]:
    """Every part of a message, and what is inside of those that hold files."""
    if within > limits.messages:
        raise _too_much(f"messages inside of messages, more than {limits.messages} deep")
    for part in messages.parts(messages.opened(data)):
        budget.spend_entries(1)
        budget.spend(len(part.data))
        name = part.name or part.media_type
        yield Piece(name, depth, first=True, data=part.data)
        yield from _inside(io.BytesIO(part.data), limits, budget, depth=depth, within=within)


def _inside(
    file: IO[bytes], limits: ArchiveLimits, budget: _Budget, *, depth: int, within: int
) -> Iterator[Piece]:
    """What is inside of a file that came out of another; nothing when it holds no files."""
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(ZIP_MAGIC):
        yield from _walk(file, limits, budget, depth=depth + 1, within=within)
    elif messages.is_message(head):
        data = file.read(messages.MAX_BYTES + 1)
        yield from _walk_message(data, limits, budget, depth=depth, within=within + 1)


def is_folder(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is a folder; `ZipInfo.is_dir` breaks on one that has no name at all."""
    return info.filename.endswith("/")


def _walk(
    file: IO[bytes], limits: ArchiveLimits, budget: _Budget, *, depth: int, within: int = 0
) -> Iterator[Piece]:
    if depth > limits.depth:
        raise _too_much(f"archives nested deeper than {limits.depth}")
    archive = _opened(file, limits)
    infos = archive.infolist()
    budget.spend_entries(len(infos))
    _judge_declared(infos, limits)
    for info in infos:
        if not is_folder(info):
            yield from _entry(archive, info, limits, budget, depth=depth, within=within)


def _entry(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    limits: ArchiveLimits,
    budget: _Budget,
    *,
    depth: int,
    within: int,
) -> Iterator[Piece]:
    """One entry in overlapping pieces; an entry that holds files is walked as well."""
    tail, out, markup = b"", 0, False
    with (
        tempfile.SpooledTemporaryFile(max_size=2 * _PIECE) as nested,
        _explained(info.filename),
        archive.open(info) as entry,
    ):
        while chunk := entry.read(_PIECE):
            budget.spend(len(chunk))
            out += len(chunk)
            _judge_ratio(info, out, limits)
            data = tail + chunk
            first = out == len(chunk)
            markup = markup or (first and _is_markup(info.filename, chunk))
            if markup:
                safe_markup(info.filename, data)
            if (first and holds_files(chunk)) or nested.tell():
                nested.write(chunk)
            yield Piece(info.filename, depth, first, data)
            tail = chunk[-OVERLAP:]
        if nested.tell():
            nested.seek(0)
            yield from _inside(nested, limits, budget, depth=depth, within=within)


def _is_markup(name: str, start: bytes) -> bool:
    """Whether an entry is XML, by its name or by how it begins (a package may call it anything)."""
    plain = start[:100].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return name.endswith((".xml", ".rels", ".vml")) or (
        plain.startswith(b"<?xml") and not name.lower().endswith((".html", ".htm", ".xhtml"))
    )


def _judge_declared(infos: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        raise _too_much(f"{total // 1_000_000:,} MB unpacked, as it declares itself")
    for info in infos:
        _judge_ratio(info, info.file_size, limits)
    end_of_last = -1
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end_of_last:
            raise DamagedArchive(f"the entry {info.filename!r} overlaps another")
        end_of_last = info.header_offset + 30 + info.compress_size  # 30: a local header, nameless


def _judge_ratio(info: zipfile.ZipInfo, out: int, limits: ArchiveLimits) -> None:
    if out > limits.ratio_from_bytes and out > limits.ratio * max(info.compress_size, 1):
        raise _too_much(f"an entry that grows more than {limits.ratio:.0f} times")


def _too_much(what: str) -> DecompressionLimit:
    return DecompressionLimit(
        f"the archive holds {what}", hint="split the file, or send its parts unpacked"
    )


def _opened(file: IO[bytes], limits: ArchiveLimits) -> zipfile.ZipFile:
    """Open an archive whose directory is small enough to be read into memory."""
    size, entries = _directory(file)
    if entries > limits.entries or size > limits.entries * 1024:
        raise _too_much(f"more than {limits.entries:,} entries")
    with _explained("the directory"):
        archive = zipfile.ZipFile(file)
    if any(info.header_offset < 0 for info in archive.infolist()):
        raise DamagedArchive("the directory names a place before the beginning of the archive")
    return archive


def _directory(file: IO[bytes]) -> tuple[int, int]:
    """Bytes and entries of the central directory, from the end records (APPNOTE.TXT 4.3.14-16)."""
    file.seek(0, io.SEEK_END)
    length = file.tell()
    start = max(0, length - 65_557 - 76)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise Truncated(
            "the end of the archive is missing", hint="send the file again; it was cut off"
        )
    entries, size = struct.unpack_from("<HI", tail, at + 10)
    at_64 = tail.rfind(_END_64, 0, at)
    if at_64 >= 0 and (entries == 0xFFFF or size == 0xFFFFFFFF):
        entries, size = struct.unpack_from("<QQ", tail, at_64 + 32)
    return size, max(entries, 0 if size < _SMALLEST_RECORD else 1)


class _explained:  # noqa: N801 - a context manager that reads as a word
    """Turn the standard library's ways to fail on a broken archive into one."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        match error:
            case zipfile.BadZipFile() | zlib.error() | EOFError() | struct.error():
                raise DamagedArchive(f"{self._what} cannot be unpacked: {error}") from error
            case RuntimeError() if "encrypted" in str(error):
                raise Encrypted(
                    f"{self._what} is protected by a password", hint="save it without one"
                ) from error
            case NotImplementedError() | UnicodeDecodeError() | KeyError() | ValueError():
                raise DamagedArchive(f"{self._what} cannot be unpacked: {error}") from error
