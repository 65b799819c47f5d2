"""The one door for work in a child process: forked from a prepared one, limited, killed after."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loguru import logger

import foundations
from foundations.public_works.adapters.one_child import Child, Done, ServerGone
from foundations.public_works.parsing.child import MEMORY_EXIT
from foundations.public_works.parsing.faults import (
    ParseMemoryExceeded,
    ParserCrashed,
    ParserUnavailable,
    ParseTimeout,
    from_message,
)

_SERVER = "foundations.public_works.parsing.fork_server"
_QUIET = "ignore:This process:DeprecationWarning"  # it forks beside a thread of polars that idles
_MOMENT = 0.25
"""Seconds that a child waits for more to do."""
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

    A child that says it may go on is given the next request of the same tenant, or ends when none
    comes at once: many files one after the other do not pay for a process each.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._server: _Server | None = None
        self._closed = False
        self._idle: list[_Idle] = []

    async def run(self, request: dict[str, Any], limits: ChildLimits, *, tenant: str = "") -> Any:
        """Have a child do `request` under `limits`, and return its result.

        The child leads a process group that does not outlive this call by more than a moment, and
        not at all where the call is cancelled.

        Raises:
            ParseTimeout, ParseMemoryExceeded, ParserCrashed: the child was ended, or ended badly.
            ParserUnavailable: there is no process to fork it from.
            PlatformError: the fault the child answered with.
        """
        told = json.dumps(request | {"limits": limits.told()}).encode()
        try:
            async with asyncio.timeout(limits.wall_seconds):
                try:
                    done = await self._done(told, tenant)
                except ServerGone:
                    self._drop()
                    done = await self._done(told, tenant)
        except TimeoutError:
            raise _too_slow(f"{limits.wall_seconds:g} s") from None
        except ServerGone as error:
            self._drop()
            raise ParserUnavailable(
                "the process that reads files cannot be started", hint="see the server's output"
            ) from error
        return _understood(done, limits)

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
        self._let_go()
        if server is not None:
            server.close()

    async def _done(self, told: bytes, tenant: str) -> Done:
        """Have a child do it that goes on, or a new one.

        What befalls a child that did others before may be their doing: then a new one tries.
        """
        used = self._idle_of(tenant)
        if used is not None:
            done = await self._asked(used, told, tenant)
            if done.answer or done.code == -signal.SIGXCPU:
                return done
        return await self._asked(self._forked(), told, tenant)

    async def _asked(self, child: Child, told: bytes, tenant: str) -> Done:
        done = await child.ask(told)
        if done.goes_on and not self._closed:
            idle = _Idle(tenant, child)
            self._idle.append(idle)
            idle.timer = asyncio.get_running_loop().call_later(_MOMENT, self._let_go, idle)
        return done

    def _forked(self) -> Child:
        if self._closed:
            raise ServerGone
        self._let_go()  # whoever waits for another tenant makes room
        if self._server is None:
            self._server = _Server(self._module)
        return Child(*self._server.fork())

    def _idle_of(self, tenant: str) -> Child | None:
        """A child that waits for more of this tenant, which now has something to do."""
        for at, idle in enumerate(self._idle):
            if idle.tenant == tenant:
                del self._idle[at]
                idle.timer.cancel()
                return idle.child
        return None

    def _let_go(self, idle: "_Idle | None" = None) -> None:
        """Let a child end that waits, or all of them."""
        for one in [idle] if idle else list(self._idle):
            self._idle.remove(one)
            one.timer.cancel()
            one.child.hang_up()


@dataclass(slots=True, eq=False)
class _Idle:
    """A child that waits for more of its tenant, until its timer lets it go."""

    tenant: str
    child: Child
    timer: asyncio.TimerHandle = field(init=False)


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
            raise ServerGone from error
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


def _understood(done: Done, limits: ChildLimits) -> Any:
    """The result in the answer, or the fault that the child's end means."""
    code, noise = done.code, done.noise
    if code == 0 and done.answer:
        if "fault" in done.answer:
            raise from_message(done.answer)
        return done.answer["result"]
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
