"""Runs that are claimed before they move, requests to whoever holds a run, and whose turn it is."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_CLAIMED = sa.text("holder > 0 AND (status = 'pending' OR status = 'queued' OR status = 'waiting')")


def upgrade() -> None:
    """Create an index, three tables, and whether a run was rung while somebody held it."""
    op.create_index(
        "journey_runs_claimed",
        "journey_runs",
        ["holder"],
        sqlite_where=_CLAIMED,
        postgresql_where=_CLAIMED,
    )
    op.add_column("journey_runs", sa.Column("rung", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "journey_requests",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("taken_by", sa.Integer, nullable=False, server_default="0"),
        sa.Column("answer", sa.LargeBinary),
    )
    op.create_index("journey_requests_run", "journey_requests", ["run_id"])
    op.create_table(
        "journey_turns",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "journey_slots",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":  # as for the engine's other tables
        for table in ("requests", "turns", "slots"):
            op.execute(f"ALTER TABLE journey_{table} ENABLE ROW LEVEL SECURITY")
