"""The port of the parsers: a file in, its tables, text and insights out, away from the server."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from foundations.public_works.parsing.insights.comparing import ParsedFile
from foundations.public_works.parsing.insights.model import ComparisonResult, InsightsResult
from foundations.public_works.parsing.models import (
    DEFAULT,
    ParseOptions,
    ParseResult,
    TableFormat,
)


class Parsers(Protocol):
    """Reads files of strangers under limits of time and memory."""

    async def parse(
        self, path: Path, output: Path, *, name: str, options: ParseOptions = DEFAULT
    ) -> ParseResult:
        """Read the file at `path`, called `name`, and write its artifacts into the folder `output`.

        The artifacts are named in the result: each table as Parquet, and `passages.jsonl`, one
        `Passage` a line.

        Raises:
            UnsupportedFile, EmptyFile, Encrypted, Truncated: see `media_types.detect`.
            UnreadableFile, NoText, NoData, TooDeep: the content.
            FieldLimit, ColumnLimit, CellLimit: the size of a table.
            DecompressionLimit, DamagedArchive, UnsafeMarkup: the archive a document is.
            MessageLimit: the size of a message.
            ParseTimeout, ParseMemoryExceeded, ParserCrashed: the process that read it was ended.
            ParserUnavailable: no such process can be started.
        """
        ...

    async def find_insights(
        self, parsed: ParseResult, artifacts: Mapping[str, Path]
    ) -> InsightsResult:
        """Compute the insights of a parsed file from its artifacts: name to local path.

        Raises:
            ParseTimeout, ParseMemoryExceeded, ParserCrashed: the process that computed was ended.
        """
        ...

    async def convert(self, path: Path, output: Path, *, of: TableFormat, to: TableFormat) -> None:
        """Write the table at `path` to `output`, in another format that holds one table.

        Raises:
            NotLossless: something would be lost; the reasons are named.
            UnreadableFile, ColumnLimit: the source is no such table.
            ParseTimeout, ParseMemoryExceeded, ParserCrashed: the process that read it was ended.
        """
        ...

    async def compare(self, files: Sequence[ParsedFile]) -> ComparisonResult:
        """Find what only shows when parsed files are laid beside each other.

        Raises:
            ParseTimeout, ParseMemoryExceeded, ParserCrashed: the process that computed was ended.
        """
        ...
