"""Nodes and edges, and what is answered of them."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from foundations.public_works.parsing.places import Place


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


class Edge(BaseModel):
    """A statement of the graph, from node to node: `passage:ID/3` mentions `entity:phrase/snow`."""

    model_config = ConfigDict(frozen=True)

    subject: str
    predicate: Predicate
    object: str


class Node(BaseModel):
    """Something that a file holds or names.

    `id` is the same whenever the file is stored again; an entity's is the same in every file.
    `type` is that of a column's cells, or the kind of an entity; `count` is how many rows a table
    has, or how many passages mention an entity.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: NodeKind
    name: str
    type: str = ""
    count: int = 0


class Graph(BaseModel):
    """The nodes of a file and its edges, in the order in which they were drawn."""

    model_config = ConfigDict(frozen=True)

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


class Origin(BaseModel):
    """What stored a file's content: the run and its milestone, empty where no journey did."""

    model_config = ConfigDict(frozen=True)

    run_id: str = ""
    milestone: str = ""
    trace_id: str = ""


class FileGraph(BaseModel):
    """What a file contains; `total` counts the edges of all pages."""

    model_config = ConfigDict(frozen=True)

    content_id: str
    file_id: str
    name: str
    origin: Origin
    nodes: tuple[Node, ...] = Field(description="all but passages, which the edges name")
    edges: tuple[Edge, ...]
    total: int


class Mention(BaseModel):
    """A passage that mentions an entity, with the run and milestone that stored it."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    name: str
    number: int
    place: Place
    text: str
    origin: Origin


class Mentions(BaseModel):
    """Where an entity is mentioned, in all files of the tenant."""

    model_config = ConfigDict(frozen=True)

    entity: Node
    total: int
    mentions: tuple[Mention, ...]


class Entities(BaseModel):
    """Entities, the most mentioned first; `count` is over all files of the tenant."""

    model_config = ConfigDict(frozen=True)

    entities: tuple[Node, ...]
