"""Where the call of one attempt is made: here, or by whoever takes it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from foundations.public_works.database import current_attempt
from realms.journey.api import Failure
from realms.journey.engine.helping import NOT_HERE
from realms.journey.engine.offers import Offer
from realms.journey.engine.runner import EndedElsewhere, FailedElsewhere, Place, Services
from utilities.context import current

Key = tuple[str, str]
"""A service and its API."""


@dataclass(slots=True, eq=False)
class Here(Place):
    """A call that is made here, as it would be without other workers."""

    services: Services
    key: Key
    took: Callable[[Key, float], None]
    writes: Callable[[Key], None]
    """Told of an API that writes with the checkpoint of its call."""

    async def call(self, given: Mapping[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            return await self.services.call(*self.key, given)
        finally:
            if (attempt := current_attempt()) is not None and attempt.kept:
                self.writes(self.key)
            self.took(self.key, loop.time() - begun)


@dataclass(slots=True, eq=False, kw_only=True)
class There(Place):
    """A call that is offered, and once it is taken elsewhere what becomes of it."""

    offer: Offer
    here: Here
    task: "asyncio.Task[Any]"
    """Who makes the attempt."""
    placed: "asyncio.Future[Place]"
    answered: "asyncio.Future[bytes | EndedElsewhere]"
    let_go: Callable[["There"], None]
    """Told when nobody waits for it any more."""
    stays: Callable[[Key], None]
    """Told of an API that the other worker does not have."""
    leaves: bool = False
    """It is on its way to others, who may take it before it is known that they could."""
    posted: bool = False
    beats: int = 0
    on_heartbeat: Callable[[], None] = lambda: None

    def stay(self) -> None:
        """Let the call be made here."""
        if not self.placed.done():
            self.placed.set_result(self.here)

    def settle(self, outcome: bytes | EndedElsewhere) -> bool:
        """Say what the call came to; whether that is news."""
        if self.answered.done():
            return False
        self.answered.set_result(outcome)
        return True

    async def call(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self.on_heartbeat = current().heartbeat
        try:
            outcome = await self.answered
        finally:
            self.let_go(self)
        if isinstance(outcome, EndedElsewhere):
            raise outcome
        if outcome == NOT_HERE:
            self.stays(self.here.key)
            return await self.here.call(given)
        said = orjson.loads(outcome)
        if "failure" in said:
            raise FailedElsewhere(Failure.model_validate(said["failure"]))
        if "writes" in said:
            self.here.writes(self.here.key)
        if "cut" in said:
            raise EndedElsewhere(cut=True, called=said["called"])
        output: dict[str, Any] = said["output"]
        return output
