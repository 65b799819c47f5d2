"""Content that an earlier version stored is found, read and told as what was stored since."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from foundations.public_works.adapters.postgres import PostgresDatabase
from foundations.public_works.content_graph import ContentGraphAbstraction
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.database import Database
from foundations.public_works.search_modes import SearchMode
from foundations.public_works.settings import Settings
from foundations.rooms import Room
from smart_city.librarian.api import Librarian
from tests.support.journals import open_database
from tests.support.postgres import own_database
from tests.support.role_city import EMBEDDER, NORTH, as_user, role_city

pytestmark = pytest.mark.anyio

ROOMS = (
    Room("foundations.public_works", "public_works"),
    Room("smart_city.librarian", "smart_city"),
)
TEXTS = ("Snow fell on the hills.", "A warm and dry day.")


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A store as the version before left it."""
    with own_database(request, "older", _nothing) as found:
        async with AsyncExitStack() as stack:
            if found:
                settings = Settings(database_url=found)  # type: ignore[arg-type]  # read as a secret
                database: Database = await stack.enter_async_context(
                    PostgresDatabase(settings=settings)
                )
            else:
                database = await stack.enter_async_context(open_database(tmp_path))
            for room in ROOMS:
                assert room.migrations is not None
                first = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                for script in room.migrations.glob("0001_*.py"):
                    shutil.copy(script, first)
                await database.migrate(room.name, first)
            vectors = [row.astype("<f4").tobytes() for row in await EMBEDDER.embed(TEXTS)]
            await database.across_tenants().write(lambda c: _filled(c, vectors))
        yield found


async def _nothing(url: str) -> None:
    """The fixture fills the store itself."""


def _filled(connection: sa.Connection, vectors: list[bytes]) -> None:
    of_file = {"tenant": "north", "file_id": "file-1", "name": "a.txt", "media_type": "text/plain"}
    of_file |= {"content_id": "content-1", "trace_id": "t", "at": "2026-01-01T00:00:00+00:00"}
    connection.execute(
        sa.text(
            "INSERT INTO content (tenant, file_id, content_id, name, media_type, model, "
            "dimensions, passage_count, edge_count, artifact, trace_id, stored_at) VALUES "
            "(:tenant, :file_id, :content_id, :name, :media_type, :model, 256, 2, 2, '', "
            ":trace_id, :at)"
        ),
        of_file | {"model": EMBEDDER.model},
    )
    connection.execute(
        sa.text(
            "INSERT INTO library_entries (tenant, file_id, content_id, name, media_type, passages, "
            "indexed_at, trace_id) VALUES "
            "(:tenant, :file_id, :content_id, :name, :media_type, 2, :at, :trace_id)"
        ),
        of_file,
    )
    for number, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True), start=1):
        passage = of_file | {"number": number, "place": f"page {number}", "text": text}
        connection.execute(
            sa.text(
                "INSERT INTO content_passage (tenant, file_id, number, model, place, text, vector) "
                "VALUES (:tenant, :file_id, :number, :model, :place, :text, :vector)"
            ),
            passage | {"model": EMBEDDER.model, "vector": vector},
        )
        connection.execute(
            sa.text(
                "INSERT INTO library_passages (tenant, file_id, number, place, name, text) "
                "VALUES (:tenant, :file_id, :number, :place, :name, :text)"
            ),
            passage,
        )
    edges = (
        ("column:file-1/t/c", "holds", "type:date"),
        ("passage:file-1/1", "mentions", "phrase:snow"),
    )
    for number, (subject, predicate, target) in enumerate(edges, start=1):
        connection.execute(
            sa.text(
                "INSERT INTO content_edge (id, tenant, file_id, subject, predicate, object) "
                "VALUES (:id, 'north', 'file-1', :subject, :predicate, :object)"
            ),
            {"id": number, "subject": subject, "predicate": predicate, "object": target},
        )


async def test_what_was_stored_before_is_found_and_read(url: str, tmp_path: Path) -> None:
    with as_user(NORTH):
        async with role_city(tmp_path, database_url=url) as city:
            librarian = city.get(Librarian)
            for mode in SearchMode:
                (best, *_) = (await librarian.search("snow hill", 10, mode)).hits
                assert (best.place.label, best.place.number) == ("page 1", 1)
            page = await city.get(ContentMetadataAbstraction).get_semantic_embeddings("file-1")
            assert [one.text for one in page.embeddings] == list(TEXTS)
            graph = await city.get(ContentGraphAbstraction).get_file_graph("file-1")
            assert [edge.object for edge in graph.edges] == ["entity:phrase/snow"]
            assert graph.origin.run_id == ""
