"""Files of both tracks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table of files."""
    op.create_table(
        "files",
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
        sa.Column("spool", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("storage_location", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("warnings", sa.Text().with_variant(sa.JSON(), "postgresql"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column(
            "announced", sa.Integer().with_variant(sa.Boolean(), "postgresql"), nullable=False
        ),
    )
    op.create_index("files_by_tenant", "files", ["tenant", "track", "file_id"])
