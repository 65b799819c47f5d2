"""Embeddings by wordllama, whose weights come with its package: nothing is downloaded."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from foundations.public_works.embedder import Embedder
from foundations.public_works.threads import in_thread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DIMENSIONS = 256


class WordLlamaEmbedder(Embedder):
    """256 dimensions, ten thousand texts a second. Loaded when first used, in a thread."""

    def __init__(self) -> None:
        self._loaded: Any = None
        self._loading = Lock()

    @property
    def model(self) -> str:
        return "wordllama-l2-supercat-256"

    @property
    def dimensions(self) -> int:
        return _DIMENSIONS

    def of(self, model: str) -> Embedder | None:
        return self if model == self.model else None

    async def warm_up(self) -> None:
        await in_thread(self._model)

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        return await in_thread(self._embed, list(texts))

    def _embed(self, texts: list[str]) -> "NDArray[np.float32]":
        """Normalised here: the library divides an empty text's vector by zero."""
        import numpy as np

        if not texts:
            return np.zeros((0, _DIMENSIONS), dtype=np.float32)
        raw = np.asarray(self._model().embed(texts, norm=False), dtype=np.float32)
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(
            raw, lengths, out=np.zeros_like(raw), where=lengths > 0
        )
        return unit

    def _model(self) -> Any:
        with self._loading:
            if self._loaded is None:
                import wordllama

                self._loaded = wordllama.WordLlama.load(
                    cache_dir=Path(wordllama.__file__).parent,
                    dim=_DIMENSIONS,
                    disable_download=True,
                )
        return self._loaded
