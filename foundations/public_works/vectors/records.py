"""Tables and queries of vectors: which model a tenant's search stands on, and what is nearest.

Search is by exact cosine: in PostgreSQL itself where it has pgvector, else in this process.
"""

import heapq
from collections import OrderedDict
from collections.abc import Collection, Sequence
from secrets import randbelow
from typing import TYPE_CHECKING, Any, NamedTuple

from loguru import logger
from sqlalchemy import (
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from foundations.public_works.database import Database, DatabaseUnusable, Dialect
from foundations.public_works.rows import Rows
from foundations.public_works.settings import Settings
from foundations.public_works.vectors.shelf import Near, Row, Shelf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_metadata = MetaData()
vectors = Table(
    "content_vector",
    _metadata,
    Column("tenant", String(64), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("file_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
_models = Table(
    "content_model",
    _metadata,
    Column("tenant", String(64), primary_key=True),
    Column("model", String(200), nullable=False),
    Column("dimensions", Integer, nullable=False),
)
_VECTORS = Rows(vectors, "tenant", "file_id")
_MODELS = Rows(_models, "tenant")
_contents = table("content", column("tenant"), column("file_id"), column("stamp"))
_passages = table(
    "content_passage",
    *(column(name) for name in ("tenant", "file_id", "number", "place", "at", "text")),
)
"""What is read here of the tables that `records` next door keeps."""
_EMBEDDING: ColumnClause[Any] = column("embedding")
"""The vector once more, as pgvector keeps it; only where that is."""
_FILL = text(
    "UPDATE content_vector SET embedding = CAST(:vector AS vector) WHERE tenant = :tenant "
    "AND model = :model AND file_id = :file_id AND number = :number"
)
_EMBEDDED_BY = text(
    "UPDATE content SET model = :model, dimensions = :dimensions WHERE tenant = :tenant"
)
_RESTAMP = text("UPDATE content SET stamp = :stamp WHERE tenant = :tenant AND file_id = :file_id")
_LARGEST_STAMP = 2**31
_AT_ONCE = 10_000
_MOST_FILES = 500
"""With more files changed than this, all of them are read again."""


class IndexedBy(NamedTuple):
    """The model whose vectors a tenant's search stands on."""

    model: str
    dimensions: int


class VectorRecords:
    """Keeps vectors, and finds the nearest. Every query is one tenant's."""

    def __init__(self, *, database: Database, settings: Settings) -> None:
        self._database = database
        self._room = settings.search_memory_bytes
        self._pgvector = False
        self._shelves: OrderedDict[tuple[str, str], Shelf] = OrderedDict()

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

    async def indexed_by(self, tenant: str) -> IndexedBy | None:
        """The model that the tenant's search stands on; None before anything was stored."""
        return await self._database.read(lambda connection: indexed_by(connection, tenant))

    def add(self, connection: Connection, tenant: str, model: str, rows: Sequence[Row]) -> None:
        """Add vectors of passages that have none of this model."""
        own = {"tenant": tenant, "model": model}
        _VECTORS.add_plain(
            connection,
            "tenant model file_id number vector",
            ((tenant, model, *row) for row in rows),
        )
        if rows and self._pgvector:
            values = [
                own | {"file_id": file_id, "number": number, "vector": _as_text(vector)}
                for file_id, number, vector in rows
            ]
            connection.execute(_FILL, values)

    async def nearest(
        self,
        tenant: str,
        model: str,
        vector: "NDArray[np.float32]",
        limit: int,
        *,
        files: Collection[str] | None = None,
    ) -> list[Near]:
        """The tenant's passages nearest to a unit vector, by exact cosine over all of them.

        Vectors are kept at length 1, so that the dot product is the cosine.
        """
        if files is not None and not files:
            return []
        if self._pgvector:
            return await self._nearest_there(tenant, model, vector, limit, files)
        return await self._database.read(
            lambda connection: self._nearest_here(connection, tenant, model, vector, limit, files)
        )

    def _nearest_here(
        self,
        connection: Connection,
        tenant: str,
        model: str,
        vector: "NDArray[np.float32]",
        limit: int,
        files: Collection[str] | None,
    ) -> list[Near]:
        if _bytes_of(connection, tenant, len(vector)) > self._room:
            return _scanned(connection, tenant, model, vector, limit, files)
        shelf = self._shelf(tenant, model)
        with shelf.lock:
            _refreshed(connection, tenant, model, shelf)
            found = shelf.nearest(vector, limit, files)
        self._keep_room()
        return found

    def _shelf(self, tenant: str, model: str) -> Shelf:
        shelf = self._shelves.setdefault((tenant, model), Shelf())
        self._shelves.move_to_end((tenant, model))
        return shelf

    def _keep_room(self) -> None:
        """Let go of what was not asked for longest, when all together is too much."""
        while len(self._shelves) > 1 and self._held() > self._room:
            self._shelves.popitem(last=False)

    def _held(self) -> int:
        return sum(shelf.size for shelf in list(self._shelves.values()))

    async def _nearest_there(
        self,
        tenant: str,
        model: str,
        vector: "NDArray[np.float32]",
        limit: int,
        files: Collection[str] | None,
    ) -> list[Near]:
        """By pgvector: `<#>` is the dot product, negative so that the nearest come first."""
        away = _EMBEDDING.op("<#>")(text("CAST(:near_to AS vector)"))
        key = (vectors.c.file_id, vectors.c.number)
        query = select(*key, (-away).label("score")).where(*_of(tenant, model))
        query = query.where(_EMBEDDING.is_not(None)).order_by(away, *key).limit(limit)
        if files is not None:
            query = query.where(vectors.c.file_id.in_(files))
        values = {"near_to": _as_text(vector.astype("<f4").tobytes())}
        rows = await self._database.read(lambda c: c.execute(query, values).all())
        return [(file_id, number, float(score)) for file_id, number, score in rows]

    # --- another model, built beside the one that answers ---

    async def without(
        self, tenant: str, model: str, limit: int
    ) -> list[tuple[str, int, str, str, str]]:
        """Passages that have no vector of a model: file, number, label and place, text."""
        query = (
            select(
                _passages.c.file_id,
                _passages.c.number,
                _passages.c.place,
                _passages.c.at,
                _passages.c.text,
            )
            .where(_passages.c.tenant == tenant, _lacking(tenant, model))
            .order_by(_passages.c.file_id, _passages.c.number)
            .limit(limit)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    async def add_missing(self, tenant: str, model: str, rows: Sequence[Row]) -> None:
        """Keep vectors of passages that are still there, unchanged, and have none yet."""

        def work(connection: Connection) -> None:
            files = {row[0] for row in rows}
            lacking = select(_passages.c.file_id, _passages.c.number).where(
                _passages.c.tenant == tenant,
                _passages.c.file_id.in_(files),
                _lacking(tenant, model),
            )
            open_ones = {(one.file_id, one.number) for one in connection.execute(lacking)}
            kept = [row for row in rows if (row[0], row[1]) in open_ones]
            self.add(connection, tenant, model, kept)
            for file_id in {row[0] for row in kept}:  # shelves are to look at it again
                values = {"stamp": new_stamp(), "tenant": tenant, "file_id": file_id}
                connection.execute(_RESTAMP, values)

        await self._database.write(work)

    async def counted(self, tenant: str, model: str) -> tuple[int, int]:
        """How many of the tenant's passages have a vector of a model, and how many there are."""

        def work(connection: Connection) -> tuple[int, int]:
            total = connection.execute(
                select(func.count()).select_from(_passages).where(_passages.c.tenant == tenant)
            ).scalar_one()
            done = connection.execute(
                select(func.count()).select_from(vectors).where(*_of(tenant, model))
            ).scalar_one()
            return int(done), int(total)

        return await self._database.read(work)

    async def switch(self, tenant: str, to: IndexedBy) -> bool:
        """Let search stand on another model from now on, and forget the vectors of all others.

        One transaction. False when a passage still lacks its vector: nothing was changed.
        """

        def work(connection: Connection) -> bool:
            lacking = select(_passages.c.number).where(
                _passages.c.tenant == tenant, _lacking(tenant, to.model)
            )
            if connection.execute(lacking.limit(1)).first() is not None:
                return False
            values = {"model": to.model, "dimensions": to.dimensions}
            changed = connection.execute(
                update(_models).where(_models.c.tenant == tenant).values(values)
            )
            if not changed.rowcount:
                connection.execute(insert(_models), values | {"tenant": tenant})
            connection.execute(
                delete(vectors).where(vectors.c.tenant == tenant, vectors.c.model != to.model)
            )
            connection.execute(_EMBEDDED_BY, values | {"tenant": tenant})
            return True

        switched = await self._database.write(work)
        if switched:
            for key in [key for key in self._shelves if key[0] == tenant and key[1] != to.model]:
                self._shelves.pop(key, None)
        return switched


def new_stamp() -> int:
    """What tells one version of a content from all others."""
    return randbelow(_LARGEST_STAMP)


def indexed_by(connection: Connection, tenant: str) -> IndexedBy | None:
    row = _MODELS.first(connection, tenant)
    return None if row is None else IndexedBy(row["model"], row["dimensions"])


def begin_index(connection: Connection, tenant: str, first: IndexedBy) -> IndexedBy:
    """Let a tenant's search stand on a model, where it stands on none yet; on which it does."""
    stands_on = indexed_by(connection, tenant)
    if stands_on is None:
        connection.execute(insert(_models), {"tenant": tenant, **first._asdict()})
    return stands_on or first


def forget_vectors(connection: Connection, tenant: str, file_id: str) -> None:
    _VECTORS.forget(connection, tenant, file_id)


def _of(tenant: str, model: str) -> tuple[ColumnElement[bool], ...]:
    return vectors.c.tenant == tenant, vectors.c.model == model


def _lacking(tenant: str, model: str) -> ColumnElement[bool]:
    own = select(vectors.c.number).where(
        *_of(tenant, model),
        vectors.c.file_id == _passages.c.file_id,
        vectors.c.number == _passages.c.number,
    )
    return ~own.exists()


def _bytes_of(connection: Connection, tenant: str, dimensions: int) -> int:
    """What the matrix of a tenant would take at the least; told by its contents, not counted."""
    query = text("SELECT coalesce(sum(passage_count), 0) FROM content WHERE tenant = :tenant")
    count = connection.execute(query, {"tenant": tenant}).scalar_one()
    return int(count) * dimensions * 4


def _refreshed(connection: Connection, tenant: str, model: str, shelf: Shelf) -> None:
    """Bring a shelf up to what this transaction sees, reading what has changed."""
    seen = select(func.count(), func.coalesce(func.sum(_contents.c.stamp), 0))
    count, total = connection.execute(seen.where(_contents.c.tenant == tenant)).one()
    if (int(count), int(total)) == shelf.seen:
        return
    listed = select(_contents.c.file_id, _contents.c.stamp).where(_contents.c.tenant == tenant)
    stamps = {row.file_id: row.stamp for row in connection.execute(listed)}
    changed = [one for one, stamp in stamps.items() if shelf.stamps.get(one) != stamp]
    query = select(vectors.c.file_id, vectors.c.number, vectors.c.vector)
    query = query.where(*_of(tenant, model))
    if len(changed) > _MOST_FILES:
        shelf.clear()
    else:
        query = query.where(vectors.c.file_id.in_(changed))
    rows = [(row[0], row[1], row[2]) for row in connection.execute(query)] if changed else []
    shelf.refresh(stamps, rows)
    shelf.seen = (int(count), int(total))


def _scanned(
    connection: Connection,
    tenant: str,
    model: str,
    vector: "NDArray[np.float32]",
    limit: int,
    files: Collection[str] | None,
) -> list[Near]:
    """The nearest of more vectors than there is room for, some thousands after the others."""
    import numpy as np

    query = select(vectors.c.file_id, vectors.c.number, vectors.c.vector)
    query = query.where(*_of(tenant, model))
    if files is not None:
        query = query.where(vectors.c.file_id.in_(files))
    best: list[Near] = []
    with connection.execution_options(yield_per=_AT_ONCE).execute(query) as result:
        for rows in result.partitions():
            matrix = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4")
            scores = matrix.reshape(len(rows), -1) @ np.asarray(vector, dtype=np.float32)
            near = [(row[0], row[1], float(score)) for row, score in zip(rows, scores, strict=True)]
            best = heapq.nsmallest(limit, [*best, *near], key=lambda n: (-n[2], n[0], n[1]))
    return best


def _has_pgvector(connection: Connection) -> bool:
    """Install the extension where the server has it, and see to its column."""
    asked = text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
    if connection.execute(asked).first() is None:
        return False
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    connection.execute(text("ALTER TABLE content_vector ADD COLUMN IF NOT EXISTS embedding vector"))
    return True


def _filled(connection: Connection) -> bool:
    """Fill the column of some vectors that were stored without; whether there were any."""
    query = select(vectors).where(_EMBEDDING.is_(None)).limit(500)
    rows = connection.execute(query).mappings().all()
    if rows:
        connection.execute(_FILL, [dict(row) | {"vector": _as_text(row["vector"])} for row in rows])
    return bool(rows)


def _as_text(vector: bytes) -> str:
    """A vector as pgvector reads it, to the last bit."""
    import numpy as np

    return f"[{','.join(map(repr, np.frombuffer(vector, '<f4').tolist()))}]"
