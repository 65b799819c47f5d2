"""What a reader makes of a file: tables, or a text in sections."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foundations.public_works.parsing.models import Scalar

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Table:
    """A table with typed columns. `truncated`: rows beyond the cap were left."""

    name: str
    frame: "pl.DataFrame"
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of text and where it stands: `page 3`, or the headings above it."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A document without its layout."""

    sections: list[Section]
    metadata: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a file, and what stands beside them."""

    tables: list[Table]
    metadata: dict[str, Scalar] = field(default_factory=dict)
