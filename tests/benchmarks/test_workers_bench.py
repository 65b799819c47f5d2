"""The benchmark of workers runs on real servers, and its figures have their shape."""

import math

import pytest
import typer

from realms.journey import trials
from tests.benchmarks.workers import bench
from tests.support.brokers import Broker
from tests.support.postgres import PostgresServer


@pytest.mark.slow
def test_every_figure_is_there_and_every_run_was_stored(
    postgres_server: PostgresServer, rabbitmq: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured process gives figures only of runs that the journal holds with their results.

    The servers are the benchmark's own; the fixtures say whether there are any.
    """
    monkeypatch.setattr(bench, "CASES", bench.CASES[:1])
    said: list[str] = []

    found = bench.measure(bench.Plan(rounds=1, seconds=0.3), said.append)

    (result,) = found["results"]
    assert (result["case"], result["system"], result["workers"]) == ("two workers", "civitas", 2)
    for name in bench._COLUMNS:
        assert name == "case" or (result[name] > 0 and math.isfinite(result[name])), name
    assert result["settings"]["fsync"]
    assert "two workers" in said[0]
    (columns, rows), _ratios = bench.tables(found)
    assert len(columns) == len(rows[0])


def test_ratios_are_those_of_what_was_measured() -> None:
    speeds = {"two workers": 900.0, "one worker": 500.0, "celery": 30.0}
    results = [{"case": case, "milestones_per_s": speed} for case, speed in speeds.items()]

    assert bench._ratios(results) == {
        "two workers / celery": 30.0,
        "two workers / one worker": 1.8,
    }


def test_unknown_peers_and_brokers_are_refused() -> None:
    with pytest.raises(typer.BadParameter, match="abacus is none of celery, dbos"):
        trials._names("abacus", trials.WORKERS_PEERS, "--compare")
    with pytest.raises(typer.BadParameter, match="none of rabbitmq, redis"):
        trials._names("kafka", trials.BROKERS, "--broker")
