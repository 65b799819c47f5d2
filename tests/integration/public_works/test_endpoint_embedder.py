"""Embeddings by an endpoint: in order, in batches, patient, and quiet about its key."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger
from pydantic import SecretStr

from foundations.public_works.adapters import endpoint_embedder
from foundations.public_works.adapters.endpoint_embedder import (
    ATTEMPTS,
    EmbeddingAnswerUnusable,
    EmbeddingKeyRefused,
    EmbeddingRefused,
    EmbeddingUnreachable,
    EndpointEmbedder,
)
from foundations.public_works.adapters.wordllama_embedder import WordLlamaEmbedder
from foundations.public_works.embedder import DimensionsChanged
from foundations.public_works.settings import FaultySettings, Settings
from tests.support.embedding_endpoint import KEY, Endpoint, embedding_endpoint
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_embedder, "FIRST_DELAY", 0.001)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with embedding_endpoint() as served:
        yield served


@pytest.fixture
async def embedder(endpoint: Endpoint) -> AsyncIterator[EndpointEmbedder]:
    async with EndpointEmbedder(settings=settings(endpoint)) as opened:
        yield opened


def settings(endpoint: Endpoint, **given: Any) -> Settings:
    wanted: dict[str, Any] = {
        "embedding_url": endpoint.url,
        "embedding_model": "small",
        "embedding_api_key": SecretStr(KEY),
    }
    return Settings(**wanted | given)


async def test_vectors_are_units_in_the_order_of_the_texts(embedder: EndpointEmbedder) -> None:
    found = await embedder.embed(["rain", "", "snow and rain"])

    assert found.shape == (3, 64)
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0, 1])
    assert float(found[0] @ found[2]) > 0.5
    assert embedder.dimensions == 64
    assert (await embedder.embed([])).shape == (0, 64)


async def test_texts_go_in_batches_and_empty_ones_not_at_all(
    embedder: EndpointEmbedder, endpoint: Endpoint
) -> None:
    texts = [f"text {n}" if n % 10 else " " for n in range(150)]

    found = await embedder.embed(texts)

    assert [len(one["input"]) for one in endpoint.asked] == [64, 64, 7]
    assert endpoint.texts() == [text for text in texts if text.strip()]
    assert (found.any(axis=1) == [bool(text.strip()) for text in texts]).all()


async def test_dimensions_are_asked_for_where_they_are_set(endpoint: Endpoint) -> None:
    async with EndpointEmbedder(settings=settings(endpoint, embedding_dimensions=16)) as embedder:
        assert (await embedder.embed(["rain"])).shape == (1, 16)
        assert embedder.model.startswith("small#16@127.0.0.1:")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_busy_endpoint_is_asked_again(
    embedder: EndpointEmbedder, endpoint: Endpoint, status: int
) -> None:
    endpoint.faults = [(status, {"retry-after": "0.01"}, ""), (status, {"retry-after": "soon"}, "")]

    assert (await embedder.embed(["rain"])).any()


async def test_endpoint_that_stays_busy_is_given_up(
    embedder: EndpointEmbedder, endpoint: Endpoint
) -> None:
    endpoint.faults = [(503, {}, "")] * ATTEMPTS

    with pytest.raises(EmbeddingUnreachable) as caught:
        await embedder.embed(["rain"])

    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert "503" in caught.value.detail
    assert (await embedder.embed(["rain"])).any()


async def test_endpoint_that_is_not_there_is_unreachable() -> None:
    with embedding_endpoint() as gone:
        wanted = settings(gone)
    async with EndpointEmbedder(settings=wanted) as embedder:
        with pytest.raises(EmbeddingUnreachable) as caught:
            await embedder.embed(["rain"])
    assert "ConnectError" in caught.value.detail


async def test_refused_key_is_told_at_once_and_shown_nowhere(endpoint: Endpoint) -> None:
    said: list[str] = []
    sink = logger.add(said.append, format="{message} {extra} {exception}", level="TRACE")
    wrong = "sk-another-key"
    wanted = settings(endpoint, embedding_api_key=SecretStr(wrong))
    try:
        async with EndpointEmbedder(settings=wanted) as embedder:
            with pytest.raises(EmbeddingKeyRefused) as caught:
                await embedder.embed(["rain"])
    finally:
        logger.remove(sink)

    shown = f"{caught.value!r} {caught.value.hint} {said} {wanted!r} {wanted.model_dump_json()}"
    assert wrong not in shown
    assert "CIVITAS_EMBEDDING_API_KEY" in caught.value.hint


async def test_refusal_is_told_in_the_endpoints_words_without_the_key(
    embedder: EndpointEmbedder, endpoint: Endpoint
) -> None:
    endpoint.faults = [(400, {}, f"no model\n named small for {KEY}")]

    with pytest.raises(EmbeddingRefused) as caught:
        await embedder.embed(["rain"])

    assert caught.value.detail.endswith("400: no model named small for ...")


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {"object": "list"},
        {"data": [{"index": 0}]},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        ["rain"],
    ],
)
async def test_answer_that_is_none_is_told(
    embedder: EndpointEmbedder, endpoint: Endpoint, answer: Any
) -> None:
    endpoint.answer = answer

    with pytest.raises(EmbeddingAnswerUnusable):
        await embedder.embed(["rain"])


async def test_answer_that_is_no_json_is_told(
    embedder: EndpointEmbedder, endpoint: Endpoint
) -> None:
    endpoint.faults = [(200, {}, "<html>")]

    with pytest.raises(EmbeddingAnswerUnusable):
        await embedder.embed(["rain"])


async def test_vectors_of_another_length_are_told(
    embedder: EndpointEmbedder, endpoint: Endpoint
) -> None:
    await embedder.embed(["rain"])
    endpoint.dimensions = 32

    with pytest.raises(DimensionsChanged) as caught:
        await embedder.embed(["rain"])

    assert "64 dimensions, and now have 32" in caught.value.detail
    assert "CIVITAS_EMBEDDING_DIMENSIONS=32" in caught.value.hint


async def test_models_of_before_stay_at_hand(
    embedder: EndpointEmbedder, endpoint: Endpoint
) -> None:
    host = embedder.model.rpartition("@")[2]

    other = embedder.of(f"large#8@{host}")

    assert other is not None
    assert (await other.embed(["rain"])).shape == (1, 8)
    assert endpoint.asked[-1]["model"] == "large"
    assert embedder.of(f"large#8@{host}") is other
    assert embedder.of(embedder.model) is embedder
    assert isinstance(embedder.of(WordLlamaEmbedder().model), WordLlamaEmbedder)
    assert embedder.of("large@elsewhere.example") is None
    assert embedder.of("nothing") is None
    assert WordLlamaEmbedder().of(embedder.model) is None


@pytest.mark.parametrize(
    "given",
    [
        {"CIVITAS_EMBEDDING_URL": "https://host/v1"},
        {"CIVITAS_EMBEDDING_URL": "ftp://host", "CIVITAS_EMBEDDING_MODEL": "m"},
        {"CIVITAS_EMBEDDING_URL": "https://me:secret@host/v1", "CIVITAS_EMBEDDING_MODEL": "m"},
        {"CIVITAS_EMBEDDING_DIMENSIONS": "-1"},
    ],
)
def test_setting_that_cannot_be_is_refused(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(FaultySettings) as caught:
        Settings.load()

    assert "CIVITAS_EMBEDDING" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_every_fault_is_of_the_platform() -> None:
    faults = (EmbeddingKeyRefused, EmbeddingRefused, EmbeddingUnreachable, DimensionsChanged)

    assert all(issubclass(fault, PlatformError) for fault in faults)
