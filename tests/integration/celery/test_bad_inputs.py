"""Bad inputs by broker and database (bad-inputs.md, B), over a whole city with real workers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from foundations.public_works.adapters.celery_app import make_app, queue_by
from foundations.public_works.adapters.celery_messages import TASK, packed
from foundations.public_works.dispatch import PLAIN
from main import Platform
from realms.journey.api import JourneyRun, Journeys, Reason, RunStatus
from realms.journey.engine.driver import QUEUE
from realms.journey.engine.facts import AttemptLost, MilestoneBegan
from realms.journey.engine.journal import Journal
from realms.journey.engine.requests import QUEUE as REQUESTS
from realms.journey.operations import JourneyOperationsService
from tests.chaos import store
from tests.chaos.clients import values
from tests.support.brokers import Broker, place_at
from tests.support.cluster import TRIAL_REALMS, Cluster
from tests.support.postgres import PostgresServer
from utilities.context import CallContext, UserContext, bound

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

USER = CallContext("trace", UserContext(tenant="trial", principal="ada", roles=("owner",)))
PATIENCE = 60.0
DEADLY = Path(__file__).parents[2] / "support" / "deadly_realm"


@pytest.fixture(scope="module")
def cluster(
    rabbitmq: Broker, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    with postgres_server.database() as database, place_at(rabbitmq) as url:
        folder = tmp_path_factory.mktemp("cluster")
        found = Cluster(
            folder, database, url, realms=(TRIAL_REALMS, DEADLY), settings={"stall_seconds": 3}
        )
        try:
            found.up()
            yield found
        finally:
            found.down()


@pytest.fixture
async def city(cluster: Cluster) -> AsyncIterator[Platform]:
    async with cluster.accepting() as booted:
        with bound(USER):
            yield booted


async def start(city: Platform, template: str, **given: object) -> str:
    found = given or values(template, f"{template}-{time.monotonic_ns()}")
    return (await city.registry.get(Journeys).start(template, found)).run_id


async def ended(city: Platform, run_id: str, cluster: Cluster | None = None) -> JourneyRun:
    deadline = time.monotonic() + PATIENCE
    while not (run := await city.registry.get(Journeys).wait(run_id, seconds=1)).status.ended:
        assert time.monotonic() < deadline, (run.status, run.reason)
        await asyncio.sleep(0.05)
        if cluster is not None:
            cluster.revive()
    return run


async def waiting(city: Platform, run_id: str) -> None:
    """Until it waits for somebody, and its worker has let go of it."""
    await city.registry.get(Journeys).wait(run_id, seconds=PATIENCE)
    journal = city.registry.get(Journal)
    async with asyncio.timeout(PATIENCE):
        while (await journal.load([run_id]))[run_id].row.holder:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


def rung(cluster: Cluster, queue: str, *keys: str, times: int = 1) -> None:
    """Forge messages, as anybody may who reaches the broker."""
    app = make_app(cluster.broker_url)
    for _ in range(times):
        app.send_task(TASK, kwargs=packed(queue, keys), queue=queue_by(PLAIN))
    app.close()


def kept(cluster: Cluster, run_id: str) -> store.Kept:
    return store.read_server(cluster.database_url).runs[run_id]


async def test_b1_forged_messages_move_nothing(cluster: Cluster, city: Platform) -> None:
    """Runs that are not there, have ended, wait for somebody, or are of another tenant."""
    done = await start(city, "trial_graph")
    waits = await start(city, "trial_signal")
    with bound(CallContext("t", UserContext(tenant="south", principal="eve"))):
        theirs = await start(city, "trial_ask")
    await ended(city, done)
    await waiting(city, waits)
    before = [len(kept(cluster, run_id).entries) for run_id in (done, waits, theirs)]

    forged = ("01zzzzzzzzzzzzzzzzzzzzzzzz", "'; DROP TABLE journey_runs; --", "ü\x00", done, waits)
    rung(cluster, QUEUE, *forged, theirs)
    rung(cluster, REQUESTS, *forged)
    after = await start(city, "trial_graph")

    assert (await ended(city, after)).status is RunStatus.SUCCEEDED
    assert [len(kept(cluster, run_id).entries) for run_id in (done, waits, theirs)] == before
    assert all(member.alive for member in cluster.members)


async def test_b2_a_message_that_comes_a_hundred_times_has_one_effect(
    cluster: Cluster, city: Platform
) -> None:
    runs = [await start(city, "trial_timer") for _ in range(5)]
    rung(cluster, QUEUE, *reversed(runs), times=100)
    for run_id in runs:
        assert (await ended(city, run_id)).status is RunStatus.SUCCEEDED
    rung(cluster, QUEUE, *runs)  # late

    for run_id in runs:
        begun = [f.path for f in kept(cluster, run_id).facts if isinstance(f, MilestoneBegan)]
        assert sorted(begun) == ["early", "late"]


async def test_b5_a_service_that_leaves_the_process_fails_its_own_run(
    cluster: Cluster, city: Platform
) -> None:
    run = await ended(city, await start(city, "deadly", how="sys.exit"))

    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error.code == "unexpected_error"
    assert all(member.alive for member in cluster.members)


@pytest.mark.parametrize("how", ["segfault", "loop", "descriptors"])
async def test_b5_a_service_that_kills_workers_is_given_up_and_others_are_not(
    cluster: Cluster, city: Platform, how: str
) -> None:
    others = [await start(city, "trial_timer") for _ in range(5)]
    run = await ended(city, await start(city, "deadly", how=how), cluster)
    for run_id in others:
        assert (await ended(city, run_id, cluster)).status is RunStatus.SUCCEEDED

    lost = [f for f in kept(cluster, run.run_id).facts if isinstance(f, AttemptLost)]
    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.POISON)
    assert len(lost) == 3  # two beside others, the last one alone


TRUNCATED = '{"v": 2, "facts": [{"kind": "run_st'
CONSTRUCTOR = '{"v": 2, "facts": [{"kind": "os.system", "args": ["true"]}]}'


@pytest.mark.parametrize(
    "damage",
    [
        f"UPDATE journey_facts SET data = '{TRUNCATED}' WHERE RUN",
        f"UPDATE journey_facts SET data = '{CONSTRUCTOR}' WHERE RUN AND seq = 1",
        "DELETE FROM journey_facts WHERE RUN AND seq = 0",
    ],
    ids=["truncated", "a constructor", "no beginning"],
)
async def test_b10_a_run_whose_journal_was_edited_fails_alone(
    cluster: Cluster, city: Platform, damage: str
) -> None:
    operations = city.registry.get(JourneyOperationsService)
    run_id = await start(city, "trial_signal")
    await waiting(city, run_id)
    with psycopg.connect(cluster.database_url, autocommit=True) as connection:
        text = damage.replace("RUN", "run_id = '" + run_id + "'")
        assert connection.execute(text.encode()).rowcount > 0

    rung(cluster, QUEUE, run_id)
    with pytest.raises(Exception, match=r"cannot be read|is no"):
        await operations.signal_run(run_id, "come", {"n": 1}, "1")

    run = await ended(city, run_id)
    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.CORRUPT_STATE)
    assert (await ended(city, await start(city, "trial_graph"))).status is RunStatus.SUCCEEDED
