"""The port of the embedder: texts as vectors whose closeness is closeness of meaning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from utilities.errors import ErrorKind, PlatformError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class DimensionsChanged(PlatformError):
    """The model gives vectors of another length than before."""

    kind = ErrorKind.CONFIGURATION


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def model(self) -> str:
        """Name and version, at most 200 characters: vectors of two models do not compare."""
        ...

    @property
    def dimensions(self) -> int: ...

    def of(self, model: str) -> "Embedder | None":
        """The embedder of `model`, this one or another that this process has; None for none."""
        ...

    async def warm_up(self) -> None:
        """Load what the first `embed` would have to load."""
        ...

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """One row for each text, of length 1; a text without any known word is all zeros."""
        ...


def dimensions_changed(model: str, before: int, now: int) -> DimensionsChanged:
    """The error for vectors of a model that cannot be compared with those it gave before."""
    return DimensionsChanged(
        f"vectors of {model} had {before} dimensions, and now have {now}",
        hint=f"set CIVITAS_EMBEDDING_DIMENSIONS={now} and run `civitas reindex`",
    )
