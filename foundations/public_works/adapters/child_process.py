"""The one door for work in a child process: limited, and killed with its whole group at the end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

import foundations
from foundations.public_works.parsers import Parsers
from foundations.public_works.parsing.child import MEMORY_EXIT
from foundations.public_works.parsing.faults import (
    ParseMemoryExceeded,
    ParserCrashed,
    ParseTimeout,
    from_message,
)
from foundations.public_works.parsing.insights.comparing import ParsedFile
from foundations.public_works.parsing.insights.model import ComparisonResult, InsightsResult
from foundations.public_works.parsing.models import (
    DEFAULT,
    ParseOptions,
    ParseResult,
)
from foundations.public_works.settings import Settings

_CHILD = "foundations.public_works.parsing.child"
_ANSWER_LIMIT = 4 * 1024 * 1024
_NOISE_LIMIT = 64 * 1024
_OUT_OF_MEMORY = (b"memory allocation of", b"MemoryError", b"bad_alloc", b"Cannot allocate memory")
_THREADS = {
    "POLARS_MAX_THREADS": "2",
    "RAYON_NUM_THREADS": "2",
    "TOKIO_WORKER_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
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


async def run_in_child(module: str, request: dict[str, Any], limits: ChildLimits) -> Any:
    """Run `python -m module` on `request` and return its result.

    The child finds this very `foundations` package first (so also from a checkout, a wheel, or
    beside a foreign folder of that name), sees no environment but what it needs, and leads a
    process group that never outlives this call, cancelled or not.

    Raises:
        ParseTimeout, ParseMemoryExceeded, ParserCrashed: the child was ended, or ended badly.
        PlatformError: the fault the child answered with.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    told = json.dumps(request | {"limits": limits.told()}).encode()
    try:
        async with asyncio.timeout(limits.wall_seconds):
            answer, noise = await _conversation(child, told)
            code = await child.wait()
    except TimeoutError:
        raise _too_slow(f"{limits.wall_seconds:g} s") from None
    finally:
        _kill_group(child.pid)
        await asyncio.shield(child.wait())
    return _understood(code, answer, noise, limits)


class ChildProcessParsers(Parsers):
    """Parses each file in a process of its own, as many at once as there are processors."""

    def __init__(self, *, settings: Settings) -> None:
        self._limits = ChildLimits(
            cpu_seconds=settings.parse_cpu_seconds,
            memory_bytes=settings.parse_memory_bytes,
            wall_seconds=settings.parse_wall_seconds,
        )
        self._places = asyncio.Semaphore(max(2, os.cpu_count() or 2))

    async def parse(
        self, path: Path, output: Path, *, name: str, options: ParseOptions = DEFAULT
    ) -> ParseResult:
        request = {
            "work": "parse",
            "path": str(path.absolute()),
            "output": str(output.absolute()),
            "name": name,
            "options": options.model_dump(mode="json"),
        }
        return ParseResult.model_validate(await self._run(request))

    async def find_insights(
        self, parsed: ParseResult, artifacts: Mapping[str, Path]
    ) -> InsightsResult:
        request = {"work": "find_insights"} | _told(ParsedFile(parsed, artifacts))
        return InsightsResult.model_validate(await self._run(request))

    async def compare(self, files: Sequence[ParsedFile]) -> ComparisonResult:
        request = {"work": "compare", "files": [_told(file) for file in files]}
        return ComparisonResult.model_validate(await self._run(request))

    async def _run(self, request: dict[str, Any]) -> Any:
        """Wait for a place, then work; the time limit counts from there."""
        async with self._places:
            return await run_in_child(_CHILD, request, self._limits)


def _told(file: ParsedFile) -> dict[str, Any]:
    """A parsed file as the child is told of it."""
    return {
        "parsed": file.parsed.model_dump(mode="json"),
        "artifacts": {name: str(path.absolute()) for name, path in file.artifacts.items()},
    }


async def _conversation(child: asyncio.subprocess.Process, told: bytes) -> tuple[bytes, bytes]:
    """Write the request, read the answer and the end of what the child wrote beside it."""
    assert child.stdout is not None
    assert child.stderr is not None
    answer, noise, _ = await asyncio.gather(
        _first(child.stdout, _ANSWER_LIMIT), _last(child.stderr, _NOISE_LIMIT), _tell(child, told)
    )
    return answer, noise


async def _tell(child: asyncio.subprocess.Process, told: bytes) -> None:
    assert child.stdin is not None
    with suppress(ConnectionError):  # a child that died at once is judged by its exit code
        child.stdin.write(told)
        await child.stdin.drain()
    child.stdin.close()


async def _first(stream: asyncio.StreamReader, limit: int) -> bytes:
    """Read to the end, keeping the first `limit` bytes."""
    kept = bytearray()
    while chunk := await stream.read(65_536):
        kept += chunk[: limit - len(kept)]
    return bytes(kept)


async def _last(stream: asyncio.StreamReader, limit: int) -> bytes:
    """Read to the end, keeping the last `limit` bytes."""
    kept = b""
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
        f"the parser ended with {_end(code)} while reading the file",
        hint="the file is probably damaged; save it anew with the program that made it",
    )


def _end(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _too_slow(allowed: str) -> ParseTimeout:
    return ParseTimeout(
        f"the file was not read within {allowed}",
        hint="the file may be damaged; a big one can be split",
    )


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Only what the interpreter needs: no settings, no secrets."""
    root = str(Path(foundations.__file__).parent.parent)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | _THREADS | {"PYTHONPATH": root, "PYTHONIOENCODING": "utf-8"}
