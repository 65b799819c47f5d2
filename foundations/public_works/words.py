"""Words as SQLite's full text index sees them, for stores that keep an index of another kind.

SQLite itself is asked, in memory: so a search finds the same passages in every store.
"""

from collections.abc import Sequence

from foundations.public_works.adapters.sqlite_driver import sqlite_driver

TOKENIZER = "unicode61 remove_diacritics 2"
"""Letters and numbers of any script, in lower case, without accents."""


def words_of(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text, in their order."""
    connection = sqlite_driver().connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='{TOKENIZER}')")
        connection.execute("CREATE VIRTUAL TABLE words USING fts5vocab(texts, instance)")
        connection.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", enumerate(texts))
        found = connection.execute("SELECT doc, offset, term FROM words ORDER BY doc, offset")
        words: list[list[str]] = [[] for _ in texts]
        for text, _, word in found:
            words[text].append(word)
    finally:
        connection.close()
    return words
