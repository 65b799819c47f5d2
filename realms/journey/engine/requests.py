"""What is asked of a run that another process holds: kept in the database until it is answered.

Whoever holds the run takes the request, does it and answers. A holder that dies before its answer
leaves the request to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import orjson

from foundations.public_works.database import Database, Dialect
from realms.journey.stored_ids import AMONG, listed
from realms.journey.stored_times import micros
from utilities.context import UserContext

QUEUE = "journey-requests"
"""Rings for the run that something is asked of."""


@dataclass(frozen=True, slots=True)
class Request:
    """Something that is to be done to a run, by its holder."""

    request_id: str
    run_id: str
    verb: str
    arguments: Mapping[str, Any]
    user: UserContext
    trace_id: str
    idempotency_key: str = ""
    answered: bool = True
    """Whether somebody waits for the answer."""


class Requests(Protocol):
    """Requests on their way; there are few at any moment, however many runs there are."""

    async def post(self, request: Request, *, at: datetime) -> None:
        """Keep a request; it is durable when this returns."""
        ...

    async def take(
        self, *, holder: int, run_ids: Sequence[str] = (), limit: int = 100
    ) -> list[Request]:
        """Take what is asked of runs that are the holder's, or nobody's; the oldest first.

        Of all runs, or of `run_ids`. Nobody else is given them as long as the holder lives.
        """
        ...

    async def put_back(self, request_id: str, *, holder: int) -> None:
        """Leave a request to whoever has the run now."""
        ...

    async def answer(self, request_id: str, answer: bytes) -> None:
        """Keep what a request came to, for whoever waits for it."""
        ...

    async def answers(self, request_ids: Sequence[str]) -> dict[str, bytes]:
        """What there is of answers to these."""
        ...

    async def withdraw(self, request_id: str) -> bool:
        """Forget a request; whether nobody had begun to do it."""
        ...

    async def forget(self, *, before: datetime) -> None:
        """Drop answers that nobody has fetched."""
        ...


class NoRequests(Requests):
    """Where one process does everything: nobody asks, and nothing is asked."""

    async def post(self, request: Request, *, at: datetime) -> None:
        raise AssertionError(f"{request.verb} is done here, and asked of nobody")

    async def take(
        self, *, holder: int, run_ids: Sequence[str] = (), limit: int = 100
    ) -> list[Request]:
        return []

    async def put_back(self, request_id: str, *, holder: int) -> None:
        pass

    async def answer(self, request_id: str, answer: bytes) -> None:
        pass

    async def answers(self, request_ids: Sequence[str]) -> dict[str, bytes]:
        return {}

    async def withdraw(self, request_id: str) -> bool:
        return False

    async def forget(self, *, before: datetime) -> None:
        pass


class RequestRecords(Requests):
    """Requests in the city's database."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._among = AMONG[database.dialect]
        self._listed = partial(listed, database.dialect)
        self._skipping = (
            " FOR UPDATE OF q SKIP LOCKED" if database.dialect is Dialect.POSTGRESQL else ""
        )

    async def post(self, request: Request, *, at: datetime) -> None:
        insert = (
            "INSERT INTO journey_requests (id, run_id, data, asked_at) VALUES (?, ?, ?, ?) "
            "RETURNING 1"
        )
        values = (request.request_id, request.run_id, _encoded(request), micros(at))
        await self._database.commit_statement(insert, values)

    async def take(
        self, *, holder: int, run_ids: Sequence[str] = (), limit: int = 100
    ) -> list[Request]:
        """Take what is asked of runs that are the holder's, or nobody's; the oldest first.

        Of all runs, or of `run_ids`. Nobody else is given them as long as the holder lives.
        """
        narrowed = f" AND q.run_id {self._among}" if run_ids else ""
        take = (
            "UPDATE journey_requests SET taken_by = ? WHERE answer IS NULL AND id IN ("  # noqa: S608 - constants
            "SELECT q.id FROM journey_requests AS q JOIN journey_runs AS r ON r.run_id = q.run_id "
            "WHERE q.answer IS NULL AND r.holder IN (0, ?) "
            "AND (q.taken_by = 0 OR q.taken_by IN "
            f"(SELECT holder FROM journey_holders WHERE ended = 1)){narrowed} "
            f"ORDER BY q.id LIMIT ?{self._skipping}) RETURNING id, run_id, data"
        )
        named = (self._listed(run_ids),) if run_ids else ()
        values = (holder, holder, *named, limit)
        taken = await self._database.commit_statement(take, values)
        return [_decoded(*row) for row in sorted(taken, key=lambda row: row[0])]

    async def put_back(self, request_id: str, *, holder: int) -> None:
        back = "UPDATE journey_requests SET taken_by = 0 WHERE id = ? AND taken_by = ? RETURNING 1"
        await self._database.commit_statement(back, (request_id, holder))

    async def answer(self, request_id: str, answer: bytes) -> None:
        update = "UPDATE journey_requests SET answer = ? WHERE id = ? RETURNING 1"
        await self._database.commit_statement(update, (answer, request_id))

    async def answers(self, request_ids: Sequence[str]) -> dict[str, bytes]:
        select = (
            f"SELECT id, answer FROM journey_requests WHERE id {self._among} "  # noqa: S608 - constants
            "AND answer IS NOT NULL"
        )
        found = await self._database.commit_statement(select, (self._listed(request_ids),))
        return {row[0]: bytes(row[1]) for row in found}

    async def withdraw(self, request_id: str) -> bool:
        delete = "DELETE FROM journey_requests WHERE id = ? RETURNING taken_by"
        gone = await self._database.commit_statement(delete, (request_id,))
        return bool(gone) and gone[0][0] == 0

    async def forget(self, *, before: datetime) -> None:
        delete = (
            "DELETE FROM journey_requests WHERE asked_at < ? AND answer IS NOT NULL RETURNING 1"
        )
        await self._database.commit_statement(delete, (micros(before),))


def _encoded(request: Request) -> bytes:
    return orjson.dumps(
        {
            "version": 1,
            "verb": request.verb,
            "arguments": request.arguments,
            "user": request.user.model_dump(),
            "trace_id": request.trace_id,
            "idempotency_key": request.idempotency_key,
            "answered": request.answered,
        }
    )


def _decoded(request_id: str, run_id: str, data: Any) -> Request:
    said = orjson.loads(bytes(data))
    return Request(
        request_id=request_id,
        run_id=run_id,
        verb=said["verb"],
        arguments=said["arguments"],
        user=UserContext.model_validate(said["user"]),
        trace_id=said["trace_id"],
        idempotency_key=said["idempotency_key"],
        answered=said["answered"],
    )
