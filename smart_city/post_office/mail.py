"""Events: published once, kept until every subscription has acknowledged them."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from foundations.declarations import Effect, service, soa_api
from foundations.experience.road import Event
from foundations.public_works.events import Events
from smart_city.post_office.api import (
    DeadLetter,
    DeadLetters,
    Delivery,
    DeliveryLapsed,
    PostOffice,
    Published,
    Redelivered,
    SubscriptionDiffers,
)
from smart_city.post_office.records import (
    Claim,
    DeadRow,
    Posted,
    PostRecords,
    StoredEvent,
    Subscription,
)
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, current
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import Ids

LEASE = timedelta(minutes=1)
"""How long a reader may take to acknowledge an event before it goes to another."""
ATTEMPTS = 5
"""After so many deliveries an event is a dead letter."""
RETENTION = timedelta(days=7)
"""How long events that everybody has acknowledged are kept."""
DEAD_RETENTION = timedelta(days=30)
PRUNE_EVERY = timedelta(hours=1)
_LONGEST_WAIT = 30.0  # seconds; a bell that was missed costs no more than this
_PATTERN = re.compile(r"[a-z0-9_.\-*]{1,200}")


class InvalidEvent(PlatformError):
    """The event cannot be published."""

    kind = ErrorKind.INVALID


class InvalidTopic(PlatformError):
    """Nothing can be subscribed to under this topic."""

    kind = ErrorKind.INVALID


class DeadLetterUnknown(PlatformError):
    """There is no such dead letter."""

    kind = ErrorKind.NOT_FOUND


@service
class PostOfficeService(PostOffice):
    """Publish and subscribe on a durable queue, with leases, order per key, and dead letters."""

    def __init__(self, *, records: PostRecords, events: Events, clock: Clock, ids: Ids) -> None:
        self._records = records
        self._events = events
        self._clock = clock
        self._ids = ids
        self._bells: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._pruned_at: datetime | None = None

    async def __aenter__(self) -> Self:
        await self._prune()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        return None

    @soa_api(effect=Effect.KEYED)
    async def publish_event(
        self,
        event: Event,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Published:
        """Make an event durable for every subscription, and tell those who listen now.

        The same data again under the same topic and key, with nothing in between, is one event; so
        is an event without a key that the same keyed call publishes again.

        Raises:
            InvalidEvent: its data is not JSON.
        """
        stored = self._stored(event)
        posted = await self._records.post(stored)
        if not posted.duplicate:
            self._events.publish(event.topic, _told(event, stored))
            for name in posted.subscriptions:
                self._ring(stored.tenant, name)
            await self._prune()
        return _published(posted)

    @asynccontextmanager
    async def subscribe(self, topic: str, name: str) -> AsyncIterator[AsyncIterator[Delivery]]:
        """Durable delivery to the subscription `name` of the caller's tenant.

        Raises:
            InvalidTopic: `topic` is neither a topic nor a pattern such as `files.*`.
            SubscriptionDiffers: `name` is subscribed to another topic.
        """
        if not _PATTERN.fullmatch(topic):
            raise InvalidTopic(f"{topic!r} is no topic", hint="write it as files.stored or files.*")
        reader = await self._records.subscription(current().tenant, name, topic)
        if reader.topic != topic:
            raise SubscriptionDiffers(
                f"{name} is subscribed to {reader.topic}, not to {topic}",
                hint=f"choose another name, or unsubscribe {name} first",
            )
        bell = asyncio.Event()
        bells = self._bells[reader.tenant, reader.name]
        bells.add(bell)
        try:
            yield self._deliveries(reader, bell)
        finally:
            bells.discard(bell)

    async def unsubscribe(self, name: str) -> None:
        """Forget a subscription and what waits for it."""
        await self._records.remove(current().tenant, name)

    @soa_api(public=True)
    async def list_dead_letters(self, limit: int = 50) -> DeadLetters:
        """The dead letters of the caller's tenant, oldest first, at most 200."""
        rows = await self._records.dead(current().tenant, min(max(limit, 1), 200))
        return DeadLetters(letters=tuple(_dead_letter(row) for row in rows))

    @soa_api(public=True, effect=Effect.KEYED)
    async def redeliver_dead_letter(self, event_id: str, subscription: str) -> Redelivered:
        """Send a dead letter on its way again, with all its attempts before it.

        Raises:
            DeadLetterUnknown: the subscription has no such dead letter.
        """
        tenant, now = current().tenant, self._clock.now()
        if not await self._records.revive(tenant, event_id, subscription, due=now):
            raise DeadLetterUnknown(
                f"{subscription} has no dead letter {event_id}", hint="list_dead_letters shows all"
            )
        self._ring(tenant, subscription)
        return Redelivered(event_id=event_id, subscription=subscription)

    async def acknowledge(self, claim: Claim) -> None:
        """End a delivery for good."""
        _still_held(claim, held=await self._records.done(claim))
        self._ring(claim.subscription.tenant, claim.subscription.name)

    async def give_back(self, claim: Claim, reason: str, delay: timedelta) -> None:
        """Let a delivery come again, or give it up after its last attempt."""
        held = await self._records.again(
            claim,
            due=self._clock.now() + delay,
            reason=reason,
            dead=claim.attempt >= ATTEMPTS,
        )
        _still_held(claim, held=held)
        self._ring(claim.subscription.tenant, claim.subscription.name)

    async def _deliveries(
        self, reader: Subscription, bell: asyncio.Event
    ) -> AsyncIterator[Delivery]:
        while True:
            bell.clear()
            claim = await self._records.claim(
                reader,
                now=self._clock.now(),
                lease=self._ids.new(),
                lasts=LEASE,
                attempts=ATTEMPTS,
            )
            if claim is None:
                await self._wait(reader, bell)
            else:
                yield _Leased(self, claim)

    async def _wait(self, reader: Subscription, bell: asyncio.Event) -> None:
        """Until the bell rings, or the next event is due."""
        due = await self._records.next_due(reader)
        wait = _LONGEST_WAIT if due is None else (due - self._clock.now()).total_seconds()
        try:
            async with asyncio.timeout(min(max(wait, 0), _LONGEST_WAIT)):
                await bell.wait()
        except TimeoutError:
            return

    def _ring(self, tenant: str, name: str) -> None:
        for bell in self._bells.get((tenant, name), ()):
            bell.set()

    def _stored(self, event: Event) -> StoredEvent:
        context, now = current(), self._clock.now()
        return StoredEvent(
            event_id=self._ids.new(),
            tenant=context.tenant,
            topic=event.topic,
            key=event.key,
            data=_json(event),
            idempotency_key=context.idempotency_key,
            trace_id=context.trace_id,
            publisher=context.user.model_dump_json(),
            published_at=now.isoformat(timespec="microseconds"),
        )

    async def _prune(self) -> None:
        now = self._clock.now()
        if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY:
            self._pruned_at = now
            await self._records.prune(done_before=now - RETENTION, dead_before=now - DEAD_RETENTION)


class _Leased(Delivery):
    """A claim with its way back to the post office."""

    def __init__(self, office: PostOfficeService, claim: Claim) -> None:
        self._office = office
        self._claim = claim

    @property
    def event_id(self) -> str:
        return self._claim.event.event_id

    @property
    def event(self) -> Event:
        return _event(self._claim.event)

    @property
    def attempt(self) -> int:
        return self._claim.attempt

    @property
    def context(self) -> CallContext:
        stored = self._claim.event
        user = UserContext.model_validate_json(stored.publisher)
        return CallContext(stored.trace_id, user, stored.event_id)

    async def ack(self) -> None:
        await self._office.acknowledge(self._claim)

    async def nack(self, reason: str = "", *, delay: timedelta = timedelta()) -> None:
        await self._office.give_back(self._claim, reason, delay)


def _json(event: Event) -> str:
    try:
        return json.dumps(event.data, allow_nan=False, sort_keys=True)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidEvent(
            f"the data of {event.topic} is no JSON: {error}", hint="send plain JSON values"
        ) from error


def _event(stored: StoredEvent) -> Event:
    return Event(topic=stored.topic, key=stored.key, data=json.loads(stored.data))


def _told(event: Event, stored: StoredEvent) -> dict[str, object]:
    """What those who listen now hear."""
    return {
        "event_id": stored.event_id,
        "tenant": stored.tenant,
        "trace_id": stored.trace_id,
        "published_at": stored.published_at,
        **event.model_dump(),
    }


def _published(posted: Posted) -> Published:
    return Published(
        event_id=posted.event.event_id,
        topic=posted.event.topic,
        published_at=datetime.fromisoformat(posted.event.published_at),
        subscriptions=len(posted.subscriptions),
        duplicate=posted.duplicate,
    )


def _dead_letter(row: DeadRow) -> DeadLetter:
    return DeadLetter(
        event_id=row.event.event_id,
        subscription=row.subscription,
        event=_event(row.event),
        attempts=row.attempts,
        reason=row.reason,
        trace_id=row.event.trace_id,
        published_at=datetime.fromisoformat(row.event.published_at),
    )


def _still_held(claim: Claim, *, held: bool) -> None:
    if not held:
        raise DeliveryLapsed(
            f"the lease on event {claim.event.event_id} has ended",
            hint=f"acknowledge within {LEASE.total_seconds():.0f} seconds",
        )
