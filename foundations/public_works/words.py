"""Words as SQLite's full text index sees them, for stores that keep an index of another kind.

SQLite itself is asked, in memory: so a search finds the same passages in every store, and what is
marked in them is what was found.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from foundations.public_works.adapters.sqlite_driver import sqlite_driver

TOKENIZER = "porter unicode61 remove_diacritics 2"
"""Letters and numbers of any script, in lower case, without accents, English words by their stem.

Porter, An algorithm for suffix stripping (1980).
"""
_OPEN, _CLOSE = "\x02", "\x03"

Span = tuple[int, int]
"""From a character up to, not including, another."""


def words_of(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text, in their order."""
    with _indexed(texts) as connection:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5vocab(texts, instance)")
        found = connection.execute("SELECT doc, offset, term FROM words ORDER BY doc, offset")
        words: list[list[str]] = [[] for _ in texts]
        for text, _, word in found:
            words[text].append(word)
    return words


def any_of(words: Sequence[str]) -> str:
    """An FTS5 expression for any of `words`: each is quoted, so that none can be syntax."""
    quoted = ['"' + word.replace('"', '""') + '"' for word in words]
    return " OR ".join(quoted)


def spans_of(texts: Sequence[str], words: Sequence[str]) -> list[list[Span]]:
    """Where any of `words` stands in each text, as the index compares words."""
    spans: list[list[Span]] = [[] for _ in texts]
    if not words:
        return spans
    bare = [text.replace(_OPEN, " ").replace(_CLOSE, " ") for text in texts]
    with _indexed(bare) as connection:
        found = connection.execute(
            "SELECT rowid, highlight(texts, 0, ?, ?) FROM texts WHERE texts MATCH ?",
            (_OPEN, _CLOSE, any_of(words)),
        )
        for text, marked in found:
            spans[text] = list(_spans(marked))
    return spans


def _spans(marked: str) -> Iterator[Span]:
    at = 0
    for piece in marked.split(_OPEN)[1:]:
        at = at or marked.index(_OPEN)
        inside, _, after = piece.partition(_CLOSE)
        yield at, at + len(inside)
        at += len(inside) + len(after)


@contextmanager
def _indexed(texts: Sequence[str]) -> Iterator[Any]:
    connection = sqlite_driver().connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='{TOKENIZER}')")
        connection.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", enumerate(texts))
        yield connection
    finally:
        connection.close()
