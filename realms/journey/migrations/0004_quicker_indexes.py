"""Indexes of unfinished runs whose condition is compared, not looked up.

For each row that is written, SQLite builds the list of `IN (...)` anew, as a table of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the two indexes again."""
    _again("lanes", ["tenant", "lane", "run_id"], f"lane <> '' AND {_OPEN}")
    _again("open", ["status", "tenant", "run_id"], _OPEN)


_OPEN = (
    "(status = 'running' OR status = 'waiting' OR status = 'pending' OR status = 'queued' "
    "OR status = 'paused' OR status = 'compensating')"
)


def _again(name: str, columns: list[str], where: str) -> None:
    index = f"journey_runs_{name}"
    op.drop_index(index, table_name="journey_runs")
    condition = sa.text(where)
    op.create_index(
        index, "journey_runs", columns, sqlite_where=condition, postgresql_where=condition
    )
