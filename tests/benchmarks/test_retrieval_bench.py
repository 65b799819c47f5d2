"""Search answers the questions of the benchmark, as well as promised."""

import json
from collections.abc import AsyncIterator

import pytest

from foundations.experience.command_line import main
from foundations.experience.exit_codes import DONE, FAILED
from foundations.public_works.parsing.places import Place
from main import Platform
from smart_city.librarian.api import SearchHit
from tests.benchmarks.retrieval import bench, indexing, speed
from tests.benchmarks.retrieval.questions import OF_STRANGERS, QUESTIONS, Question
from tests.support.role_city import NORTH, RoleCity, as_user

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def city(anyio_backend: str) -> AsyncIterator[RoleCity]:
    async with bench.library() as opened:
        yield opened


async def test_hybrid_search_finds_what_is_promised_and_no_less_than_its_parts(
    city: RoleCity,
) -> None:
    with as_user(NORTH):
        found = await bench.figures(city, lambda _: None)

    recall = found["recall_at_5"]
    assert recall["hybrid"] >= bench.LEAST, found["missed"]["hybrid"]
    overall = found["recall_at_5_of_all"]
    assert overall["hybrid"] >= max(overall["words"], overall["meaning"])
    assert found["passed"]
    strangers = found["recall_at_5_of_strangers"]
    assert strangers["hybrid"] >= max(strangers["words"], strangers["meaning"])


def test_every_question_is_answered_by_a_section_that_is_there() -> None:
    headings = {
        (page.name, line.lstrip("# ").strip().replace("`", ""))
        for page in bench.pages()
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("#")
    }
    wanted = {answer for question in (*QUESTIONS, *OF_STRANGERS) for answer in question.answers}

    assert len(QUESTIONS) >= 40
    assert wanted <= headings


def test_question_is_answered_by_its_section_alone() -> None:
    place = Place.below(["Journeys", "Order"])
    hit = SearchHit(
        file_id="f", name="a.md", number=1, place=place, snippet="", score=1.0, found_by=()
    )

    assert bench.recalled(Question("?", (("a.md", "Order"),)), [hit])
    assert not bench.recalled(Question("?", (("a.md", "Journeys"),)), [hit])
    assert not bench.recalled(Question("?", (("b.md", "Order"),)), [hit])
    assert not bench.recalled(Question("?", (("a.md", "Order"),)), [])


@pytest.mark.parametrize(("passed", "code"), [(True, DONE), (False, FAILED)])
def test_command_prints_the_figures_and_fails_when_too_little_is_found(
    passed: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = {"hybrid": 0.9, "words": 0.8, "meaning": 0.7}
    found = {
        "questions": 10,
        "recall_at_5": shares,
        "questions_of_strangers": 10,
        "recall_at_5_of_strangers": shares,
        "recall_at_5_of_all": shares,
        "missed": {"hybrid": ["where is it"]},
        "passed": passed,
    }
    monkeypatch.setattr(bench, "measure", lambda say: found)

    assert main(Platform, ["bench", "retrieval"]) == code
    shown = capsys.readouterr()
    assert "0.900" in shown.out
    assert "not found: where is it" in shown.err
    assert main(Platform, ["bench", "retrieval", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["recall_at_5"]["hybrid"] == 0.9


def test_speed_is_told_of_every_way_beside_its_bare_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_questions", lambda: ["what is a journey", "rain"])

    found = speed.measure(2_500, 1, lambda _: None)

    assert set(found["times"]) == {
        "hybrid", "words", "meaning", "hybrid, in ten files", "bare words", "bare product"
    }  # fmt: skip
    assert all(
        0 < one["p50_ms"] <= one["p95_ms"] <= one["max_ms"] for one in found["times"].values()
    )
    assert found["p95_to_bare_words_and_product"] > 0
    ((columns, rows),) = speed.shown(found)
    assert len(rows) == len(found["times"])
    assert len(columns) == len(rows[0])


def test_cost_of_indexing_is_told_beside_the_bare_work() -> None:
    found = indexing.measure(10, 50, 1, lambda _: None)

    assert found["documents"] == 10
    assert found["in_turn_s"][0] > 0
    assert found["direct_s"][0] > 0
    assert found["city_s"][0] > 0
    assert found["stored_cpu_s"] > 0
    assert found["cpu_ratio"] > found["least_cpu_ratio"] > 1  # the city does all of that, and more
    assert found["passed"] == (found["ratio"] <= indexing.MOST)
    ((columns, rows),) = indexing.shown(found)
    ratios = ("cpu_ratio", "in_turn_ratio", "ratio")
    assert [row[-1] for row in rows[-3:]] == [str(found[ratio]) for ratio in ratios]
    assert len(columns) == 3
