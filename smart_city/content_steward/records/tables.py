"""The tables of files, of each track its own, of decisions about quarantine, of begun uploads."""

import sqlalchemy as sa

from smart_city.content_steward.api import Track

METADATA = sa.MetaData()


def _of_files(name: str) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text),
        sa.Column("track", sa.Text),
        sa.Column("spool", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("media_type", sa.Text),
        sa.Column("size", sa.Integer),
        sa.Column("sha256", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("storage_location", sa.Text),
        sa.Column("trace_id", sa.Text),
        sa.Column("created_at", sa.Text),
        sa.Column("warnings", sa.JSON),
        sa.Column("reason", sa.Text),
        sa.Column("announced", sa.Boolean),
        sa.Column("owner", sa.Text),
        sa.Column("version", sa.Integer),
        sa.Column("previous", sa.Text),
    )


FILES = {Track.CLIENT: _of_files("files"), Track.INTERNAL: _of_files("platform_files")}
DECISIONS = sa.Table(
    "quarantine_decisions",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("track", sa.Text),
    sa.Column("file_id", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("decided_at", sa.Text),
    sa.Column("trace_id", sa.Text),
)
UPLOADS = sa.Table(
    "uploads",
    METADATA,
    sa.Column("upload_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("declared_type", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("length", sa.Integer),
    sa.Column("metadata", sa.Text),
    sa.Column("expires_at", sa.Text),
    sa.Column("file_id", sa.Text),
)
