"""A file's content goes through parsing, the semantic layer and insights."""

from pathlib import Path

import numpy as np
import pytest

from foundations.public_works.archives import Truncated
from foundations.public_works.content_graph import EntityUnknown, GraphUnknown
from foundations.public_works.content_metadata import (
    ContentUnknown,
    NoIndexPlugged,
    NotParsed,
    WrongFile,
)
from foundations.public_works.graph.model import Predicate
from foundations.public_works.object_store import ObjectNotFound
from foundations.public_works.semantics import UnusableFileId, folder_of
from smart_city.content_steward.api import FileUnknown
from tests.support.content_world import EMBEDDER, World
from utilities.context import CallContext, UserContext, bound

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[2] / "data"
READINGS = b"""day,city,temp,rain
2024-01-01,Oslo,-4.5,0
2024-01-02,Oslo,-2.5,1
2024-01-03,Rome,11.5,NA
2024-01-04,Rome,12.5,4
"""
SOUTH = CallContext("other-trace", UserContext(tenant="south", principal="someone"))


async def test_table_becomes_insights(world: World) -> None:
    answer = await world.mash("f1", "readings.csv", READINGS)

    sentences = [insight.sentence for insight in answer.insights_result.insights]
    assert sentences[0] == (
        "readings has 4 rows and 4 columns, 2 of them numeric; 93.8% of its cells are filled."
    )
    assert "rain is missing in 1 of 4 rows (25.0%)." in sentences


async def test_answer_of_parsing_is_small_and_carries_the_trace(world: World) -> None:
    await world.steward.take("f1", "weather.csv", (DATA / "weather.csv").read_bytes())

    parsed = await world.analysis.parse_file("f1", trace_id="trace-of-the-caller")

    assert parsed.trace_id == "trace-of-the-caller"
    assert len(parsed.model_dump_json()) < 20_000
    assert parsed.semantic_result.passage_count == 1 + 6 + 731
    assert parsed.semantic_result.artifact == "derived/north/f1"


async def test_parsing_leaves_no_workspace_behind(world: World) -> None:
    await world.steward.take("f1", "readings.csv", READINGS)
    await world.analysis.parse_file("f1")
    await world.steward.take("f2", "broken.json", b'{"a": ')
    with pytest.raises(Truncated):
        await world.analysis.parse_file("f2")

    assert list(world.folder.staging.iterdir()) == []
    with pytest.raises(ObjectNotFound):
        await world.objects.get("derived/north/f2/manifest.json")


async def test_parsing_again_leaves_the_same(world: World) -> None:
    await world.steward.take("f1", "readings.csv", READINGS)

    first = await world.analysis.parse_file("f1")
    vectors = await world.objects.get("derived/north/f1/vectors.f32")
    again = await world.analysis.parse_file("f1")

    assert again == first
    assert await world.objects.get("derived/north/f1/vectors.f32") == vectors


async def test_file_that_is_not_there_is_unknown(world: World) -> None:
    with pytest.raises(FileUnknown):
        await world.analysis.parse_file("nothing")


# --- the semantic layer --------------------------------------------------------------------------


async def test_stored_meaning_is_found_by_what_it_means(world: World) -> None:
    await world.mash("f1", "rain-gauge.md", (DATA / "rain-gauge.md").read_bytes())
    await world.mash("f2", "gettysburg.txt", (DATA / "gettysburg.txt").read_bytes())
    question = "soldiers who died in the battle"

    hits = await world.metadata.search_meaning(question, limit=3)

    assert hits[0].file_id == "f2"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_row_of_a_table_is_found_by_what_it_says(world: World) -> None:
    await world.mash("f1", "planets.xlsx", (DATA / "planets.xlsx").read_bytes())
    question = "Cassini mission to Saturn"

    hits = await world.metadata.search_meaning(question, limit=2)

    assert any("mission: Cassini; target: Saturn" in hit.passage.text for hit in hits)


async def test_embeddings_come_in_pages(world: World) -> None:
    await world.mash("f1", "readings.csv", READINGS)

    page = await world.metadata.get_semantic_embeddings("f1", offset=1, limit=2)

    assert (page.total, page.dimensions) == (9, 256)
    assert [one.number for one in page.embeddings] == [2, 3]
    assert np.linalg.norm(page.embeddings[0].vector) == pytest.approx(1.0, abs=1e-5)


async def test_graph_leads_from_the_file_to_its_columns_and_rows(world: World) -> None:
    await world.mash("f1", "readings.csv", READINGS)

    known = await world.graph.get_file_graph("f1")
    facts = {(edge.subject, edge.predicate.value, edge.object) for edge in known.edges}
    nodes = {node.id: node for node in known.nodes}

    assert known.total == len(known.edges)
    assert ("file:f1", "has_table", "table:f1/readings") in facts
    assert ("table:f1/readings", "has_column", "column:f1/readings/temp") in facts
    assert ("table:f1/readings", "has_passage", "passage:f1/9") in facts
    assert nodes["column:f1/readings/day"].type == "date"
    assert nodes["table:f1/readings"].count == 4
    assert known.origin.trace_id == "trace-of-the-test"


async def test_graph_leads_from_the_file_to_its_sections_and_their_passages(world: World) -> None:
    await world.mash("f1", "rain-gauge.md", (DATA / "rain-gauge.md").read_bytes())

    edges = (await world.graph.get_file_graph("f1")).edges
    sections = [edge.object for edge in edges if edge.predicate is Predicate.HAS_SECTION]

    assert "section:f1/Reading a rain gauge > Taking a reading" in sections
    assert len(sections) == len(set(sections))
    assert {edge.subject for edge in edges if edge.predicate is Predicate.HAS_PASSAGE} == {
        *sections
    }


async def test_graph_comes_in_pages(world: World) -> None:
    await world.mash("f1", "readings.csv", READINGS)

    whole = await world.graph.get_file_graph("f1")
    page = await world.graph.get_file_graph("f1", offset=2, limit=3)

    assert page.edges == whole.edges[2:5]
    assert page.total == whole.total


async def test_entity_leads_to_every_passage_that_mentions_it(world: World) -> None:
    await world.mash("f1", "rain-gauge.md", (DATA / "rain-gauge.md").read_bytes())
    await world.mash("f2", "annual-report.docx", (DATA / "annual-report.docx").read_bytes())

    found = await world.graph.find_mentions("entity:phrase/rain gauge")

    assert {mention.file_id for mention in found.mentions} == {"f1", "f2"}
    assert found.total == len(found.mentions)
    assert all("rain gauge" in mention.text.casefold() for mention in found.mentions)
    assert {mention.name for mention in found.mentions} == {"rain-gauge.md", "annual-report.docx"}


async def test_entities_are_found_by_how_they_begin_and_what_they_are(world: World) -> None:
    note = b"Ask ann@example.org or Ann@Example.org.\n\nOn 3 May 2026 it cost EUR 4,200.\n"
    await world.mash("f1", "note.txt", note)

    (mail,) = (await world.graph.list_entities(q="ANN", kind="mail")).entities
    kinds = {entity.type for entity in (await world.graph.list_entities()).entities}

    assert (mail.id, mail.count) == ("entity:mail/ann@example.org", 1)
    assert {"mail", "date", "money"} <= kinds
    with pytest.raises(EntityUnknown):
        await world.graph.find_mentions("entity:mail/bob@example.org")


async def test_storing_again_replaces_and_keeps_the_id(world: World) -> None:
    await world.mash("f1", "readings.csv", READINGS)
    first = await world.metadata.get_content_metadata("f1")
    shorter = b"\n".join(READINGS.splitlines()[:3]) + b"\n"

    await world.mash("f1", "readings.csv", shorter)

    again = await world.metadata.get_content_metadata("f1")
    assert again.content_id == first.content_id
    assert (first.passage_count, again.passage_count) == (9, 7)


async def test_index_is_given_all_passages(world: World) -> None:
    await world.mash("f1", "rain-gauge.md", (DATA / "rain-gauge.md").read_bytes())

    (content,) = world.index.given
    assert (content.file_id, content.name) == ("f1", "rain-gauge.md")
    assert len(content.passages) == 5
    assert "rain gauge" in content.key_phrases
    assert content.summary


async def test_without_an_index_nothing_is_stored(world: World) -> None:
    world.metadata.plug_index(None)

    with pytest.raises(NoIndexPlugged):
        await world.mash("f1", "readings.csv", READINGS)
    with pytest.raises(ContentUnknown):
        await world.metadata.get_content_metadata("f1")


async def test_what_was_not_parsed_cannot_be_stored_or_analysed(world: World) -> None:
    await world.steward.take("f1", "readings.csv", READINGS)
    parsed = await world.analysis.parse_file("f1")
    stored = await world.metadata.store_semantic_embeddings("f1", parsed.semantic_result)
    await world.objects.delete("derived/north/f1/vectors.f32")
    await world.objects.delete("derived/north/f1/manifest.json")

    with pytest.raises(NotParsed):
        await world.metadata.store_semantic_embeddings("f1", parsed.semantic_result)
    with pytest.raises(NotParsed):
        await world.insights.analyze_content_for_insights("f1", stored.semantic_data)


async def test_vectors_that_do_not_fit_their_passages_are_refused(world: World) -> None:
    await world.steward.take("f1", "readings.csv", READINGS)
    parsed = await world.analysis.parse_file("f1")
    await world.objects.put("derived/north/f1/vectors.f32", b"\0" * 100)

    with pytest.raises(NotParsed, match="not those of its passages"):
        await world.metadata.store_semantic_embeddings("f1", parsed.semantic_result)


async def test_file_without_passages_or_edges_is_stored(world: World) -> None:
    await world.steward.take("f1", "readings.csv", READINGS)
    result = (await world.analysis.parse_file("f1")).semantic_result
    for name in ("vectors.f32", "passages.jsonl", "edges.jsonl"):
        await world.objects.put(f"derived/north/f1/{name}", b"")

    stored = await world.metadata.store_semantic_embeddings("f1", result)

    assert stored.semantic_data.passage_count == 0


async def test_result_of_another_file_is_refused(world: World) -> None:
    await world.steward.take("f1", "readings.csv", READINGS)
    parsed = await world.analysis.parse_file("f1")
    stored = await world.metadata.store_semantic_embeddings("f1", parsed.semantic_result)

    with pytest.raises(WrongFile):
        await world.metadata.store_semantic_embeddings("f2", parsed.semantic_result)
    with pytest.raises(WrongFile):
        await world.insights.analyze_content_for_insights("f2", stored.semantic_data)


async def test_other_tenant_finds_and_reads_nothing(world: World) -> None:
    await world.steward.take("f1", "readings.csv", READINGS)
    parsed = await world.analysis.parse_file("f1")
    stored = await world.metadata.store_semantic_embeddings("f1", parsed.semantic_result)
    question = "Oslo"

    with bound(SOUTH):
        assert await world.metadata.search_meaning(question) == []
        with pytest.raises(GraphUnknown):
            await world.graph.get_file_graph("f1")
        assert (await world.graph.list_entities()).entities == ()
        with pytest.raises(ContentUnknown):
            await world.metadata.get_content_metadata("f1")
        with pytest.raises(ContentUnknown):
            await world.metadata.get_semantic_embeddings("f1")
        with pytest.raises(FileUnknown):
            await world.insights.analyze_content_for_insights("f1", stored.semantic_data)
        with pytest.raises(NotParsed):
            await world.metadata.store_semantic_embeddings("f1", parsed.semantic_result)


@pytest.mark.parametrize("file_id", ["", "../north/f1", "a/b", "x" * 65, "é"])
def test_id_that_would_leave_its_folder_is_refused(file_id: str) -> None:
    with pytest.raises(UnusableFileId):
        folder_of("north", file_id)


# --- the embedder --------------------------------------------------------------------------------


async def test_vectors_have_length_one_and_empty_texts_have_none() -> None:
    vectors = await EMBEDDER.embed(["rain", "", "snow and wind"])

    assert vectors.shape == (3, EMBEDDER.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 0.0, 1.0], abs=1e-6)
    assert vectors.dtype == np.float32


async def test_no_texts_have_no_vectors() -> None:
    assert (await EMBEDDER.embed([])).shape == (0, 256)


async def test_meaning_is_closer_than_spelling() -> None:
    sea, ocean, season = await EMBEDDER.embed(["the sea", "the ocean", "the season"])

    assert float(sea @ ocean) > float(sea @ season)


async def test_data_steward_is_told_how_good_the_data_is(world: World) -> None:
    await world.mash("f1", "readings.csv", b"a,b\n1,x\n,y\n2,\n2,\n")

    quality = (await world.data.get_quality("f1")).report

    assert quality.completeness == 1 - 3 / 8
    assert quality.measures["rows"] == 4
    assert quality.measures["missing_values"] == 3
    assert quality.measures["duplicate_rows"] == 1


async def test_numbers_too_large_to_square_still_give_insights(world: World) -> None:
    rows = "".join(f"{n}e200,{n}\n" for n in range(1, 31))

    answer = await world.mash("f1", "huge.csv", b"v,w\n" + rows.encode())

    column = answer.insights_result.columns[0]
    assert (column.name, column.minimum, column.maximum) == ("v", 1e200, 3e201)
    assert column.mean == pytest.approx(15.5e200)


# --- several files -------------------------------------------------------------------------------


async def test_files_are_laid_beside_each_other(world: World) -> None:
    people = "id,name\n" + "".join(f"P{n:03d},person {n}\n" for n in range(20))
    visits = (
        "visit,person_id\n" + "".join(f"V{n},P{n % 20:03d}\n" for n in range(60)) + "V99,P777\n"
    )
    await world.mash("f1", "people.csv", people.encode())
    await world.mash("f2", "visits.csv", visits.encode())

    answer = await world.insights.compare_files(["f1", "f2"])

    (insight,) = answer.comparison_result.insights
    assert "person_id of visits is id of people, but 1 row" in insight.sentence
    assert insight.evidence.file == "visits.csv"
    assert insight.evidence.rows == (61,)


async def test_files_that_are_not_there_or_not_parsed_are_not_compared(world: World) -> None:
    await world.mash("f1", "readings.csv", READINGS)
    await world.steward.take("f2", "readings.csv", READINGS)

    with pytest.raises(NotParsed):
        await world.insights.compare_files(["f1", "f2"])
    with pytest.raises(FileUnknown):
        await world.insights.compare_files(["f1", "nothing"])
    with bound(SOUTH), pytest.raises(FileUnknown):
        await world.insights.compare_files(["f1", "f2"])
