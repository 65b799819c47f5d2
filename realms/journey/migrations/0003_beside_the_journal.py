"""Stored versions of templates, when schedules ring next, and payloads of runs that are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "journey_templates",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("put_at", sa.BigInteger, nullable=False),
        sa.Column("put_by", sa.String(128), nullable=False),
    )
    op.create_table(
        "journey_schedules",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("template", sa.String(64), primary_key=True),
        sa.Column("times", sa.Text, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("waiting", sa.Text, nullable=False),
        sa.Column("last", sa.Text, nullable=False),
    )
    op.create_table(
        "journey_leftovers",
        sa.Column("key", sa.Text, primary_key=True),
    )
