"""Calls of runs that other workers than their holder may make."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_OPEN = sa.text("taken_by = 0")


def upgrade() -> None:
    """Create the table, and an index of what nobody has taken."""
    op.create_table(
        "journey_offers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("holder", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("taken_by", sa.Integer, nullable=False, server_default="0"),
        sa.Column("beats", sa.Integer, nullable=False, server_default="0"),
        sa.Column("answer", sa.LargeBinary),
    )
    op.create_index(
        "journey_offers_open",
        "journey_offers",
        ["id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    if op.get_bind().dialect.name == "postgresql":  # as for the engine's other tables
        op.execute("ALTER TABLE journey_offers ENABLE ROW LEVEL SECURITY")
