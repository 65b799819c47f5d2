"""The port of transient events inside the city: who listens now hears, nobody else."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Events(Protocol):
    """Fans events out to those who listen at the moment. Durable delivery is the post office's."""

    def publish(self, topic: str, data: Mapping[str, object]) -> None:
        """Hand `data` to every listener of `topic`; never waits, never fails."""
        ...

    def heard(self, topic: str) -> bool:
        """Whether anybody listens to `topic` now: what nobody hears need not be made."""
        ...

    def subscribe(
        self, topic: str
    ) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, object]]]:
        """Listen to `topic` from the moment the block is entered."""
        ...
