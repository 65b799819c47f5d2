"""What the rest of the city may know about the librarian."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from foundations.public_works.content_metadata import ContentIndex
from foundations.public_works.semantics import IndexableContent
from utilities.errors import ErrorKind, PlatformError


class FoundBy(StrEnum):
    """The list a hit stood in."""

    WORDS = "words"
    MEANING = "meaning"


class SearchHit(BaseModel):
    """One passage. `score` is the sum over both lists of 1 / (60 + rank): higher is better."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    name: str
    place: str = Field(description="where in the file, such as a page or a sheet")
    snippet: str
    score: float
    found_by: tuple[FoundBy, ...]


class SearchResults(BaseModel):
    """The best passages for a question, best first."""

    model_config = ConfigDict(frozen=True)

    query: str
    hits: tuple[SearchHit, ...]


class Indexed(BaseModel):
    """A file's content that can be found from now on."""

    model_config = ConfigDict(frozen=True)

    content_id: str
    file_id: str
    passages: int


class IndexEntry(BaseModel):
    """What the index holds of a file."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    content_id: str
    name: str
    media_type: str
    passages: int
    indexed_at: datetime
    trace_id: str


class NotIndexed(PlatformError):
    """The index holds nothing of this file."""

    kind = ErrorKind.NOT_FOUND


class UnusableQuery(PlatformError):
    """The question cannot be searched for."""

    kind = ErrorKind.INVALID


class Librarian(ContentIndex, Protocol):
    """Indexes what is known and finds it again, by words and by meaning."""

    async def index_content(self, content: IndexableContent) -> Indexed:
        """Put `content` in the place of all the index holds of that file.

        Raises PolicyRefused when the data steward does not let it into the semantic layer.
        """
        ...

    async def search(self, q: str, limit: int = 10) -> SearchResults:
        """The caller's tenant's passages that fit `q` best. Raises UnusableQuery."""
        ...

    async def get_entry(self, file_id: str) -> IndexEntry:
        """What the index holds of a file. Raises NotIndexed."""
        ...
