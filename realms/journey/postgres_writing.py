"""How the journal writes to PostgreSQL: all entries of a commit in one statement, by arrays.

Several processes write at the same time. So the statement locks the row of its holder, which nobody
can end meanwhile, and leaves the rest to the keys: whoever comes second breaks one, and nothing of
his statement is written.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from foundations.public_works.database import DriverConnection
from realms.journey.api import RunStatus
from realms.journey.engine.journal import AliasTaken, Entry, RunRow, StaleWriter
from realms.journey.postgres_reading import LIVING
from realms.journey.stored_rows import all_columns, changing_columns
from realms.journey.stored_times import micros
from utilities.errors import PlatformError

Outcomes = Sequence[PlatformError | None]

_MADE = {
    "run_id": "text",
    "tenant": "text",
    "alias": "text",
    "template": "text",
    "template_hash": "text",
    "status": "text",
    "reason": "text",
    "wake_at": "bigint",
    "created_at": "bigint",
    "updated_at": "bigint",
    "holder": "int",
    "lane": "text",
    "parent": "text",
    "settled": "int",
}
_CHANGED = {
    name: _MADE[name]
    for name in (
        *("run_id", "template_hash", "status", "reason"),
        *("wake_at", "updated_at", "holder", "settled"),
    )
}
_APART = ("run_id", "wake_at")
_WAKE_AT = (
    "CASE WHEN c.holder = 0 AND r.rung = 1 AND c.status = 'waiting' THEN c.updated_at "
    "ELSE c.wake_at END"
)
"""A run that was rung while somebody held it is looked at as soon as it is let go."""
_FACTS = {"run_id": "text", "seq": "int", "data": "bytea"}
_RINGS = {"run_id": "text", "wake_at": "bigint"}
_MEMOS = {"tenant": "text", "key": "text", "output": "bytea", "at": "bigint"}


class Statement(NamedTuple):
    """SQL with `?` for its values, and those."""

    sql: str
    parameters: Sequence[Any]


def statement(entries: Sequence[Entry], holder: int) -> Statement:
    """All of it, or a broken constraint.

    An entry whose holder has ended, or whose row is not there or another's, gets no data, which
    the table of facts does not take.
    """
    made, changed, rings = _rows(entries)
    memos = {(memo.tenant, memo.key): memo for entry in entries for memo in entry.memos}
    values: list[Any] = [holder]
    if changed:
        values += [*_turned((row.run_id, *changing_columns(row)) for row in changed), holder]
    if made:
        values += _turned(map(all_columns, made))
    if rings:
        values += [*_turned(rings.items()), holder]
    if memos:
        values += _turned((m.tenant, m.key, m.output, micros(m.at)) for m in memos.values())
    if changed:
        values.append(len(changed))
    values += _turned((e.run_id, e.seq, e.data) for e in entries)
    return Statement(_sql(bool(changed), bool(made), bool(rings), bool(memos)), values)


def all_together(entries: Sequence[Entry], holder: int) -> Callable[[DriverConnection], Outcomes]:
    """The same statement inside a transaction that others add to."""

    def work(connection: DriverConnection) -> Outcomes:
        if entries:
            connection.execute(*statement(entries, holder))
        return [None] * len(entries)

    return work


def each(entries: Sequence[Entry], holder: int) -> Callable[[DriverConnection], Outcomes]:
    """Those that may be written, and what the others are refused with.

    Where another process writes in between, a constraint breaks, and it is to be done again.
    """

    def work(connection: DriverConnection) -> Outcomes:
        if connection.execute(LIVING, (holder,)).fetchone() is None:
            return [StaleWriter(f"the lease of holder {holder} has ended")] * len(entries)
        outcomes = _judged(connection, entries, holder)
        allowed = [e for e, outcome in zip(entries, outcomes, strict=True) if outcome is None]
        if allowed:
            connection.execute(*statement(allowed, holder))
        return outcomes

    return work


def _rows(
    entries: Sequence[Entry],
) -> tuple[Collection[RunRow], Collection[RunRow], dict[str, int]]:
    """The rows to make, those to change, and when which other runs are to be looked at.

    One statement changes a row once: of several, the last one holds, as it is after the rings.
    """
    made: dict[str, RunRow] = {}
    changed: dict[str, RunRow] = {}
    rings: dict[str, datetime] = {}
    for entry in entries:
        if entry.row is not None:
            known = made if not entry.seq or entry.run_id in made else changed
            known[entry.run_id] = entry.row
        for ring in entry.rings:
            assert entry.row is not None
            rings[ring] = entry.row.updated_at
    for run_id in [run_id for run_id in rings if run_id in made or run_id in changed]:
        known, at = (made if run_id in made else changed), rings.pop(run_id)
        if not known[run_id].holder and known[run_id].status is RunStatus.WAITING:
            known[run_id] = replace(known[run_id], wake_at=at)
    return made.values(), changed.values(), {run: micros(at) for run, at in rings.items()}


def _turned(rows: Iterable[tuple[Any, ...]]) -> Iterable[list[Any]]:
    """Rows as an array for each column."""
    return map(list, zip(*rows, strict=True))


@cache
def _sql(changed: bool, made: bool, rings: bool, memos: bool) -> str:
    parts = [f"WITH living AS MATERIALIZED ({LIVING})"]
    fine = "EXISTS (SELECT FROM living)"
    if changed:
        parts.append(
            ", changed AS (UPDATE journey_runs AS r SET "  # noqa: S608 - constant column names
            + ", ".join(f"{name} = c.{name}" for name in _CHANGED if name not in _APART)
            + f", wake_at = {_WAKE_AT}, rung = CASE WHEN c.holder = 0 THEN 0 ELSE r.rung END"
            + f" FROM {_unnested(_CHANGED, 'c')}, living "
            "WHERE r.run_id = c.run_id AND r.holder IN (0, ?) RETURNING 1)"
        )
        fine += " AND (SELECT count(*) FROM changed) = ?"
    if made:
        parts.append(_inserted("made", "journey_runs", _MADE))
    if rings:
        parts.append(
            ", rung AS (UPDATE journey_runs AS r SET "  # noqa: S608 - constant column names
            "wake_at = CASE WHEN r.holder = 0 THEN t.wake_at ELSE r.wake_at END, "
            "rung = CASE WHEN r.holder = 0 THEN 0 ELSE 1 END "
            f"FROM {_unnested(_RINGS, 't')}, living WHERE r.run_id = t.run_id "
            "AND (r.holder = 0 AND r.status = 'waiting' OR r.holder > 0 AND r.holder <> ?))"
        )
    if memos:
        parts.append(
            _inserted("remembered", "journey_memos", _MEMOS)[:-1]
            + " ON CONFLICT (tenant, key) DO UPDATE SET output = excluded.output, at = excluded.at)"
        )
    parts.append(
        " INSERT INTO journey_facts (run_id, seq, data) "  # noqa: S608 - constant column names
        f"SELECT f.run_id, f.seq, CASE WHEN {fine} THEN f.data END FROM {_unnested(_FACTS, 'f')}"
    )
    return "".join(parts)


def _inserted(name: str, table: str, columns: Mapping[str, str]) -> str:
    return (
        f", {name} AS (INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - constant column names
        f"SELECT {', '.join(f'v.{column}' for column in columns)} FROM {_unnested(columns, 'v')})"
    )


def _unnested(columns: Mapping[str, str], alias: str) -> str:
    """A table of the arrays that are handed over, one for each column."""
    arrays = ", ".join(f"?::{kind}[]" for kind in columns.values())
    return f"unnest({arrays}) AS {alias}({', '.join(columns)})"


def _judged(
    connection: DriverConnection, entries: Sequence[Entry], holder: int
) -> list[PlatformError | None]:
    """What each entry would be refused with, if all that may be written is."""
    ids = list({entry.run_id for entry in entries})
    counts = dict(connection.execute(_COUNTS, (ids,)).fetchall())
    holders = dict(connection.execute(_HOLDERS, (ids,)).fetchall())
    named = [e.row for e in entries if not e.seq and e.row is not None and e.row.alias]
    aliases = [(row.tenant, row.alias) for row in named]
    taken = {
        (tenant, alias)
        for tenant, alias in (
            connection.execute(_ALIASES, tuple(_turned(aliases))).fetchall() if aliases else ()
        )
    }
    outcomes: list[PlatformError | None] = []
    refused: set[str] = set()
    for entry in entries:
        run_id, row = entry.run_id, entry.row
        alias = (row.tenant, row.alias) if row is not None and row.alias and not entry.seq else None
        outcome: PlatformError | None = None
        if run_id in refused:
            outcome = StaleWriter(f"{run_id}: an entry before {entry.seq} was refused")
        elif counts.get(run_id, 0) != entry.seq:
            outcome = StaleWriter(f"{run_id} is not at {entry.seq} any more")
        elif alias in taken:
            outcome = AliasTaken(f'a run is called "{alias[1] if alias else ""}" already')
        elif entry.seq and holders.get(run_id, holder) not in {0, holder}:
            outcome = StaleWriter(f"{run_id} is held by somebody else")
        if outcome is None:
            counts[run_id] = entry.seq + 1
            if alias is not None:
                taken.add(alias)
        elif entry.seq:
            refused.add(run_id)
        outcomes.append(outcome)
    return outcomes


_COUNTS = "SELECT run_id, count(*) FROM journey_facts WHERE run_id = ANY(?) GROUP BY run_id"
_HOLDERS = "SELECT run_id, holder FROM journey_runs WHERE run_id = ANY(?)"
_ALIASES = (
    "SELECT tenant, alias FROM journey_runs WHERE (tenant, alias) IN "
    "(SELECT * FROM unnest(?::text[], ?::text[]))"
)
