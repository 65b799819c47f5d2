"""The journal on the relational store. SQL goes straight to the driver: this is the hot path."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from foundations.public_works.database import Database
from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import (
    AliasTaken,
    Journal,
    RunRow,
    StaleWriter,
    Stored,
    TextLost,
    VersionTaken,
)

_COLUMNS = (
    "run_id, tenant, alias, template, template_hash, status, reason, "
    "wake_at, created_at, updated_at, next_seq"
)
_CREATE = (
    f"INSERT INTO journey_runs ({_COLUMNS}, epoch) "  # noqa: S608 - constant column names
    "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? "
    "WHERE ? = (SELECT max(epoch) FROM journey_epochs)"
)
_CHANGE = (
    "UPDATE journey_runs SET status = ?, reason = ?, wake_at = ?, updated_at = ?, next_seq = ?, "
    "epoch = ? WHERE run_id = ? AND next_seq = ? "
    "AND ? = (SELECT max(epoch) FROM journey_epochs)"
)
_ADD = "INSERT INTO journey_facts (run_id, seq, data) VALUES (?, ?, ?)"
_PIN = "INSERT OR IGNORE INTO journey_texts (hash, name, version, text) VALUES (?, ?, ?, ?)"
_SELECT = f"SELECT {_COLUMNS} FROM journey_runs "  # noqa: S608 - constant column names


class DatabaseJournal(Journal):
    """Facts keyed `(run_id, seq)`; an update that names epoch and sequence fences late writers."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def take_epoch(self) -> int:
        def work(connection: Connection) -> int:
            insert = "INSERT INTO journey_epochs DEFAULT VALUES RETURNING epoch"
            return int(connection.exec_driver_sql(insert).scalar_one())

        return await self._database.write(work)

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

    async def create(self, row: RunRow, facts: tuple[bytes, ...], *, epoch: int) -> None:
        def work(connection: Connection) -> None:
            if row.alias and _by_alias(connection, row.tenant, row.alias):
                raise AliasTaken(f'a run is called "{row.alias}" already')
            made = connection.exec_driver_sql(_CREATE, (*_values(row), epoch, epoch))
            if made.rowcount != 1:
                raise StaleWriter(f"epoch {epoch} is over")
            connection.exec_driver_sql(_ADD, _numbered(row.run_id, facts, 0))

        await self._written(work, row.run_id)

    async def append(
        self, row: RunRow, facts: tuple[bytes, ...], *, expected: int, epoch: int
    ) -> None:
        changes = (row.status.value, row.reason.value, _micros(row.wake_at))
        state = (_micros(row.updated_at), row.next_seq, epoch, row.run_id, expected, epoch)

        def work(connection: Connection) -> None:
            changed = connection.exec_driver_sql(_CHANGE, (*changes, *state))
            if changed.rowcount != 1:
                raise StaleWriter(f"{row.run_id} is not at {expected} in epoch {epoch} any more")
            connection.exec_driver_sql(_ADD, _numbered(row.run_id, facts, expected))

        await self._written(work, row.run_id)

    async def condemn(self, run_id: str, *, at: datetime, epoch: int) -> None:
        change = (
            "UPDATE journey_runs SET status = ?, reason = ?, wake_at = NULL, updated_at = ?, "
            "epoch = ? WHERE run_id = ? AND ? = (SELECT max(epoch) FROM journey_epochs)"
        )
        failed, reason = RunStatus.FAILED.value, Reason.CORRUPT_STATE.value

        def work(connection: Connection) -> None:
            values = (failed, reason, _micros(at), epoch, run_id, epoch)
            if connection.exec_driver_sql(change, values).rowcount != 1:
                raise StaleWriter(f"epoch {epoch} is over")

        await self._database.write(work)

    async def load(self, run_id: str) -> Stored | None:
        def work(connection: Connection) -> Stored | None:
            found = connection.exec_driver_sql(_SELECT + "WHERE run_id = ?", (run_id,)).first()
            if found is None:
                return None
            select = "SELECT data FROM journey_facts WHERE run_id = ? ORDER BY seq"
            facts = connection.exec_driver_sql(select, (run_id,)).scalars().all()
            return Stored(_row(found), tuple(map(_bytes, facts)))

        return await self._database.read(work)

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        def work(connection: Connection) -> RunRow | None:
            by_id = _SELECT + "WHERE run_id = ? AND tenant = ?"
            found = connection.exec_driver_sql(by_id, (id_or_alias, tenant)).first()
            found = found or _by_alias(connection, tenant, id_or_alias)
            return None if found is None else _row(found)

        return await self._database.read(work)

    async def page(
        self,
        tenant: str,
        *,
        status: RunStatus | None = None,
        template: str = "",
        before: str = "",
        limit: int = 50,
    ) -> list[RunRow]:
        wanted = {"tenant = ?": tenant}
        if status is not None:
            wanted["status = ?"] = status.value
        if template:
            wanted["template = ?"] = template
        if before:
            wanted["run_id < ?"] = before
        where = f"WHERE {' AND '.join(wanted)} ORDER BY run_id DESC LIMIT ?"
        return await self._rows(where, (*wanted.values(), limit))

    async def due(self, *, after: str = "", limit: int = 500) -> list[RunRow]:
        where = "WHERE wake_at IS NOT NULL AND run_id > ? ORDER BY run_id LIMIT ?"
        return await self._rows(where, (after, limit))

    async def _rows(self, where: str, values: tuple[Any, ...]) -> list[RunRow]:
        def work(connection: Connection) -> list[RunRow]:
            return [_row(found) for found in connection.exec_driver_sql(_SELECT + where, values)]

        return await self._database.read(work)

    async def _written(self, work: Any, run_id: str) -> None:
        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise StaleWriter(f"{run_id} was written by somebody else") from error


def _by_alias(connection: Connection, tenant: str, alias: str) -> Any:
    where = "WHERE tenant = ? AND alias = ?"
    return connection.exec_driver_sql(_SELECT + where, (tenant, alias)).first()


def _values(row: RunRow) -> tuple[Any, ...]:
    return (
        row.run_id,
        row.tenant,
        row.alias or None,
        row.template,
        row.template_hash,
        row.status.value,
        row.reason.value,
        _micros(row.wake_at),
        _micros(row.created_at),
        _micros(row.updated_at),
        row.next_seq,
    )


def _numbered(run_id: str, facts: Sequence[bytes], first: int) -> list[tuple[str, int, bytes]]:
    return [(run_id, seq, data) for seq, data in enumerate(facts, first)]


def _row(found: Any) -> RunRow:
    """A row as it is stored; one that was damaged stands for a failed run and stops no list."""
    run_id, tenant, alias, template, text_hash, status, reason, wake, created, updated, seq = found
    try:
        return RunRow(
            run_id=run_id,
            tenant=tenant,
            alias=alias or "",
            template=template,
            template_hash=text_hash,
            status=RunStatus(status),
            reason=Reason(reason),
            wake_at=None if wake is None else _moment(wake),
            created_at=_moment(created),
            updated_at=_moment(updated),
            next_seq=int(seq),
        )
    except (ValueError, TypeError, OverflowError):
        return RunRow(
            run_id=run_id,
            tenant=tenant,
            alias=alias or "",
            template=str(template),
            template_hash=str(text_hash),
            status=RunStatus.FAILED,
            reason=Reason.CORRUPT_STATE,
            wake_at=None,
            created_at=_EPOCH,
            updated_at=_EPOCH,
            next_seq=0,
        )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(micros))


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode()
