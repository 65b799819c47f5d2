"""Journeys on workers: PostgreSQL with RabbitMQ and with Redis, every process a real one."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from foundations.public_works.events import Events
from main import Platform
from realms.journey.api import JourneyRun, Journeys, Reason, RunStatus
from realms.journey.engine.facts import AttemptLost
from realms.journey.operations import JourneyOperationsService
from tests.chaos import store
from tests.chaos.clients import SIGNALS, values
from tests.chaos.expecting import expected_outcomes
from tests.chaos.small_city import trial_texts
from tests.support.brokers import Broker, place_at
from tests.support.cluster import Cluster
from tests.support.postgres import PostgresServer
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

USER = CallContext("trace", UserContext(tenant="trial", principal="ada", roles=("owner",)))
PATIENCE = 30.0


@pytest.fixture(scope="module")
def cluster(
    broker: Broker, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A scheduler and two workers, for all tests of this file."""
    with postgres_server.database() as database, place_at(broker) as url:
        found = Cluster(tmp_path_factory.mktemp("cluster"), database, url)
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


async def ended(city: Platform, run_id: str, *, seconds: float = PATIENCE) -> JourneyRun:
    """The run once it has ended."""
    journeys, over = city.registry.get(Journeys), time.monotonic() + seconds
    while True:
        run = await journeys.wait(run_id, seconds=1)
        if run.status.ended or time.monotonic() > over:
            assert run.status.ended, (run.template, run.status, run.reason)
            return run


async def until(city: Platform, run_id: str, status: RunStatus) -> JourneyRun:
    journeys, over = city.registry.get(Journeys), time.monotonic() + PATIENCE
    while (run := await journeys.get(run_id)).status is not status:
        assert time.monotonic() < over, (run.status, run.reason)
        await asyncio.sleep(0.02)
    return run


async def start(city: Platform, template: str, order: str) -> JourneyRun:
    return await city.registry.get(Journeys).start(template, values(template, order), alias=order)


async def test_every_journey_comes_to_what_it_comes_to_in_one_process(
    cluster: Cluster, city: Platform
) -> None:
    operations = city.registry.get(JourneyOperationsService)
    runs = {name: (await start(city, name, f"whole-{name}")).run_id for name in trial_texts()}
    for name in SIGNALS:
        await operations.signal_run(runs["trial_signal"], name, {"n": 1})
    asking = await until(city, runs["trial_ask"], RunStatus.WAITING)
    page = await operations.list_questions()
    (asked,) = [q for q in page.questions if q.run_id == asking.run_id]
    await operations.answer_question(asking.run_id, asked.wait_id, {"approve": True})
    for run_id in runs.values():
        await ended(city, run_id)

    kept = await asyncio.to_thread(store.read_server, cluster.database_url)
    found = {k.template: store.outcome(k) for k in kept.runs.values() if k.alias}
    expected = await asyncio.to_thread(expected_outcomes)
    assert found == {name: expected[name] for name in runs}


async def test_verbs_are_done_by_whoever_holds_the_run(city: Platform) -> None:
    operations = city.registry.get(JourneyOperationsService)
    run = await start(city, "trial_signal", "verbs")
    await until(city, run.run_id, RunStatus.WAITING)

    paused = await operations.pause_run("verbs")
    with pytest.raises(PlatformError) as unknown:
        await operations.signal_run("verbs", "gone")
    resumed = await operations.resume_run("verbs")
    skipped = await operations.skip_milestone("verbs", "come", {"n": 7})
    cancelled = await operations.cancel_run("verbs", note="enough")
    with pytest.raises(PlatformError) as nothing:
        await operations.pause_run("nobody")

    assert (paused.status, resumed.status) == (RunStatus.PAUSED, RunStatus.WAITING)
    assert unknown.value.code == "unknown_signal"
    assert skipped.milestones[1].output == {"n": 7}
    assert cancelled.status is RunStatus.CANCELLED
    assert nothing.value.kind is ErrorKind.NOT_FOUND


async def test_the_same_signal_counts_once(city: Platform) -> None:
    operations = city.registry.get(JourneyOperationsService)
    run = await start(city, "trial_signal", "once")
    await asyncio.gather(
        *(operations.signal_run(run.run_id, "come", {"n": 1}, "same") for _ in range(10))
    )

    waiting = await until(city, run.run_id, RunStatus.WAITING)
    assert (waiting.status, waiting.reason) == (RunStatus.WAITING, Reason.SIGNAL)
    await operations.signal_run(run.run_id, "again", {"n": 2})
    assert (await ended(city, run.run_id)).output == {"first": 1, "second": 2}


async def test_a_lane_is_kept_by_all_processes(cluster: Cluster, city: Platform) -> None:
    begun = [await start(city, "trial_lane", f"lane-{n}") for n in range(12)]
    for run in begun:
        await ended(city, run.run_id)

    kept = await asyncio.to_thread(store.read_server, cluster.database_url)
    ids = {run.run_id for run in begun}
    times: list[tuple[float, int]] = []
    for one in kept.runs.values():
        if one.run_id in ids:
            facts = [f for f in one.facts if f.kind.startswith("milestone_")]
            times += [(facts[0].at.timestamp(), 1), (facts[-1].at.timestamp(), -1)]
    moving = most = 0
    for _, step in sorted(times):
        moving += step
        most = max(most, moving)
    assert most <= 2


async def test_what_the_broker_lost_is_rung_again(
    cluster: Cluster, city: Platform, broker: Broker
) -> None:
    for member in cluster.members:
        if member.role == "worker":
            member.send(signal.SIGSTOP)
    runs = [await start(city, "trial_line", f"lost-{n}") for n in range(5)]
    await asyncio.sleep(0.3)
    await asyncio.to_thread(broker.flush)
    for member in cluster.members:
        member.send(signal.SIGCONT)

    for run in runs:
        assert (await ended(city, run.run_id)).status is RunStatus.SUCCEEDED


async def test_runs_of_a_worker_that_is_killed_go_on_with_another(
    cluster: Cluster, city: Platform
) -> None:
    runs = [await start(city, "trial_timer", f"killed-{n}") for n in range(40)]
    victim = next(m for m in cluster.members if m.role == "worker" and m.alive)
    await asyncio.to_thread(victim.kill)
    another = cluster.worker()
    for run in runs:
        assert (await ended(city, run.run_id)).status is RunStatus.SUCCEEDED
    await asyncio.to_thread(another.until_said, "is ready")


async def test_a_worker_that_overslept_writes_nothing_and_goes_on_as_another(
    cluster: Cluster, city: Platform
) -> None:
    runs = [await start(city, "trial_timer", f"slept-{n}") for n in range(20)]
    sleeper = next(m for m in cluster.members if m.role == "worker" and m.alive)
    sleeper.send(signal.SIGSTOP)
    try:
        for run in runs:
            assert (await ended(city, run.run_id)).status is RunStatus.SUCCEEDED
        await asyncio.sleep(2.5)  # its lease is over in any case
    finally:
        sleeper.send(signal.SIGCONT)
    await asyncio.to_thread(sleeper.until_said, "was taken away; others go on")
    others = [m for m in cluster.members if m.role == "worker" and m.alive and m is not sleeper]
    for other in others:
        await asyncio.to_thread(other.stop)
    after = await start(city, "trial_line", "after-the-sleep")
    assert (await ended(city, after.run_id)).status is RunStatus.SUCCEEDED
    await asyncio.to_thread(cluster.worker().until_said, "is ready")

    kept = await asyncio.to_thread(store.read_server, cluster.database_url)
    for run in runs:
        facts = [(f.kind, getattr(f, "path", "")) for f in kept.runs[run.run_id].facts]
        done = [path for kind, path in facts if kind == "milestone_succeeded"]
        assert sorted(done) == ["early", "late", "pause"]


async def test_a_worker_that_is_asked_to_stop_leaves_its_runs_to_others(
    cluster: Cluster, city: Platform
) -> None:
    runs = [await start(city, "trial_timer", f"stopped-{n}") for n in range(40)]
    leaving = next(m for m in cluster.members if m.role == "worker" and m.alive)
    code = await asyncio.to_thread(leaving.stop)
    another = cluster.worker()
    for run in runs:
        await ended(city, run.run_id)
    await asyncio.to_thread(another.until_said, "is ready")

    kept = await asyncio.to_thread(store.read_server, cluster.database_url)
    ids = {run.run_id for run in runs}
    lost = [f for k in kept.runs.values() if k.run_id in ids for f in k.facts]
    assert code == 0
    assert not [fact for fact in lost if isinstance(fact, AttemptLost)]


async def test_a_worker_without_the_service_leaves_the_run_to_others(
    postgres_server: PostgresServer, redis_server: Broker, tmp_path: Path
) -> None:
    with postgres_server.database() as database, place_at(redis_server) as url:
        cluster = Cluster(tmp_path, database, url)
        try:
            cluster.scheduler().until_said("at work")
            cluster.realms = ()
            stranger = cluster.worker()
            stranger.until_said("is ready")
            cluster.realms = Cluster(tmp_path, "", "").realms
            async with cluster.accepting() as city:
                with bound(USER):
                    run = await start(city, "trial_graph", "skew")
                    await asyncio.to_thread(stranger.until_said, "is left to other workers")
                    waiting = await city.registry.get(Journeys).get(run.run_id)
                    newcomer = cluster.worker()
                    await asyncio.to_thread(newcomer.until_said, "is ready")
                    done = await ended(city, run.run_id, seconds=10)
        finally:
            cluster.down()

    assert not waiting.status.ended
    assert done.status is RunStatus.SUCCEEDED


async def test_another_scheduler_leads_when_one_is_gone(
    postgres_server: PostgresServer, redis_server: Broker, tmp_path: Path
) -> None:
    with postgres_server.database() as database, place_at(redis_server) as url:
        cluster = Cluster(tmp_path, database, url, settings={"redis_url": url})
        try:
            first = cluster.scheduler()
            first.until_said("at work")
            cluster.worker().until_said("is ready")
            second = cluster.scheduler()
            second.until_said("at work")
            await asyncio.to_thread(first.kill)
            async with cluster.accepting() as city:
                with bound(USER):
                    run = await start(city, "trial_timer", "led")
                    redis_server.flush()
                    done = await ended(city, run.run_id)
                    events = city.registry.get(Events)
        finally:
            cluster.down()

    assert done.status is RunStatus.SUCCEEDED
    assert type(events).__name__ == "RedisEvents"
