"""What the rest of the city may know about business enablement."""

from typing import Protocol

from foundations.public_works.parsing.insights.model import ComparisonResult, InsightsResult
from foundations.public_works.parsing.models import (
    DEFAULT,
    ParseOptions,
    ParseResult,
    TableFormat,
)
from foundations.public_works.semantics import SemanticData, SemanticResult
from smart_city.content_steward.api import FileRecord
from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel

MOST_COMPARED = 50
"""So many files are laid beside each other at most."""


class ParsedFile(FrozenModel):
    """A file's content: what it holds, what it means, and the trace it was parsed under."""

    parse_result: ParseResult
    semantic_result: SemanticResult
    trace_id: str


class InsightsAnswer(FrozenModel):
    """What is worth knowing of a file."""

    insights_result: InsightsResult


class ComparisonAnswer(FrozenModel):
    """What only shows when files are laid beside each other."""

    comparison_result: ComparisonResult


class ConvertedFile(FrozenModel):
    """A new file with the table of another."""

    file: FileRecord
    converted_from: str


class NoTable(PlatformError):
    """This file is no table that can be converted."""

    kind = ErrorKind.UNSUPPORTED


class ContentAnalysis(Protocol):
    """Turns stored files into tables, text and meaning."""

    async def parse_file(
        self,
        file_id: str,
        parse_options: ParseOptions = DEFAULT,
        user_context: UserContext | None = None,
        trace_id: str | None = None,
    ) -> ParsedFile:
        """Parse one stored file and embed it; see `Parsers.parse` for what a bad file raises."""
        ...

    async def convert_file(self, file_id: str, to: TableFormat) -> ConvertedFile:
        """Store a table as a new file of another format. Raises NoTable, NotLossless."""
        ...


class Insights(Protocol):
    """Says what is worth knowing of a file that was parsed."""

    async def analyze_content_for_insights(
        self, file_id: str, semantic_data: SemanticData
    ) -> InsightsAnswer:
        """Compute the insights of a file from its artifacts. Raises NotParsed, WrongFile."""
        ...

    async def compare_files(self, file_ids: list[str]) -> ComparisonAnswer:
        """Find joins, changes, contradictions and likenesses between files. Raises NotParsed."""
        ...
