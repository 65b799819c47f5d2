"""Tables of the librarian: an entry for each file, its passages, and an index of their words.

The index is SQLite's FTS5, or a tsvector with the same words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import sqlalchemy as sa

from foundations.public_works.database import Database, Dialect, Writes
from foundations.public_works.media_types import FORMATS
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from foundations.public_works.records import kept_place, place_at
from foundations.public_works.rows import Rows
from foundations.public_works.semantics import IndexableContent
from foundations.public_works.words import any_of, words_of
from smart_city.librarian.api import IndexEntry, Only
from smart_city.stamps import stamp

_metadata = sa.MetaData()
_entries = sa.Table(
    "library_entries",
    _metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("content_id", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("media_type", sa.Text),
    sa.Column("kind", sa.Text),
    sa.Column("passages", sa.Integer),
    sa.Column("indexed_at", sa.Text),
    sa.Column("trace_id", sa.Text),
)
_passages = sa.Table(
    "library_passages",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("file_id", sa.Text),
    sa.Column("number", sa.Integer),
    sa.Column("place", sa.Text),
    sa.Column("at", sa.Text),
    sa.Column("headings", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("text", sa.Text),
)
_ENTRIES = Rows(_entries, "tenant", "file_id")
_PASSAGES = Rows(_passages, "tenant", "file_id")
_COLUMNS = "tenant file_id name owner number headings text place at"
_BY_WORDS = (
    "SELECT p.file_id, p.number, p.name, p.place, p.at, p.text "
    "FROM library_words JOIN library_passages AS p ON p.id = library_words.rowid "
    "WHERE library_words MATCH :words AND p.tenant = :tenant {only} "
    "ORDER BY bm25(library_words, 1.0, 3.0, 0.5, 0.0), p.id LIMIT :most"
)
_BY_TSVECTOR = (
    "SELECT p.file_id, p.number, p.name, p.place, p.at, p.text FROM library_passages AS p "
    "WHERE p.words @@ CAST(:words AS tsquery) AND p.tenant = :tenant {only} "
    "ORDER BY ts_rank(p.words, CAST(:words AS tsquery), 1) DESC, p.id LIMIT :most"
)
_ADD_WITH_WORDS = sa.text(
    "INSERT INTO library_passages "
    "(tenant, file_id, number, place, at, headings, owner, name, text, words) VALUES "
    "(:tenant, :file_id, :number, :place, :at, :headings, :owner, :name, :text, "
    "CAST(:words AS tsvector))"
)
_UNREAD = sa.text(
    "SELECT id, text, headings, name FROM library_passages WHERE words IS NULL LIMIT 500"
)
_LAST = sa.text("SELECT max(id) FROM library_passages")
_COUNT = sa.text("SELECT doc FROM library_vocabulary WHERE term = :term")
_SCORED = 2_000
"""With more passages than this, those that hold none but frequent words are not scored."""
_ENOUGH = 0.2
"""The share of the hits that were asked for with which a quick search is content."""
_READ = sa.text("UPDATE library_passages SET words = CAST(:words AS tsvector) WHERE id = :id")
_SAID = ("text", "headings", "name")
"""The columns whose words are indexed."""
_LAST_PLACE = 16_383
"""PostgreSQL counts the places of words so far."""
_LONGEST_WORD = 2_046


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that a search found."""

    file_id: str
    number: int
    name: str
    place: Place
    text: str

    @property
    def key(self) -> tuple[str, int]:
        """What makes two finds the same passage."""
        return self.file_id, self.number


class LibraryRecords:
    """What the index holds. Every query is one tenant's, inside the query itself."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._server = database.dialect is Dialect.POSTGRESQL

    async def __aenter__(self) -> Self:
        """See to passages that were moved here from a store with another index."""
        while self._server and await self._database.across_tenants().write(_read_some):
            pass
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held open."""

    async def write(self, writes: Writes) -> None:
        """Make these writes in a transaction of their own."""
        await self._database.write(writes)

    def replacing(
        self, tenant: str, entry: IndexEntry, content: IndexableContent, *, admit: Writes
    ) -> Writes:
        """What puts a file's content in the place of what was there, in somebody's transaction.

        `admit` is made first, and raises there where the content may not be in the index.
        """
        values = {**entry.model_dump(), "indexed_at": stamp(entry.indexed_at), "tenant": tenant}
        own = (tenant, entry.file_id, entry.name, _owner(tenant))
        rows = [(*own, *_plain(passage)) for passage in content.passages]

        def work(connection: sa.Connection) -> None:
            admit(connection)
            if _ENTRIES.forget(connection, tenant, entry.file_id):
                _PASSAGES.forget(connection, tenant, entry.file_id)
            _ENTRIES.add(connection, values)
            if rows and self._server:
                named = [dict(zip(_COLUMNS.split(), row, strict=True)) for row in rows]
                connection.execute(_ADD_WITH_WORDS, _with_words(named))
            else:
                _PASSAGES.add_plain(connection, _COLUMNS, rows)

        return work

    async def entry(self, tenant: str, file_id: str) -> IndexEntry | None:
        row = await self._database.read(lambda c: _ENTRIES.first(c, tenant, file_id))
        return IndexEntry.model_validate(dict(row)) if row else None

    async def forget(self, tenant: str, file_id: str) -> None:
        """Remove all that the index holds of a file."""
        await self._database.write(lambda connection: _forget(connection, tenant, file_id))

    async def by_words(
        self, tenant: str, words: Sequence[str], *, most: int, files: Sequence[str] | None = None
    ) -> list[FoundPassage]:
        """The passages with any of these words, best first: by bm25, or by `ts_rank`.

        `files` restricts the search to some.
        """
        if files is not None and not files:
            return []
        look = _look_up_tsvector if self._server else _look_up_fts5
        rows = await self._database.read(lambda c: look(c, tenant, words, most, files))
        return [
            FoundPassage(file_id, number, name, place_at(place, at), text)
            for file_id, number, name, place, at, text in rows
        ]

    async def chosen(self, tenant: str, only: Only) -> list[str]:
        """The files that a filter lets through."""
        query = sa.select(_entries.c.file_id).where(_entries.c.tenant == tenant)
        if only.files:
            query = query.where(_entries.c.file_id.in_(only.files))
        if only.kinds:
            query = query.where(
                _entries.c.kind.in_(only.kinds)
                | _entries.c.media_type.in_([FORMATS[one] for one in only.kinds if one in FORMATS])
            )
        if only.since is not None:
            query = query.where(_entries.c.indexed_at >= stamp(only.since))
        if only.until is not None:
            query = query.where(_entries.c.indexed_at < stamp(only.until))
        return list(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def names(self, tenant: str, file_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of indexed files by id."""
        chosen = sa.select(_entries.c.file_id, _entries.c.name).where(
            _entries.c.tenant == tenant, _entries.c.file_id.in_(set(file_ids))
        )
        rows = await self._database.read(lambda c: c.execute(chosen).all())
        return {row.file_id: row.name for row in rows}


def _forget(connection: sa.Connection, tenant: str, file_id: str) -> None:
    for rows in (_ENTRIES, _PASSAGES):
        rows.forget(connection, tenant, file_id)


def _plain(passage: Passage) -> tuple[Any, ...]:
    headings = " / ".join(passage.place.headings)
    return (passage.number, headings, passage.text, *kept_place(passage.place))


def _look_up_tsvector(
    connection: sa.Connection,
    tenant: str,
    words: Sequence[str],
    most: int,
    files: Sequence[str] | None,
) -> Sequence[Any]:
    return _looked_up(connection, _BY_TSVECTOR, _tsquery(words), tenant, most, files)


def _look_up_fts5(
    connection: sa.Connection,
    tenant: str,
    words: Sequence[str],
    most: int,
    files: Sequence[str] | None,
) -> Sequence[Any]:
    """By all words; in a large index by those that are rare, the others counting where they are.

    Scoring is what costs. A passage with none but frequent words is not worth it while there are
    others, so it is only looked for where those are too few.
    """
    wholly = f'owner : "{_owner(tenant)}" AND ({any_of(words)})'
    telling = _telling(connection, words)
    if telling:
        quickly = f"({any_of(telling)}) AND {wholly}"
        found = _looked_up(connection, _BY_WORDS, quickly, tenant, most, files)
        if len(found) >= most * _ENOUGH:
            return found
    return _looked_up(connection, _BY_WORDS, wholly, tenant, most, files)


def _looked_up(
    connection: sa.Connection,
    query: str,
    expression: str,
    tenant: str,
    most: int,
    files: Sequence[str] | None,
) -> Sequence[Any]:
    values: dict[str, Any] = {"words": expression, "tenant": tenant, "most": most}
    statement = sa.text(query.format(only="" if files is None else "AND p.file_id IN :files"))
    if files is not None:
        statement = statement.bindparams(sa.bindparam("files", expanding=True))
        values["files"] = list(files)
    return connection.execute(statement, values).all()


def _telling(connection: sa.Connection, words: Sequence[str]) -> list[str]:
    """The rarest of `words`, as many as stand in a few thousand passages; none where all do."""
    if (connection.execute(_LAST).scalar() or 0) <= _SCORED:
        return []
    in_index = words_of(words)
    counts = [min(_counts(connection, parts), default=0) for parts in in_index]
    telling: list[str] = []
    total = 0
    for count, word in sorted(zip(counts, words, strict=True)):
        total += count
        if total > _SCORED and total > count:
            break
        telling.append(word)
    return telling if len(telling) < len(words) else []


def _counts(connection: sa.Connection, parts: Sequence[str]) -> list[int]:
    """In how many passages each part of a word stands."""
    return [connection.execute(_COUNT, {"term": one}).scalar() or 0 for one in parts]


def _owner(tenant: str) -> str:
    """A tenant as one word of the index, which no stemming changes."""
    return f"t{tenant.encode().hex()}x"


def _tsquery(words: Sequence[str]) -> str:
    """The same for a tsvector: what FTS5 sees as several words must stand side by side."""
    phrases = ("<->".join(f"'{word}'" for word in parts) for parts in words_of(words) if parts)
    return " | ".join(f"({phrase})" for phrase in phrases)


def _with_words(rows: Sequence[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Rows of passages, each with its tsvector: the words of its text, of its headings and name.

    A place between two lets no phrase reach from one into the other.
    """
    columns = [words_of([str(row[name]) for row in rows]) for name in _SAID]
    return [
        {**row, "words": _tsvector([*text, "", *headings, "", *name])}
        for row, text, headings, name in zip(rows, *columns, strict=True)
    ]


def _read_some(connection: sa.Connection) -> bool:
    """Index some passages that are not; whether there were any."""
    rows = connection.execute(_UNREAD).mappings().all()
    if rows:
        values = [{"id": row["id"], "words": row["words"]} for row in _with_words(rows)]
        connection.execute(_READ, values)
    return bool(rows)


def _tsvector(words: Sequence[str]) -> str:
    return " ".join(
        f"'{word}':{min(place, _LAST_PLACE)}"
        for place, word in enumerate(words, start=1)
        if word and len(word.encode()) <= _LONGEST_WORD
    )
