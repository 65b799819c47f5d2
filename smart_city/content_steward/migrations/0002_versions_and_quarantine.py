"""Owners and versions of files, a table of each track, quarantine, and uploads in pieces."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_LARGE = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
_COLUMNS = (
    "file_id, tenant, track, spool, name, media_type, size, sha256, status, storage_location, "
    "trace_id, created_at, warnings, reason, announced, owner, version, previous"
)


def upgrade() -> None:
    """Files that are there are first versions of an owner nobody noted."""
    op.add_column("files", sa.Column("owner", sa.Text, nullable=False, server_default=""))
    op.add_column("files", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("files", sa.Column("previous", sa.Text, nullable=False, server_default=""))
    op.create_index("files_by_name", "files", ["tenant", "track", "owner", "name", "version"])
    op.create_index("files_by_digest", "files", ["tenant", "track", "sha256"])
    _part_the_tracks()
    op.create_table(
        "quarantine_decisions",
        sa.Column("id", _LARGE, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
        sa.Column("file_id", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_at", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
    )
    op.create_index(
        "quarantine_decisions_by_file", "quarantine_decisions", ["tenant", "track", "file_id"]
    )
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("declared_type", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("length", _LARGE, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("file_id", sa.Text, nullable=False),
    )
    op.create_index("uploads_by_tenant", "uploads", ["tenant", "expires_at"])


def _part_the_tracks() -> None:
    """Give the platform's own files a table of their own, and move them there."""
    op.create_table(
        "platform_files",
        sa.Column("file_id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "track")),
        sa.Column("spool", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", _LARGE, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("sha256", "status", "storage_location", "trace_id", "created_at")
        ),
        sa.Column("warnings", sa.Text().with_variant(sa.JSON(), "postgresql"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column(
            "announced", sa.Integer().with_variant(sa.Boolean(), "postgresql"), nullable=False
        ),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
    )
    op.create_index("platform_files_by_tenant", "platform_files", ["tenant", "track", "file_id"])
    move = f"INSERT INTO platform_files ({_COLUMNS}) SELECT {_COLUMNS} FROM files"  # noqa: S608 - our own words
    op.execute(f"{move} WHERE track = 'internal'")
    op.execute("DELETE FROM files WHERE track = 'internal'")
