"""The trial of workers, in small; its long form is a command."""

import pytest

from tests.chaos.flipping import flip
from tests.chaos.rolling import roll
from tests.chaos.workers import workers
from tests.support.brokers import Broker
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.slow


def test_workers_that_are_killed_lose_and_repeat_nothing(
    postgres_server: PostgresServer, redis_server: Broker
) -> None:
    """Beside kills, the broker is flushed and restarted, the database restarted, twice in a row.

    The servers are the trial's own; the fixtures say whether there are any.
    """
    found = workers(kills=4, seed=7, kind="redis", durable=False)

    assert list(found.verdict.broken()) == []
    assert found.kills == 4
    assert found.verdict.runs > 10
    assert len(found.disturbances) == 4


def test_workers_that_are_restarted_one_by_one_cut_nothing(
    postgres_server: PostgresServer, redis_server: Broker
) -> None:
    found = roll(restarts=2, seed=3, kind="redis", durable=False)

    assert list(found.verdict.broken()) == []
    assert (found.restarts, found.crashes) == (2, 0)
    assert found.verdict.runs > 10


def test_runs_in_flight_end_whichever_way_the_flag_is_flipped(
    postgres_server: PostgresServer, redis_server: Broker
) -> None:
    found = flip(runs=40, seed=5, kind="redis", durable=False)

    assert list(found.verdict.broken()) == []
    assert found.flips == 2
    assert min(found.in_flight) >= 40
    assert set(found.ended) <= {"succeeded", "failed", "compensated"}
