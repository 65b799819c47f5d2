"""The semantic layer: what is known of each file's content, as vectors and as a graph."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, Field

from foundations.declarations import Effect, service, soa_api
from foundations.public_works import semantics
from foundations.public_works.database import Writes
from foundations.public_works.embedder import Embedder, dimensions_changed
from foundations.public_works.graph.model import Edge, Graph
from foundations.public_works.graph.records import GraphRecords
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from foundations.public_works.parsing.models import Passage, passages_in
from foundations.public_works.parsing.places import Place
from foundations.public_works.records import ContentRecords, StoredRow
from foundations.public_works.semantics import (
    IndexableContent,
    SemanticData,
    SemanticResult,
    folder_of,
)
from foundations.public_works.vectors.records import IndexedBy, VectorRecords
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PAGE = 200
_EDGES = 1_000


class ContentIndex(Protocol):
    """Has content found again: plugged in by the floor above that owns search."""

    def indexing(self, content: IndexableContent) -> Writes:
        """What puts `content` in the place of all the index holds of that file.

        It is made in the transaction that stores the content, and raises there where it may not be
        in the index: then nothing is stored.
        """
        ...

    async def forget_content(self, file_id: str) -> BaseModel:
        """Remove all the index holds of a file; nothing there is no error."""
        ...


class Hit(FrozenModel):
    """A passage that was found, and the cosine of its vector with the one looked for."""

    file_id: str
    passage: Passage
    score: float


class StoredContent(FrozenModel):
    """The semantic layer holds a file's content."""

    content_id: str
    storage_status: str = Field(description="`stored`; what is not stored raises instead")
    semantic_data: SemanticData


class PassageEmbedding(FrozenModel):
    """One passage and its vector."""

    number: int
    place: Place
    text: str
    vector: tuple[float, ...]


class SemanticEmbeddings(FrozenModel):
    """A page of a file's passages with their vectors."""

    content_id: str
    file_id: str
    model: str
    dimensions: int
    total: int
    embeddings: tuple[PassageEmbedding, ...]


class ContentMetadata(FrozenModel):
    """What the semantic layer holds of a file; `edges` are the first thousand of its graph."""

    content_id: str
    file_id: str
    name: str
    media_type: str
    kind: str
    model: str
    dimensions: int
    passage_count: int
    edge_count: int
    trace_id: str
    run_id: str = Field(description="of the journey that stored it; empty where none did")
    milestone: str
    stored_at: datetime
    edges: tuple[Edge, ...]


class ContentUnknown(PlatformError):
    """The semantic layer holds nothing of this file."""

    kind = ErrorKind.NOT_FOUND


class NotParsed(PlatformError):
    """The file's content has not been parsed."""

    kind = ErrorKind.CONFLICT


class WrongFile(PlatformError):
    """The semantic result belongs to another file."""

    kind = ErrorKind.INVALID


class Forgotten(FrozenModel):
    """What was made from a file and is no longer there."""

    file_id: str
    passages: int
    artifacts: int


class EmbedderGone(PlatformError):
    """Content is indexed by a model that is not there any more."""

    kind = ErrorKind.UNAVAILABLE


class NoIndexPlugged(PlatformError):
    """No index is plugged into the semantic layer."""

    kind = ErrorKind.UNAVAILABLE


@service
class ContentMetadataAbstraction:
    """Keeps vectors and graph of what was parsed, and has it indexed."""

    def __init__(
        self,
        *,
        records: ContentRecords,
        vectors: VectorRecords,
        graphs: GraphRecords,
        embedder: Embedder,
        objects: ObjectStore,
        clock: Clock,
    ) -> None:
        self._records = records
        self._vectors = vectors
        self._graphs = graphs
        self._embedder = embedder
        self._objects = objects
        self._clock = clock
        self._index: ContentIndex | None = None

    def plug_index(self, index: ContentIndex | None) -> None:
        """Have what is stored from now on indexed by `index`; None unplugs."""
        self._index = index

    @soa_api(effect=Effect.KEYED)
    async def store_semantic_embeddings(
        self, file_id: str, semantic_result: SemanticResult
    ) -> StoredContent:
        """Store the passages, vectors and edges of a parsed file, and have them indexed.

        Doing it again replaces all of it, under the same content id: once in effect.

        Raises:
            WrongFile: `semantic_result` is another file's.
            DimensionsChanged: its vectors cannot be compared with those that are there.
            NotParsed: its artifacts are not there, or are not those the result speaks of.
            NoIndexPlugged: nobody would index it; nothing was stored.
        """
        if semantic_result.file_id != file_id:
            raise WrongFile(f"the result is of {semantic_result.file_id!r}, not of {file_id!r}")
        if self._index is None:
            raise NoIndexPlugged("content cannot be stored unindexed", hint="start the whole city")
        tenant = current().tenant
        told, vectors, graph = await self._artifacts(tenant, semantic_result)
        row = self._row(tenant, semantic_result, passages=len(told), edges=len(graph.edges))
        content = IndexableContent(
            content_id=row.content_id,
            file_id=file_id,
            name=row.name,
            media_type=row.media_type,
            kind=row.kind,
            summary=semantic_result.summary,
            key_phrases=semantic_result.key_phrases,
            passages=tuple(told),
        )
        stands_on = await self._records.replace(
            row,
            tenant=tenant,
            told=told,
            vectors=vectors,
            graph=graph,
            along=self._index.indexing(content),
        )
        if stands_on.model != row.model:  # an index is being built anew
            await self._embed_for(stands_on, file_id, told)
        return StoredContent(
            content_id=row.content_id, storage_status="stored", semantic_data=_data(row)
        )

    @soa_api(public=True)
    async def get_semantic_embeddings(
        self, file_id: str, offset: int = 0, limit: int = 50
    ) -> SemanticEmbeddings:
        """A page of a file's passages with their vectors, at most 200.

        Raises:
            ContentUnknown: nothing is stored of it.
        """
        import numpy as np

        row = await self._known(file_id)
        start, end = max(0, offset), max(0, offset) + min(max(limit, 1), _PAGE)
        found = await self._records.passages_of(current().tenant, file_id, start=start, end=end)
        return SemanticEmbeddings(
            content_id=row.content_id,
            file_id=file_id,
            model=row.model,
            dimensions=row.dimensions,
            total=row.passage_count,
            embeddings=tuple(
                PassageEmbedding(
                    number=passage.number,
                    place=passage.place,
                    text=passage.text,
                    vector=tuple(np.frombuffer(vector, "<f4").tolist()),
                )
                for passage, vector in found
            ),
        )

    @soa_api(public=True)
    async def get_content_metadata(self, file_id: str) -> ContentMetadata:
        """What is stored of a file, and its graph.

        Raises:
            ContentUnknown: nothing is stored of it.
        """
        row = await self._known(file_id)
        edges = await self._graphs.edges_of(current().tenant, file_id=file_id, limit=_EDGES)
        return ContentMetadata(
            **{name: getattr(row, name) for name in row.__slots__ if name != "artifact"},
            edges=tuple(edges),
        )

    async def search_meaning(
        self, question: str, *, limit: int = 10, files: Collection[str] | None = None
    ) -> list[Hit]:
        """The caller's tenant's passages nearest in meaning to a question, best first.

        They are compared by the model that the tenant's search stands on, which is another than
        the embedder's while its index is built anew. `files` restricts the search to some.

        Raises:
            EmbedderGone: nothing here embeds questions by that model any more.
            DimensionsChanged: that model gives other vectors now.
        """
        tenant = current().tenant
        stands_on = await self._vectors.indexed_by(tenant)
        if stands_on is None:
            return []
        vector = (await self._embed(stands_on, [question]))[0]
        if len(vector) != stands_on.dimensions:
            raise dimensions_changed(stands_on.model, stands_on.dimensions, len(vector))
        if not vector.any():
            return []  # no word of the question is known to the model
        near = await self._vectors.nearest(tenant, stands_on.model, vector, limit, files=files)
        told = await self._records.passages_at(tenant, [(one[0], one[1]) for one in near])
        return [
            Hit(file_id=file_id, passage=told[file_id, number], score=round(score, 6))
            for file_id, number, score in near
            if (file_id, number) in told
        ]

    async def likeness(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """The cosine of a question with each of some passages, which need not be stored as such.

        Raises:
            EmbedderGone: see `search_meaning`.
        """
        stands_on = await self._vectors.indexed_by(current().tenant)
        if stands_on is None or not passages:
            return [0.0] * len(passages)
        texts = [question, *(passage.in_context for passage in passages)]
        asked, *told = await self._embed(stands_on, texts)
        return [round(float(asked @ one), 6) for one in told]

    async def _embed(self, stands_on: IndexedBy, texts: Sequence[str]) -> "NDArray[np.float32]":
        embedder = self._embedder.of(stands_on.model)
        if embedder is None:
            raise EmbedderGone(
                f"content is indexed by {stands_on.model!r}, which the settings no longer name",
                hint="run `civitas reindex`",
            )
        return await embedder.embed(texts)

    @soa_api(effect=Effect.KEYED)
    async def forget_content(self, file_id: str) -> Forgotten:
        """Remove all that was made from a file: passages, vectors, graph, index and artifacts.

        Doing it again removes nothing more, and is no error.
        """
        tenant = current().tenant
        if self._index is not None:
            await self._index.forget_content(file_id)
        row = await self._records.find(tenant, file_id)
        await self._records.forget(tenant, file_id)
        removed = await self._objects.delete_below(folder_of(tenant, file_id))
        return Forgotten(
            file_id=file_id, passages=row.passage_count if row else 0, artifacts=removed
        )

    async def _known(self, file_id: str) -> StoredRow:
        row = await self._records.find(current().tenant, file_id)
        if row is None:
            raise ContentUnknown(
                f"nothing is known of the content of {file_id!r}", hint="mash the file first"
            )
        return row

    async def _embed_for(self, stands_on: IndexedBy, file_id: str, told: list[Passage]) -> None:
        """Have passages found by the model that search stands on too, where it is still there."""
        embedder = self._embedder.of(stands_on.model)
        if embedder is None:
            return
        found = await embedder.embed([passage.in_context for passage in told])
        rows = [
            (file_id, one.number, vector.astype("<f4").tobytes())
            for one, vector in zip(told, found, strict=True)
        ]
        await self._vectors.add_missing(current().tenant, stands_on.model, rows)

    async def _artifacts(
        self, tenant: str, result: SemanticResult
    ) -> tuple[list[Passage], list[bytes], Graph]:
        """Passages, a vector for each, and the graph, as parsing left them.

        Their keys come from the caller's tenant and the file, never from the result: it may have
        been handed in from outside.
        """
        folder = folder_of(tenant, result.file_id)
        try:
            passages, raw, graph = await self._objects.get_files(
                folder, (semantics.PASSAGES, semantics.VECTORS, semantics.GRAPH)
            )
        except ObjectNotFound as error:
            raise NotParsed(
                f"the content of {result.file_id!r} is not there", hint="parse the file first"
            ) from error
        size = result.dimensions * 4
        read = passages_in(passages)
        if len(raw) != len(read) * size:
            raise NotParsed(
                f"the vectors of {result.file_id!r} are not those of its passages",
                hint="parse the file again",
            )
        vectors = [raw[at : at + size] for at in range(0, len(raw), size)]
        return read, vectors, Graph.model_validate_json(graph)

    def _row(self, tenant: str, result: SemanticResult, *, passages: int, edges: int) -> StoredRow:
        return StoredRow(
            content_id=content_id_of(tenant, result.file_id),
            file_id=result.file_id,
            name=result.name,
            media_type=result.media_type,
            kind=result.kind,
            model=result.model,
            dimensions=result.dimensions,
            passage_count=passages,
            edge_count=edges,
            artifact=folder_of(tenant, result.file_id),
            trace_id=current().trace_id,
            run_id=current().run_id,
            milestone=current().milestone,
            stored_at=self._clock.now(),
        )


def content_id_of(tenant: str, file_id: str) -> str:
    """The id of a file's content: the same whenever it is stored again."""
    return "content_" + hashlib.sha256(f"{tenant}\0{file_id}".encode()).hexdigest()[:24]


def _data(row: StoredRow) -> SemanticData:
    return SemanticData(
        content_id=row.content_id,
        file_id=row.file_id,
        model=row.model,
        dimensions=row.dimensions,
        passage_count=row.passage_count,
        edge_count=row.edge_count,
        artifact=row.artifact,
    )
