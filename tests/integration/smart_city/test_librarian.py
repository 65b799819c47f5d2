"""Search by words and by meaning, in one's own tenant only, with any text as the question."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works import records as content_records
from foundations.public_works.content_metadata import (
    ContentMetadataAbstraction,
    EmbedderGone,
    content_id_of,
)
from foundations.public_works.database import Writes
from foundations.public_works.graph.model import Graph
from foundations.public_works.media_types import FORMATS
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from foundations.public_works.search_modes import SearchMode
from foundations.public_works.semantics import (
    GRAPH,
    PASSAGES,
    VECTORS,
    IndexableContent,
    SemanticResult,
    folder_of,
)
from smart_city.data_steward.api import DataSteward, PolicyRefused, PolicySubject
from smart_city.librarian import records, searching
from smart_city.librarian.api import (
    FoundBy,
    IndexEntry,
    Librarian,
    NotIndexed,
    Only,
    SearchHit,
    Unindexed,
    UnusableQuery,
)
from smart_city.librarian.records import LibraryRecords
from tests.support.postgres import PostgresServer
from tests.support.role_city import EMBEDDER, SOUTH, RoleCity, as_user, role_city
from utilities.context import current

pytestmark = pytest.mark.anyio

WEATHER = (
    "Heavy showers made the spring unusually wet.",
    "The café on the corner sold umbrellas.",
    "Snow fell on the hills in January.",
)


@pytest.fixture
async def library(city: RoleCity) -> Librarian:
    librarian = city.get(Librarian)
    city.get(ContentMetadataAbstraction).plug_index(librarian)
    return librarian


async def let_in(city: RoleCity, file_id: str) -> None:
    asked = PolicySubject(file_id=file_id, name="a.txt", media_type="text/plain", size=1)
    await city.get(DataSteward).enforce_client_data_policy(asked)


async def known(
    city: RoleCity,
    file_id: str,
    texts: tuple[str, ...],
    name: str = "a.txt",
    *,
    kind: str = "text",
    media_type: str = "text/plain",
    places: Mapping[int, Place] | None = None,
) -> None:
    """Store a file's passages and vectors in the semantic layer, which has them indexed."""
    await let_in(city, file_id)
    objects, folder = city.get(ObjectStore), folder_of(current().tenant, file_id)
    passages = [
        Passage(number=n, place=(places or {}).get(n, Place.line(n)), text=t)
        for n, t in enumerate(texts)
    ]
    lines = "\n".join(passage.model_dump_json() for passage in passages)
    await objects.put(f"{folder}/{PASSAGES}", lines.encode())
    await objects.put(f"{folder}/{VECTORS}", (await EMBEDDER.embed(texts)).tobytes())
    await objects.put(f"{folder}/{GRAPH}", Graph().model_dump_json().encode())
    await city.get(ContentMetadataAbstraction).store_semantic_embeddings(
        file_id,
        SemanticResult(
            file_id=file_id,
            name=name,
            media_type=media_type,
            kind=kind,
            model=EMBEDDER.model,
            dimensions=EMBEDDER.dimensions,
            passage_count=len(texts),
            edge_count=0,
            artifact=folder,
        ),
    )


async def hits(
    library: Librarian, q: str, limit: int = 10, mode: SearchMode = SearchMode.HYBRID, **only: Any
) -> list[SearchHit]:
    return list((await library.search(q, limit, mode, Only(**only))).hits)


async def test_word_of_a_passage_finds_it_with_its_place(
    city: RoleCity, library: Librarian
) -> None:
    await known(city, "file-1", WEATHER, "weather.txt")

    (best, *_) = await hits(library, "January")

    assert (best.file_id, best.name, best.place.label) == ("file-1", "weather.txt", "line 2")
    assert best.snippet == WEATHER[2]
    assert FoundBy.WORDS in best.found_by


async def test_meaning_finds_a_passage_without_its_words(
    city: RoleCity, library: Librarian
) -> None:
    await known(city, "file-1", WEATHER)

    (best, *_) = await hits(library, "rain")

    assert best.place.label == "line 0"
    assert best.found_by == (FoundBy.MEANING,)


async def test_passage_found_both_ways_stands_first_with_the_sum_of_both(
    city: RoleCity, library: Librarian
) -> None:
    await known(city, "file-1", WEATHER)

    (best, *_) = await hits(library, "snow on the hills")

    assert best.place.label == "line 2"
    assert best.found_by == (FoundBy.WORDS, FoundBy.MEANING)
    assert best.score == pytest.approx(2 / 11, abs=1e-6)


async def test_modes_look_by_words_or_by_meaning_alone(city: RoleCity, library: Librarian) -> None:
    await known(city, "file-1", WEATHER)

    by_words = await hits(library, "rain on the hills", mode=SearchMode.WORDS)
    by_meaning = await hits(library, "rain on the hills", mode=SearchMode.MEANING)

    assert [hit.place.label for hit in by_words] == ["line 2"]
    assert "line 0" in {hit.place.label for hit in by_meaning}
    assert {hit.found_by for hit in by_words} == {(FoundBy.WORDS,)}
    assert {hit.found_by for hit in by_meaning} == {(FoundBy.MEANING,)}


async def test_words_of_the_question_are_marked(city: RoleCity, library: Librarian) -> None:
    await known(city, "file-1", WEATHER)

    (best, *_) = await hits(library, "a hill with snow")

    marked = [best.snippet[span.start : span.end] for span in best.highlights]
    assert marked == ["Snow", "hills"]


async def test_filters_let_only_their_files_through(city: RoleCity, library: Librarian) -> None:
    await known(city, "file-1", WEATHER)
    city.clock.move(timedelta(days=1))
    later = city.clock.now()
    await known(city, "file-2", WEATHER, kind="table", media_type=FORMATS["csv"])

    async def files(mode: SearchMode = SearchMode.HYBRID, **only: Any) -> set[str]:
        return {hit.file_id for hit in await hits(library, "snow hills", mode=mode, **only)}

    assert await files() == {"file-1", "file-2"}
    for mode in SearchMode:
        assert await files(mode, files=("file-1",)) == {"file-1"}
        assert await files(mode, kinds=("table",)) == {"file-2"}
        assert await files(mode, kinds=("csv", "pdf")) == {"file-2"}
        assert await files(mode, since=later) == {"file-2"}
        assert await files(mode, until=later) == {"file-1"}
        assert await files(mode, files=("file-1",), kinds=("csv",)) == set()


async def test_kind_that_is_none_is_refused_with_the_nearest(library: Librarian) -> None:
    with pytest.raises(UnusableQuery) as caught:
        await library.search("rain", only=Only(kinds=("pfd",)))

    assert caught.value.hint == 'Did you mean "pdf"?'


async def test_heading_above_a_passage_finds_it(city: RoleCity, library: Librarian) -> None:
    place = Place.below(["Almanac", "Blizzards"])
    await known(city, "file-1", WEATHER, places={2: place})

    (best, *_) = await hits(library, "blizzard", mode=SearchMode.WORDS)

    assert best.place == place


async def test_model_that_is_gone_leaves_words_and_says_so(
    city: RoleCity, library: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known(city, "file-1", WEATHER)
    monkeypatch.setattr(type(EMBEDDER), "of", lambda self, model: None)

    found = await library.search("snow")

    assert [hit.found_by for hit in found.hits] == [(FoundBy.WORDS,)]
    assert "by words alone" in found.note
    with pytest.raises(EmbedderGone):
        await library.search("snow", mode=SearchMode.MEANING)


@pytest.mark.parametrize("q", ["cafe", "CAFÉ", "Cafe\u0301"])
async def test_accents_and_case_make_no_difference(
    city: RoleCity, library: Librarian, q: str
) -> None:
    await known(city, "file-1", WEATHER)

    assert (await hits(library, q))[0].place.label == "line 1"


@pytest.mark.parametrize(
    "q",
    [
        '"', "%_", "*", "snow*", "text:snow", "NEAR(snow hills)", "snow AND", "snow OR", "NOT snow",
        "^snow", "-snow", "snow' OR 1=1 --", '"snow" "', "(snow", "{snow}", "snow\0hills", "+",
        "x" * 1000,
    ],
)  # fmt: skip
async def test_no_text_is_syntax(city: RoleCity, library: Librarian, q: str) -> None:
    await known(city, "file-1", WEATHER)

    found = {hit.place.label for hit in await hits(library, q) if FoundBy.WORDS in hit.found_by}

    assert found == ({"line 2"} if "snow" in q else set())


async def test_question_without_a_word_finds_nothing(city: RoleCity, library: Librarian) -> None:
    await known(city, "file-1", WEATHER)

    assert await hits(library, "%_ !") == []
    assert await hits(library, "") == []


@pytest.mark.parametrize(("q", "limit"), [("x" * 1001, 10), ("rain", 0), ("rain", 101)])
async def test_question_beyond_the_limits_is_refused(
    library: Librarian, q: str, limit: int
) -> None:
    with pytest.raises(UnusableQuery):
        await library.search(q, limit)


async def test_limit_is_kept(city: RoleCity, library: Librarian) -> None:
    await known(city, "file-1", tuple(f"snow number {n}" for n in range(30)))

    assert len(await hits(library, "snow", 7)) == 7


async def test_other_tenants_content_is_found_by_nobody_else(
    city: RoleCity, library: Librarian
) -> None:
    await known(city, "file-1", WEATHER)

    with as_user(SOUTH):
        assert await hits(library, "snow on the hills") == []
        with pytest.raises(NotIndexed):
            await library.get_entry("file-1")


async def test_many_passages_of_another_tenant_push_none_of_ones_own_out(
    city: RoleCity, library: Librarian
) -> None:
    with as_user(SOUTH):
        await known(city, "file-2", tuple("snow snow snow" for _ in range(60)))
    await known(city, "file-1", WEATHER)

    found = await hits(library, "snow", 1)

    assert [hit.file_id for hit in found] == ["file-1"]


async def test_large_index_is_searched_by_rare_words_first_and_by_all_where_they_are_too_few(
    city: RoleCity, library: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_SCORED", 10)
    with as_user(SOUTH):
        await known(city, "file-2", tuple(f"avalanche on the hill {n}" for n in range(40)))
    await known(city, "file-1", (*(f"a hill of snow {n}" for n in range(40)), "a rare blizzard"))

    best = await hits(library, "blizzard hill", 1, mode=SearchMode.WORDS)
    common = await hits(library, "avalanche snow hill", 30, mode=SearchMode.WORDS)

    assert best[0].place.label == "line 40"
    assert len(common) == 30
    assert {hit.file_id for hit in common} == {"file-1"}


async def test_indexing_a_file_again_replaces_what_was_there(
    city: RoleCity, library: Librarian
) -> None:
    await known(city, "file-1", WEATHER)
    before = await library.get_entry("file-1")
    await known(city, "file-1", ("A recipe for chocolate cake.",), "cake.txt")

    assert [hit.name for hit in await hits(library, "chocolate")] == ["cake.txt"]
    assert [h for h in await hits(library, "january") if FoundBy.WORDS in h.found_by] == []
    assert before.passages == 3
    assert (await library.get_entry("file-1")).passages == 1


async def test_entry_and_lineage_tell_what_was_indexed(city: RoleCity, library: Librarian) -> None:
    await known(city, "file-1", WEATHER, "weather.txt")

    entry = await library.get_entry("file-1")

    assert entry.content_id == content_id_of("north", "file-1")
    assert (entry.name, entry.passages, entry.trace_id) == ("weather.txt", 3, "trace-1")
    assert entry.indexed_at == city.clock.now()
    (link,) = (await city.get(DataSteward).get_lineage("file-1")).links
    assert (link.subject, link.predicate) == (entry.content_id, "was_derived_from")


async def test_content_the_policy_did_not_let_in_is_not_indexed(library: Librarian) -> None:
    content = IndexableContent(
        content_id="content-1", file_id="file-1", name="a.txt", media_type="text/plain"
    )

    with pytest.raises(PolicyRefused):
        await library.index_content(content)
    with pytest.raises(NotIndexed):
        await library.get_entry("file-1")


async def test_content_that_cannot_be_stored_is_not_indexed(
    city: RoleCity, library: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known(city, "file-1", WEATHER)

    def fails(*_: object) -> None:
        raise OSError("nothing more is written")

    monkeypatch.setattr(content_records, "add_graph", fails)
    with pytest.raises(OSError, match="nothing more"):
        await known(city, "file-1", ("a day of thunder",))

    assert await hits(library, "thunder", mode=SearchMode.WORDS) == []
    assert [hit.number for hit in await hits(library, "snow", mode=SearchMode.WORDS)] != []


async def test_file_without_passages_has_an_entry_and_no_hits(
    city: RoleCity, library: Librarian
) -> None:
    await let_in(city, "file-1")
    content = IndexableContent(
        content_id="content-1", file_id="file-1", name="blank.txt", media_type="text/plain"
    )

    indexed = await library.index_content(content)

    assert indexed.passages == 0
    assert (await library.get_entry("file-1")).name == "blank.txt"
    assert await hits(library, "blank") == []


async def test_vectors_of_a_file_that_is_not_indexed_are_left_out(
    city: RoleCity, library: Librarian
) -> None:
    class Elsewhere:
        def indexing(self, content: IndexableContent) -> Writes:
            return lambda _: None

        async def forget_content(self, file_id: str) -> Unindexed:
            return Unindexed(file_id=file_id)

    city.get(ContentMetadataAbstraction).plug_index(Elsewhere())
    await known(city, "file-1", WEATHER)

    assert await hits(library, "snow") == []


async def test_question_of_unknown_words_is_answered_by_words_alone(
    city: RoleCity, library: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known(city, "file-1", WEATHER)
    embed = EMBEDDER.embed

    async def knows_nothing(texts: list[str]) -> object:
        return await embed([""] * len(texts))

    monkeypatch.setattr(EMBEDDER, "embed", knows_nothing)

    assert [hit.found_by for hit in await hits(library, "snow")] == [(FoundBy.WORDS,)]


async def test_only_the_first_words_of_a_long_question_count(
    city: RoleCity, library: Librarian
) -> None:
    await known(city, "file-1", WEATHER)
    filler = " ".join(f"w{n}" for n in range(searching.MOST_WORDS))

    found = await hits(library, f"{filler} snow")

    assert all(FoundBy.WORDS not in hit.found_by for hit in found)


SCRIPTS = (
    "Crème brûlée, naïve façade; ÅNGSTRÖM units.",
    "snake_case and kebab-case, e-mail a.b@example.org, weather.csv, 3.14 and 1e10",
    "Привет, мир! Ёлка.",
    "日本語の文章 and 한국어",
    "हिन्दी में लिखा हुआ",
    "it's o'clock: 'quoted' \\ back\\slash <-> & | ! ()",
    "e\u0301te\u0301 combined; Straße; İstanbul; ﬁne ligature",
    "🛷 sled ✂ scissors ½ half ² squared",
)
QUESTIONS = (
    *("creme brulee", "NAIVE", "façade", "angstrom", "snake_case", "case", "kebab-case", "csv"),
    *("weather.csv", "3.14", "14", "1e10", "Привет", "елка", "ёлка", "日本語の文章", "日本語"),
    *("हिन्दी", "o'clock", "clock", "back\\slash", "été", "ete", "strasse", "Straße"),
    *("istanbul", "fine", "½", "2", "example.org", "a b example org", "org", "scripts"),
)


async def test_every_index_finds_the_passages_that_fts5_finds(
    both: tuple[LibraryRecords, LibraryRecords],
) -> None:
    found: list[dict[str, set[int]]] = [{}, {}]
    for question in QUESTIONS:
        words = list(dict.fromkeys(re.findall(r"\w+", question.casefold())))
        assert words, question
        for index, hits in zip(both, found, strict=True):
            passages = await index.by_words("north", words, most=50)
            hits[question] = {passage.number for passage in passages}

    assert found[0] == found[1]
    assert sum(map(bool, found[0].values())) > len(QUESTIONS) / 2


@pytest.fixture
async def both(
    postgres_server: PostgresServer, tmp_path: Path
) -> AsyncIterator[tuple[LibraryRecords, LibraryRecords]]:
    """The same passages in either index."""
    passages = tuple(
        Passage(number=n, place=Place.read(f"line {n}"), text=t) for n, t in enumerate(SCRIPTS)
    )
    async with AsyncExitStack() as stack:
        records: list[LibraryRecords] = []
        for url in ("", stack.enter_context(postgres_server.database())):
            folder = tmp_path / str(len(records))
            city = await stack.enter_async_context(role_city(folder, database_url=url))
            records.append(city.get(LibraryRecords))
            content = IndexableContent(
                content_id="content-1",
                file_id="file-1",
                name="scripts of_the world.txt",
                media_type="text/plain",
                summary="",
                key_phrases=(),
                passages=passages,
            )
            entry = IndexEntry(
                **content.model_dump(include={"file_id", "content_id", "name", "media_type"}),
                passages=len(passages),
                indexed_at=city.clock.now(),
                trace_id="trace-1",
            )
            await records[-1].write(
                records[-1].replacing("north", entry, content, admit=lambda _: None)
            )
        yield records[0], records[1]
