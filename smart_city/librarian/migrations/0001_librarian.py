"""Entries, passages, and the full text index over the passages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create entries and passages, and FTS5 over the passages without a copy of their text."""
    op.create_table(
        "library_entries",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("content_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("passages", sa.Integer, nullable=False),
        sa.Column("indexed_at", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
    )
    op.create_table(
        "library_passages",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("file_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("library_passages_by_file", "library_passages", ["tenant", "file_id", "number"])
    op.execute(
        "CREATE VIRTUAL TABLE library_words USING fts5("
        "text, name, content='library_passages', content_rowid='id', "
        "tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(
        "CREATE TRIGGER library_passages_added AFTER INSERT ON library_passages BEGIN "
        "INSERT INTO library_words(rowid, text, name) VALUES (new.id, new.text, new.name); END"
    )
    op.execute(
        "CREATE TRIGGER library_passages_removed AFTER DELETE ON library_passages BEGIN "
        "INSERT INTO library_words(library_words, rowid, text, name) "
        "VALUES ('delete', old.id, old.text, old.name); END"
    )
