"""Search by words (bm25) and by meaning (cosine), fused by rank."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.embedder import Embedder
from foundations.public_works.semantics import IndexableContent
from smart_city.data_steward.api import DataSteward
from smart_city.librarian.api import (
    FoundBy,
    Indexed,
    IndexEntry,
    Librarian,
    NotIndexed,
    SearchHit,
    SearchResults,
    UnusableQuery,
)
from smart_city.librarian.records import FoundPassage, LibraryRecords
from utilities.clock import Clock
from utilities.context import current

LONGEST_QUERY = 1000
MOST_WORDS = 32
MOST_HITS = 100
FUSION_CONSTANT = 60
"""k of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""
_NEAREST_COSINE = 0.2
"""Passages less alike than this have nothing to do with the question."""
_DEPTH = 5
"""Each list is read this many times deeper than what is asked for."""
_SNIPPET = 240
_WORD = re.compile(r"\w+")


@service
class LibrarianService(Librarian):
    """Indexes what is known and finds it again."""

    def __init__(
        self,
        *,
        records: LibraryRecords,
        semantic_layer: ContentMetadataAbstraction,
        embedder: Embedder,
        data: DataSteward,
        clock: Clock,
    ) -> None:
        self._records = records
        self._semantic_layer = semantic_layer
        self._embedder = embedder
        self._data = data
        self._clock = clock

    @soa_api(effect=Effect.KEYED)
    async def index_content(self, content: IndexableContent) -> Indexed:
        """Put `content` in the place of all the index holds of that file.

        Raises:
            PolicyRefused: the data steward does not let it into the semantic layer.
        """
        await self._data.enforce_semantic_policy(content.file_id)
        context = current()
        entry = IndexEntry(
            file_id=content.file_id,
            content_id=content.content_id,
            name=content.name,
            media_type=content.media_type,
            passages=len(content.passages),
            indexed_at=self._clock.now(),
            trace_id=context.trace_id,
        )
        await self._records.replace(context.tenant, entry, content)
        await self._data.record_lineage(content.content_id, "was_derived_from", content.file_id)
        return Indexed(content_id=entry.content_id, file_id=entry.file_id, passages=entry.passages)

    @soa_api(public=True, effect=Effect.PURE)
    async def search(
        self,
        q: Annotated[str, Field(max_length=LONGEST_QUERY)],
        limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 10,
    ) -> SearchResults:
        """The caller's tenant's passages that fit `q` best, by words and by meaning.

        Each list gives a passage 1 / (60 + rank); `score` is the sum. `q` is plain text: nothing
        in it is syntax. A question without a word finds nothing.

        Raises:
            UnusableQuery: `q` is too long, or the limit is not from 1 to 100.
        """
        if len(q) > LONGEST_QUERY or not 1 <= limit <= MOST_HITS:
            raise UnusableQuery(
                f"{len(q)} characters and a limit of {limit} were asked",
                hint=f"ask at most {LONGEST_QUERY} characters, for 1 to {MOST_HITS} hits",
            )
        words = list(dict.fromkeys(_WORD.findall(q.casefold())))[:MOST_WORDS]
        if not words:
            return SearchResults(query=q, hits=())
        lists = {
            FoundBy.WORDS: await self._records.by_words(
                current().tenant, words, most=limit * _DEPTH
            ),
            FoundBy.MEANING: await self._by_meaning(q, limit * _DEPTH),
        }
        shown = self._data.masking().text  # before snippets are cut, so that none cuts a number
        return SearchResults(query=q, hits=tuple(fuse(lists, words, shown)[:limit]))

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

    async def _by_meaning(self, q: str, most: int) -> list[FoundPassage]:
        vectors = await self._embedder.embed([q])
        if not vectors.any():
            return []  # no word of the question is known to the model
        near = await self._semantic_layer.search_vectors(
            vectors[0], model=self._embedder.model, limit=most
        )
        alike = [hit for hit in near if hit.score >= _NEAREST_COSINE]
        names = await self._records.names(current().tenant, (hit.file_id for hit in alike))
        return [
            FoundPassage(hit.file_id, hit.number, names[hit.file_id], hit.place, hit.text)
            for hit in alike
            if hit.file_id in names
        ]


def fuse(
    lists: dict[FoundBy, list[FoundPassage]],
    words: Sequence[str],
    shown: Callable[[str], str] = str,
) -> list[SearchHit]:
    """One list out of several by reciprocal rank fusion; ties go to the file and place.

    `shown` makes of a passage what its reader may see.
    """
    scores: defaultdict[tuple[str, int], float] = defaultdict(float)
    sources: defaultdict[tuple[str, int], list[FoundBy]] = defaultdict(list)
    passages: dict[tuple[str, int], FoundPassage] = {}
    for source, found in lists.items():
        for rank, passage in enumerate(found, start=1):
            scores[passage.key] += 1 / (FUSION_CONSTANT + rank)
            sources[passage.key].append(source)
            passages[passage.key] = passage
    best = sorted(passages, key=lambda key: (-scores[key], key))
    return [
        SearchHit(
            file_id=passages[key].file_id,
            name=passages[key].name,
            place=passages[key].place,
            snippet=snippet(shown(passages[key].text), words),
            score=round(scores[key], 6),
            found_by=tuple(sources[key]),
        )
        for key in best
    ]


def snippet(text: str, words: Sequence[str]) -> str:
    """The part of a passage around the longest of `words` in it, on one line."""
    line = " ".join(text.split())
    if len(line) <= _SNIPPET:
        return line
    folded, longest_first = line.casefold(), sorted(words, key=len, reverse=True)
    found = next((at for word in longest_first if (at := folded.find(word)) >= 0), 0)
    begin = max(0, min(found - _SNIPPET // 4, len(line) - _SNIPPET))
    cut = line[begin : begin + _SNIPPET].strip()
    return f"{'…' if begin else ''}{cut}{'…' if begin + _SNIPPET < len(line) else ''}"
