"""Nodes and edges, and what is answered of them."""

from enum import StrEnum

from pydantic import Field

from foundations.public_works.parsing.places import Place
from utilities.models import FrozenModel


class NodeKind(StrEnum):
    """What a node stands for."""

    FILE = "file"
    SECTION = "section"
    PASSAGE = "passage"
    TABLE = "table"
    COLUMN = "column"
    ENTITY = "entity"


class Predicate(StrEnum):
    """What an edge says of its subject."""

    HAS_SECTION = "has_section"
    HAS_PASSAGE = "has_passage"
    HAS_TABLE = "has_table"
    HAS_COLUMN = "has_column"
    MENTIONS = "mentions"


class Edge(FrozenModel):
    """A statement of the graph, from node to node: `passage:ID/3` mentions `entity:phrase/snow`."""

    subject: str
    predicate: Predicate
    object: str


class Node(FrozenModel):
    """Something that a file holds or names.

    `id` is the same whenever the file is stored again; an entity's is the same in every file.
    `type` is that of a column's cells, or the kind of an entity; `count` is how many rows a table
    has, or how many passages mention an entity.
    """

    id: str
    kind: NodeKind
    name: str
    type: str = ""
    count: int = 0


class Graph(FrozenModel):
    """The nodes of a file and its edges, in the order in which they were drawn."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


class Origin(FrozenModel):
    """What stored a file's content: the run and its milestone, empty where no journey did."""

    run_id: str = ""
    milestone: str = ""
    trace_id: str = ""


class FileGraph(FrozenModel):
    """What a file contains; `total` counts the edges of all pages."""

    content_id: str
    file_id: str
    name: str
    origin: Origin
    nodes: tuple[Node, ...] = Field(description="all but passages, which the edges name")
    edges: tuple[Edge, ...]
    total: int


class Mention(FrozenModel):
    """A passage that mentions an entity, with the run and milestone that stored it."""

    file_id: str
    name: str
    number: int
    place: Place
    text: str
    origin: Origin


class Mentions(FrozenModel):
    """Where an entity is mentioned, in all files of the tenant."""

    entity: Node
    total: int
    mentions: tuple[Mention, ...]


class Entities(FrozenModel):
    """Entities, the most mentioned first; `count` is over all files of the tenant."""

    entities: tuple[Node, ...]
