"""Moves all that one store keeps into another, so that it can be broken off and gone on with.

Rows are copied in the order of their keys, each batch in a transaction. So the last key that has
arrived says where to go on. At the end both stores are read again and compared.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

import sqlalchemy as sa

from foundations.public_works.database import Database, Dialect
from utilities.errors import ErrorKind, PlatformError

AT_ONCE = 1_000
_NOTES = "store_moves"
_APART = ("schema_version_", _NOTES)
"""Tables that each store has of its own."""
_PLAIN_IN_SQLITE = sa.text(
    "SELECT name FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
)
"""Full text indexes and what they are made of are no plain tables."""


class StoreLeft(PlatformError):
    """The city has moved out of this store."""

    kind = ErrorKind.CONFIGURATION


class MoveUnfinished(PlatformError):
    """The city has not wholly moved into this store."""

    kind = ErrorKind.CONFIGURATION


class StoreNotEmpty(PlatformError):
    """The store already keeps a city."""

    kind = ErrorKind.CONFLICT


class StoresDiffer(PlatformError):
    """What arrived is not what was sent."""

    kind = ErrorKind.INTERNAL


@dataclass(frozen=True, slots=True)
class Moved:
    """One table: how many rows, and the hash of all of them."""

    table: str
    rows: int
    digest: str


class Moving(StrEnum):
    """Where a city is, as seen from a store."""

    NEVER = ""
    ARRIVING = "arriving"
    ARRIVED = "arrived"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Note:
    """What a store says of moves, and of which other store."""

    state: Moving = Moving.NEVER
    other: str = ""


@dataclass(frozen=True, slots=True)
class _Columns:
    """One table as both stores have it."""

    name: str
    key: tuple[str, ...]
    here: sa.Table
    there: sa.Table
    names: tuple[str, ...]
    kinds: Mapping[str, type[Any]]
    """Of columns whose values the two stores keep in different ways."""


async def refuse_a_store_that_was_left(database: Database) -> None:
    """Let no city begin where it was moved away from, or has not wholly arrived.

    Raises:
        StoreLeft, MoveUnfinished
    """
    note = await note_of(database)
    if note.state is Moving.LEFT:
        raise StoreLeft(
            f"this city was moved to {note.other}",
            hint="start it there, or move it back with `civitas store migrate`",
        )
    if note.state is Moving.ARRIVING:
        raise MoveUnfinished(
            f"this city is being moved here from {note.other}",
            hint="run the same `civitas store migrate` again: it goes on where it was",
        )


async def note_of(database: Database) -> Note:
    """What is noted in a store of moves."""
    return await database.across_tenants().read(_note)


async def move(
    source: Database, target: Database, *, names: tuple[str, str], say: Callable[[str], None]
) -> list[Moved]:
    """Copy, compare, and note in both stores where the city lives now.

    Both have the newest tables, and no city works on either. `names` are theirs, as they are told.

    Raises:
        StoreLeft: the city is not in `source` any more.
        StoreNotEmpty: there is another in `target`.
        StoresDiffer: something else arrived than was sent; it is to be moved again.
    """
    tables = await _tables(source, target)
    await _begin(source, target, names, tables)
    for table in tables:
        await _copy(source, target, table)
    if target.dialect is Dialect.POSTGRESQL:
        await target.write(lambda connection: _count_on(connection, tables))
    moved = []
    for table in tables:
        sent = await _digest(source, table.here, table)
        arrived = await _digest(target, table.there, table)
        if sent != arrived:
            raise StoresDiffer(
                f"of {table.name}, {sent.rows} rows were sent and {arrived.rows} arrived"
                f"{'' if sent.rows != arrived.rows else ', of which some differ'}",
                hint="empty the new store and move again; the old one is as it was",
            )
        say(f"{table.name}: {sent.rows} rows, sha256 {sent.digest[:16]}")
        moved.append(sent)
    await source.write(lambda connection: _put_note(connection, Note(Moving.LEFT, names[1])))
    await target.write(lambda connection: _put_note(connection, Note(Moving.ARRIVED, names[0])))
    return moved


async def _begin(
    source: Database, target: Database, names: tuple[str, str], tables: Sequence[_Columns]
) -> None:
    here, there = await source.read(_note), await target.read(_note)
    going_on = there == Note(Moving.ARRIVING, names[0])
    if here.state is Moving.LEFT and not (going_on and here.other == names[1]):
        raise StoreLeft(f"this city was moved to {here.other}", hint="move it from there")
    if here.state is Moving.ARRIVING:
        raise MoveUnfinished(
            f"this city is being moved here from {here.other}", hint="finish that first"
        )
    if going_on:
        return
    stale = there == Note(Moving.LEFT, names[0])

    def empty(connection: sa.Connection) -> None:
        for table in reversed(tables):
            if stale:
                connection.execute(sa.delete(table.there))
            elif connection.execute(sa.select(sa.literal(1)).select_from(table.there)).first():
                raise StoreNotEmpty(
                    f"{names[1]} already has rows in {table.name}",
                    hint="name an empty database, or one that this city was moved from",
                )
        _put_note(connection, Note(Moving.ARRIVING, names[0]))

    await target.write(empty)


async def _tables(source: Database, target: Database) -> list[_Columns]:
    """The tables of both, those that others refer to first."""
    here, there = await source.read(_reflected), await target.read(_reflected)
    unknown = sorted(set(here.tables) - set(there.tables))
    if unknown:
        raise StoresDiffer(
            f"no room of this city knows the tables {', '.join(unknown)}",
            hint="install the realms that they belong to",
        )
    return [
        _columns(here.tables[table.name], table)
        for table in there.sorted_tables
        if table.name in here.tables
    ]


def _reflected(connection: sa.Connection) -> sa.MetaData:
    if connection.dialect.name == Dialect.SQLITE:
        names = list(connection.execute(_PLAIN_IN_SQLITE).scalars())
    else:
        names = sa.inspect(connection).get_table_names()
    metadata = sa.MetaData()
    metadata.reflect(connection, only=[name for name in names if not name.startswith(_APART)])
    return metadata


def _columns(here: sa.Table, there: sa.Table) -> _Columns:
    key = tuple(column.name for column in here.primary_key)
    if not key:
        raise StoresDiffer(f"the table {here.name} has no key", hint="give it one")
    names = tuple(column.name for column in here.columns if column.name in there.columns)
    kinds = {
        name: kind
        for name in names
        for kind in (sa.JSON, sa.Boolean)
        if any(isinstance(table.columns[name].type, kind) for table in (here, there))
    }
    return _Columns(here.name, key, here, there, names, kinds)


async def _copy(source: Database, target: Database, table: _Columns) -> None:
    last = await target.read(lambda connection: _last_key(connection, table))
    while rows := await source.read(_page(table.here, table, last)):
        values = [_for_store(row, table, target.dialect) for row in rows]
        await target.write(partial(_insert, table.there, values))
        last = tuple(rows[-1][name] for name in table.key)


def _insert(table: sa.Table, values: list[dict[str, Any]], connection: sa.Connection) -> None:
    connection.execute(sa.insert(table), values)


def _last_key(connection: sa.Connection, table: _Columns) -> tuple[Any, ...] | None:
    key = [table.there.columns[name] for name in table.key]
    query = sa.select(*key).order_by(*(column.desc() for column in key)).limit(1)
    found = connection.execute(query).first()
    return None if found is None else tuple(found)


def _page(
    stored: sa.Table, table: _Columns, last: tuple[Any, ...] | None
) -> Callable[[sa.Connection], Sequence[sa.RowMapping]]:
    key = [stored.columns[name] for name in table.key]
    query = sa.select(*(stored.columns[name] for name in table.names)).order_by(*key)
    if last is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*map(sa.literal, last)))
    return lambda connection: connection.execute(query.limit(AT_ONCE)).mappings().all()


def _for_store(row: sa.RowMapping, table: _Columns, dialect: Dialect) -> dict[str, Any]:
    values = {name: _plain(row[name], table.kinds.get(name)) for name in table.names}
    if dialect is Dialect.SQLITE:
        texts = [name for name, kind in table.kinds.items() if kind is sa.JSON]
        values |= {name: json.dumps(values[name]) for name in texts}
    return values


def _plain(value: Any, kind: type[Any] | None) -> Any:
    """A value as Python means it, whichever store it comes from."""
    if value is None or kind is None:
        return value
    if kind is sa.JSON:
        return json.loads(value) if isinstance(value, str) else value
    return bool(value)


async def _digest(database: Database, stored: sa.Table, table: _Columns) -> Moved:
    digest, count, last = hashlib.sha256(), 0, None
    while rows := await database.read(_page(stored, table, last)):
        for line in _lines(rows, table):
            digest.update(line)
        count += len(rows)
        last = tuple(rows[-1][name] for name in table.key)
    return Moved(table.name, count, digest.hexdigest())


def _lines(rows: Sequence[sa.RowMapping], table: _Columns) -> Iterator[bytes]:
    for row in rows:
        values = [_plain(row[name], table.kinds.get(name)) for name in table.names]
        yield json.dumps(values, sort_keys=True, default=_hexadecimal).encode() + b"\n"


def _hexadecimal(value: Any) -> str:
    return bytes(value).hex()


def _count_on(connection: sa.Connection, tables: Sequence[_Columns]) -> None:
    """Let numbers that PostgreSQL gives go on after those that have arrived."""
    for table in tables:
        for name in table.key:
            found = "SELECT pg_get_serial_sequence(?, ?)"
            sequence = connection.exec_driver_sql(found, (table.name, name)).scalar()
            if sequence is not None:
                highest = sa.select(sa.func.max(table.there.columns[name]))
                last = connection.execute(highest).scalar()
                if last is not None:
                    connection.exec_driver_sql("SELECT setval(?, ?)", (sequence, last))


def _note(connection: sa.Connection) -> Note:
    if not sa.inspect(connection).has_table(_NOTES):
        return Note()
    found = connection.exec_driver_sql(f"SELECT state, other FROM {_NOTES}").first()  # noqa: S608 - a constant
    return Note() if found is None else Note(Moving(found.state), found.other)


def _put_note(connection: sa.Connection, note: Note) -> None:
    connection.exec_driver_sql(
        f"CREATE TABLE IF NOT EXISTS {_NOTES} (state text NOT NULL, other text NOT NULL, at text)"
    )
    connection.exec_driver_sql(f"DELETE FROM {_NOTES}")  # noqa: S608 - a constant
    values = (note.state.value, note.other, datetime.now(UTC).isoformat())
    connection.exec_driver_sql(f"INSERT INTO {_NOTES} VALUES (?, ?, ?)", values)  # noqa: S608 - a constant
