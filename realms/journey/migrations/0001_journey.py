"""The journal: facts of runs, one narrow row for each run, pinned texts, epochs of writers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the four tables."""
    op.create_table(
        "journey_runs",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("alias", sa.Text),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("template_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("wake_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("next_seq", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("journey_runs_alias", "journey_runs", ["tenant", "alias"], unique=True)
    op.create_index("journey_runs_tenant", "journey_runs", ["tenant", "run_id"])
    op.create_index(
        "journey_runs_due", "journey_runs", ["run_id"], sqlite_where=sa.text("wake_at IS NOT NULL")
    )
    op.create_table(
        "journey_facts",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "journey_texts",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("journey_texts_version", "journey_texts", ["name", "version"], unique=True)
    op.create_table(
        "journey_epochs",
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("taken_at", sa.Text, nullable=False, server_default=sa.func.current_timestamp()),
    )
