"""Entries, passages, and the full text index over the passages: FTS5, or a tsvector with GIN."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_LARGE = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Create entries and passages, and the index over the passages."""
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
        sa.Column("id", _LARGE, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("file_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("library_passages_by_file", "library_passages", ["tenant", "file_id", "number"])
    if op.get_bind().dialect.name == "postgresql":
        _index_by_tsvector()
    else:
        _index_by_fts5()


def _index_by_tsvector() -> None:
    """Words come from who adds a passage, so that they are the same as FTS5's.

    Passages that were moved here come without; the librarian sees to them when it opens.
    """
    op.execute("ALTER TABLE library_passages ADD COLUMN words tsvector")
    op.execute("CREATE INDEX library_passages_unread ON library_passages (id) WHERE words IS NULL")
    op.execute("CREATE INDEX library_passages_by_words ON library_passages USING gin (words)")


def _index_by_fts5() -> None:
    """Over the passages, without a copy of their text."""
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
