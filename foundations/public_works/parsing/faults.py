"""The faults a file can make a parser find, and how they travel out of the child process."""

from typing import Any

from foundations.public_works.archives import (
    DamagedArchive,
    DecompressionLimit,
    Encrypted,
    Truncated,
    UnsafeMarkup,
)
from foundations.public_works.media_types import EmptyFile, UnsupportedFile
from foundations.public_works.messages import MessageLimit
from utilities.errors import ErrorKind, PlatformError


class UnreadableFile(PlatformError):
    """The file is of a known kind, but damaged or cut off."""

    kind = ErrorKind.INVALID


class NoText(PlatformError):
    """The document holds no text, only pictures or empty pages."""

    kind = ErrorKind.INVALID


class NoData(PlatformError):
    """The file holds no rows."""

    kind = ErrorKind.INVALID


class FieldLimit(PlatformError):
    """A single field or line is longer than is allowed."""

    kind = ErrorKind.INVALID


class ColumnLimit(PlatformError):
    """A table has more columns than are allowed."""

    kind = ErrorKind.INVALID


class CellLimit(PlatformError):
    """A worksheet spans more cells than are allowed."""

    kind = ErrorKind.INVALID


class TooDeep(PlatformError):
    """A JSON document is nested deeper than is allowed."""

    kind = ErrorKind.INVALID


class NotLossless(PlatformError):
    """The conversion would lose something."""

    kind = ErrorKind.INVALID


class ParseTimeout(PlatformError):
    """Parsing the file took longer than is allowed."""

    kind = ErrorKind.INVALID


class ParseMemoryExceeded(PlatformError):
    """Parsing the file needed more memory than is allowed."""

    kind = ErrorKind.INVALID


class ParserCrashed(PlatformError):
    """The parser ended abnormally while reading the file."""

    kind = ErrorKind.INVALID


class ParserUnavailable(PlatformError):
    """No process that reads files can be started."""

    kind = ErrorKind.UNAVAILABLE


_KNOWN: dict[str, type[PlatformError]] = {
    fault.__name__: fault
    for fault in (
        UnreadableFile,
        NoText,
        NoData,
        FieldLimit,
        ColumnLimit,
        CellLimit,
        TooDeep,
        NotLossless,
        ParseMemoryExceeded,
        DecompressionLimit,
        DamagedArchive,
        Truncated,
        MessageLimit,
        UnsafeMarkup,
        UnsupportedFile,
        EmptyFile,
        Encrypted,
    )
}


def to_message(fault: PlatformError) -> dict[str, str]:
    """What the child writes for a fault."""
    return {"fault": type(fault).__name__, "detail": fault.detail, "hint": fault.hint}


def from_message(message: dict[str, Any]) -> PlatformError:
    """The fault a child wrote; one of no known class is a crash."""
    known = _KNOWN.get(str(message.get("fault")), ParserCrashed)
    return known(str(message.get("detail", "")), hint=str(message.get("hint", "")))
