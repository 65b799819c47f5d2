"""The evaluation of insights holds on fixed seeds, and its referee tells truths from falsehoods."""

from typing import Any

import pytest
import typer

from foundations.public_works.parsing.insights.model import Evidence, Insight, InsightKind
from realms.journey import trials
from tests.benchmarks.insights import tables
from tests.benchmarks.insights.bench import complaints, figures, measure, shown, told, worlds
from tests.benchmarks.insights.truths import Verdict, World, judged, truth

SEEDS = [1, 2]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return measure(SEEDS, lambda _line: None)


def insight(kind: InsightKind, *columns: str, rows: tuple[int, ...] = ()) -> Insight:
    evidence = Evidence(columns=columns, rows=rows)
    return Insight(kind=kind, sentence="x", evidence=evidence, strength=0.5)


@pytest.mark.slow
def test_what_was_planted_is_told_and_nothing_else(found: dict[str, Any]) -> None:
    assert found["lines"]["missed"] == []
    assert found["lines"]["false"] == []
    assert found["lines"]["below_floor"] == []
    assert found["noise_share"] <= 0.1
    assert found["runs_with_false_correlations"] == 0
    assert found["passed"]


@pytest.mark.slow
def test_figures_are_readable(found: dict[str, Any]) -> None:
    (columns, rows), (_, recalled) = shown(found)

    assert columns == ["figure", "promised", "measured"]
    assert ["of these told", "at least 95%", "100.00%"] in rows
    assert len(recalled) == len(found["recall_by_truth"]) >= 38
    assert complaints(found) == []


def test_worlds_of_a_seed_are_always_the_same() -> None:
    assert [w.files for w in worlds(7)] == [w.files for w in worlds(7)]
    assert [w.files for w in worlds(7)] != [w.files for w in worlds(8)]


def test_referee_tells_truth_falsehood_noise_and_silence_apart() -> None:
    kind = InsightKind
    world = World(
        "w",
        {},
        [truth(kind.OUTLIER, of=["a"], rows=[3]), truth(kind.TREND, of=["b"])],
        implied=[truth(kind.CORRELATION, of=["b", "c"])],
        silent=[truth(kind.CORRELATION, of=["d", "e"])],
    )

    verdict = judged(
        world,
        [
            insight(kind.OVERVIEW),
            insight(kind.OUTLIER, "a", rows=(3, 9)),
            insight(kind.OUTLIER, "a", rows=(3,)),
            insight(kind.OUTLIER, "a", rows=(4,)),
            insight(kind.CORRELATION, "b", "c"),
            insight(kind.CORRELATION, "d", "e"),
            insight(kind.MISSING, "f"),
        ],
        seed=1,
    )

    assert verdict.found == ["outlier of a"]
    assert verdict.missed == ["w, seed 1: trend of b"]
    assert (len(verdict.noise), len(verdict.false), len(verdict.below_floor)) == (3, 1, 1)
    assert verdict.told == 6


@pytest.mark.parametrize(
    "fault",
    [
        {"missed": ["x: y"] * 6},
        {"false": ["x"] * 2},
        {"below_floor": ["x"]},
        {"noise": ["x"] * 15},
    ],
)
def test_each_broken_promise_fails_the_whole(fault: dict[str, list[str]]) -> None:
    good = Verdict("w", 1, told=100, found=["x"] * 100)

    assert figures([good], [1], [])["passed"]
    assert not figures([good], [1], [1])["passed"]
    bad = Verdict("w", 1, told=100, found=["x"] * 100, **fault)
    assert not figures([bad], [1], [])["passed"]


def test_product_that_tells_nothing_is_found_out() -> None:
    import numpy as np

    world = tables.study(np.random.default_rng(3))

    assert len(judged(world, [], 3).missed) == len(world.truths) == 5
    assert judged(world, told(world), 3).missed == []


def test_installed_package_says_that_it_is_for_checkouts(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_TOP", tmp_path)
    context = typer.Context(typer.main.get_command(trials.app))

    with pytest.raises(trials.OnlyInCheckouts):
        trials.bench_insights(context)
