"""Tables of the post office: events, subscriptions, and a delivery for each event on its way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TypeVar

import sqlalchemy as sa

from foundations.public_works.database import Database
from smart_city.stamps import stamp

_Statement = TypeVar("_Statement", sa.Update, sa.Delete)

_metadata = sa.MetaData()
_events = sa.Table(
    "post_events",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("event_id", sa.Text),
    sa.Column("tenant", sa.Text),
    sa.Column("topic", sa.Text),
    sa.Column("key", sa.Text),
    sa.Column("data", sa.Text),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("trace_id", sa.Text),
    sa.Column("publisher", sa.Text),
    sa.Column("published_at", sa.Text),
)
_subscriptions = sa.Table(
    "post_subscriptions",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("topic", sa.Text),
)
_deliveries = sa.Table(
    "post_deliveries",
    _metadata,
    sa.Column("subscription_id", sa.Integer, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text),
    sa.Column("attempts", sa.Integer),
    sa.Column("due_at", sa.Text),
    sa.Column("lease", sa.Text),
    sa.Column("dead", sa.Integer),
    sa.Column("reason", sa.Text),
)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept; `data` and `publisher` are JSON texts."""

    event_id: str
    tenant: str
    topic: str
    key: str | None
    data: str
    idempotency_key: str
    trace_id: str
    publisher: str
    published_at: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A durable reader of one tenant's events."""

    id: int
    tenant: str
    name: str
    topic: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An event in the hands of one reader: only who names its `lease` may end it."""

    subscription: Subscription
    seq: int
    lease: str
    attempt: int
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of an event: the one that is kept, and the subscriptions it goes to."""

    event: StoredEvent
    subscriptions: tuple[str, ...]
    duplicate: bool


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A delivery that was given up."""

    event: StoredEvent
    subscription: str
    attempts: int
    reason: str


class PostRecords:
    """Events and deliveries. A delivery that is done has no row."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def post(self, event: StoredEvent) -> Posted:
        """Keep an event and a delivery of it for each subscription, unless it is a repetition."""

        def work(connection: sa.Connection) -> Posted:
            if (same := _repeated(connection, event)) is not None:
                return Posted(same, (), duplicate=True)
            values = {name: getattr(event, name) for name in StoredEvent.__slots__}
            seq = _new_id(connection.execute(sa.insert(_events).values(values)))
            readers = _readers(connection, event)
            if readers:
                rows = [_delivery(reader.id, seq, event) for reader in readers]
                connection.execute(sa.insert(_deliveries), rows)
            return Posted(event, tuple(reader.name for reader in readers), duplicate=False)

        return await self._database.write(work)

    async def subscription(self, tenant: str, name: str, topic: str) -> Subscription:
        """The subscription of this name, made with `topic` when there is none."""

        def work(connection: sa.Connection) -> Subscription:
            chosen = sa.select(_subscriptions).where(
                _subscriptions.c.tenant == tenant, _subscriptions.c.name == name
            )
            row = connection.execute(chosen).one_or_none()
            if row is None:
                new = sa.insert(_subscriptions).values(tenant=tenant, name=name, topic=topic)
                return Subscription(_new_id(connection.execute(new)), tenant, name, topic)
            return Subscription(*row)

        return await self._database.write(work)

    async def remove(self, tenant: str, name: str) -> None:
        """Forget a subscription; what waits for it goes with it."""
        statement = sa.delete(_subscriptions).where(
            _subscriptions.c.tenant == tenant, _subscriptions.c.name == name
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def claim(
        self, reader: Subscription, *, now: datetime, lease: str, lasts: timedelta, attempts: int
    ) -> Claim | None:
        """The next event that is due, now leased; those tried `attempts` times are given up."""
        due = _unblocked(reader).where(_deliveries.c.due_at <= stamp(now))
        chosen = due.order_by(_deliveries.c.seq).limit(1)

        def work(connection: sa.Connection) -> Claim | None:
            while (row := connection.execute(chosen).one_or_none()) is not None:
                mine = sa.update(_deliveries).where(
                    _deliveries.c.subscription_id == reader.id, _deliveries.c.seq == row.seq
                )
                if row.attempts >= attempts:
                    reason = f"taken {row.attempts} times and never acknowledged"
                    connection.execute(mine.values(dead=1, lease="", reason=reason))
                    continue
                until = stamp(now + lasts)
                tried = row.attempts + 1
                connection.execute(mine.values(lease=lease, due_at=until, attempts=tried))
                return Claim(reader, row.seq, lease, tried, _event(connection, row.seq))
            return None

        return await self._database.write(work)

    async def next_due(self, reader: Subscription) -> datetime | None:
        """When the next event that nothing holds up is, or was, due."""
        first = sa.select(sa.func.min(_unblocked(reader).subquery().c.due_at))
        found = await self._database.read(lambda c: c.execute(first).scalar_one())
        return datetime.fromisoformat(found) if found else None

    async def done(self, claim: Claim) -> bool:
        """Remove a delivery, if the claim still holds it."""
        statement = _held(sa.delete(_deliveries), claim)
        return await self._database.write(lambda c: c.execute(statement).rowcount == 1)

    async def again(self, claim: Claim, *, due: datetime, reason: str, dead: bool) -> bool:
        """Give a delivery back, to come again or as a dead letter, if the claim still holds it."""
        statement = _held(sa.update(_deliveries), claim).values(
            lease="", due_at=stamp(due), reason=reason, dead=int(dead)
        )
        return await self._database.write(lambda c: c.execute(statement).rowcount == 1)

    async def dead(self, tenant: str, limit: int) -> list[DeadRow]:
        """A tenant's dead letters, oldest first."""
        chosen = (
            sa.select(_deliveries, _subscriptions.c.name)
            .join(_subscriptions, _subscriptions.c.id == _deliveries.c.subscription_id)
            .where(_subscriptions.c.tenant == tenant, _deliveries.c.dead == 1)
            .order_by(_deliveries.c.seq)
            .limit(limit)
        )

        def work(connection: sa.Connection) -> list[DeadRow]:
            return [
                DeadRow(_event(connection, row.seq), row.name, row.attempts, row.reason)
                for row in connection.execute(chosen).all()
            ]

        return await self._database.read(work)

    async def revive(self, tenant: str, event_id: str, name: str, *, due: datetime) -> bool:
        """Make a dead letter due again, with no attempts behind it."""
        event = sa.select(_events.c.seq).where(
            _events.c.tenant == tenant, _events.c.event_id == event_id
        )
        reader = sa.select(_subscriptions.c.id).where(
            _subscriptions.c.tenant == tenant, _subscriptions.c.name == name
        )
        statement = (
            sa.update(_deliveries)
            .where(
                _deliveries.c.seq == event.scalar_subquery(),
                _deliveries.c.subscription_id == reader.scalar_subquery(),
                _deliveries.c.dead == 1,
            )
            .values(dead=0, attempts=0, reason="", due_at=stamp(due))
        )
        return await self._database.write(lambda c: c.execute(statement).rowcount == 1)

    async def prune(self, *, done_before: datetime, dead_before: datetime) -> None:
        """Drop old dead letters, and old events that nobody waits for, of every tenant."""
        old_letters = sa.delete(_deliveries).where(
            _deliveries.c.dead == 1, _deliveries.c.due_at < stamp(dead_before)
        )
        old_events = sa.delete(_events).where(
            _events.c.published_at < stamp(done_before),
            ~sa.exists().where(_deliveries.c.seq == _events.c.seq),
        )

        def work(connection: sa.Connection) -> None:
            connection.execute(old_letters)
            connection.execute(old_events)

        await self._database.across_tenants().write(work)


def _new_id(result: sa.CursorResult[tuple[()]]) -> int:
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def _repeated(connection: sa.Connection, event: StoredEvent) -> StoredEvent | None:
    """The event this one repeats: the newest of its key, or one of the same keyed call."""
    alike = sa.select(_events).where(
        _events.c.tenant == event.tenant, _events.c.topic == event.topic
    )
    if event.key is not None:
        alike = alike.where(_events.c.key == event.key)
    elif event.idempotency_key:
        alike = alike.where(
            _events.c.key.is_(None), _events.c.idempotency_key == event.idempotency_key
        )
    else:
        return None
    row = connection.execute(alike.order_by(_events.c.seq.desc()).limit(1)).mappings().first()
    return _stored(row) if row is not None and row["data"] == event.data else None


def _readers(connection: sa.Connection, event: StoredEvent) -> list[Subscription]:
    chosen = sa.select(_subscriptions).where(_subscriptions.c.tenant == event.tenant)
    rows = [Subscription(*row) for row in connection.execute(chosen).all()]
    return [reader for reader in rows if fnmatchcase(event.topic, reader.topic)]


def _delivery(reader: int, seq: int, event: StoredEvent) -> dict[str, object]:
    return {
        "subscription_id": reader,
        "seq": seq,
        "key": event.key,
        "attempts": 0,
        "due_at": event.published_at,
        "lease": "",
        "dead": 0,
        "reason": "",
    }


def _unblocked(reader: Subscription) -> sa.Select[tuple[int, int, str]]:
    """Deliveries of a reader that have no earlier one of the same key before them."""
    earlier = _deliveries.alias("earlier")
    held_up = sa.exists().where(
        earlier.c.subscription_id == _deliveries.c.subscription_id,
        earlier.c.key == _deliveries.c.key,
        earlier.c.seq < _deliveries.c.seq,
        earlier.c.dead == 0,
    )
    return sa.select(_deliveries.c.seq, _deliveries.c.attempts, _deliveries.c.due_at).where(
        _deliveries.c.subscription_id == reader.id, _deliveries.c.dead == 0, ~held_up
    )


def _held(statement: _Statement, claim: Claim) -> _Statement:
    return statement.where(
        _deliveries.c.subscription_id == claim.subscription.id,
        _deliveries.c.seq == claim.seq,
        _deliveries.c.lease == claim.lease,
        _deliveries.c.dead == 0,
    )


def _event(connection: sa.Connection, seq: int) -> StoredEvent:
    row = connection.execute(sa.select(_events).where(_events.c.seq == seq)).mappings().one()
    return _stored(row)


def _stored(row: sa.RowMapping) -> StoredEvent:
    return StoredEvent(**{name: row[name] for name in StoredEvent.__slots__})
