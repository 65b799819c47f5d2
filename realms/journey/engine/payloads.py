"""Large payloads: they go to the object store, and only where they are goes to the journal."""

from dataclasses import replace
from typing import Any

import orjson

from foundations.public_works.object_store import ObjectStore
from realms.journey.api import RunStatus
from realms.journey.engine.codec import UnstorableResult
from realms.journey.engine.failpoints import reach
from realms.journey.engine.folding import gathered
from realms.journey.engine.state import RunState
from utilities.errors import ErrorKind, PlatformError

LARGEST = 256 * 1024
"""Bytes of JSON that stay in the journal."""


class TornPayload(PlatformError):
    """A large value is not as it was stored."""

    kind = ErrorKind.INTERNAL


class Payloads:
    """Keeps what is too large for a fact, under a key that says whose it is."""

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects

    def fits(self, value: Any) -> bool:
        """Whether `value` is small enough for the journal.

        Raises:
            UnstorableResult: it is no JSON of at most 64 bits a number.
        """
        return len(_encoded(value)) <= LARGEST

    async def spill(self, value: Any, *, run_id: str, name: str) -> str:
        """Where `value` is kept, durably; empty when it is small enough for the journal.

        Raises:
            UnstorableResult: it is no JSON of at most 64 bits a number.
        """
        data = _encoded(value)
        if len(data) <= LARGEST:
            return ""
        key = f"journeys/{run_id}/{name}.json"
        reach("spill", name)
        await self._objects.put(key, data)
        reach("spilled", name)
        return key

    async def fetch(self, key: str) -> Any:
        """A value that was spilled.

        Raises:
            ObjectNotFound, TornPayload: it is gone, or not what was put there.
        """
        data = await self._objects.get(key)
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise TornPayload(f"what is kept under {key} is no JSON") from error

    async def restore(self, run: RunState) -> None:
        """Put back what the journal only refers to."""
        if run.start.spilled:
            run.start = replace(run.start, values=await self.fetch(run.start.spilled))
        for state in run.nodes.values():
            if state.spilled:
                state.output = await self.fetch(state.spilled)
                if state.path == state.node:
                    run.results[state.path] = state.output
        for state in run.nodes.values():
            if state.gathered and state.status is RunStatus.SUCCEEDED:
                run.results[state.path] = state.output = gathered(run, state)


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise UnstorableResult(
            str(error), hint="answer with JSON values of at most 64 bits"
        ) from error
