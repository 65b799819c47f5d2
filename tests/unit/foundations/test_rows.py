"""Rows by their key, over a database in memory."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from foundations.public_works.rows import Rows

_metadata = sa.MetaData()
_table = sa.Table(
    "thing",
    _metadata,
    sa.Column("tenant", sa.Text),
    sa.Column("file_id", sa.Text),
    sa.Column("rank", sa.Integer),
    sa.Column("told", sa.JSON),
)
ROWS = Rows(_table, "tenant", "file_id", order="rank")


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as opened:
        _metadata.create_all(opened)
        yield opened
    engine.dispose()


def row(tenant: str, rank: int) -> dict[str, object]:
    return {"tenant": tenant, "file_id": "f", "rank": rank, "told": [rank]}


def test_rows_of_a_key_are_found_in_their_order(connection: sa.Connection) -> None:
    for tenant, rank in (("north", 2), ("north", 1), ("south", 3)):
        ROWS.add(connection, row(tenant, rank))

    assert [one["told"] for one in ROWS.find(connection, "north", "f")] == [[1], [2]]
    assert dict(ROWS.first(connection, "north", "f") or {}) == row("north", 1)
    assert ROWS.first(connection, "west", "f") is None


def test_row_takes_the_place_of_those_with_its_key_alone(connection: sa.Connection) -> None:
    for tenant, rank in (("north", 1), ("north", 2), ("south", 3)):
        ROWS.add(connection, row(tenant, rank))

    ROWS.replace(connection, row("north", 9))

    assert [one["rank"] for one in ROWS.find(connection, "north", "f")] == [9]
    assert ROWS.forget(connection, "south", "f") == 1
    assert ROWS.forget(connection, "south", "f") == 0


@pytest.mark.parametrize("count", [0, 1, 3, 64, 150])
def test_many_plain_rows_are_added_by_few_statements(connection: sa.Connection, count: int) -> None:
    statements: list[str] = []
    sa.event.listen(
        connection, "before_cursor_execute", lambda *told: statements.append(str(told[2]))
    )

    ROWS.add_plain(connection, "tenant file_id rank", (("north", "f", n) for n in range(count)))

    assert len(statements) == count // 64 + (count % 64).bit_count()
    assert [one["rank"] for one in ROWS.find(connection, "north", "f")] == list(range(count))


def test_key_of_too_few_parts_is_refused(connection: sa.Connection) -> None:
    with pytest.raises(ValueError, match="shorter"):
        ROWS.find(connection, "north")
