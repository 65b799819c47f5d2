"""Bookings: rows that are written with the checkpoint of their milestone."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """No row is refused: what was booked twice is to be seen twice."""
    op.create_table(
        "trial_bookings",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False),
    )
