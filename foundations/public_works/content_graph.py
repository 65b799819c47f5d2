"""The graph as others read it: what a file contains, and where something is mentioned."""

from typing import Annotated

from pydantic import Field

from foundations.declarations import service, soa_api
from foundations.public_works.graph.model import Entities, FileGraph, Mention, Mentions, Origin
from foundations.public_works.graph.records import GraphRecords
from foundations.public_works.records import ContentRecords, StoredRow
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError

MOST = 1_000
Page = Annotated[int, Field(ge=1, le=MOST)]
LAST = 2**63 - 1
"""The greatest number that a database can count to."""
From = Annotated[int, Field(ge=0, le=LAST)]


class GraphUnknown(PlatformError):
    """The graph holds nothing of this file."""

    kind = ErrorKind.NOT_FOUND


class EntityUnknown(PlatformError):
    """Nothing mentions this entity."""

    kind = ErrorKind.NOT_FOUND


@service
class ContentGraphAbstraction:
    """Answers from the graph of files, sections, passages, tables, columns and entities."""

    def __init__(self, *, records: ContentRecords, graphs: GraphRecords) -> None:
        self._records = records
        self._graphs = graphs

    @soa_api(public=True)
    async def get_file_graph(self, file_id: str, offset: From = 0, limit: Page = MOST) -> FileGraph:
        """What a file contains: its sections, tables, columns and entities, and a page of edges.

        Raises:
            GraphUnknown: nothing of it is stored.
        """
        tenant = current().tenant
        row = await self._records.find(tenant, file_id)
        if row is None:
            raise GraphUnknown(
                f"nothing is known of the content of {file_id[:80]!r}", hint="mash the file first"
            )
        nodes = await self._graphs.nodes_of(tenant, file_id)
        edges = await self._graphs.edges_of(tenant, file_id=file_id, start=offset, limit=limit)
        return FileGraph(
            content_id=row.content_id,
            file_id=file_id,
            name=row.name,
            origin=_origin(row),
            nodes=tuple(nodes),
            edges=tuple(edges),
            total=row.edge_count,
        )

    @soa_api()
    async def list_entities(
        self, q: str = "", kind: str = "", offset: From = 0, limit: Annotated[int, Field(ge=1)] = 50
    ) -> Entities:
        """The tenant's entities whose name begins with `q`, the most mentioned first.

        `kind` is one of date, money, percentage, mail, web, identifier and phrase.
        """
        folded = " ".join(q.casefold().split())
        found = await self._graphs.entities(
            current().tenant, q=folded, kind=kind, start=offset, limit=limit
        )
        return Entities(entities=tuple(found))

    @soa_api(public=True)
    async def find_mentions(
        self,
        entity: Annotated[str, Field(max_length=400)],
        offset: From = 0,
        limit: Page = 50,
    ) -> Mentions:
        """The passages that mention an entity, by its id such as `entity:mail/a@example.org`.

        Raises:
            EntityUnknown: there is no such entity in any file of the tenant.
        """
        tenant = current().tenant
        node = await self._graphs.entity(tenant, entity)
        if node is None:
            raise EntityUnknown(
                f"nothing mentions {entity[:100]!r}", hint="list the entities to see their ids"
            )
        keys = await self._graphs.mentioning(tenant, entity, start=offset, limit=limit)
        passages = await self._records.passages_at(tenant, keys)
        rows = await self._records.find_all(tenant, [file_id for file_id, _ in keys])
        mentions = [
            Mention(
                file_id=file_id,
                name=rows[file_id].name,
                number=number,
                place=passages[file_id, number].place,
                text=passages[file_id, number].text,
                origin=_origin(rows[file_id]),
            )
            for file_id, number in keys
            if (file_id, number) in passages and file_id in rows
        ]
        return Mentions(entity=node, total=node.count, mentions=tuple(mentions))


def _origin(row: StoredRow) -> Origin:
    return Origin(run_id=row.run_id, milestone=row.milestone, trace_id=row.trace_id)
