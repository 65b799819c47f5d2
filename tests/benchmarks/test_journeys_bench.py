"""The benchmark of journeys runs, its figures have their shape, and what it measured was stored."""

import math
import shutil
import time
from pathlib import Path

import pytest
import typer

from foundations.experience.exit_codes import exit_code
from foundations.public_works.adapters.sqlite_driver import sqlite_driver
from realms.journey import trials
from tests.benchmarks.journeys.bench import measure, tables
from tests.benchmarks.journeys.children import PEERS, Children, Figures, PeerMissing, System
from tests.benchmarks.journeys.meter import NotStored, check_stored, percentile
from tests.benchmarks.journeys.plan import Plan
from tests.benchmarks.journeys.rounds import interleaved
from tests.benchmarks.journeys.slow_disk import slow_commits
from tests.benchmarks.journeys.syncs import syncs_per_run
from tests.support.processes import civitas

PLAN = Plan(in_flight=(1, 20), rounds=1, seconds=0.3, syncs=False)


@pytest.fixture(scope="module")
def found() -> Figures:
    return measure(PLAN, lambda _line: None)


@pytest.mark.slow
def test_every_system_has_every_figure_at_every_setting(found: Figures) -> None:
    results = found["results"]

    measured = [(result["system"], result["in_flight"]) for result in results]
    assert measured == [("civitas", 1), ("raw-sqlite", 1), ("civitas", 20), ("raw-sqlite", 20)]
    for result in results:
        for figure in ("milestones_per_s", "p50_ms", "p99_ms", "cpu_us_per_milestone"):
            assert result[figure] > 0
            assert math.isfinite(result[figure])
        assert result["settings"]["journal_mode"] == "wal"
        assert result["settings"]["synchronous"] == "full"
        assert result["settings"]["fsync"] is True
    assert set(found["ratios"]) == {"civitas/raw-sqlite@1", "civitas/raw-sqlite@20"}


@pytest.mark.slow
def test_every_measured_run_is_in_the_journal_with_four_results(found: Figures) -> None:
    # the measured process refuses to give figures otherwise (see check_stored, check_results)
    assert all(result["runs_stored"] > 0 for result in found["results"])


@pytest.mark.slow
def test_figures_are_readable(found: Figures) -> None:
    (compared, *_rest) = tables(found)
    columns, rows = compared

    assert columns[0] == "system"
    assert [row[0] for row in rows] == ["civitas", "raw-sqlite", "civitas", "raw-sqlite"]


@pytest.mark.slow
def test_what_hinders_and_what_fills_the_store_is_measured_too() -> None:
    parts = ("waits", "slow-disk", "stores", "boot", "recovery")
    small = Plan(
        rounds=1, seconds=0.2, only=parts, store_sizes=(10, 50), waiting=20, held=12, syncs=False
    )

    found = measure(small, lambda _line: None)

    assert found["waits"]["milestones_per_s"] > 0
    assert found["slow_disk"]["milestones_per_s"] > 0
    assert [result["runs_in_store"] for result in found["stores"]["results"]] == [10, 50]
    assert [result["waiting_runs"] for result in found["boot"]["results"]] == [0, 20]
    assert found["recovery"]["done_s"] >= found["recovery"]["open_s"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the syncs")
def test_each_plain_commit_is_one_sync() -> None:
    syncs = syncs_per_run(Children("", None), PEERS["raw"], 1, seconds=0.3)

    assert syncs is not None
    # four commits, and now and then a checkpoint; the last run may be cut when the time is over
    assert 3.8 <= syncs < 4.5


@pytest.mark.slow
def test_command_refuses_a_system_that_nobody_knows() -> None:
    ended = civitas("bench", "journeys", "--compare", "abacus")

    assert ended.returncode == 2
    assert "abacus is none of dbos, langgraph, celery, raw" in ended.stderr


def test_peer_that_is_not_installed_is_named_with_the_remedy() -> None:
    missing = System("abacus", "abacus_peer", ("json", "no_such_abacus"))

    with pytest.raises(PeerMissing, match="no_such_abacus is missing") as caught:
        Children("", None).check_installed([missing])

    assert 'pip install -e ".[bench]"' in caught.value.hint


def test_installed_package_says_that_trials_are_for_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_TOP", tmp_path)
    context = typer.Context(typer.main.get_command(trials.app))

    with pytest.raises(trials.OnlyInCheckouts) as caught:
        trials.bench_journeys(context)

    assert exit_code(caught.value) == 1
    assert "clone the repository" in caught.value.hint


def test_rounds_are_interleaved() -> None:
    order: list[tuple[str, int]] = []

    def note(key: str, number: int) -> Figures:
        order.append((key, number))
        return {}

    interleaved(("a", "b"), 2, note)

    assert order == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_figures_of_runs_that_were_not_stored_are_refused() -> None:
    check_stored(7, 7)
    with pytest.raises(NotStored, match="8 runs ended, but the store holds 7"):
        check_stored(7, 8)


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(n) for n in range(1, 101)]

    assert (percentile(ordered, 50), percentile(ordered, 99)) == (50, 99)
    assert percentile([3.0], 99) == 3.0
    assert math.isnan(percentile([], 50))


def test_slow_disk_slows_what_syncs_and_nothing_else(tmp_path: Path) -> None:
    seconds = 0.05
    with slow_commits(seconds):
        store = sqlite_driver().connect(tmp_path / "slow.sqlite3", isolation_level=None)
        store.execute("CREATE TABLE t (a)")
        began = time.perf_counter()
        for question in ("BEGIN", "SELECT a FROM t", "COMMIT", "PRAGMA user_version"):
            store.execute(question).fetchall()
        asked = time.perf_counter() - began
        began = time.perf_counter()
        for statement in ("BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", "COMMIT"):
            store.execute(statement)
        written = time.perf_counter() - began
        store.close()

    assert asked < seconds <= written
    assert type(store).__name__ == "SlowConnection"
    assert type(sqlite_driver().connect(":memory:")).__name__ == "Connection"
