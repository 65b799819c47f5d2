"""Rows of a table by their key: statements that are made once, however often they are run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

_AT_ONCE = 64
"""Rows of one statement at most; a power of two."""


class Rows:
    """The rows of a table that share what stands in some columns, such as a tenant and a file."""

    def __init__(self, table: sa.Table, *by: str, order: str = "") -> None:
        chosen = [table.c[name] == sa.bindparam(f"by_{name}") for name in by]
        self._by = by
        self._select = sa.select(table).where(*chosen)
        if order:
            self._select = self._select.order_by(table.c[order])
        self._delete = sa.delete(table).where(*chosen)
        self._insert = sa.insert(table)
        self._table = table.name

    def find(self, connection: sa.Connection, *key: str) -> Sequence[sa.RowMapping]:
        """All that have this key, in their order."""
        return connection.execute(self._select, self._values(key)).mappings().all()

    def first(self, connection: sa.Connection, *key: str) -> sa.RowMapping | None:
        """The first that has this key, if any."""
        return connection.execute(self._select, self._values(key)).mappings().first()

    def forget(self, connection: sa.Connection, *key: str) -> int:
        """Remove all that have this key; how many there were."""
        return connection.execute(self._delete, self._values(key)).rowcount

    def add(self, connection: sa.Connection, row: Mapping[str, Any]) -> None:
        connection.execute(self._insert, row)

    def replace(self, connection: sa.Connection, row: Mapping[str, Any]) -> None:
        """Put a row in the place of those with its key."""
        self.forget(connection, *(row[name] for name in self._by))
        self.add(connection, row)

    def add_plain(
        self, connection: sa.Connection, columns: str, rows: Iterable[Sequence[Any]]
    ) -> None:
        """Add many rows of texts, numbers and bytes, straight through the driver.

        `columns` are the names of their columns, between blanks. Rows share statements: SQLite's
        driver lets go of the interpreter for each, and takes it again, which other threads make
        dear. There are as many statements as powers of two, so that the driver knows them by heart.
        """
        many = [tuple(row) for row in rows]
        names = columns.split()
        named = ", ".join(f'"{name}"' for name in names)
        marks = f"({', '.join('?' * len(names))})"
        while many:
            count = min(_AT_ONCE, 1 << len(many).bit_length() - 1)
            some, many = many[:count], many[count:]
            connection.exec_driver_sql(
                f"INSERT INTO {self._table} ({named}) VALUES {', '.join([marks] * count)}",  # noqa: S608 - ours
                tuple(value for row in some for value in row),
            )

    def _values(self, key: Sequence[str]) -> dict[str, str]:
        return {f"by_{name}": value for name, value in zip(self._by, key, strict=True)}
