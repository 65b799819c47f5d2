"""The journal in the city's database. SQL goes straight to the driver: this is the hot path.

How it is written on SQLite stands here, how on PostgreSQL in `postgres_writing`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import OperationalError

from foundations.public_works.database import (
    ConstraintBroken,
    Database,
    Dialect,
    DriverConnection,
    OutcomeUnknown,
    Writes,
)
from realms.journey import postgres_writing
from realms.journey.api import Reason, RunStatus
from realms.journey.engine.failpoints import reach
from realms.journey.engine.journal import (
    AliasTaken,
    DueRun,
    Entry,
    Journal,
    RunFilter,
    RunRow,
    StaleWriter,
    Stored,
    TextLost,
    VersionTaken,
    WritesRefused,
)
from realms.journey.postgres_reading import CLAIM, LOAD, LOAD_AT_REST
from realms.journey.stored_ids import AMONG, listed
from realms.journey.stored_rows import (
    COLUMNS,
    DUE_COLUMNS,
    MOVES,
    READY,
    all_columns,
    changing_columns,
    due_of,
    row_of,
)
from realms.journey.stored_times import EPOCH, micros, moment
from utilities.errors import PlatformError

Outcomes = Sequence[PlatformError | None]

_OPEN = (
    "(status = 'running' OR status = 'waiting' OR status = 'pending' OR status = 'queued' "
    "OR status = 'paused' OR status = 'compensating')"
)
"""Word for word as the indexes have it, or none of them is used."""
_CREATE = f"INSERT INTO journey_runs ({COLUMNS}) VALUES ({', '.join('?' * 14)})"  # noqa: S608 - constant column names
_CHANGE = (
    "UPDATE journey_runs SET template_hash = ?, status = ?, reason = ?, wake_at = ?, "
    "updated_at = ?, holder = ?, settled = ? WHERE run_id = ? AND (holder = 0 OR holder = ?)"
)
_ADD = "INSERT INTO journey_facts (run_id, seq, data) VALUES (?, ?, ?)"


def _many(statement: str, columns: int) -> list[tuple[int, str]]:
    """The statement for many rows at once: how many values it takes, and how it reads.

    They are few, so that each stays prepared.
    """
    row = f", ({', '.join('?' * columns)})"
    return [(columns * n, statement + row * (n - 1)) for n in (128, 64, 32, 16, 8, 4, 2, 1)]


_CREATE_MANY = _many(_CREATE, 14)
_ADD_MANY = _many(_ADD, 3)
_PIN = (
    "INSERT INTO journey_texts (hash, name, version, text) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_RING = "UPDATE journey_runs SET wake_at = ? WHERE run_id = ? AND holder = 0 AND status = 'waiting'"
_REMEMBER = "INSERT OR REPLACE INTO journey_memos (tenant, key, output, at) VALUES (?, ?, ?, ?)"
_LIVING = "SELECT 1 FROM journey_holders WHERE holder = ? AND ended = 0"
_SELECT = f"SELECT {COLUMNS} FROM journey_runs "  # noqa: S608 - constant column names
_FREE = (
    "UPDATE journey_runs SET holder = 0 WHERE status IN ('running', 'paused', 'compensating') "  # noqa: S608 - constants
    f"AND {_OPEN} AND holder > 0 "
    "AND holder IN (SELECT holder FROM journey_holders WHERE ended = 1)"
)
_FREE_CLAIMED = (
    "UPDATE journey_runs SET holder = 0 "
    "WHERE holder > 0 AND (status = 'pending' OR status = 'queued' OR status = 'waiting') "
    "AND holder IN (SELECT holder FROM journey_holders WHERE ended = 1)"
)
_CLAIM = (
    f"UPDATE journey_runs SET holder = ? WHERE run_id {AMONG[Dialect.SQLITE]} "  # noqa: S608 - constants
    f"AND {READY} AND EXISTS ({_LIVING}) RETURNING {COLUMNS}"
)
_ENTRIES = {
    dialect: f"SELECT run_id, data FROM journey_facts WHERE run_id {among} ORDER BY run_id, seq"  # noqa: S608 - constants
    for dialect, among in AMONG.items()
}
_DUE = (
    f"SELECT {DUE_COLUMNS} FROM journey_runs "  # noqa: S608 - constant column names
    "WHERE holder = 0 AND wake_at IS NOT NULL AND wake_at <= ? "
    "AND (wake_at, run_id) > (?, ?) ORDER BY wake_at, run_id LIMIT ?"
)
_AT_REST = (
    f"SELECT run_id, updated_at FROM journey_runs WHERE run_id {AMONG[Dialect.SQLITE]} "  # noqa: S608 - constants
    f"AND NOT {MOVES}"
)
_FEW = 20
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_AT_ONCE = 500


class DatabaseJournal(Journal):
    """Entries keyed `(run_id, seq)`; a holder whose lease has ended changes zero rows."""

    def __init__(self, *, database: Database) -> None:
        self._database = database.across_tenants()
        self._tasks: set[asyncio.Task[Outcomes]] = set()
        self._server = database.dialect is Dialect.POSTGRESQL
        self._listed = partial(listed, database.dialect)
        self._all, self._each = (
            (postgres_writing.all_together, postgres_writing.each)
            if self._server
            else (_all, _each)
        )
        self._in_doubt: dict[tuple[str, int], bytes] = {}
        """Entries of which nobody knows whether they were written."""

    @property
    def works_apart(self) -> bool:
        return self._server

    # holders

    async def now(self, here: datetime) -> datetime:
        if not self._server:
            return here
        ((now,),) = await self._database.light_statement(_NOW, ())
        return moment(now)

    async def take_hold(self, *, at: datetime, until: datetime | None) -> int:
        insert = "INSERT INTO journey_holders (taken_at, until) VALUES (?, ?) RETURNING holder"

        def work(connection: Connection) -> int:
            values = (_micros(at), _micros(until))
            return int(connection.exec_driver_sql(insert, values).scalar_one())

        return await self._database.write(work)

    async def renew(self, holder: int, *, until: datetime) -> bool:
        update = "UPDATE journey_holders SET until = ? WHERE holder = ? AND ended = 0"

        def work(connection: Connection) -> bool:
            return connection.exec_driver_sql(update, (_micros(until), holder)).rowcount == 1

        return await self._database.write(work)

    async def dismiss(self, *, at: datetime, survivor: int) -> int:
        over = "ended = 0 AND holder <> ? AND (until IS NULL OR until <= ?)"
        values = (survivor, _micros(at))

        def look(connection: Connection) -> bool:
            select = f"SELECT 1 FROM journey_holders WHERE {over} LIMIT 1"  # noqa: S608 - a constant
            return connection.exec_driver_sql(select, values).first() is not None

        def work(connection: DriverConnection) -> int:
            if connection.execute(_LIVING, (survivor,)).fetchone() is None:
                return 0
            end = f"UPDATE journey_holders SET ended = 1 WHERE {over}"  # noqa: S608 - a constant
            connection.execute(end, values)
            return connection.execute(_FREE).rowcount + connection.execute(_FREE_CLAIMED).rowcount

        return await self._database.commit(work) if await self._database.read(look) else 0

    async def let_go(self, holder: int) -> None:
        end = "UPDATE journey_holders SET ended = 1 WHERE holder = ?"

        def work(connection: DriverConnection) -> None:
            connection.execute(end, (holder,))
            connection.execute(_FREE)
            connection.execute(_FREE_CLAIMED)

        await self._database.commit(work)

    async def claim(
        self, run_ids: Sequence[str], *, holder: int, at: datetime
    ) -> Mapping[str, Stored]:
        if not run_ids:
            return {}
        values = (holder, self._listed(run_ids), _micros(at), holder)
        if not self._server:
            return await self._with_entries(await self._database.commit_statement(_CLAIM, values))
        rows = await self._database.light_statement(CLAIM, values)
        claimed = {row[0]: _stored(row) for row in rows if row[-1] is not None}
        late = [row for row in rows if row[-1] is None]
        return claimed | await self._with_entries(late) if late else claimed

    async def _with_entries(self, rows: Sequence[Any]) -> dict[str, Stored]:
        """Claimed rows with what they say, read afterwards: nobody else adds to it now."""
        entries: dict[str, list[bytes]] = {row[0]: [] for row in rows}
        sql = _ENTRIES[self._database.dialect]
        for run_id, data in await self._database.light_statement(sql, (self._listed(entries),)):
            entries[run_id].append(_bytes(data))
        return {row[0]: Stored(row_of(row[:_WIDTH]), tuple(entries[row[0]])) for row in rows}

    async def held(self, holder: int) -> list[str]:
        select = (
            "SELECT run_id FROM journey_runs WHERE holder = ? AND holder > 0 "  # noqa: S608 - constants
            f"AND {_OPEN}"
        )
        return [row[0] for row in await self._database.commit_statement(select, (holder,))]

    async def release(
        self,
        run_ids: Sequence[str],
        *,
        holder: int,
        wake_at: datetime | None = None,
        reason: Reason | None = None,
    ) -> None:
        changes: dict[str, Any] = {"holder": 0}
        if wake_at is not None:
            changes["wake_at"] = _micros(wake_at)
        if reason is not None:
            changes["reason"] = reason.value
        among = AMONG[self._database.dialect]
        update = (
            f"UPDATE journey_runs SET {', '.join(f'{name} = ?' for name in changes)} "  # noqa: S608 - constant column names
            f"WHERE run_id {among} AND holder = ? RETURNING 1"
        )
        if run_ids:
            values = (*changes.values(), self._listed(run_ids), holder)
            await self._database.light_statement(update, values)

    async def take_turn(self, name: str, *, holder: int, at: datetime, until: datetime) -> bool:
        take = (
            "INSERT INTO journey_turns (name, holder, until) "  # noqa: S608 - constants
            f"SELECT ?, holder, ? FROM ({_LIVING.replace('SELECT 1', 'SELECT holder')}) AS living "
            "WHERE true ON CONFLICT (name) "
            "DO UPDATE SET holder = excluded.holder, until = excluded.until "
            "WHERE journey_turns.holder = excluded.holder OR journey_turns.until <= ? "
            "OR journey_turns.holder IN (SELECT holder FROM journey_holders WHERE ended = 1) "
            "RETURNING 1"
        )
        values = (name, _micros(until), holder, _micros(at))
        return bool(await self._database.commit_statement(take, values))

    async def end_turn(self, name: str, *, holder: int) -> None:
        end = "DELETE FROM journey_turns WHERE name = ? AND holder = ? RETURNING 1"
        await self._database.commit_statement(end, (name, holder))

    async def next_slot(self, name: str, *, earliest: datetime, spacing: timedelta) -> datetime:
        take = (
            "INSERT INTO journey_slots (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET "
            "at = CASE WHEN journey_slots.at + ? > excluded.at THEN journey_slots.at + ? "
            "ELSE excluded.at END RETURNING at"
        )
        apart = spacing // timedelta(microseconds=1)
        values = (name, _micros(earliest), apart, apart)
        ((slot,),) = await self._database.commit_statement(take, values)
        return moment(slot)

    # writing

    def write(self, entries: Sequence[Entry], *, holder: int) -> "asyncio.Future[Outcomes]":
        along = [_told(work) for entry in entries if entry.along for work in entry.along]
        together = self._together(entries, holder, along)
        if together.done() and not together.cancelled() and together.exception() is None:
            return together
        answer: asyncio.Future[Outcomes] = asyncio.get_running_loop().create_future()
        write = _Write(entries, holder, along, answer)
        if together.done():
            self._finished(write, together)
        else:
            together.add_done_callback(partial(self._finished, write))
        return answer

    def _finished(self, write: "_Write", done: "asyncio.Future[Outcomes]") -> None:
        """Answer what came of it; where one entry spoilt it for all, try each by itself."""
        entries, holder, along, answer = write
        if answer.done() or done.cancelled():
            answer.cancel()
            return
        error = done.exception()
        refused = isinstance(error, (_OneIsRefused, ConstraintBroken))
        if error is None:
            # a statement that was not refused answers no rows
            answer.set_result(done.result() or [None] * len(entries))
        elif along and len(entries) > 1:
            self._apart(entries, holder, answer)
        elif refused and not along:
            each = self._database.commit(self._each(entries, holder))
            each.add_done_callback(partial(self._finished, write))
        elif refused:
            answer.set_result([StaleWriter(f"{entries[0].run_id}: {error}")])
        elif isinstance(error, WritesRefused):
            answer.set_result([error])
        else:
            self._doubt(entries, error)
            answer.set_exception(error)

    def _together(
        self, entries: Sequence[Entry], holder: int, along: Sequence[Writes]
    ) -> "asyncio.Future[Any]":
        """All of the entries or none, by the quickest road there is."""
        if self._in_doubt:
            return self._owned(self._settled(entries, holder))
        if self._server and entries and not along:
            statement = postgres_writing.statement(entries, holder)
            return self._database.commit_statement(statement.sql, statement.parameters)
        return self._database.commit(self._all(entries, holder), along=along)

    def _doubt(self, entries: Sequence[Entry], error: BaseException) -> None:
        """Remember entries that may have been written: they are not written again unseen."""
        if isinstance(error, OutcomeUnknown):
            self._in_doubt.update({(e.run_id, e.seq): e.data for e in entries})

    async def _settled(self, entries: Sequence[Entry], holder: int) -> Outcomes:
        """Write those of the entries in doubt that were not written, and the others."""
        select = "SELECT data FROM journey_facts WHERE run_id = ? AND seq = ?"
        doubtful = [e for e in entries if self._in_doubt.get((e.run_id, e.seq)) == e.data]

        def look(connection: DriverConnection) -> set[tuple[str, int]]:
            found = {
                (e.run_id, e.seq): connection.execute(select, (e.run_id, e.seq)).fetchone()
                for e in doubtful
            }
            return {
                (e.run_id, e.seq)
                for e in doubtful
                if (row := found[e.run_id, e.seq]) is not None and row[0] == e.data
            }

        await self._database.commit_statement("SELECT 1", ())  # what it had begun has ended then
        written = await self._database.commit(look)
        self._in_doubt.clear()
        rest = [entry for entry in entries if (entry.run_id, entry.seq) not in written]
        outcomes = iter(await self.write(rest, holder=holder) if rest else ())
        return [None if (e.run_id, e.seq) in written else next(outcomes) for e in entries]

    def _owned(self, work: Coroutine[Any, Any, Outcomes]) -> "asyncio.Task[Outcomes]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _apart(
        self, entries: Sequence[Entry], holder: int, answer: "asyncio.Future[Outcomes]"
    ) -> None:
        """Each entry in a transaction of its own: the writes of one service spoil no other's."""

        def finished(task: "asyncio.Task[Outcomes]") -> None:
            if answer.done():
                return
            if task.cancelled():
                answer.cancel()
            elif (error := task.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        self._owned(self._one_by_one(entries, holder)).add_done_callback(finished)

    async def _one_by_one(self, entries: Sequence[Entry], holder: int) -> Outcomes:
        outcomes: list[PlatformError | None] = []
        refused: set[str] = set()
        for index, entry in enumerate(entries):
            if entry.run_id in refused:
                outcomes.append(_after_a_refusal(entry))
                continue
            try:
                (outcome,) = await self.write([entry], holder=holder)
            except PlatformError as error:  # the store takes nothing now: the rest is kept
                return [*outcomes, *[error] * (len(entries) - index)]
            outcomes.append(outcome)
            if outcome is not None and entry.seq:
                refused.add(entry.run_id)
        return outcomes

    async def condemn(self, run_id: str, *, at: datetime, holder: int) -> None:
        change = (
            "UPDATE journey_runs SET status = ?, reason = ?, wake_at = NULL, updated_at = ?, "
            "holder = 0 WHERE run_id = ? AND holder IN (0, ?)"
        )
        failed, reason = RunStatus.FAILED.value, Reason.CORRUPT_STATE.value

        def work(connection: Connection) -> None:
            living = _LIVING + (" FOR SHARE" if self._server else "")
            if connection.exec_driver_sql(living, (holder,)).first() is None:
                raise StaleWriter(f"the lease of holder {holder} has ended")
            values = (failed, reason, _micros(at), run_id, holder)
            if connection.exec_driver_sql(change, values).rowcount != 1:
                raise StaleWriter(f"{run_id} is held by somebody else")

        await self._database.write(work)

    # texts

    async def pin_text(self, text_hash: str, text: str, *, name: str, version: str) -> None:
        def work(connection: Connection) -> None:
            known = "SELECT hash FROM journey_texts WHERE name = ? AND version = ?"
            other = connection.exec_driver_sql(known, (name, version)).scalar_one_or_none()
            if other not in {None, text_hash}:
                raise VersionTaken(
                    f"{name} {version} was used with another text", hint="raise its version"
                )
            connection.exec_driver_sql(_PIN, (text_hash, name, version or None, text))

        await self._database.write(work)

    async def pinned_text(self, text_hash: str) -> str:
        def work(connection: Connection) -> str | None:
            select = "SELECT text FROM journey_texts WHERE hash = ?"
            found: str | None = connection.exec_driver_sql(
                select, (text_hash,)
            ).scalar_one_or_none()
            return found

        text = await self._database.read(work)
        if text is None:
            raise TextLost(f"no text with hash {text_hash} is kept")
        return text

    # reading

    async def load(self, run_ids: Sequence[str]) -> Mapping[str, Stored]:
        if self._server and len(run_ids) <= _FEW:
            return await self._loaded(run_ids)

        def work(connection: Connection) -> dict[str, Stored]:
            found: dict[str, Stored] = {}
            for first in range(0, len(run_ids), _AT_ONCE):
                wanted = tuple(run_ids[first : first + _AT_ONCE])
                where = f"WHERE run_id IN ({', '.join('?' * len(wanted))})"
                rows = connection.exec_driver_sql(f"{_SELECT}{where} ORDER BY run_id", wanted).all()
                select = f"SELECT run_id, data FROM journey_facts {where} ORDER BY run_id, seq"  # noqa: S608 - placeholders only
                entries: dict[str, list[bytes]] = {row[0]: [] for row in rows}
                for run_id, data in connection.exec_driver_sql(select, wanted).all():
                    if run_id in entries:
                        entries[run_id].append(_bytes(data))
                for row in rows:
                    found[row[0]] = Stored(row_of(row), tuple(entries[row[0]]))
            return found

        return await self._database.read(work) if run_ids else {}

    async def _loaded(self, run_ids: Sequence[str]) -> Mapping[str, Stored]:
        """A few runs by one question, which sees rows and entries as of one moment."""
        if not run_ids:
            return {}
        rows = await self._database.light_statement(LOAD, (self._listed(run_ids),))
        return {row[0]: _stored(row) for row in rows}

    async def at_rest(self, seen: Mapping[str, datetime | None]) -> Mapping[str, Stored]:
        if self._server:
            values = (list(seen), list(map(_micros, seen.values())))
            rows = await self._database.light_statement(LOAD_AT_REST, values)
            return {row[0]: _stored(row) for row in rows}
        found = await self._database.light_statement(_AT_REST, (self._listed(seen),))
        return await self.load([row[0] for row in found if moment(row[1]) != seen[row[0]]])

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        def work(connection: Connection) -> RunRow | None:
            by_id = _SELECT + "WHERE run_id = ? AND tenant = ?"
            found = connection.exec_driver_sql(by_id, (id_or_alias, tenant)).first()
            if found is None:
                by_alias = _SELECT + "WHERE tenant = ? AND alias = ?"
                found = connection.exec_driver_sql(by_alias, (tenant, id_or_alias)).first()
            return None if found is None else row_of(found)

        return await self._database.read(work)

    async def page(self, wanted: RunFilter, *, before: str = "", limit: int = 50) -> list[RunRow]:
        parts: dict[str, Any] = {"tenant = ?": wanted.tenant}
        if wanted.dead:
            parts["status = 'failed' AND settled = 0 AND ? = 1"] = 1
        if wanted.status is not None:
            parts["status = ?"] = wanted.status.value
        if wanted.status is not None and not wanted.status.ended:
            parts[f"{_OPEN} AND ? = 1"] = 1
        if wanted.reason is not None:
            parts["reason = ?"] = wanted.reason.value
        if wanted.template:
            parts["template = ?"] = wanted.template
        if before:
            parts["run_id < ?"] = before
        where = f"WHERE {' AND '.join(parts)} ORDER BY run_id DESC LIMIT ?"
        return await self._rows(where, (*parts.values(), limit))

    async def due(
        self, now: datetime, *, after: DueRun | None = None, limit: int = 500
    ) -> list[DueRun]:
        place = (_LONG_AGO, "") if after is None else (_micros(after.wake_at), after.run_id)
        values = (_micros(now), *place, limit)
        return list(map(due_of, await self._database.light_statement(_DUE, values)))

    async def ready(self, now: datetime, *, most: int) -> int:
        counted = (
            "SELECT count(*) FROM (SELECT 1 FROM journey_runs WHERE holder = 0 "
            "AND wake_at IS NOT NULL AND wake_at <= ? LIMIT ?) AS ready"
        )

        def work(connection: Connection) -> int:
            return int(connection.exec_driver_sql(counted, (_micros(now), most)).scalar_one())

        return await self._database.read(work)

    async def next_wake(self, *, after: datetime) -> datetime | None:
        select = "SELECT min(wake_at) FROM journey_runs WHERE holder = 0 AND wake_at > ?"

        def work(connection: Connection) -> datetime | None:
            found = connection.exec_driver_sql(select, (_micros(after),)).scalar()
            return None if found is None else moment(found)

        return await self._database.read(work)

    async def lane(self, tenant: str, lane: str) -> list[RunRow]:
        where = f"WHERE tenant = ? AND lane = ? AND lane <> '' AND {_OPEN} ORDER BY run_id"
        return await self._rows(where, (tenant, lane))

    async def unfinished_naming(self, tenant: str, word: str, *, limit: int) -> list[RunRow]:
        holds = "position(?::bytea in f.data)" if self._server else "instr(f.data, ?)"
        where = (
            f"WHERE tenant = ? AND {_OPEN} AND EXISTS (SELECT 1 FROM journey_facts AS f "  # noqa: S608 - constants
            f"WHERE f.run_id = journey_runs.run_id AND {holds} > 0) ORDER BY run_id LIMIT ?"
        )
        return await self._rows(where, (tenant, word.encode(), limit))

    async def queued_lanes(self) -> list[tuple[str, str]]:
        select = (
            "SELECT DISTINCT tenant, lane FROM journey_runs "  # noqa: S608 - a constant
            f"WHERE lane <> '' AND status = 'queued' AND {_OPEN}"
        )

        def work(connection: Connection) -> list[tuple[str, str]]:
            return [(tenant, lane) for tenant, lane in connection.exec_driver_sql(select)]

        return await self._database.read(work)

    async def memo(self, tenant: str, key: str, *, since: datetime | None) -> bytes | None:
        select = "SELECT output FROM journey_memos WHERE tenant = ? AND key = ? AND at >= ?"

        def work(connection: Connection) -> bytes | None:
            values = (tenant, key, _micros(since or EPOCH))
            found: bytes | None = connection.exec_driver_sql(select, values).scalar_one_or_none()
            return found

        return await self._database.read(work)

    async def finished(
        self, template: str, *, before: datetime, after: str = "", limit: int = 500
    ) -> list[RunRow]:
        where = (
            f"WHERE run_id > ? AND template = ? AND NOT {_OPEN} AND updated_at < ? "
            "AND (status <> 'failed' OR settled = 1) ORDER BY run_id LIMIT ?"
        )
        return await self._rows(where, (after, template, _micros(before), limit))

    async def templates(self) -> list[str]:
        select = "SELECT DISTINCT name FROM journey_texts ORDER BY name"

        def work(connection: Connection) -> list[str]:
            return list(connection.exec_driver_sql(select).scalars())

        return await self._database.read(work)

    async def remove(self, run_ids: Sequence[str]) -> None:
        values = [(run_id,) for run_id in run_ids]

        def work(connection: Connection) -> None:
            for table in ("journey_facts", "journey_runs"):
                delete = f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 - a constant
                connection.exec_driver_sql(delete, values)

        if values:
            await self._database.write(work)

    async def _rows(self, where: str, values: tuple[Any, ...]) -> list[RunRow]:
        def work(connection: Connection) -> list[RunRow]:
            found = connection.exec_driver_sql(_SELECT + where, values).all()
            return [row_of(row) for row in found]

        return await self._database.read(work)


async def unfinished(database: Database) -> int:
    """How many runs in a store have not ended; none where journeys have no tables yet."""

    def work(connection: Connection) -> int:
        if not inspect(connection).has_table("journey_runs"):
            return 0
        count = f"SELECT count(*) FROM journey_runs WHERE {_OPEN}"  # noqa: S608 - a constant
        return int(connection.exec_driver_sql(count).scalar_one())

    return await database.across_tenants().read(work)


# writing many at once


class _Write(NamedTuple):
    """Entries that are being written, and the future that is to say what became of them."""

    entries: Sequence[Entry]
    holder: int
    along: Sequence[Writes]
    answer: "asyncio.Future[Outcomes]"


class _OneIsRefused(Exception):
    """Among the entries of a commit is one that may not be written."""


def _all(entries: Sequence[Entry], holder: int) -> Callable[[DriverConnection], Outcomes]:
    """Everything in as few statements as there are kinds, if nothing is to be refused."""

    def work(connection: DriverConnection) -> Outcomes:
        if connection.execute(_LIVING, (holder,)).fetchone() is None:
            raise _OneIsRefused  # so that nothing is written along with it
        made, changed, added = _by_kind(entries)
        if any(row.alias and _alias_taken(connection, row) for row in made):
            raise _OneIsRefused
        _insert(connection, _CREATE_MANY, [value for row in made for value in all_columns(row)])
        if changed:
            values = [(*changing_columns(row), row.run_id, holder) for row in changed]
            if connection.executemany(_CHANGE, values).rowcount != len(values):
                raise _OneIsRefused
        _insert(connection, _ADD_MANY, added)
        for entry in entries:
            if entry.rings or entry.memos:
                _besides(connection, entry)
        reach("in_transaction")
        return [None] * len(entries)

    return work


def _by_kind(entries: Sequence[Entry]) -> tuple[list[RunRow], list[RunRow], list[Any]]:
    """Rows to be made, rows to be changed, and the columns of all entries one after the other."""
    made: list[RunRow] = []
    changed: list[RunRow] = []
    added: list[Any] = []
    for run_id, seq, data, row, *_ in entries:
        added += (run_id, seq, data)
        if row is not None:
            (changed if seq else made).append(row)
    return made, changed, added


def _insert(
    connection: DriverConnection, statements: Sequence[tuple[int, str]], values: list[Any]
) -> None:
    """Insert rows whose columns stand one after the other, many in a statement.

    That is fewer steps to and fro between the store and the interpreter.
    """
    first = 0
    for many, statement in statements:
        while len(values) - first >= many:
            connection.execute(statement, values[first : first + many])
            first += many


def _each(entries: Sequence[Entry], holder: int) -> Callable[[DriverConnection], Outcomes]:
    """One after the other, each whole or not at all."""

    def work(connection: DriverConnection) -> Outcomes:
        if connection.execute(_LIVING, (holder,)).fetchone() is None:
            return [_over(holder)] * len(entries)
        outcomes: list[PlatformError | None] = []
        refused: set[str] = set()
        for entry in entries:
            if entry.run_id in refused:
                outcomes.append(_after_a_refusal(entry))
                continue
            outcome = _one(connection, entry, holder)
            if outcome is not None and entry.seq:
                refused.add(entry.run_id)
            outcomes.append(outcome)
        return outcomes

    return work


def _one(connection: DriverConnection, entry: Entry, holder: int) -> PlatformError | None:
    if refusal := _refusal(connection, entry, holder):
        return refusal
    if entry.row is not None:
        if entry.seq:
            connection.execute(_CHANGE, (*changing_columns(entry.row), entry.run_id, holder))
        else:
            connection.execute(_CREATE, all_columns(entry.row))
    connection.execute(_ADD, (entry.run_id, entry.seq, entry.data))
    _besides(connection, entry)
    return None


def _refusal(connection: DriverConnection, entry: Entry, holder: int) -> PlatformError | None:
    count = "SELECT count(*) FROM journey_facts WHERE run_id = ?"
    if connection.execute(count, (entry.run_id,)).fetchone()[0] != entry.seq:
        return StaleWriter(f"{entry.run_id} is not at {entry.seq} any more")
    if not entry.seq:
        assert entry.row is not None
        if entry.row.alias and _alias_taken(connection, entry.row):
            return AliasTaken(f'a run is called "{entry.row.alias}" already')
        return None
    held = "SELECT holder FROM journey_runs WHERE run_id = ?"
    if connection.execute(held, (entry.run_id,)).fetchone()[0] not in {0, holder}:
        return StaleWriter(f"{entry.run_id} is held by somebody else")
    return None


def _alias_taken(connection: DriverConnection, row: RunRow) -> bool:
    select = "SELECT 1 FROM journey_runs WHERE tenant = ? AND alias = ?"
    return connection.execute(select, (row.tenant, row.alias)).fetchone() is not None


def _besides(connection: DriverConnection, entry: Entry) -> None:
    for ring in entry.rings:
        assert entry.row is not None
        connection.execute(_RING, (_micros(entry.row.updated_at), ring))
    for memo in entry.memos:
        values = (memo.tenant, memo.key, memo.output, _micros(memo.at))
        connection.execute(_REMEMBER, values)


def _told(work: Writes) -> Writes:
    """The writes of a service, whose fault they are when they cannot be made."""

    def run(connection: Connection) -> None:
        try:
            work(connection)
        except OperationalError as error:
            code = getattr(error.orig, "sqlstate", None) or ""
            if (
                error.connection_invalidated
                or code[:2] in _STORES
                or any(word in str(error.orig) for word in _STORE)
            ):
                raise
            raise WritesRefused.by(error.orig or error) from error
        except Exception as error:
            raise WritesRefused.by(error) from error

    return run


_STORE = ("full", "locked", "I/O")
"""Words of SQLite's driver for faults that are the store's and not the service's."""
_STORES = {"08", "40", "53", "55", "57", "58"}
"""PostgreSQL's classes of such faults; a lost connection has no class."""


def _after_a_refusal(entry: Entry) -> StaleWriter:
    return StaleWriter(f"{entry.run_id}: an entry before {entry.seq} was refused")


def _over(holder: int) -> StaleWriter:
    return StaleWriter(f"the lease of holder {holder} has ended")


_LONG_AGO = -(2**63)
_WIDTH = len(COLUMNS.split(", "))


def _stored(found: Any) -> Stored:
    """A row of PostgreSQL whose last column is its entries."""
    return Stored(row_of(found[:_WIDTH]), tuple(map(_bytes, found[-1])))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode()
