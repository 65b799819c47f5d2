"""The parsers as children: files are read in processes apart from the server."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from foundations.public_works.adapters.forked_children import ChildLimits, ForkedChildren
from foundations.public_works.parsers import Parsers
from foundations.public_works.parsing.insights.comparing import ParsedFile
from foundations.public_works.parsing.insights.model import ComparisonResult, InsightsResult
from foundations.public_works.parsing.models import (
    DEFAULT,
    ParseOptions,
    ParseResult,
    TableFormat,
)
from foundations.public_works.settings import Settings
from utilities.context import current_or_none

_CHILD = "foundations.public_works.parsing.child"
_BYTES_A_SECOND = 10_000_000
"""A large file may take as much longer: a third of the speed at which tables are read."""


class ChildProcessParsers(Parsers):
    """Parses each file in a child with limits, as many at once as there are processors."""

    def __init__(self, *, settings: Settings) -> None:
        self._limits = ChildLimits(
            cpu_seconds=settings.parse_cpu_seconds,
            memory_bytes=settings.parse_memory_bytes,
            wall_seconds=settings.parse_wall_seconds,
        )
        self._places = asyncio.Semaphore(max(2, os.cpu_count() or 2))
        self._children = ForkedChildren(_CHILD)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._children.close()

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
        return ParseResult.model_validate(await self._run(request, path))

    async def find_insights(
        self, parsed: ParseResult, artifacts: Mapping[str, Path]
    ) -> InsightsResult:
        request = {"work": "find_insights"} | _told(ParsedFile(parsed, artifacts))
        return InsightsResult.model_validate(await self._run(request, *artifacts.values()))

    async def convert(self, path: Path, output: Path, *, of: TableFormat, to: TableFormat) -> None:
        request = {
            "work": "convert",
            "path": str(path.absolute()),
            "output": str(output.absolute()),
            "of": of,
            "to": to,
        }
        await self._run(request, path)

    async def compare(self, files: Sequence[ParsedFile]) -> ComparisonResult:
        request = {"work": "compare", "files": [_told(file) for file in files]}
        paths = [path for file in files for path in file.artifacts.values()]
        return ComparisonResult.model_validate(await self._run(request, *paths))

    async def _run(self, request: dict[str, Any], *paths: Path) -> Any:
        """Wait for a place, then work on these files; the time limit counts from there."""
        more = sum(path.stat().st_size for path in paths) // _BYTES_A_SECOND
        limits = replace(
            self._limits,
            cpu_seconds=self._limits.cpu_seconds + more,
            wall_seconds=self._limits.wall_seconds + 2 * more,
        )
        async with self._places:
            call = current_or_none()
            tenant = call.tenant if call else ""
            return await self._children.run(request, limits, tenant=tenant)


def _told(file: ParsedFile) -> dict[str, Any]:
    """A parsed file as the child is told of it."""
    return {
        "parsed": file.parsed.model_dump(mode="json"),
        "artifacts": {name: str(path.absolute()) for name, path in file.artifacts.items()},
    }
