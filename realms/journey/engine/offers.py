"""Calls that another worker may make in the place of its run's holder, kept in the database.

An offer is taken once, by a worker whose lease lasts, as long as its holder's lasts too. What came
of it is for that holder alone, who writes the journal.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import orjson

from foundations.public_works.database import Database, Dialect
from realms.journey.stored_ids import AMONG, listed
from utilities.context import UserContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One call of one attempt, with all that whoever makes it must know."""

    offer_id: str
    holder: int
    service: str
    api: str
    shape: str
    """What both must know alike of the API."""
    arguments: Mapping[str, Any]
    user: UserContext
    trace_id: str
    idempotency_key: str
    run_id: str
    milestone: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """What takes the trace along, where spans are sent anywhere."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an offer stands."""

    taken: bool
    beats: int
    """So many signs of life the call has given."""
    answer: bytes | None
    lost: bool
    """The lease of whoever took it has ended."""


class Offers(Protocol):
    """Offers on their way; there are few at any moment."""

    async def post(self, offers: Sequence[Offer]) -> None:
        """Keep offers for whoever has room."""
        ...

    async def take(self, *, holder: int, limit: int, own: bool = False) -> list[Offer]:
        """Take what nobody has taken, the oldest first; durable when this returns.

        Of all whose holder lives, or of those that this holder has made itself.
        """
        ...

    async def standing(self, offer_ids: Collection[str]) -> dict[str, Standing]:
        """How those of these stand that are there."""
        ...

    async def wanted(
        self, offer_ids: Collection[str], *, holder: int, alive: Collection[str]
    ) -> set[str]:
        """Which of those that this holder has taken are still to be done; note who is alive."""
        ...

    async def answer(self, offer_id: str, answer: bytes, *, holder: int) -> None:
        """Keep what a call came to, if anybody still wants to know."""
        ...

    async def withdraw(self, offer_ids: Collection[str]) -> set[str]:
        """Take back what nobody has taken: these are there and taken."""
        ...

    async def drop(self, offer_ids: Collection[str]) -> None:
        """Forget offers, whatever becomes of them."""
        ...

    async def sweep(self) -> None:
        """Forget what dead holders have offered."""
        ...


class OfferRecords(Offers):
    """Offers on PostgreSQL: where there are workers, there is a server.

    What is taken, answered or taken back is durable before anybody acts on it.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._listed = partial(listed, Dialect.POSTGRESQL)

    async def post(self, offers: Sequence[Offer]) -> None:
        rows = [(offer.offer_id, offer.holder, _encoded(offer)) for offer in offers]
        await self._database.light_statement(
            _POST, [list(part) for part in zip(*rows, strict=True)]
        )

    async def take(self, *, holder: int, limit: int, own: bool = False) -> list[Offer]:
        if not await self._database.light_statement(_ANY, ()):
            return []  # a look in vain locks nothing, and waits for no disk
        values = (holder, own, holder, limit, holder)
        taken = await self._database.commit_statement(_TAKE, values)
        return [_decoded(*row) for row in sorted(taken, key=lambda row: str(row[0]))]

    async def standing(self, offer_ids: Collection[str]) -> dict[str, Standing]:
        found = await self._database.light_statement(_STANDING, (self._listed(offer_ids),))
        return {
            row[0]: Standing(bool(row[1]), row[2], row[3] and bytes(row[3]), bool(row[4]))
            for row in found
        }

    async def wanted(
        self, offer_ids: Collection[str], *, holder: int, alive: Collection[str]
    ) -> set[str]:
        if alive:
            await self._database.light_statement(_BEAT, (self._listed(alive), holder))
        values = (self._listed(offer_ids), holder)
        return {row[0] for row in await self._database.light_statement(_WANTED, values)}

    async def answer(self, offer_id: str, answer: bytes, *, holder: int) -> None:
        await self._database.commit_statement(_ANSWER, (answer, offer_id, holder))

    async def withdraw(self, offer_ids: Collection[str]) -> set[str]:
        await self._database.commit_statement(_WITHDRAW, (self._listed(offer_ids),))
        return set(await self.standing(offer_ids))

    async def drop(self, offer_ids: Collection[str]) -> None:
        await self._database.light_statement(_DROP, (self._listed(offer_ids),))

    async def sweep(self) -> None:
        await self._database.light_statement(_SWEEP, ())


_AMONG = AMONG[Dialect.POSTGRESQL]
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_LEASED = f"h.ended = 0 AND (h.until IS NULL OR h.until > {_NOW})"
"""A lease that is over and not yet taken away counts as ended: others may have the run soon."""
_POST = (
    "INSERT INTO journey_offers (id, holder, data) "
    "SELECT * FROM unnest(?::text[], ?::int[], ?::bytea[]) RETURNING 1"
)
_ANY = "SELECT 1 FROM journey_offers WHERE taken_by = 0 LIMIT 1"
_TAKE = (
    "WITH living AS MATERIALIZED (SELECT 1 FROM journey_holders AS h "  # noqa: S608 - constants
    f"WHERE h.holder = ? AND {_LEASED} FOR SHARE), "
    "free AS MATERIALIZED (SELECT o.id FROM journey_offers AS o "
    "JOIN journey_holders AS h ON h.holder = o.holder "
    f"WHERE o.taken_by = 0 AND {_LEASED} AND EXISTS (SELECT FROM living) "
    "AND (NOT ?::bool OR o.holder = ?) "
    "ORDER BY o.id LIMIT ? FOR UPDATE OF o SKIP LOCKED FOR SHARE OF h) "
    "UPDATE journey_offers AS mine SET taken_by = ?::int FROM free WHERE mine.id = free.id "
    "RETURNING mine.id, mine.holder, mine.data"
)
"""Both leases are held until this is committed: no dead holder's call is begun."""
_STANDING = (
    "SELECT o.id, o.taken_by > 0, o.beats, o.answer, o.taken_by > 0 AND NOT EXISTS ("  # noqa: S608 - constants
    "SELECT FROM journey_holders AS h WHERE h.holder = o.taken_by AND h.ended = 0) "
    f"FROM journey_offers AS o WHERE o.id {_AMONG}"
)
_BEAT = (
    f"UPDATE journey_offers SET beats = beats + 1 WHERE id {_AMONG} AND taken_by = ? RETURNING 1"  # noqa: S608 - constants
)
_WANTED = (
    f"SELECT o.id FROM journey_offers AS o WHERE o.id {_AMONG} AND o.taken_by = ? "  # noqa: S608 - constants
    "AND (SELECT count(*) FROM journey_holders AS h "
    f"WHERE h.holder IN (o.holder, o.taken_by) AND {_LEASED}) = 2"
)
_ANSWER = (
    "UPDATE journey_offers SET answer = ? "
    "WHERE id = ? AND taken_by = ? AND answer IS NULL RETURNING 1"
)
_WITHDRAW = f"DELETE FROM journey_offers WHERE id {_AMONG} AND taken_by = 0 RETURNING 1"  # noqa: S608 - constants
_DROP = f"DELETE FROM journey_offers WHERE id {_AMONG} RETURNING 1"  # noqa: S608 - constants
_SWEEP = (
    "DELETE FROM journey_offers AS o WHERE NOT EXISTS (SELECT FROM journey_holders AS h "
    "WHERE h.holder = o.holder AND h.ended = 0) RETURNING 1"
)


def _encoded(offer: Offer) -> bytes:
    return orjson.dumps(
        {
            "version": 1,
            "service": offer.service,
            "api": offer.api,
            "shape": offer.shape,
            "arguments": offer.arguments,
            "user": offer.user.model_dump(),
            "trace_id": offer.trace_id,
            "idempotency_key": offer.idempotency_key,
            "run_id": offer.run_id,
            "milestone": offer.milestone,
            "headers": offer.headers,
        }
    )


def _decoded(offer_id: str, holder: int, data: Any) -> Offer:
    said = orjson.loads(bytes(data))
    del said["version"]
    said["user"] = UserContext.model_validate(said["user"])
    return Offer(offer_id=offer_id, holder=holder, **said)
