"""The trial of workers, in small; its long form is a command."""

import pytest

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
