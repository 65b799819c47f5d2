"""What the rest of the city may know about the post office."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import Field

from foundations.experience.road import Event
from utilities.context import CallContext, UserContext
from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class Published(FrozenModel):
    """An event that is durable. `duplicate` says that it was published before, and is not again."""

    event_id: str
    topic: str
    published_at: datetime
    subscriptions: int = Field(description="to how many durable subscriptions it goes")
    duplicate: bool = False


class DeadLetter(FrozenModel):
    """An event that a subscription could not digest."""

    event_id: str
    subscription: str
    event: Event
    attempts: int
    reason: str
    trace_id: str
    published_at: datetime


class DeadLetters(FrozenModel):
    letters: tuple[DeadLetter, ...]


class Redelivered(FrozenModel):
    """A dead letter that is on its way again."""

    event_id: str
    subscription: str


class DeliveryLapsed(PlatformError):
    """The delivery's lease has ended, and the event may be with another reader."""

    kind = ErrorKind.CONFLICT


class SubscriptionDiffers(PlatformError):
    """A subscription of this name exists for another topic."""

    kind = ErrorKind.CONFLICT


class Delivery(Protocol):
    """An event in the hands of a subscriber, under a lease."""

    @property
    def event_id(self) -> str: ...

    @property
    def event(self) -> Event: ...

    @property
    def attempt(self) -> int:
        """1 the first time, more when it came again."""
        ...

    @property
    def context(self) -> CallContext:
        """Trace and principal of the publisher, to be bound while the event is worked on."""
        ...

    async def ack(self) -> None:
        """The work is done; the event does not come again. Raises DeliveryLapsed."""
        ...

    async def nack(self, reason: str = "", *, delay: timedelta = timedelta()) -> None:
        """The work failed; the event comes again after `delay`, or goes to the dead letters."""
        ...


class PostOffice(Protocol):
    """Publishes events and delivers them, at least once, to durable subscriptions."""

    async def publish_event(
        self,
        event: Event,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Published:
        """Make an event durable for every subscription and tell those who listen now.

        The same data again under the same topic and key, with nothing in between, is one event.
        """
        ...

    def subscribe(
        self, topic: str, name: str
    ) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Durable delivery to the subscription `name` of the caller's tenant.

        `topic` may hold `*`, as in `files.*`. From the first time on, events wait for the
        subscription, also while nobody reads it. Events with the same key come in order. What is
        not acknowledged comes again. Raises SubscriptionDiffers when `name` has another topic.
        """
        ...

    async def unsubscribe(self, name: str) -> None:
        """Forget a subscription and what waits for it."""
        ...

    async def list_dead_letters(self, limit: int = 50) -> DeadLetters:
        """The caller's tenant's dead letters, oldest first."""
        ...

    async def redeliver_dead_letter(self, event_id: str, subscription: str) -> Redelivered:
        """Send a dead letter on its way again, with all its attempts before it."""
        ...
