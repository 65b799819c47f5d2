"""Typed places, kinds, and an index that knows headings, and words by their stems."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_FORGETS = (3, 42, 0)
"""From here on FTS5 can take words out of its index at once, and not when it is merged."""


def upgrade() -> None:
    """Add what is new, and have every passage indexed again."""
    empty = sa.text("''")
    op.add_column(
        "library_passages", sa.Column("at", sa.Text, nullable=False, server_default=empty)
    )
    op.add_column(
        "library_passages", sa.Column("headings", sa.Text, nullable=False, server_default=empty)
    )
    op.add_column(
        "library_passages", sa.Column("owner", sa.Text, nullable=False, server_default=empty)
    )
    op.add_column(
        "library_entries", sa.Column("kind", sa.Text, nullable=False, server_default=empty)
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "UPDATE library_passages SET words = NULL, "
            "owner = 't' || encode(convert_to(tenant, 'UTF8'), 'hex') || 'x'"
        )  # the librarian reads them again
    else:
        _index_by_fts5()


def _index_by_fts5() -> None:
    for trigger in ("library_passages_added", "library_passages_removed"):
        op.execute(f"DROP TRIGGER {trigger}")
    op.execute("DROP TABLE library_words")
    op.execute("UPDATE library_passages SET owner = 't' || lower(hex(tenant)) || 'x'")
    op.execute(
        "CREATE VIRTUAL TABLE library_words USING fts5("
        "text, headings, name, owner, content='library_passages', content_rowid='id', "
        "tokenize='porter unicode61 remove_diacritics 2')"
    )
    version = str(op.get_bind().exec_driver_sql("SELECT sqlite_version()").scalar_one())
    if tuple(map(int, version.split("."))) >= _FORGETS:
        op.execute("INSERT INTO library_words(library_words, rank) VALUES ('secure-delete', 1)")
    op.execute("CREATE VIRTUAL TABLE library_vocabulary USING fts5vocab(library_words, row)")
    op.execute(
        "CREATE TRIGGER library_passages_added AFTER INSERT ON library_passages BEGIN "
        "INSERT INTO library_words(rowid, text, headings, name, owner) "
        "VALUES (new.id, new.text, new.headings, new.name, new.owner); END"
    )
    op.execute(
        "CREATE TRIGGER library_passages_removed AFTER DELETE ON library_passages BEGIN "
        "INSERT INTO library_words(library_words, rowid, text, headings, name, owner) "
        "VALUES ('delete', old.id, old.text, old.headings, old.name, old.owner); END"
    )
    op.execute("INSERT INTO library_words(library_words) VALUES ('rebuild')")
