"""What the rest of the city may know about the librarian."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime, Field

from foundations.public_works.content_metadata import ContentIndex
from foundations.public_works.graph.model import Entities
from foundations.public_works.parsing.places import Place
from foundations.public_works.search_modes import SearchMode
from foundations.public_works.semantics import IndexableContent
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class FoundBy(StrEnum):
    """The list a hit stood in."""

    WORDS = "words"
    MEANING = "meaning"


class Only(FrozenModel):
    """What a search is restricted to; what is left empty restricts nothing.

    A kind is `table` or `text`, or a format such as `pdf` or `csv`. Files were indexed `since`, and
    before `until`.
    """

    files: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


EVERYTHING = Only()


class Span(FrozenModel):
    """From a character of the snippet up to, not including, another."""

    start: int
    end: int


class SearchHit(FrozenModel):
    """One passage. `score` is the sum over both lists of 1 / (10 + rank): higher is better."""

    file_id: str
    name: str
    number: int = Field(description="of the passage in its file")
    place: Place = Field(description="where in the file, such as a page or a sheet")
    snippet: str
    highlights: tuple[Span, ...] = Field(default=(), description="words of the question in it")
    score: float
    found_by: tuple[FoundBy, ...]


class SearchResults(FrozenModel):
    """The best passages for a question, best first. `note` says what could not be looked into."""

    query: str
    mode: SearchMode = SearchMode.HYBRID
    hits: tuple[SearchHit, ...]
    note: str = ""


class Indexed(FrozenModel):
    """A file's content that can be found from now on."""

    content_id: str
    file_id: str
    passages: int


class Unindexed(FrozenModel):
    """A file's content that is not found any more."""

    file_id: str


class IndexEntry(FrozenModel):
    """What the index holds of a file."""

    file_id: str
    content_id: str
    name: str
    media_type: str
    kind: str = ""
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

    async def forget_content(self, file_id: str) -> Unindexed:
        """Remove all the index holds of a file; nothing there is no error."""
        ...

    async def search(
        self,
        q: str,
        limit: int = 10,
        mode: SearchMode = SearchMode.HYBRID,
        only: Only = EVERYTHING,
    ) -> SearchResults:
        """The caller's tenant's passages that fit `q` best. Raises UnusableQuery."""
        ...

    async def list_entities(self, q: str = "", kind: str = "", limit: int = 50) -> Entities:
        """Entities that the caller may see, by how they begin, the most mentioned first."""
        ...

    async def get_entry(self, file_id: str) -> IndexEntry:
        """What the index holds of a file. Raises NotIndexed."""
        ...
