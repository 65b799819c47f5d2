"""What a reader makes of a file: tables, text in sections, and what the file says of itself."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from foundations.public_works.parsing.models import DocumentProperties, FileWithin, Scalar
from foundations.public_works.parsing.places import Place

if TYPE_CHECKING:
    import polars as pl

    from foundations.public_works.parsing.profiles import Known


@dataclass(frozen=True, slots=True)
class Stored:
    """A table too large for memory: where all of it lies as Parquet, and what is known of it."""

    path: Path
    known: "Known"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with typed columns.

    `truncated`: rows beyond the cap were left. `told`: its cells stand in a section too. A table
    that is `stored` has only its first rows in `frame`.
    """

    name: str
    frame: "pl.DataFrame"
    truncated: bool = False
    place: str = ""
    told: bool = False
    stored: Stored | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of text and where it stands: a page, or the headings above it."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that was read out of a file. `kind` is what it mainly is."""

    kind: Literal["table", "text"]
    tables: list[Table] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    metadata: dict[str, Scalar] = field(default_factory=dict)
    properties: DocumentProperties = field(default_factory=DocumentProperties)
    files: tuple[FileWithin, ...] = ()
