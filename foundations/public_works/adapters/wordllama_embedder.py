"""Embeddings by wordllama, whose weights come with its package: nothing is downloaded."""

import os
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
_AT_ONCE = 64
"""Texts that are held as tokens at one time."""


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
        if self._loaded is None:
            await in_thread(self._model)

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        return await in_thread(self._embed, list(texts))

    def _embed(self, texts: list[str]) -> "NDArray[np.float32]":
        """The mean of the vectors of a text's tokens, at length 1.

        Text by text, where the library pads all of a batch to the longest: half the time.
        """
        import numpy as np

        model, embedded = self._model(), np.zeros((len(texts), _DIMENSIONS), dtype=np.float32)
        vectors = model.embedding
        for start in range(0, len(texts), _AT_ONCE):
            encoded = model.tokenizer.encode_batch_fast(
                texts[start : start + _AT_ONCE], add_special_tokens=False
            )
            for at, one in enumerate(encoded, start=start):
                if ids := one.ids:
                    embedded[at] = np.ones(len(ids), np.float32) @ vectors.take(ids, axis=0)
        lengths = np.linalg.norm(embedded, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(
            embedded, lengths, out=np.zeros_like(embedded), where=lengths > 0
        )
        return unit

    def _model(self) -> Any:
        with self._loading:
            if self._loaded is None:
                import wordllama

                os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # threads are ours
                model = wordllama.WordLlama.load(
                    cache_dir=Path(wordllama.__file__).parent,
                    dim=_DIMENSIONS,
                    disable_download=True,
                )
                model.tokenizer.no_padding()
                self._loaded = model
        return self._loaded
