"""Tables and queries of the semantic layer: contents, passages with vectors, graph edges.

Vectors are searched by exact cosine: in PostgreSQL itself where it has pgvector, else in numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loguru import logger
from sqlalchemy import (
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    column,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from foundations.public_works.database import Database, DatabaseUnusable, Dialect
from foundations.public_works.parsing.models import Edge, Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

metadata = MetaData()

contents = Table(
    "content",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("file_id", String(64), primary_key=True),
    Column("content_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("passage_count", Integer, nullable=False),
    Column("edge_count", Integer, nullable=False),
    Column("artifact", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("stored_at", Text, nullable=False),
)
passages = Table(
    "content_passage",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("file_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
)
edges = Table(
    "content_edge",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("file_id", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("predicate", Text, nullable=False),
    Column("object", Text, nullable=False),
)


_FILL = text(
    "UPDATE content_passage SET embedding = CAST(:vector AS vector) "
    "WHERE tenant = :tenant AND file_id = :file_id AND number = :number"
)
_EMBEDDING: ColumnClause[Any] = column("embedding")
"""The vector once more, as pgvector keeps it; only where that is."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What one file's row of `content` says."""

    content_id: str
    file_id: str
    name: str
    media_type: str
    model: str
    dimensions: int
    passage_count: int
    edge_count: int
    artifact: str
    trace_id: str
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, and the cosine of its vector with the one looked for."""

    file_id: str
    number: int
    place: str
    text: str
    score: float


class ContentRecords:
    """Reads and writes what is known of contents. Every query is one tenant's."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._pgvector = False

    async def choose_search(self) -> None:
        """Let the database search vectors if it can, and say in the log who does it."""
        if self._database.dialect is not Dialect.POSTGRESQL:
            return
        try:
            self._pgvector = await self._database.across_tenants().write(_has_pgvector)
        except (DBAPIError, DatabaseUnusable) as error:
            logger.info("pgvector cannot be installed: {}", str(error).splitlines()[0])
        if not self._pgvector:
            logger.info("vectors are searched in this process: the database has no pgvector")
            return
        while await self._database.across_tenants().write(_filled):
            pass
        logger.info("vectors are searched by pgvector, exactly")

    async def replace(
        self,
        row: StoredRow,
        *,
        tenant: str,
        passages_with_vectors: Sequence[tuple[Passage, bytes]],
        graph: Sequence[Edge],
    ) -> None:
        """Put all that is known of a file in the place of what was known: whole, or not at all."""
        own = {"tenant": tenant, "file_id": row.file_id}

        def work(connection: Connection) -> None:
            for table in (contents, passages, edges):
                connection.execute(
                    delete(table).where(table.c.tenant == tenant, table.c.file_id == row.file_id)
                )
            values = {name: getattr(row, name) for name in StoredRow.__slots__}
            values["stored_at"] = row.stored_at.isoformat()
            connection.execute(insert(contents), values | own)
            if passages_with_vectors:
                connection.execute(
                    insert(passages),
                    [
                        own | passage.model_dump() | {"model": row.model, "vector": vector}
                        for passage, vector in passages_with_vectors
                    ],
                )
            if self._pgvector:
                _fill(connection, passages.c.tenant == tenant, passages.c.file_id == row.file_id)
            if graph:
                connection.execute(insert(edges), [own | edge.model_dump() for edge in graph])

        await self._database.write(work)

    async def find(self, tenant: str, file_id: str) -> StoredRow | None:
        """What is stored of a file."""
        query = select(contents).where(contents.c.tenant == tenant, contents.c.file_id == file_id)
        found = await self._database.read(lambda c: c.execute(query).mappings().first())
        return None if found is None else _row(found)

    async def passages_of(
        self, tenant: str, file_id: str, *, start: int, end: int
    ) -> list[tuple[Passage, bytes]]:
        """A file's passages in order, from `start` up to, not including, `end`, with vectors."""
        query = (
            select(passages)
            .where(passages.c.tenant == tenant, passages.c.file_id == file_id)
            .order_by(passages.c.number)
            .offset(start)
            .limit(end - start)
        )
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return [(Passage.model_validate(dict(row)), row["vector"]) for row in rows]

    async def edges_of(
        self, tenant: str, *, file_id: str = "", node: str = "", limit: int = 1000
    ) -> list[Edge]:
        """Edges of one file, or those that begin or end at a node."""
        query = select(edges).where(edges.c.tenant == tenant).order_by(edges.c.id).limit(limit)
        if file_id:
            query = query.where(edges.c.file_id == file_id)
        if node:
            query = query.where((edges.c.subject == node) | (edges.c.object == node))
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return [Edge.model_validate(dict(row)) for row in rows]

    async def nearest(
        self, tenant: str, model: str, vector: "NDArray[np.float32]", limit: int
    ) -> list[Hit]:
        """The tenant's passages nearest to `vector`, by exact cosine over all of them.

        Vectors are kept at length 1, so that the dot product is the cosine.
        """
        where = (passages.c.tenant == tenant, passages.c.model == model)
        if self._pgvector:
            return await self._nearest_there(where, vector, limit)

        def work(connection: Connection) -> list[Hit]:
            import numpy as np

            keys = connection.execute(
                select(passages.c.file_id, passages.c.number, passages.c.vector).where(*where)
            ).all()
            if not keys:
                return []
            matrix = np.frombuffer(b"".join(key[2] for key in keys), dtype="<f4")
            scores = matrix.reshape(len(keys), -1) @ np.asarray(vector, dtype=np.float32)
            best = np.argsort(-scores, kind="stable")[:limit]
            return [
                _hit(connection, tenant, (keys[i][0], keys[i][1]), float(scores[i])) for i in best
            ]

        return await self._database.read(work)

    async def _nearest_there(
        self, where: Sequence[ColumnElement[bool]], vector: "NDArray[np.float32]", limit: int
    ) -> list[Hit]:
        """By pgvector: `<#>` is the dot product, negative so that the nearest come first."""
        away = _EMBEDDING.op("<#>")(text("CAST(:vector AS vector)"))
        key = (passages.c.file_id, passages.c.number)
        query = select(*key, passages.c.place, passages.c.text, (-away).label("score"))
        query = query.where(*where, _EMBEDDING.is_not(None)).order_by(away, *key).limit(limit)
        values = {"vector": _as_text(vector.tolist())}
        rows = await self._database.read(lambda c: c.execute(query, values).all())
        return [Hit(*row[:4], round(float(row.score), 6)) for row in rows]


def _has_pgvector(connection: Connection) -> bool:
    """Install the extension where the server has it, and see to its column."""
    asked = text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
    if connection.execute(asked).first() is None:
        return False
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    connection.execute(
        text("ALTER TABLE content_passage ADD COLUMN IF NOT EXISTS embedding vector")
    )
    return True


def _filled(connection: Connection) -> bool:
    """Fill the column of some passages that were stored without; whether there were any."""
    keys = select(passages.c.tenant, passages.c.file_id).where(_EMBEDDING.is_(None)).limit(1)
    found = connection.execute(keys).first()
    if found is None:
        return False
    tenant, file_id = found
    _fill(connection, passages.c.tenant == tenant, passages.c.file_id == file_id)
    return True


def _fill(connection: Connection, *where: ColumnElement[bool]) -> None:
    import numpy as np

    own = (passages.c.tenant, passages.c.file_id, passages.c.number)
    rows = connection.execute(select(*own, passages.c.vector).where(*where)).all()
    names = ("tenant", "file_id", "number")
    values = [
        dict(zip(names, key, strict=True))
        | {"vector": _as_text(np.frombuffer(vector, "<f4").tolist())}
        for *key, vector in rows
    ]
    if values:
        connection.execute(_FILL, values)


def _as_text(vector: Sequence[float]) -> str:
    """A vector as pgvector reads it, to the last bit."""
    return f"[{','.join(map(repr, vector))}]"


def _row(found: RowMapping) -> StoredRow:
    values = {name: found[name] for name in StoredRow.__slots__}
    return StoredRow(**values | {"stored_at": datetime.fromisoformat(found["stored_at"])})


def _hit(connection: Connection, tenant: str, key: tuple[str, int], score: float) -> Hit:
    file_id, number = key
    row = connection.execute(
        select(passages.c.place, passages.c.text).where(
            passages.c.tenant == tenant,
            passages.c.file_id == file_id,
            passages.c.number == number,
        )
    ).one()
    return Hit(file_id, number, row.place, row.text, round(score, 6))
