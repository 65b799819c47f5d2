"""Policy decisions, quality and lineage."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_LARGE = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Create decisions, quality and lineage."""
    op.create_table(
        "data_decisions",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("track", sa.Text, primary_key=True),
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("policy_version", sa.Text, primary_key=True),
        sa.Column("allowed", sa.Integer().with_variant(sa.Boolean(), "postgresql"), nullable=False),
        sa.Column("classification", sa.Text, nullable=False),
        sa.Column("rules", sa.Text().with_variant(sa.JSON(), "postgresql"), nullable=False),
        sa.Column("refused_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_at", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
    )
    op.create_table(
        "data_quality",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("track", sa.Text, primary_key=True),
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
    )
    op.create_table(
        "data_lineage",
        sa.Column("id", _LARGE, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("predicate", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "track", "subject", "predicate", "object"),
    )
    op.create_index("data_lineage_by_object", "data_lineage", ["tenant", "track", "object"])
