"""What stays of files that were removed because their retention had ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Keep which file it was, when it went, and by which policy."""
    op.create_table(
        "data_removals",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("removed_at", sa.Text, nullable=False),
        sa.Column("removal", sa.Text, nullable=False),
    )
    op.create_index("data_removals_by_time", "data_removals", ["tenant", "removed_at"])
