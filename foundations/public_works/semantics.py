"""What a file means, as the semantic layer keeps it, and where its artifacts lie."""

import re

from pydantic import Field

from foundations.public_works.parsing.models import ParseResult, Passage
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel

MANIFEST = "manifest.json"
PASSAGES = "passages.jsonl"
VECTORS = "vectors.f32"
GRAPH = "graph.json"


_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class UnusableFileId(PlatformError):
    """This is no id of a file."""

    kind = ErrorKind.INVALID


class SemanticResult(FrozenModel):
    """The meaning of a parsed file, by reference: its vectors and graph lie in the object store.

    `artifact` is the key below which they lie: passages as JSON lines, the graph as JSON, vectors
    as raw little-endian float32, row by row.
    """

    file_id: str
    name: str = ""
    media_type: str = ""
    kind: str = ""
    model: str
    dimensions: int
    passage_count: int
    edge_count: int
    artifact: str
    key_phrases: tuple[str, ...] = ()
    summary: str = ""


class SemanticData(FrozenModel):
    """Refers to what the semantic layer keeps of a file; carries neither texts nor vectors."""

    content_id: str
    file_id: str
    model: str
    dimensions: int
    passage_count: int
    edge_count: int
    artifact: str


class Manifest(FrozenModel):
    """What parsing a file gave. Written after all other artifacts: who finds it finds them."""

    parse_result: ParseResult
    semantic_result: SemanticResult
    sha256: str = Field(default="", description="of the file that was parsed")


class IndexableContent(FrozenModel):
    """What an index is given of a file, in the place of all it had of it before."""

    content_id: str
    file_id: str
    name: str
    media_type: str
    kind: str = ""
    summary: str = ""
    key_phrases: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()


def folder_of(tenant: str, file_id: str) -> str:
    """The key below which the artifacts of a file lie.

    Raises:
        UnusableFileId: it cannot be part of a key.
    """
    if not _ID.fullmatch(file_id):
        raise UnusableFileId(f"{file_id[:80]!r} is no id of a file")
    return f"derived/{tenant}/{file_id}"
