"""What the driver asks of those around it, and what it raises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from realms.journey.api import Reason
from realms.journey.engine import core
from realms.journey.engine.facts import Fact
from realms.journey.engine.hands import Hand
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan
from utilities.errors import ErrorKind, PlatformError


class NotOpen(PlatformError):
    """The city is closing and takes no more work."""

    kind = ErrorKind.UNAVAILABLE


class Unreadable(PlatformError):
    """The run's journal cannot be read, or its text does not fit the city any more."""

    kind = ErrorKind.CONFLICT


@dataclass(frozen=True, slots=True)
class Written:
    """A template as it stands now: its text and what that compiles to."""

    plan: Plan
    text: str
    apart: bool = False
    """Its versions are one tenant's, kept apart from those of others."""


class TemplateSource(Protocol):
    """Where templates come from."""

    async def current(self, name: str, version: str = "") -> Written:
        """The template as it is now, or in a stated version."""
        ...

    async def compiled(self, text: str) -> Plan:
        """The plan of a text that a run began with."""
        ...


class Children(Protocol):
    """Journeys that milestones of other journeys wait for."""

    async def see_to(self, hand: Hand, move: core.SeeToChild) -> Sequence[Fact]:
        """Begin the child, or look how it stands: the facts that its end means for its parent."""
        ...

    async def unwanted(self, run: RunState) -> Reason:
        """Why whoever began this run waits for it no more; empty where they still do."""
        ...

    async def stop(self, child: str, reason: Reason) -> None:
        """Cancel it, if it has not ended."""
        ...


class Queued(Protocol):
    """Runs that may not begin yet."""

    async def look(self, hand: Hand) -> None:
        """Let a queued run begin, if it may by now."""
        ...

    def left(self, tenant: str, lane: str) -> None:
        """A run has left its lane: another may have its place."""
        ...


class Expecting(Protocol):
    """Who looks at runs that are in the journal only."""

    def expect(self, at: datetime) -> None:
        """A run is to be looked at then, and not before."""
        ...
