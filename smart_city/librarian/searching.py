"""Search by words (bm25) and by meaning (cosine), fused by rank."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NamedTuple

from loguru import logger
from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.content_graph import ContentGraphAbstraction
from foundations.public_works.content_metadata import ContentMetadataAbstraction, Hit
from foundations.public_works.database import Writes
from foundations.public_works.graph.model import Entities, Node
from foundations.public_works.media_types import FORMATS
from foundations.public_works.parsing.stop_words import STOP_WORDS
from foundations.public_works.search_modes import SearchMode
from foundations.public_works.semantics import IndexableContent
from foundations.public_works.threads import in_thread
from smart_city.data_steward.api import DataSteward
from smart_city.librarian.api import (
    EVERYTHING,
    FoundBy,
    Indexed,
    IndexEntry,
    Librarian,
    NotIndexed,
    Only,
    SearchHit,
    SearchResults,
    Unindexed,
    UnusableQuery,
)
from smart_city.librarian.evidence import evidence
from smart_city.librarian.records import FoundPassage, LibraryRecords
from smart_city.librarian.sight import Visible, found_by_seen_words
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean

LONGEST_QUERY = 1000
MOST_WORDS = 32
MOST_HITS = 100
MOST_ENTITIES = 1_000
FUSION_CONSTANT = 10
"""k of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009), for short lists."""
KINDS = frozenset({"table", "text", *FORMATS})
_NEAREST_COSINE = 0.2
"""Passages less alike than this have nothing to do with the question."""
_DEPTH = 5
"""Each list is read this many times deeper than what is asked for."""
_WORD = re.compile(r"\w+")

_OF_THE_EMBEDDER = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.CONFIGURATION})
"""Words can answer alone while the embedder is away, or set up wrongly."""

Lists = Mapping[FoundBy, Sequence[FoundPassage]]


class Fused(NamedTuple):
    """A passage with what the lists gave it, and which they were."""

    passage: FoundPassage
    score: float
    found_by: tuple[FoundBy, ...]


@service
class LibrarianService(Librarian):
    """Indexes what is known and finds it again."""

    def __init__(
        self,
        *,
        records: LibraryRecords,
        semantic_layer: ContentMetadataAbstraction,
        graph: ContentGraphAbstraction,
        data: DataSteward,
        clock: Clock,
    ) -> None:
        self._records = records
        self._graph = graph
        self._semantic_layer = semantic_layer
        self._data = data
        self._clock = clock

    @soa_api(effect=Effect.KEYED)
    async def index_content(self, content: IndexableContent) -> Indexed:
        """Put `content` in the place of all the index holds of that file.

        Raises:
            PolicyRefused: the data steward does not let it into the semantic layer.
        """
        await self._records.write(self.indexing(content))
        return Indexed(
            content_id=content.content_id, file_id=content.file_id, passages=len(content.passages)
        )

    def indexing(self, content: IndexableContent) -> Writes:
        """The same in somebody's transaction, which is refused where `content` is."""
        context = current()
        entry = IndexEntry(
            file_id=content.file_id,
            content_id=content.content_id,
            name=content.name,
            media_type=content.media_type,
            kind=content.kind,
            passages=len(content.passages),
            indexed_at=self._clock.now(),
            trace_id=context.trace_id,
        )
        admit = self._data.admitting(content.content_id, content.file_id)
        return self._records.replacing(context.tenant, entry, content, admit=admit)

    @soa_api(effect=Effect.KEYED)
    async def forget_content(self, file_id: str) -> Unindexed:
        """Remove all the index holds of a file; nothing there is no error."""
        await self._records.forget(current().tenant, file_id)
        return Unindexed(file_id=file_id)

    @soa_api(public=True, effect=Effect.PURE)
    async def search(
        self,
        q: Annotated[str, Field(max_length=LONGEST_QUERY)],
        limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 10,
        mode: SearchMode = SearchMode.HYBRID,
        only: Only = EVERYTHING,
    ) -> SearchResults:
        """The caller's tenant's passages that fit `q` best, by words and by meaning.

        Each list gives a passage 1 / (10 + rank); `score` is the sum, half of it where a better
        passage stands below the same headings. `q` is plain text: nothing
        in it is syntax. A question without a word finds nothing. `highlights` are the words of the
        question in the snippet.

        Raises:
            UnusableQuery: `q` is too long, the limit is not from 1 to 100, or a kind is none.
        """
        _require_usable(q, limit, only)
        words = words_asked(q)
        if not words:
            return SearchResults(query=q, mode=mode, hits=())
        files = None
        if only != EVERYTHING:
            files = await self._records.chosen(current().tenant, only)
        lists, note = await self._lists(q, words, limit * _DEPTH, mode, files)
        shown = self._data.masking().text  # before snippets are cut, so that none cuts a number
        hits = await in_thread(_with_evidence, fuse(lists)[:limit], words, shown)
        return SearchResults(query=q, mode=mode, hits=tuple(hits), note=note)

    @soa_api(public=True)
    async def list_entities(
        self,
        q: Annotated[str, Field(max_length=200)] = "",
        kind: Annotated[str, Field(max_length=20)] = "",
        limit: Annotated[int, Field(ge=1, le=MOST_ENTITIES)] = 50,
    ) -> Entities:
        """The tenant's entities whose name begins with `q`, the most mentioned first.

        `kind` is one of date, money, percentage, mail, web, identifier and phrase. Those that the
        caller may not see take no place: a gap would tell how hidden ones begin.
        """
        masking = self._data.masking()
        seen: list[Node] = []
        start, page = 0, limit
        while True:
            found = await self._graph.list_entities(q, kind, offset=start, limit=page)
            shown = await in_thread(masking.answer, found.model_dump(mode="json"))
            seen += Entities.model_validate(shown).entities
            if len(seen) >= limit or len(found.entities) < page:
                return Entities(entities=tuple(seen[:limit]))
            start, page = start + page, max(2 * page, MOST_ENTITIES)

    @soa_api(public=True)
    async def get_entry(self, file_id: str) -> IndexEntry:
        """What the index holds of a file.

        Raises:
            NotIndexed: nothing.
        """
        entry = await self._records.entry(current().tenant, file_id)
        if entry is None:
            raise NotIndexed(
                f"nothing of the file {file_id} is indexed", hint="run the data mash on it"
            )
        return entry

    async def _lists(
        self, q: str, words: Sequence[str], most: int, mode: SearchMode, files: list[str] | None
    ) -> tuple[Lists, str]:
        """What each way of looking finds, and what could not be looked into."""
        if mode is SearchMode.WORDS:
            return {FoundBy.WORDS: await self._by_words(words, most, files)}, ""
        if mode is SearchMode.MEANING:
            return {FoundBy.MEANING: await self._by_meaning(q, most, files)}, ""
        by_words, by_meaning = await asyncio.gather(
            self._by_words(words, most, files),
            self._by_meaning(q, most, files),
            return_exceptions=True,
        )
        if isinstance(by_words, BaseException):
            raise by_words
        if isinstance(by_meaning, BaseException):
            return {FoundBy.WORDS: by_words}, _told(by_meaning)
        return {FoundBy.WORDS: by_words, FoundBy.MEANING: by_meaning}, ""

    async def _by_words(
        self, words: Sequence[str], most: int, files: list[str] | None
    ) -> list[FoundPassage]:
        found = await self._records.by_words(current().tenant, words, most=most, files=files)
        masking = self._data.masking()
        if not masking.hides:
            return found
        return await in_thread(found_by_seen_words, found, words, masking.text)

    async def _by_meaning(self, q: str, most: int, files: list[str] | None) -> list[FoundPassage]:
        near = await self._semantic_layer.search_meaning(q, limit=most, files=files)
        masking = self._data.masking()
        if masking.hides:
            near = await self._as_alike(q, near, masking.text)
        alike = [hit for hit in near if hit.score >= _NEAREST_COSINE]
        names = await self._records.names(current().tenant, (hit.file_id for hit in alike))
        return [
            FoundPassage(
                hit.file_id,
                hit.passage.number,
                names[hit.file_id],
                hit.passage.place,
                hit.passage.text,
            )
            for hit in alike
            if hit.file_id in names
        ]

    async def _as_alike(self, q: str, near: Sequence[Hit], visible: Visible) -> list[Hit]:
        """The same, each as near to the question as what the caller may see of it."""
        texts = await in_thread(lambda: [visible(hit.passage.text) for hit in near])
        pairs = list(zip(near, texts, strict=True))
        masked = [(hit, text) for hit, text in pairs if text != hit.passage.text]
        scores = await self._semantic_layer.likeness(
            q, [hit.passage.model_copy(update={"text": text}) for hit, text in masked]
        )
        seen = [hit for hit, text in pairs if text == hit.passage.text]
        for (hit, _), score in zip(masked, scores, strict=True):
            seen.append(hit.model_copy(update={"score": score}))
        return sorted(seen, key=lambda hit: -hit.score)


def words_asked(q: str) -> list[str]:
    """The words of a question, those that say nothing left out unless it has no others."""
    words = list(dict.fromkeys(_WORD.findall(q.casefold())))
    telling = [word for word in words if word not in STOP_WORDS]
    return (telling or words)[:MOST_WORDS]


def fuse(lists: Lists) -> list[Fused]:
    """One list out of several by reciprocal rank fusion; ties go to the file and place.

    Of passages below the same headings of a file only the best counts in full, others half: so
    what is found first comes from different places.
    """
    scores: defaultdict[tuple[str, int], float] = defaultdict(float)
    sources: defaultdict[tuple[str, int], list[FoundBy]] = defaultdict(list)
    passages: dict[tuple[str, int], FoundPassage] = {}
    for source, found in lists.items():
        for rank, passage in enumerate(found, start=1):
            scores[passage.key] += 1 / (FUSION_CONSTANT + rank)
            sources[passage.key].append(source)
            passages[passage.key] = passage
    met: set[tuple[object, ...]] = set()
    for key in sorted(passages, key=lambda key: (-scores[key], key)):
        place = passages[key].place
        section = (passages[key].file_id, place.file, place.headings)
        if place.headings and section in met:
            scores[key] /= 2
        met.add(section)
    best = sorted(passages, key=lambda key: (-scores[key], key))
    return [Fused(passages[key], round(scores[key], 6), tuple(sources[key])) for key in best]


def _with_evidence(
    fused: Sequence[Fused], words: Sequence[str], visible: Callable[[str], str]
) -> list[SearchHit]:
    shown = evidence([visible(one.passage.text) for one in fused], words)
    return [
        SearchHit(
            file_id=passage.file_id,
            name=passage.name,
            number=passage.number,
            place=passage.place,
            snippet=snippet,
            highlights=highlights,
            score=score,
            found_by=found_by,
        )
        for (passage, score, found_by), (snippet, highlights) in zip(fused, shown, strict=True)
    ]


def _require_usable(q: str, limit: int, only: Only) -> None:
    if len(q) > LONGEST_QUERY or not 1 <= limit <= MOST_HITS:
        raise UnusableQuery(
            f"{len(q)} characters and a limit of {limit} were asked",
            hint=f"ask at most {LONGEST_QUERY} characters, for 1 to {MOST_HITS} hits",
        )
    for kind in only.kinds:
        if kind not in KINDS:
            raise UnusableQuery(
                f"{kind[:40]!r} is no kind of file",
                hint=did_you_mean(kind, KINDS) or f"name one of {', '.join(sorted(KINDS))}",
            )


def _told(error: BaseException) -> str:
    """What kept meaning from being searched, where words can answer alone."""
    if not isinstance(error, PlatformError) or error.kind not in _OF_THE_EMBEDDER:
        raise error
    logger.warning("searched by words alone: {}", error)
    return f"searched by words alone: {error.detail}"
