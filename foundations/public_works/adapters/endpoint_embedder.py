"""Embeddings by an OpenAI-compatible endpoint: in batches, patient when it is busy."""

import asyncio
import random
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx2
from loguru import logger

from foundations.public_works.adapters.wordllama_embedder import WordLlamaEmbedder
from foundations.public_works.embedder import Embedder, dimensions_changed
from foundations.public_works.settings import Settings
from utilities.errors import ErrorKind, PlatformError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AT_ONCE = 64
"""Texts in one request."""
ATTEMPTS = 6
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
_LONGEST_TEXT = 20_000
_PATIENCE = httpx2.Timeout(60, connect=10)
_BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class EmbeddingKeyRefused(PlatformError):
    """The embedding endpoint does not accept the key."""

    kind = ErrorKind.CONFIGURATION


class EmbeddingRefused(PlatformError):
    """The embedding endpoint does not take what it was asked."""

    kind = ErrorKind.CONFIGURATION


class EmbeddingAnswerUnusable(PlatformError):
    """What the embedding endpoint answered is no list of vectors."""

    kind = ErrorKind.UNAVAILABLE


class EmbeddingUnreachable(PlatformError):
    """The embedding endpoint does not answer, or is too busy."""

    kind = ErrorKind.UNAVAILABLE


class EndpointEmbedder(Embedder):
    """Asks `CIVITAS_EMBEDDING_URL` for vectors, and makes them of length 1.

    The model that comes with the city stays at hand for what was embedded by it.
    """

    def __init__(self, *, settings: Settings) -> None:
        self._url = f"{settings.embedding_url}/embeddings"
        self._name = settings.embedding_model
        self._wanted = settings.embedding_dimensions
        self._key = settings.embedding_api_key
        self._settings = settings
        self._dimensions = settings.embedding_dimensions
        self._http: httpx2.AsyncClient | None = None
        self._own = WordLlamaEmbedder()
        self._siblings: dict[str, EndpointEmbedder] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for one in (self, *self._siblings.values()):
            await one.close()

    async def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    @property
    def model(self) -> str:
        """The endpoint's name for it, the dimensions that are asked for, and the endpoint's name.

        The same name may be two models at two endpoints, and in two lengths.
        """
        asked = f"#{self._wanted}" if self._wanted else ""
        return f"{self._name}{asked}@{self._host}"[:200]

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    @property
    def dimensions(self) -> int:
        """As the settings state it, else as the endpoint gave it; 0 before it was asked."""
        return self._dimensions

    def of(self, model: str) -> Embedder | None:
        if model == self.model:
            return self
        if (own := self._own.of(model)) is not None:
            return own
        asked, _, host = model.rpartition("@")
        name, _, dimensions = asked.partition("#")
        if not name or host != self._host or not (dimensions or "0").isdigit():
            return None
        if model not in self._siblings:  # the endpoint's model of before
            changed = {"embedding_model": name, "embedding_dimensions": int(dimensions or "0")}
            settings = self._settings.model_copy(update=changed)
            self._siblings[model] = EndpointEmbedder(settings=settings)
        return self._siblings[model]

    async def warm_up(self) -> None:
        """Nothing has to be loaded."""

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """One row for each text.

        Raises:
            EmbeddingKeyRefused, EmbeddingRefused, DimensionsChanged: it is set up wrongly.
            EmbeddingUnreachable, EmbeddingAnswerUnusable: it does not do its work now.
        """
        import numpy as np

        asked = [number for number, text in enumerate(texts) if text.strip()]
        found: list[list[float]] = []
        for at in range(0, len(asked), AT_ONCE):
            some = [texts[number][:_LONGEST_TEXT] for number in asked[at : at + AT_ONCE]]
            found += self._checked(await self._answer(some), len(some))
        rows: NDArray[np.float32] = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        if found:
            raw = np.asarray(found, dtype=np.float32)
            lengths = np.linalg.norm(raw, axis=1, keepdims=True)
            rows[asked] = np.divide(raw, lengths, out=np.zeros_like(raw), where=lengths > 0)
        return rows

    async def _answer(self, texts: list[str]) -> Any:
        """The endpoint's answer, asked again while it is busy."""
        body: dict[str, Any] = {"model": self._name, "input": texts, "encoding_format": "float"}
        if self._wanted:
            body["dimensions"] = self._wanted
        why = ""
        for attempt in range(ATTEMPTS):
            asked_to_wait = 0.0
            try:
                response = await self._client().post(self._url, json=body)
            except httpx2.TransportError as error:
                why = type(error).__name__
            else:
                if response.is_success:
                    return _json(response)
                if response.status_code not in _BUSY:
                    raise self._refusal(response)
                why = f"status {response.status_code}"
                asked_to_wait = _retry_after(response)
            if attempt + 1 < ATTEMPTS:
                delay = max(_delay(attempt), min(asked_to_wait, LONGEST_DELAY))
                logger.debug("the embedding endpoint: {}; asked again in {:.1f} s", why, delay)
                await asyncio.sleep(delay)
        raise EmbeddingUnreachable(
            f"the embedding endpoint did not answer in {ATTEMPTS} attempts: {why}",
            hint="see whether CIVITAS_EMBEDDING_URL is right and the endpoint up",
        )

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            key = self._key.get_secret_value() if self._key else ""
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            self._http = httpx2.AsyncClient(timeout=_PATIENCE, headers=headers, trust_env=False)
        return self._http

    def _refusal(self, response: httpx2.Response) -> PlatformError:
        """Why it does not take the question. What it says about a key is never repeated."""
        if response.status_code in (401, 403):
            return EmbeddingKeyRefused(
                f"the embedding endpoint answered {response.status_code}",
                hint="set CIVITAS_EMBEDDING_API_KEY to a key that it accepts",
            )
        said = _said(response)
        if self._key and (key := self._key.get_secret_value()):
            said = said.replace(key, "...")
        return EmbeddingRefused(
            f"the embedding endpoint answered {response.status_code}: {said}",
            hint="see CIVITAS_EMBEDDING_MODEL, CIVITAS_EMBEDDING_DIMENSIONS and "
            "CIVITAS_EMBEDDING_URL",
        )

    def _checked(self, answer: Any, count: int) -> list[list[float]]:
        """The vectors of an answer in the order of the texts."""
        rows = _vectors(answer)
        if len(rows) != count:
            raise EmbeddingAnswerUnusable(
                f"{count} texts were sent, and {len(rows)} vectors came back",
                hint="is this an endpoint for embeddings?",
            )
        lengths = {len(row) for row in rows}
        known = self._dimensions or min(lengths)
        if lengths != {known}:
            other = next(length for length in sorted(lengths) if length != known)
            raise dimensions_changed(self.model, known, other)
        self._dimensions = known
        return rows


def _vectors(answer: Any) -> list[list[float]]:
    try:
        items = sorted(answer["data"], key=lambda item: int(item["index"]))
        return [[float(number) for number in item["embedding"]] for item in items]
    except (KeyError, TypeError, ValueError) as error:
        raise EmbeddingAnswerUnusable(
            "the embedding endpoint's answer has no `data` with an `embedding` each",
            hint="is CIVITAS_EMBEDDING_URL an OpenAI-compatible endpoint, up to /v1?",
        ) from error


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise EmbeddingAnswerUnusable(
            "the embedding endpoint answered with something that is no JSON",
            hint="is CIVITAS_EMBEDDING_URL an OpenAI-compatible endpoint, up to /v1?",
        ) from error


def _said(response: httpx2.Response) -> str:
    """The endpoint's own words, on one line."""
    return " ".join(response.text.split())[:200] or "nothing more"


def _delay(attempt: int) -> float:
    """Longer each time, and drawn, so that many who wait do not come back together."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * float(2**attempt))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


def _retry_after(response: httpx2.Response) -> float:
    try:
        seconds = float(str(response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0  # a date; our own delays do
    return max(0.0, seconds)
