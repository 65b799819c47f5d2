"""Tables and queries of the graph: nodes by file, edges from node to node."""

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    select,
)

from foundations.public_works.database import Database
from foundations.public_works.graph.model import Edge, Graph, Node, NodeKind, Predicate
from foundations.public_works.rows import Rows

_metadata = MetaData()
_nodes = Table(
    "content_node",
    _metadata,
    Column("tenant", String(64), primary_key=True),
    Column("file_id", String(64), primary_key=True),
    Column("node", String(400), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
)
_edges = Table(
    "content_edge",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("file_id", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("predicate", Text, nullable=False),
    Column("object", Text, nullable=False),
)


_NODES = Rows(_nodes, "tenant", "file_id", order="rank")
_EDGES = Rows(_edges, "tenant", "file_id")


class GraphRecords:
    """Reads the graphs of contents. Every query is one tenant's."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def nodes_of(self, tenant: str, file_id: str) -> list[Node]:
        """What a file holds and names, in the order it was drawn."""
        rows = await self._database.read(lambda c: _NODES.find(c, tenant, file_id))
        return [_node(row) for row in rows]

    async def edges_of(
        self, tenant: str, *, file_id: str = "", node: str = "", start: int = 0, limit: int = 1000
    ) -> list[Edge]:
        """Edges of one file, or those that begin or end at a node."""
        query = select(_edges).where(_edges.c.tenant == tenant).order_by(_edges.c.id)
        if file_id:
            query = query.where(_edges.c.file_id == file_id)
        if node:
            query = query.where((_edges.c.subject == node) | (_edges.c.object == node))
        query = query.offset(start).limit(limit)
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return [_edge(row) for row in rows]

    async def count_edges(self, tenant: str, file_id: str) -> int:
        query = (
            select(func.count())
            .select_from(_edges)
            .where(_edges.c.tenant == tenant, _edges.c.file_id == file_id)
        )
        return int(await self._database.read(lambda c: c.execute(query).scalar_one()))

    async def entities(
        self, tenant: str, *, q: str, kind: str, start: int, limit: int
    ) -> list[Node]:
        """Entities whose name begins with `q`, the most mentioned first."""
        counted = func.sum(_nodes.c.count)
        query = (
            select(_nodes.c.node, func.min(_nodes.c.name), _nodes.c.type, counted)
            .where(_nodes.c.tenant == tenant, _nodes.c.kind == NodeKind.ENTITY)
            .group_by(_nodes.c.node, _nodes.c.type)
            .order_by(counted.desc(), _nodes.c.node)
            .offset(start)
            .limit(limit)
        )
        if q:
            query = query.where(_nodes.c.folded >= q, _nodes.c.folded < q + "\U0010ffff")
        if kind:
            query = query.where(_nodes.c.type == kind)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [
            Node(id=node, kind=NodeKind.ENTITY, name=name, type=of, count=int(count))
            for node, name, of, count in rows
        ]

    async def entity(self, tenant: str, node: str) -> Node | None:
        """An entity by its id, counted over all files."""
        query = (
            select(func.min(_nodes.c.name), func.min(_nodes.c.type), func.sum(_nodes.c.count))
            .where(_nodes.c.tenant == tenant, _nodes.c.kind == NodeKind.ENTITY)
            .where(_nodes.c.node == node)
        )
        name, of, count = await self._database.read(lambda c: c.execute(query).one())
        if name is None:
            return None
        return Node(id=node, kind=NodeKind.ENTITY, name=name, type=of, count=int(count))

    async def mentioning(
        self, tenant: str, node: str, *, start: int, limit: int
    ) -> list[tuple[str, int]]:
        """The passages that mention an entity: file and number, in the order they were stored."""
        query = (
            select(_edges.c.file_id, _edges.c.subject)
            .where(_edges.c.tenant == tenant, _edges.c.object == node)
            .where(_edges.c.predicate == Predicate.MENTIONS)
            .order_by(_edges.c.id)
            .offset(start)
            .limit(limit)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [(file_id, int(subject.rsplit("/", maxsplit=1)[1])) for file_id, subject in rows]


def add_graph(connection: Connection, tenant: str, file_id: str, graph: Graph) -> None:
    """Add the graph of a file that has none, in somebody's transaction."""
    _NODES.add_plain(
        connection,
        "tenant file_id node kind name folded type count rank",
        (
            (
                tenant,
                file_id,
                one.id,
                one.kind.value,
                one.name,
                _folded(one),
                one.type,
                one.count,
                rank,
            )
            for rank, one in enumerate(graph.nodes)
        ),
    )
    _EDGES.add_plain(
        connection,
        "tenant file_id subject predicate object",
        ((tenant, file_id, one.subject, one.predicate.value, one.object) for one in graph.edges),
    )


def forget_graph(connection: Connection, tenant: str, file_id: str) -> None:
    for rows in (_NODES, _EDGES):
        rows.forget(connection, tenant, file_id)


def _folded(node: Node) -> str:
    return " ".join(node.name.casefold().split())[:400]


def _node(row: Any) -> Node:
    return Node(
        id=row["node"], kind=row["kind"], name=row["name"], type=row["type"], count=row["count"]
    )


def _edge(row: Any) -> Edge:
    return Edge(subject=row["subject"], predicate=row["predicate"], object=row["object"])
