"""The classes of data that files hold."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Keep what each file holds, and with each decision the classes it knew of."""
    op.add_column(
        "data_decisions",
        sa.Column(
            "data_classes",
            sa.Text().with_variant(sa.JSON(), "postgresql"),
            nullable=False,
            server_default="[]",
        ),
    )
    op.create_table(
        "data_classes",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("track", sa.Text, primary_key=True),
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("keep_until", sa.Text, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
    )
    op.create_index("data_classes_by_retention", "data_classes", ["tenant", "track", "keep_until"])
