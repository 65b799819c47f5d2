"""Files named on the command line: each is a readable file of acceptable size, or it is refused."""

import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from utilities.errors import ErrorKind, PlatformError

CHUNK = 1 << 20
STDIN = "-"


class InputUnusable(PlatformError):
    """What was named cannot be read as a file."""

    kind = ErrorKind.INVALID


class InputTooLarge(PlatformError):
    """The file is larger than the city takes."""

    kind = ErrorKind.TOO_LARGE


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that can be read, and the name to keep it under."""

    path: Path
    name: str


@contextmanager
def opened(argument: str, *, limit: int) -> Iterator[InputFile]:
    """The file behind a command line argument; `-` is standard input, spooled for the block.

    Raises:
        InputUnusable: it is missing, no regular file, or not readable.
        InputTooLarge: it has more than `limit` bytes.
    """
    if argument == STDIN:
        with _spooled(sys.stdin.buffer, limit) as path:
            yield InputFile(path, "stdin")
        return
    path = Path(argument)
    size = _size(path)
    if size > limit:
        raise _too_large(argument, limit)
    yield InputFile(path, path.name)


def _size(path: Path) -> int:
    """The size of a regular, readable file; nothing is opened that could block."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InputUnusable(
                f"{path} is {_what(found.st_mode)}, not a file", hint=_instead(found.st_mode)
            )
        path.open("rb").close()
    except FileNotFoundError:
        raise InputUnusable(f"{path} does not exist", hint="check the path") from None
    except PermissionError:
        hint = "make it readable, for example with chmod u+r"
        raise InputUnusable(f"{path} may not be read", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputUnusable(f"{path} cannot be read: {reason}", hint="name another file") from error
    return found.st_size


def _what(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def _instead(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "name the files in it, for example with a * at the end"
    if stat.S_ISFIFO(mode):
        return "name - as the file and send the data to standard input"
    return "name a regular file"


@contextmanager
def _spooled(source: BinaryIO, limit: int) -> Iterator[Path]:
    """Standard input in a temporary file, read to its end or to one byte over the limit."""
    with tempfile.TemporaryDirectory(prefix="civitas-") as folder:
        path = Path(folder, "stdin")
        with path.open("wb") as spool:
            left = limit
            while chunk := source.read(min(CHUNK, left + 1)):
                if len(chunk) > left:
                    raise _too_large("standard input", limit)
                left -= len(chunk)
                spool.write(chunk)
        yield path


def _too_large(what: str, limit: int) -> InputTooLarge:
    return InputTooLarge(
        f"{what} has more than {limit} bytes",
        hint="split it, or raise the limit with CIVITAS_MAX_UPLOAD_BYTES",
    )
