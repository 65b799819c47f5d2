"""The short forms of the trials with real processes; `python main.py chaos` has the long ones."""

import pytest

from tests.chaos.filling import few_pages
from tests.chaos.jumping import jump
from tests.chaos.killing import kill
from tests.chaos.stopping import stop

pytestmark = pytest.mark.slow


def test_kill_9_under_load_loses_and_repeats_nothing() -> None:
    found = kill(kills=6, seed=11, lanes=1)

    assert list(found.verdict.broken()) == []
    assert found.kills == 6
    assert found.verdict.runs > 0


def test_engine_that_overslept_its_lease_writes_nothing() -> None:
    points = ["called", "flush"]
    found = stop(stops=2, seed=11, lanes=1, points=points)

    assert list(found.verdict.broken()) == []
    assert found.stops >= 1  # one at which the second engine could not open does not count
    assert found.taken_over > 0


def test_store_without_room_refuses_clearly_and_goes_on_when_it_has_room() -> None:
    found = few_pages(11)

    assert list(found.verdict.broken()) == []
    assert set(found.refused) <= {"storage_full", "database_busy", "journal_unusable"}


def test_clock_that_jumps_by_hours_strands_nothing_and_rings_no_timer_twice() -> None:
    found = jump(jumps=4, seed=11, lease=0.6)

    assert list(found.verdict.broken()) == []
    assert found.jumps == 4
