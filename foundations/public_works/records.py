"""Tables and queries of the semantic layer: contents and their passages.

What belongs to a file is written together: passages, vectors and graph, whole or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    insert,
    select,
    tuple_,
)

from foundations.public_works.database import Database, Writes
from foundations.public_works.embedder import dimensions_changed
from foundations.public_works.graph.model import Graph
from foundations.public_works.graph.records import add_graph, forget_graph
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from foundations.public_works.rows import Rows
from foundations.public_works.vectors.records import (
    IndexedBy,
    VectorRecords,
    begin_index,
    forget_vectors,
    new_stamp,
    vectors,
)

metadata = MetaData()

contents = Table(
    "content",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("file_id", String(64), primary_key=True),
    Column("content_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("passage_count", Integer, nullable=False),
    Column("edge_count", Integer, nullable=False),
    Column("artifact", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("milestone", Text, nullable=False),
    Column("stored_at", Text, nullable=False),
    Column("stamp", Integer, nullable=False),
)
passages = Table(
    "content_passage",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("file_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("place", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("text", Text, nullable=False),
)

_CONTENTS = Rows(contents, "tenant", "file_id")
_PASSAGES = Rows(passages, "tenant", "file_id", order="number")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What one file's row of `content` says."""

    content_id: str
    file_id: str
    name: str
    media_type: str
    kind: str
    model: str
    dimensions: int
    passage_count: int
    edge_count: int
    artifact: str
    trace_id: str
    run_id: str
    milestone: str
    stored_at: datetime


class ContentRecords:
    """Reads and writes what is known of contents. Every query is one tenant's."""

    def __init__(self, *, database: Database, vectors: VectorRecords) -> None:
        self._database = database
        self._vectors = vectors

    async def replace(
        self,
        row: StoredRow,
        *,
        tenant: str,
        told: Sequence[Passage],
        vectors: Sequence[bytes],
        graph: Graph,
        along: Writes,
    ) -> IndexedBy:
        """Put all that is known of a file in the place of what was known: whole, or not at all.

        `vectors` are of the passages in their order. `along` is written in the same transaction.
        Returns the model that the tenant's search stands on, which need not be the row's.

        Raises:
            DimensionsChanged: the row's vectors cannot be compared with those that are there.
        """
        numbered = [
            (row.file_id, one.number, vector) for one, vector in zip(told, vectors, strict=True)
        ]
        stamp = new_stamp()

        def work(connection: Connection) -> IndexedBy:
            along(connection)
            stands_on = begin_index(connection, tenant, IndexedBy(row.model, row.dimensions))
            if stands_on.model == row.model and stands_on.dimensions != row.dimensions:
                raise dimensions_changed(row.model, stands_on.dimensions, row.dimensions)
            if _CONTENTS.forget(connection, tenant, row.file_id):
                _forget_below(connection, tenant, row.file_id)
            values = {name: getattr(row, name) for name in StoredRow.__slots__}
            values |= {"stored_at": row.stored_at.isoformat(), "stamp": stamp}
            connection.execute(insert(contents), values | {"tenant": tenant})
            _PASSAGES.add_plain(
                connection,
                "tenant file_id number text place at",
                ((tenant, row.file_id, *_plain(one)) for one in told),
            )
            self._vectors.add(connection, tenant, row.model, numbered)
            add_graph(connection, tenant, row.file_id, graph)
            return stands_on

        return await self._database.write(work)

    async def forget(self, tenant: str, file_id: str) -> None:
        """Remove all that is known of a file's content."""

        def work(connection: Connection) -> None:
            _CONTENTS.forget(connection, tenant, file_id)
            _forget_below(connection, tenant, file_id)

        await self._database.write(work)

    async def find(self, tenant: str, file_id: str) -> StoredRow | None:
        """What is stored of a file."""
        return (await self.find_all(tenant, [file_id])).get(file_id)

    async def find_all(self, tenant: str, file_ids: Sequence[str]) -> dict[str, StoredRow]:
        """What is stored of files, by their ids; those of which nothing is are left out."""
        query = select(contents).where(
            contents.c.tenant == tenant, contents.c.file_id.in_(set(file_ids))
        )
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return {row["file_id"]: _row(row) for row in rows}

    async def passages_of(
        self, tenant: str, file_id: str, *, start: int, end: int
    ) -> list[tuple[Passage, bytes]]:
        """A file's passages in order, from `start` up to, not including, `end`, with vectors.

        The vectors are those of the model that the file was embedded by when it was stored.
        """
        query = (
            select(passages, vectors.c.vector)
            .join(contents, _same_file(contents, passages))
            .join(
                vectors,
                _same_file(vectors, passages)
                & (vectors.c.number == passages.c.number)
                & (vectors.c.model == contents.c.model),
            )
            .where(passages.c.tenant == tenant, passages.c.file_id == file_id)
            .order_by(passages.c.number)
            .offset(start)
            .limit(end - start)
        )
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return [(_passage(row), row["vector"]) for row in rows]

    async def passages_at(
        self, tenant: str, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], Passage]:
        """Passages by file and number; those that are not there are left out."""
        if not keys:
            return {}
        query = select(passages).where(
            passages.c.tenant == tenant,
            tuple_(passages.c.file_id, passages.c.number).in_(list(keys)),
        )
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return {(row["file_id"], row["number"]): _passage(row) for row in rows}


def place_at(label: str, at: str) -> Place:
    """A place as it is kept: its parts as JSON, or, from before there were any, its label."""
    return Place.model_validate_json(at) if at else Place.read(label)


def kept_place(place: Place) -> tuple[str, str]:
    """What keeps a place, in the columns `place` and `at`."""
    return place.label, place.model_dump_json(exclude_defaults=True)


def _forget_below(connection: Connection, tenant: str, file_id: str) -> None:
    """Remove what is written together with a content's row, so is not there where that is not."""
    _PASSAGES.forget(connection, tenant, file_id)
    forget_vectors(connection, tenant, file_id)
    forget_graph(connection, tenant, file_id)


def _same_file(one: Table, other: Table) -> ColumnElement[bool]:
    return (one.c.tenant == other.c.tenant) & (one.c.file_id == other.c.file_id)


def _plain(passage: Passage) -> tuple[int, str, str, str]:
    return (passage.number, passage.text, *kept_place(passage.place))


def _passage(row: RowMapping) -> Passage:
    place = place_at(row["place"], row["at"])
    return Passage(number=row["number"], place=place, text=row["text"])


def _row(found: RowMapping) -> StoredRow:
    values = {name: found[name] for name in StoredRow.__slots__}
    return StoredRow(**values | {"stored_at": datetime.fromisoformat(found["stored_at"])})
