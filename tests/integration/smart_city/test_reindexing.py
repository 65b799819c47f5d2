"""Another embedder: search answers by the old one until the new index is whole."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from foundations.public_works import content_reindexing
from foundations.public_works.adapters import endpoint_embedder
from foundations.public_works.adapters.endpoint_embedder import (
    EmbeddingUnreachable,
    EndpointEmbedder,
)
from foundations.public_works.content_metadata import ContentMetadataAbstraction, EmbedderGone
from foundations.public_works.content_reindexing import ContentIndexAbstraction
from foundations.public_works.database import Database
from foundations.public_works.embedder import DimensionsChanged, Embedder
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from foundations.public_works.search_modes import SearchMode
from foundations.public_works.settings import Settings
from foundations.public_works.vectors.records import IndexedBy, VectorRecords
from smart_city.librarian.api import Librarian
from tests.support.embedding_endpoint import KEY, Endpoint, embedding_endpoint
from tests.support.library import shelve
from tests.support.postgres import own_database
from tests.support.role_city import EMBEDDER, SOUTH, RoleCity, as_user, role_city

pytestmark = pytest.mark.anyio

TEXTS = (*(f"snow number {n} fell on the hills" for n in range(7)), "a warm and dry day")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with embedding_endpoint() as served:
        yield served


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with own_database(request, "roles", _prepare) as found:
        yield found


async def _prepare(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with role_city(Path(folder), database_url=url):
            pass


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_reindexing, "_AT_ONCE", 3)
    monkeypatch.setattr(endpoint_embedder, "FIRST_DELAY", 0.001)


@asynccontextmanager
async def by_endpoint(
    folder: Path, endpoint: Endpoint, *, url: str = "", model: str = "small", dimensions: int = 0
) -> AsyncIterator[RoleCity]:
    """The city once more, with the endpoint in its settings."""
    wanted: Any = {
        "embedding_url": endpoint.url,
        "embedding_model": model,
        "embedding_dimensions": dimensions,
        "embedding_api_key": SecretStr(KEY),
    }
    async with (
        EndpointEmbedder(settings=Settings(**wanted)) as embedder,
        role_city(folder, database_url=url, embedder=embedder) as city,
    ):
        city.get(ContentMetadataAbstraction).plug_index(city.get(Librarian))
        yield city


async def stored(
    city: RoleCity,
    file_id: str,
    texts: tuple[str, ...] = TEXTS,
    embedder: Embedder | None = None,
) -> None:
    passages = [
        Passage(number=n, place=Place.line(n), text=text) for n, text in enumerate(texts, start=1)
    ]
    await shelve(city, file_id, f"{file_id}.txt", passages, embedder=embedder)


async def models(city: RoleCity) -> dict[str, int]:
    query = sa.text("SELECT model, count(*) AS number FROM content_vector GROUP BY model")
    rows = await city.get(Database).across_tenants().read(lambda c: c.execute(query).all())
    return {row.model: row.number for row in rows}


async def best(city: RoleCity, q: str = "warm day") -> str:
    hits = (await city.get(Librarian).search(q, 1, SearchMode.MEANING)).hits
    return f"{hits[0].file_id} {hits[0].place}" if hits else ""


async def test_search_answers_by_the_old_model_until_all_have_the_new(
    tmp_path: Path, endpoint: Endpoint, url: str
) -> None:
    async with role_city(tmp_path, database_url=url) as city:
        await stored(city, "file-1")
        with as_user(SOUTH):
            await stored(city, "file-9")

    async with by_endpoint(tmp_path, endpoint, url=url) as city:
        index = city.get(ContentIndexAbstraction)
        begun = await index.describe_index()
        assert (begun.model, begun.done, begun.passages) == (EMBEDDER.model, 0, 8)
        assert not begun.current
        half = await index.reindex(3)
        assert (half.done, half.current, half.model) == (3, False, EMBEDDER.model)
        assert await best(city) == "file-1 line 8"
        await stored(city, "file-2", ("rain in the warm night",))
        assert await best(city, "rain at night") == "file-2 line 1"

        whole = await index.reindex()

        assert whole.current
        assert (whole.model, whole.done, whole.passages) == (whole.wanted, 9, 9)
        assert await models(city) == {whole.wanted: 9, EMBEDDER.model: 8}
        assert await best(city) == "file-1 line 8"
        page = await city.get(ContentMetadataAbstraction).get_semantic_embeddings("file-1")
        assert (page.model, page.dimensions, len(page.embeddings)) == (whole.wanted, 64, 8)
        assert (await index.reindex()).current
        with as_user(SOUTH):
            assert (await index.describe_index()).model == EMBEDDER.model
            assert await best(city) == "file-9 line 8"


async def test_reindexing_that_broke_off_is_gone_on_with(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    async with role_city(tmp_path) as city:
        await stored(city, "file-1")

    async with by_endpoint(tmp_path, endpoint) as city:
        await city.get(ContentIndexAbstraction).reindex(3)
        endpoint.faults = [(503, {}, "")] * endpoint_embedder.ATTEMPTS
        with pytest.raises(EmbeddingUnreachable):
            await city.get(ContentIndexAbstraction).reindex()
        assert await best(city) == "file-1 line 8"
    asked = len(endpoint.texts())

    async with by_endpoint(tmp_path, endpoint) as city:
        assert (await city.get(ContentIndexAbstraction).reindex()).current
        assert len(endpoint.texts()) - asked == 5


async def test_passage_without_its_vector_keeps_the_old_index(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    async with role_city(tmp_path) as city:
        await stored(city, "file-1")

    async with by_endpoint(tmp_path, endpoint) as city:
        index, vectors = city.get(ContentIndexAbstraction), city.get(VectorRecords)
        await index.reindex(3)
        wanted = (await index.describe_index()).wanted
        assert not await vectors.switch("north", IndexedBy(wanted, 64))
        assert (await index.describe_index()).model == EMBEDDER.model


async def test_content_that_was_parsed_before_the_switch_is_found_after_it(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with role_city(tmp_path) as city:
        await stored(city, "file-1")

    async with by_endpoint(tmp_path, endpoint) as city:
        layer, index = city.get(ContentMetadataAbstraction), city.get(ContentIndexAbstraction)
        replace = layer._records.replace

        async def meanwhile(*given: Any, **named: Any) -> Any:
            await index.reindex()
            return await replace(*given, **named)

        monkeypatch.setattr(layer._records, "replace", meanwhile)
        await stored(city, "file-2", ("a day of thunder",), EMBEDDER)

        assert (await index.describe_index()).current
        assert await best(city, "thunder") == "file-2 line 1"


async def test_other_model_of_the_same_endpoint_is_asked_until_the_switch(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    async with by_endpoint(tmp_path, endpoint) as city:
        await stored(city, "file-1")

    async with by_endpoint(tmp_path, endpoint, model="large", dimensions=32) as city:
        assert await best(city) == "file-1 line 8"
        assert endpoint.asked[-1]["model"] == "small"
        assert (await city.get(ContentIndexAbstraction).reindex()).current
        assert await best(city) == "file-1 line 8"
        assert endpoint.asked[-1]["model"] == "large"


async def test_back_to_the_citys_own_model_words_answer_until_the_switch(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    async with by_endpoint(tmp_path, endpoint) as city:
        await stored(city, "file-1")

    async with role_city(tmp_path) as city:
        with pytest.raises(EmbedderGone):
            await best(city)
        found = await city.get(Librarian).search("warm day")
        assert [hit.place.label for hit in found.hits] == ["line 8"]
        assert "civitas reindex" not in found.note
        assert (await city.get(ContentIndexAbstraction).reindex()).current
        assert await best(city) == "file-1 line 8"


async def test_vectors_of_another_length_are_neither_stored_nor_compared(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    async with by_endpoint(tmp_path, endpoint) as city:
        await stored(city, "file-1")

    endpoint.dimensions = 32
    async with by_endpoint(tmp_path, endpoint) as city:
        with pytest.raises(DimensionsChanged):
            await stored(city, "file-2")
        with pytest.raises(DimensionsChanged):
            await best(city)
        assert "32" in (await city.get(Librarian).search("warm day")).note
    async with by_endpoint(tmp_path, endpoint, dimensions=32) as city:
        assert (await city.get(ContentIndexAbstraction).reindex()).current
        assert await best(city) == "file-1 line 8"
