"""The same journal in one process and on workers: all shipped journeys, some generated ones."""

from pathlib import Path

import pytest

from realms.journey.engine.facts import Fact, MilestoneBegan, MilestoneSucceeded, RunStarted
from tests.chaos.store import Kept, Store
from tests.parity.comparing import Servers, UnknownJourney, compare
from tests.parity.generating import generated
from tests.parity.normalising import differences, normalised, out_of_order
from tests.support.brokers import Broker, place_at
from tests.support.plays import BEGAN, node, plan_of
from tests.support.postgres import PostgresServer

RUN, OTHER = "01m8f6wqccyy163j6m403fkx8v", "01m8f6wqc1cgmsk8nkh2k38n6b"


@pytest.mark.slow
def test_every_journey_leaves_the_same_journal(
    postgres_server: PostgresServer, redis_server: Broker, tmp_path: Path
) -> None:
    with postgres_server.database() as database, place_at(redis_server) as broker:
        found = compare(tmp_path, Servers(database, broker), generate=25, seed=7)

    assert found.broken == []
    assert found.shipped >= 17
    assert found.generated == 25
    assert found.ended.keys() >= {"succeeded", "failed", "compensated"}


def test_what_is_no_journey_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownJourney, match="trial_graph"):
        compare(tmp_path, Servers("", ""), ["trial_grap"], generate=0, seed=1)


def test_a_generated_template_comes_again_from_its_seed_and_number() -> None:
    texts = [generated(3, number).text for number in range(30)]

    assert texts == [generated(3, number).text for number in range(30)]
    assert len(set(texts)) == 30
    words = "for_each loop race retry compensate continue_on_error wait wait_for finally journey if"
    assert [word for word in words.split() if f"{word}:" not in "".join(texts)] == []


def kept(run_id: str, *outputs: object, paths: str = "ab") -> Store:
    start = RunStarted(
        at=BEGAN,
        template="t",
        template_hash="h",
        values={"of": run_id},
        trace_id="",
        tenant="x",
        principal="y",
    )
    done: list[list[Fact]] = [
        [MilestoneSucceeded(at=BEGAN, path=path, output=output)]
        for path, output in zip(paths, outputs, strict=True)
    ]
    run = Kept(run_id, "", "t", "succeeded", None, 0, "", entries=[[start], *done])
    return Store({run_id: run}, [], {})


def told(store: Store) -> object:
    return normalised(next(iter(store.runs.values())), store)


def test_ids_times_and_the_order_of_branches_are_no_difference() -> None:
    one = kept(RUN, {"id": RUN, "at": "2026-01-01T00:00:00Z"}, {"n": 1})
    other = kept(OTHER, {"n": 1}, {"id": OTHER, "at": "2026-02-02T10:00:00.5Z"}, paths="ba")

    assert list(differences(told(one), told(other))) == []


@pytest.mark.parametrize(
    "other",
    [
        kept(OTHER, {"id": OTHER}, {"n": 2}),
        kept(OTHER, {"id": RUN}, {"n": 1}),
        kept(OTHER, {"id": OTHER}, paths="a"),
        kept(OTHER, {"id": OTHER}, {"n": 1}, {"n": 1}, paths="abb"),
    ],
    ids=["a result", "an id of something else", "a fact less", "a fact twice"],
)
def test_whatever_else_differs_is_told(other: Store) -> None:
    assert list(differences(told(kept(RUN, {"id": RUN}, {"n": 1})), told(other)))


def test_a_milestone_that_began_too_early_is_told() -> None:
    store = kept(RUN, {"n": 1}, {"n": 2})
    (run,) = store.runs.values()
    run.entries.insert(1, [MilestoneBegan(at=BEGAN, path="b", attempt=1)])

    assert list(out_of_order(run, plan_of(node("a"), node("b", "a")))) == [
        "b of t began before a had ended"
    ]
