"""The one door for work in a child process: forked from a prepared one, limited, killed after."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

import foundations
from foundations.public_works.parsing.child import MEMORY_EXIT
from foundations.public_works.parsing.faults import (
    ParseMemoryExceeded,
    ParserCrashed,
    ParserUnavailable,
    ParseTimeout,
    from_message,
)
from foundations.public_works.parsing.fork_server import STATUS

_SERVER = "foundations.public_works.parsing.fork_server"
_QUIET = "ignore:This process:DeprecationWarning"  # it forks beside a thread of polars that idles
_ANSWER_LIMIT = 4 * 1024 * 1024
_NOISE_LIMIT = 64 * 1024
_OUT_OF_MEMORY = (b"memory allocation of", b"MemoryError", b"bad_alloc", b"Cannot allocate memory")
_SETTINGS = {
    "POLARS_MAX_THREADS": "2",
    "RAYON_NUM_THREADS": "2",
    "TOKIO_WORKER_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false",  # polars' allocator: no threads before a fork
    "PYTHONIOENCODING": "utf-8",
}
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What a child may use: processor time, memory, size of a file it writes, time on the wall."""

    cpu_seconds: int
    memory_bytes: int
    wall_seconds: float
    file_bytes: int = 2 * 1024**3

    def told(self) -> dict[str, int]:
        return {
            "cpu_seconds": self.cpu_seconds,
            "memory_bytes": self.memory_bytes,
            "file_bytes": self.file_bytes,
        }


class ForkedChildren:
    """Children that run `module.main()`, each forked anew from a process that has it loaded.

    That process is started by the first request, finds this very `foundations` package first (so
    also from a checkout, a wheel, or beside a foreign folder of that name), sees no environment but
    what it needs, and ends with `close`, with this object, or with this process.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._server: _Server | None = None
        self._closed = False

    async def run(self, request: dict[str, Any], limits: ChildLimits) -> Any:
        """Have a child do `request` under `limits`, and return its result.

        The child leads a process group that never outlives this call, cancelled or not.

        Raises:
            ParseTimeout, ParseMemoryExceeded, ParserCrashed: the child was ended, or ended badly.
            ParserUnavailable: there is no process to fork it from.
            PlatformError: the fault the child answered with.
        """
        told = json.dumps(request | {"limits": limits.told()}).encode()
        try:
            async with asyncio.timeout(limits.wall_seconds):
                try:
                    ended = await self._forked(told)
                except _ServerGone:
                    self._drop()
                    ended = await self._forked(told)
        except TimeoutError:
            raise _too_slow(f"{limits.wall_seconds:g} s") from None
        except _ServerGone as error:
            self._drop()
            raise ParserUnavailable(
                "the process that reads files cannot be started", hint="see the server's output"
            ) from error
        return _understood(*ended, limits)

    @property
    def process_id(self) -> int:
        """The prepared process; 0 when there is none yet."""
        return self._server.pid if self._server else 0

    def close(self) -> None:
        """End the prepared process, and with it every child of it; none is started any more."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _forked(self, told: bytes) -> tuple[int, bytes, bytes]:
        """Exit code, answer and noise of one child."""
        if self._closed:
            raise _ServerGone
        if self._server is None:
            self._server = _Server(self._module)
        talk, noise, status = self._server.fork()
        async with _Stream(talk) as talking, _Stream(noise) as noisy, _Stream(status) as ending:
            heard = asyncio.gather(_conversation(talking, told), _last(noisy.reader, _NOISE_LIMIT))
            try:
                code = await _last(ending.reader, STATUS.size)
                if len(code) < STATUS.size:
                    raise _ServerGone
                return STATUS.unpack(code)[0], *await heard
            except asyncio.CancelledError:
                await asyncio.shield(_ended(ending))
                raise
            finally:
                heard.cancel()


class _ServerGone(Exception):
    """The prepared process ended before the child did."""


class _Server:
    """A prepared process, and the socket it takes requests from."""

    def __init__(self, module: str) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-W", _QUIET, "-m", _SERVER, module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        self.pid = process.pid
        self.close = weakref.finalize(self, _end, self._control, process)

    def fork(self) -> tuple[socket.socket, socket.socket, socket.socket]:
        """Our ends of what a new child talks over, makes noise on, and is told to have ended by."""
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)), strict=True)
        try:
            socket.send_fds(self._control, [b"f"], [end.fileno() for end in theirs])
        except OSError as error:
            for end in ours:
                end.close()
            raise _ServerGone from error
        finally:
            for end in theirs:
                end.close()
        talk, noise, status = ours
        return talk, noise, status


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Hang up: the prepared process kills its children and ends."""
    control.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Stream:
    """A socket as streams of the running loop, closed at the end of the block."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours

    async def __aenter__(self) -> "_Stream":
        self.reader, self.writer = await asyncio.open_unix_connection(sock=self._socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


async def _conversation(talking: _Stream, told: bytes) -> bytes:
    """Write the request and read the answer."""
    with suppress(ConnectionError):  # a child that died at once is judged by its exit code
        talking.writer.write(told)
        await talking.writer.drain()
        talking.writer.write_eof()
    with suppress(ConnectionError):
        return await _first(talking.reader, _ANSWER_LIMIT)
    return b""


async def _ended(ending: _Stream) -> None:
    """Hang up, which kills the child and its group, and wait until that is told."""
    with suppress(OSError):
        ending.writer.write_eof()
        await ending.reader.read()


async def _first(stream: asyncio.StreamReader, limit: int) -> bytes:
    """Read to the end, keeping the first `limit` bytes."""
    kept = bytearray()
    while chunk := await stream.read(65_536):
        kept += chunk[: limit - len(kept)]
    return bytes(kept)


async def _last(stream: asyncio.StreamReader, limit: int) -> bytes:
    """Read to the end, keeping the last `limit` bytes."""
    kept = b""
    with suppress(ConnectionError):
        while chunk := await stream.read(65_536):
            kept = (kept + chunk)[-limit:]
    return kept


def _understood(code: int, answer: bytes, noise: bytes, limits: ChildLimits) -> Any:
    """The result in the answer, or the fault that the child's end means."""
    if code == 0 and answer:
        message = json.loads(answer)
        if "fault" in message:
            raise from_message(message)
        return message["result"]
    logger.debug(
        "the parser's child ended with {}: {}", code, noise.decode(errors="replace")[-4000:]
    )
    if code == -signal.SIGXCPU:
        raise _too_slow(f"{limits.cpu_seconds} s of processor time")
    if code in (MEMORY_EXIT, -signal.SIGKILL) or any(w in noise for w in _OUT_OF_MEMORY):
        raise ParseMemoryExceeded(
            f"reading the file needs more than {limits.memory_bytes // 1024**2} MiB of memory",
            hint="split the file, or raise CIVITAS_PARSE_MEMORY_BYTES",
        )
    raise ParserCrashed(
        f"the parser ended with {_told(code)} while reading the file",
        hint="the file is probably damaged; save it anew with the program that made it",
    )


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _too_slow(allowed: str) -> ParseTimeout:
    return ParseTimeout(
        f"the file was not read within {allowed}",
        hint="the file may be damaged; a big one can be split",
    )


def _environment() -> dict[str, str]:
    """Only what the interpreter needs: no settings, no secrets."""
    root = str(Path(foundations.__file__).parent.parent)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | _SETTINGS | {"PYTHONPATH": root}
