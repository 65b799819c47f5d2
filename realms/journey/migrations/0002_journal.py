"""Rows are written when they change, with who holds them; several facts are one entry."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rebuild the table of rows; entries stay as they are, each of one fact."""
    op.create_table(
        "journey_runs_2",
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
        sa.Column("holder", sa.Integer, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("parent", sa.String(64), nullable=False),
        sa.Column("settled", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO journey_runs_2 SELECT run_id, tenant, alias, template, template_hash, status, "
        "reason, wake_at, created_at, updated_at, 0, '', '', 0 FROM journey_runs"
    )
    op.drop_table("journey_runs")
    op.rename_table("journey_runs_2", "journey_runs")
    _index("alias", ["tenant", "alias"], "alias IS NOT NULL", unique=True)
    _index("tenant", ["tenant", "run_id"])
    _index("due", ["wake_at", "run_id"], "holder = 0 AND wake_at IS NOT NULL")
    _index("dead", ["tenant", "run_id"], "status = 'failed' AND settled = 0")
    _index("lanes", ["tenant", "lane", "run_id"], "lane <> '' AND status IN " + _OPEN)
    _index("open", ["status", "tenant", "run_id"], "status IN " + _OPEN)
    op.drop_table("journey_epochs")
    op.create_table(
        "journey_holders",
        sa.Column("holder", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("ended", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "journey_memos",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("output", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


_OPEN = "('pending', 'queued', 'running', 'waiting', 'paused', 'compensating')"


def _index(name: str, columns: list[str], where: str = "", *, unique: bool = False) -> None:
    op.create_index(
        f"journey_runs_{name}",
        "journey_runs",
        columns,
        unique=unique,
        sqlite_where=sa.text(where) if where else None,
        postgresql_where=sa.text(where) if where else None,
    )
