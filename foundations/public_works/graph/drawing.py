"""Draws the graph of one file from what parsing gave."""

from collections.abc import Iterator, Sequence

from foundations.public_works.graph.model import Edge, Graph, Node, NodeKind, Predicate
from foundations.public_works.parsing.models import NamedEntity, ParseResult, Passage

_LONGEST_ID = 400


def drawn(
    file_id: str, parsed: ParseResult, passages: Sequence[Passage], named: Sequence[NamedEntity]
) -> Graph:
    """File to sections and tables, sections and tables to passages, passages to what they name."""
    file = Node(id=f"file:{file_id}", kind=NodeKind.FILE, name=parsed.name)
    nodes: dict[str, Node] = {file.id: file}
    edges: list[Edge] = []
    for node, edge in [
        *_tables(file_id, parsed),
        *_passages(file_id, parsed, passages),
        *_entities(file_id, named),
    ]:
        if node is not None:
            nodes.setdefault(node.id, node)
        if edge is not None:
            edges.append(edge)
    return Graph(nodes=tuple(nodes.values()), edges=tuple(dict.fromkeys(edges)))


def passage_id(file_id: str, number: int) -> str:
    return f"passage:{file_id}/{number}"


def entity_id(kind: str, text: str) -> str:
    """The same for every spelling that differs in case and blanks only."""
    return _cut(f"entity:{kind}/{' '.join(text.casefold().split())}")


Drawn = Iterator[tuple[Node | None, Edge | None]]


def _tables(file_id: str, parsed: ParseResult) -> Drawn:
    file = f"file:{file_id}"
    for table in parsed.tables:
        known = Node(
            id=_table_id(file_id, table.name),
            kind=NodeKind.TABLE,
            name=table.name,
            count=table.row_count,
        )
        yield known, Edge(subject=file, predicate=Predicate.HAS_TABLE, object=known.id)
        for column in table.columns:
            below = Node(
                id=_cut(f"column:{file_id}/{table.name}/{column.name}"),
                kind=NodeKind.COLUMN,
                name=column.name,
                type=column.type.value,
            )
            edge = Edge(subject=known.id, predicate=Predicate.HAS_COLUMN, object=below.id)
            yield below, edge


def _passages(file_id: str, parsed: ParseResult, passages: Sequence[Passage]) -> Drawn:
    file = f"file:{file_id}"
    tables = {table.name for table in parsed.tables}
    for passage in passages:
        place, above = passage.place, file
        if place.table in tables:
            above = _table_id(file_id, place.table)
        elif place.headings:
            titled = " > ".join((*filter(None, [place.file]), *place.headings))
            section = Node(
                id=_cut(f"section:{file_id}/{titled}"),
                kind=NodeKind.SECTION,
                name=place.headings[-1],
            )
            yield section, Edge(subject=file, predicate=Predicate.HAS_SECTION, object=section.id)
            above = section.id
        below = passage_id(file_id, passage.number)
        yield None, Edge(subject=above, predicate=Predicate.HAS_PASSAGE, object=below)


def _entities(file_id: str, named: Sequence[NamedEntity]) -> Drawn:
    for one in named:
        node = Node(
            id=entity_id(one.kind, one.text),
            kind=NodeKind.ENTITY,
            name=one.text,
            type=one.kind,
            count=len(one.passages),
        )
        for number in one.passages:
            subject = passage_id(file_id, number)
            yield node, Edge(subject=subject, predicate=Predicate.MENTIONS, object=node.id)


def _table_id(file_id: str, name: str) -> str:
    return _cut(f"table:{file_id}/{name}")


def _cut(node: str) -> str:
    return node[:_LONGEST_ID]
