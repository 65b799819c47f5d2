"""Events, the subscriptions they go to, and what is on its way."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_LARGE = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Create events, subscriptions and deliveries."""
    op.create_table(
        "post_events",
        sa.Column("seq", _LARGE, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("publisher", sa.Text, nullable=False),
        sa.Column("published_at", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("post_events_by_key", "post_events", ["tenant", "topic", "key", "seq"])
    op.create_index("post_events_by_age", "post_events", ["published_at"])
    op.create_table(
        "post_subscriptions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "post_deliveries",
        sa.Column(
            "subscription_id",
            sa.Integer,
            sa.ForeignKey("post_subscriptions.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("seq", _LARGE, sa.ForeignKey("post_events.seq"), primary_key=True),
        sa.Column("key", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Text, nullable=False),
        sa.Column("lease", sa.Text, nullable=False),
        sa.Column("dead", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("post_deliveries_due", "post_deliveries", ["subscription_id", "dead", "due_at"])
    op.create_index("post_deliveries_by_key", "post_deliveries", ["subscription_id", "key", "seq"])
    op.create_index("post_deliveries_by_event", "post_deliveries", ["seq"])
