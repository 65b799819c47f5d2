"""Lays files into the library of a small city, as parsing and embedding would."""

from collections.abc import Sequence

from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.embedder import Embedder
from foundations.public_works.graph.model import Graph
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.parsing.models import Passage
from foundations.public_works.semantics import GRAPH, PASSAGES, VECTORS, SemanticResult, folder_of
from smart_city.data_steward.api import DataSteward, PolicySubject
from smart_city.librarian.api import Librarian
from tests.support.role_city import RoleCity
from utilities.context import current


async def let_in(city: RoleCity, file_id: str) -> None:
    """Have the data steward's policy let a file in."""
    asked = PolicySubject(file_id=file_id, name="a.txt", media_type="text/plain", size=1)
    await city.get(DataSteward).enforce_client_data_policy(asked)


async def shelve(
    city: RoleCity,
    file_id: str,
    name: str,
    passages: Sequence[Passage],
    *,
    kind: str = "text",
    media_type: str = "text/plain",
    graph: Graph | None = None,
    embedder: Embedder | None = None,
) -> None:
    """Store a file's passages and vectors in the semantic layer, which has them indexed."""
    layer = city.get(ContentMetadataAbstraction)
    layer.plug_index(city.get(Librarian))
    await let_in(city, file_id)
    objects, folder = city.get(ObjectStore), folder_of(current().tenant, file_id)
    lines = "\n".join(passage.model_dump_json() for passage in passages)
    embedder = embedder or city.get(Embedder)
    vectors = await embedder.embed([passage.in_context for passage in passages])
    drawn = graph or Graph()
    await objects.put(f"{folder}/{PASSAGES}", lines.encode())
    await objects.put(f"{folder}/{VECTORS}", vectors.astype("<f4").tobytes())
    await objects.put(f"{folder}/{GRAPH}", drawn.model_dump_json().encode())
    await layer.store_semantic_embeddings(
        file_id,
        SemanticResult(
            file_id=file_id,
            name=name,
            media_type=media_type,
            kind=kind,
            model=embedder.model,
            dimensions=embedder.dimensions,
            passage_count=len(passages),
            edge_count=len(drawn.edges),
            artifact=folder,
        ),
    )
