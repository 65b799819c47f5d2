"""Durable steps of one attempt, as facts of its run."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from foundations.public_works.database import Writes, collecting
from realms.journey.engine.hands import Hand
from realms.journey.engine.runner import Steps


class Recording(Protocol):
    """Makes a step durable, and with it what its services wrote."""

    async def record_step(
        self,
        hand: Hand,
        path: str,
        index: int,
        *,
        name: str,
        data: Any,
        along: tuple[Writes, ...] = (),
    ) -> None: ...


class RecordedSteps(Steps):
    """Gives of each step what was recorded, or does and records it."""

    def __init__(self, recording: Recording, hand: Hand, path: str) -> None:
        self._recording = recording
        self._hand = hand
        self._path = path
        self._next = 0

    async def once(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        index, self._next = self._next, self._next + 1
        recorded = self._hand.run.nodes[self._path].steps
        if index < len(recorded):
            return recorded[index].data
        with collecting() as along:
            data = await work()
        await self._recording.record_step(
            self._hand, self._path, index, name=name, data=data, along=tuple(along)
        )
        return data
