"""What parsing a file gives: small enough to be journalled; passages and tables are artifacts."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from foundations.public_works.parsing.places import Place

MOST_ROWS = 10_000_000
MOST_ROWS_IN_MEMORY = 1_000_000
Scalar = int | float | str | bool | None


class ColumnType(StrEnum):
    """What the cells of a column are."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    TEXT = "text"
    EMPTY = "empty"


class TableFormat(StrEnum):
    """A format that holds one table."""

    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    NDJSON = "ndjson"


class ParseOptions(BaseModel):
    """How to read a file; what is left empty is found out from its content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str = Field(default="", max_length=1, description="of a CSV file")
    encoding: str = Field(default="", max_length=40, description="of a text file")
    header: bool | None = Field(default=None, description="whether the first row names columns")
    max_rows: int | None = Field(
        default=None,
        ge=1,
        le=MOST_ROWS,
        description="of each table; as many as can be, if nothing is said",
    )

    @property
    def most_rows(self) -> int:
        """How many rows are read of a table that has to fit into memory."""
        return self.max_rows or MOST_ROWS_IN_MEMORY

    @property
    def most_rows_of_text(self) -> int:
        """How many rows are read of delimited text, which is read block by block."""
        return self.max_rows or MOST_ROWS

    @field_validator("encoding")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            "a".encode(name or "utf-8")
        except (LookupError, UnicodeError):
            raise ValueError(f"{name!r} is no known encoding of text") from None
        return name


DEFAULT = ParseOptions()


class ValueCount(BaseModel):
    """A value and how often it stands in a column."""

    model_config = ConfigDict(frozen=True)

    value: str
    count: int


class ColumnProfile(BaseModel):
    """Facts of one column. Dates are ISO 8601 text; figures a type does not have are None.

    `distinct` counts values, missing ones left out. `std` is the sample standard deviation (n - 1);
    `q1` and `q3` interpolate linearly (Hyndman and Fan 1996, type 7).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: ColumnType
    missing: int
    distinct: int
    minimum: Scalar = None
    maximum: Scalar = None
    mean: float | None = None
    median: float | None = None
    std: float | None = None
    q1: float | None = None
    q3: float | None = None
    most_frequent: tuple[ValueCount, ...] = ()


class TableProfile(BaseModel):
    """One table: its columns' facts, some rows as a sample, and the artifact with all of it.

    `place` says where it stands in a document (`slide 3`, its headings, the file within).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    row_count: int
    column_count: int
    columns: tuple[ColumnProfile, ...]
    duplicate_rows: int = 0
    sample: tuple[tuple[Scalar, ...], ...] = ()
    artifact: str = Field(description="file name of the table as Parquet among the artifacts")
    truncated: bool = False
    place: str = ""


class ParseWarning(BaseModel):
    """Something in the file that was read differently than it stands there.

    `code` is for programs. `line` is the line of the file (for a worksheet its row), 0 where a line
    says nothing.
    """

    model_config = ConfigDict(frozen=True)

    detail: str
    code: str = ""
    line: int = 0
    count: int = 1


class KeyPhrase(BaseModel):
    """A phrase that characterises a text: how often it occurs, and in which passages."""

    model_config = ConfigDict(frozen=True)

    phrase: str
    count: int
    score: float
    passages: tuple[int, ...] = ()


class SummarySentence(BaseModel):
    """A sentence of the text itself, and the number of the passage it stands in."""

    model_config = ConfigDict(frozen=True)

    sentence: str
    passage: int


class DocumentProperties(BaseModel):
    """What a document says of itself; empty where it says nothing.

    Times are ISO 8601 as the document gives them; the language is a BCP 47 tag such as `en` or
    `de-AT`.
    """

    model_config = ConfigDict(frozen=True)

    title: str = ""
    subject: str = ""
    authors: tuple[str, ...] = ()
    language: str = ""
    created_at: str = ""
    modified_at: str = ""


class FileWithin(BaseModel):
    """A file inside of the file: an entry of an archive, an attachment of a message.

    `problem` is the code of what kept it from being read, `detail` says it in words.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    media_type: str = ""
    size: int = 0
    tables: int = 0
    sections: int = 0
    problem: str = ""
    detail: str = ""


class ParseResult(BaseModel):
    """What is known of a file after parsing it.

    `kind` is what it mainly is; a text may hold tables too, and an archive of tables texts.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["table", "text"]
    name: str
    media_type: str
    encoding: str = ""
    properties: DocumentProperties = DocumentProperties()
    files: tuple[FileWithin, ...] = ()
    tables: tuple[TableProfile, ...] = ()
    passage_count: int = 0
    word_count: int = 0
    summary: tuple[SummarySentence, ...] = ()
    key_phrases: tuple[KeyPhrase, ...] = ()
    metadata: dict[str, Scalar] = Field(default_factory=dict)
    warnings: tuple[ParseWarning, ...] = ()
    artifacts: tuple[str, ...] = ()


class Passage(BaseModel):
    """A piece of a file that search can find, and where in the file it stands."""

    model_config = ConfigDict(frozen=True)

    number: int
    place: Place
    text: str

    @property
    def in_context(self) -> str:
        """The text under the headings above it, so that it can be understood alone."""
        headings = self.place.headings
        begun = bool(headings) and self.text.startswith(headings[-1])
        return "\n".join([*(headings[:-1] if begun else headings), self.text])


def passages_in(lines: bytes) -> list[Passage]:
    """The passages of an artifact, one a line as JSON."""
    return _PASSAGES.validate_json(_listed(lines))


class NamedEntity(BaseModel):
    """Something that a text names, such as a date or a mail address, and in which passages."""

    model_config = ConfigDict(frozen=True)

    kind: str
    text: str
    passages: tuple[int, ...]


def entities_in(lines: bytes) -> list[NamedEntity]:
    """The entities of an artifact, one a line as JSON."""
    return _ENTITIES.validate_json(_listed(lines))


def _listed(lines: bytes) -> bytes:
    """JSON lines as one JSON list, which is read at once."""
    return b"[" + b",".join(lines.splitlines()) + b"]"


_PASSAGES = TypeAdapter(list[Passage])
_ENTITIES = TypeAdapter(list[NamedEntity])
