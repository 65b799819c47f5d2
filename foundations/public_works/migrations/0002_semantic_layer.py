"""Vectors by model, typed places, nodes of the graph, and what run content is from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Move the vectors, and add what was not kept before."""
    op.create_table(
        "content_vector",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("file_id", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.create_index("content_vector_file", "content_vector", ["tenant", "file_id"])
    op.execute(
        "INSERT INTO content_vector (tenant, model, file_id, number, vector) "
        "SELECT tenant, model, file_id, number, vector FROM content_passage"
    )
    for gone in ("vector", "model"):
        op.execute(f"ALTER TABLE content_passage DROP COLUMN {gone}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE content_passage DROP COLUMN IF EXISTS embedding")
    op.add_column(
        "content_passage", sa.Column("at", sa.Text, nullable=False, server_default=sa.text("''"))
    )
    for name in ("kind", "run_id", "milestone"):
        column = sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))
        op.add_column("content", column)
    op.add_column("content", sa.Column("stamp", sa.Integer, nullable=False, server_default="0"))
    op.create_index("content_stamp", "content", ["tenant", "stamp"])
    op.create_table(
        "content_model",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("dimensions", sa.Integer, nullable=False),
    )
    op.execute(
        "INSERT INTO content_model (tenant, model, dimensions) "
        "SELECT tenant, max(model), max(dimensions) FROM content GROUP BY tenant"
    )
    op.create_table(
        "content_node",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("file_id", sa.String(64), primary_key=True),
        sa.Column("node", sa.String(400), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
    )
    op.execute("DELETE FROM content_edge WHERE predicate = 'holds'")
    op.execute(
        "UPDATE content_edge SET object = 'entity:phrase/' || substr(object, 8) "
        "WHERE object LIKE 'phrase:%'"
    )
    op.create_index("content_node_name", "content_node", ["tenant", "kind", "folded"])
