"""Calls of one run on several workers: the same journal, whoever is killed, and nothing twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundations.public_works.settings import Settings
from main import Platform
from realms.journey.api import JourneyRun, Journeys, Reason, RunStatus
from realms.journey.engine.facts import AttemptLost, MilestoneBegan, MilestoneSucceeded
from realms.journey.operations import JourneyOperationsService
from tests.chaos import store
from tests.parity.normalising import differences, normalised
from tests.support.brokers import Broker, place_at
from tests.support.cluster import TRIAL_REALMS, Cluster, Member
from tests.support.postgres import PostgresServer
from utilities.context import CallContext, UserContext, bound

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

USER = CallContext("trace", UserContext(tenant="trial", principal="ada", roles=("owner",)))
REALMS = (TRIAL_REALMS, Path(__file__).parents[2] / "support" / "spread_realm")
PATIENCE = 30.0


class Marks:
    """What the steps have left behind: `N-PID-MILESTONE.begun`, `.done` or `.cut`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, what: str) -> dict[str, int]:
        """For each milestone the process that left such a mark."""
        return {milestone: pid for pid, milestone in self._all(what)}

    def pids(self) -> set[int]:
        """All that have begun a step, of whichever run."""
        return {pid for pid, _ in self._all("begun")}

    def _all(self, what: str) -> list[tuple[int, str]]:
        names = [path.stem.split("-") for path in self.folder.glob(f"*.{what}")]
        return [(int(pid), milestone) for _, pid, milestone in names]

    def clear(self) -> None:
        for mark in self.folder.iterdir():
            mark.unlink()

    async def until(self, there: Callable[[], object]) -> None:
        over = time.monotonic() + PATIENCE
        while not there():
            assert time.monotonic() < over, sorted(self.folder.iterdir())
            await asyncio.sleep(0.02)


@contextmanager
def cluster_at(broker: Broker, server: PostgresServer, folder: Path) -> Iterator[Cluster]:
    with server.database() as database, place_at(broker) as url:
        found = Cluster(folder, database, url, realms=REALMS)
        try:
            found.up()
            yield found
        finally:
            found.down()


@pytest.fixture(scope="module")
def cluster(
    rabbitmq: Broker, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A scheduler and two workers, for all tests of this file but one."""
    with cluster_at(rabbitmq, postgres_server, tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
async def city(cluster: Cluster) -> AsyncIterator[Platform]:
    async with cluster.accepting() as booted:
        with bound(USER):
            yield booted


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    folder = tmp_path / "marks"
    folder.mkdir()
    return Marks(folder)


async def start(
    city: Platform, marks: Marks, api: str, *, rows: int, seconds: float, alias: str = ""
) -> JourneyRun:
    given = {"folder": str(marks.folder), "rows": list(range(rows)), "seconds": seconds}
    name = f"spread_{api}"
    return await city.registry.get(Journeys).start(name, given, alias=alias)


async def settled(city: Platform, run_id: str) -> JourneyRun:
    """The run once it has ended, or waits for a person."""
    journeys, over = city.registry.get(Journeys), time.monotonic() + PATIENCE
    while True:
        run = await journeys.wait(run_id, seconds=1)
        if run.status.ended or run.reason is Reason.AMBIGUOUS:
            return run
        assert time.monotonic() < over, (run.template, run.status, run.reason)


async def two_at_work(city: Platform, marks: Marks, cluster: Cluster, api: str) -> JourneyRun:
    """A run of whose calls both workers have begun some; how long they take is known.

    Calls that only wait keep no worker from taking them all, where the other is late.
    """
    first = await start(city, marks, api, rows=2, seconds=0.3)
    await settled(city, first.run_id)
    over = time.monotonic() + PATIENCE
    while time.monotonic() < over:
        marks.clear()
        run = await start(city, marks, api, rows=6, seconds=2.5)
        await marks.until(lambda: len(marks.of("begun")) == 6)
        if len(marks.pids()) == 2:
            return run
        await city.registry.get(JourneyOperationsService).cancel_run(run.run_id)
        await marks.until(lambda: len(marks.of("cut")) == 6)
    pytest.fail("one worker took all calls, each time")


def holder_and_helper(marks: Marks, cluster: Cluster) -> tuple[Member, Member]:
    """The first of the calls stays with the run."""
    by_pid = {member.pid: member for member in cluster.members}
    here = marks.of("begun")["each[0]"]
    (there,) = marks.pids() - {here}
    return by_pid[here], by_pid[there]


def check_attempts(cluster: Cluster, run_id: str) -> int:
    """That no attempt follows its checkpoint, and there is one of each; how many were lost."""
    kept = store.read_server(cluster.database_url).runs[run_id]
    done: set[str] = set()
    for fact in kept.facts:
        if isinstance(fact, MilestoneBegan):
            assert fact.path not in done
        if isinstance(fact, MilestoneSucceeded):
            assert fact.path not in done
            done.add(fact.path)
    return sum(isinstance(fact, AttemptLost) for fact in kept.facts)


async def check_both_work(city: Platform, marks: Marks) -> None:
    run = await settled(city, (await start(city, marks, "block", rows=8, seconds=0.08)).run_id)

    assert run.output == list(range(8)), run.error
    assert len(marks.pids()) == 2


async def test_items_of_one_run_are_made_by_several_workers(city: Platform, marks: Marks) -> None:
    await check_both_work(city, marks)


async def test_with_redis_too(
    redis_server: Broker, postgres_server: PostgresServer, tmp_path: Path, marks: Marks
) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with cluster_at(redis_server, postgres_server, folder) as cluster:
        async with cluster.accepting() as city:
            with bound(USER):
                await check_both_work(city, marks)


PLAYED = ("look", "block", "put", "send", "note", "refuse")
"""Of which no call can end a run while others are under way, wherever they are made."""


async def test_the_journal_is_the_same_as_in_one_process(
    cluster: Cluster, city: Platform, marks: Marks, tmp_path: Path
) -> None:
    runs = {api: await start(city, marks, api, rows=6, seconds=0.04, alias=api) for api in PLAYED}
    ends = {api: await settled(city, run.run_id) for api, run in runs.items()}
    assert len(marks.pids()) == 2

    one = await asyncio.to_thread(alone, tmp_path / "alone", marks)
    several = await asyncio.to_thread(store.read_server, cluster.database_url)
    found = {kept.alias: normalised(kept, one) for kept in one.runs.values()}
    for api, run in runs.items():
        theirs = normalised(several.runs[run.run_id], several)
        assert list(differences(found[api], theirs)) == []
    assert {api: run.status for api, run in ends.items() if run.status.ended} == {
        **dict.fromkeys(runs, RunStatus.SUCCEEDED),
        "refuse": RunStatus.FAILED,
    }


def alone(folder: Path, marks: Marks) -> store.Store:
    """The same journeys in one process; the city of the test has put their realms on the path."""

    async def played() -> None:
        async with Platform(Settings(data_dir=folder)) as city:
            for api in PLAYED:
                run = await start(city, marks, api, rows=6, seconds=0.04, alias=api)
                await settled(city, run.run_id)

    with bound(USER):
        asyncio.run(played())
    return store.read(folder / store.DATABASE)


async def test_a_cancelled_run_cuts_its_calls_wherever_they_are(
    cluster: Cluster, city: Platform, marks: Marks
) -> None:
    run = await two_at_work(city, marks, cluster, "look")
    begun = marks.of("begun")

    cancelled = await city.registry.get(JourneyOperationsService).cancel_run(run.run_id)

    assert cancelled.status is RunStatus.CANCELLED
    await marks.until(lambda: marks.of("cut") == begun)
    assert marks.of("done") == {}


@pytest.mark.parametrize("api", ["put", "send"])
async def test_calls_of_a_worker_that_is_killed_are_made_again_or_are_in_doubt(
    cluster: Cluster, city: Platform, marks: Marks, api: str
) -> None:
    run = await two_at_work(city, marks, cluster, api)
    holder, helper = holder_and_helper(marks, cluster)
    lent = sorted(path for path, pid in marks.of("begun").items() if pid == helper.pid)

    await asyncio.to_thread(helper.kill)
    another = cluster.worker()
    end = await settled(city, run.run_id)

    lost = await asyncio.to_thread(check_attempts, cluster, run.run_id)
    assert lost == len(lent)
    assert holder.alive
    if api == "put":
        assert (end.status, end.output) == (RunStatus.SUCCEEDED, list(range(6)))
    else:
        waits = {m.milestone_id: m.reason for m in end.milestones if m.reason is not Reason.NONE}
        assert waits == dict.fromkeys(lent, Reason.AMBIGUOUS)
        assert marks.of("begun").keys() == {f"each[{n}]" for n in range(6)}
        assert marks.of("done").keys().isdisjoint(lent)
    await asyncio.to_thread(another.until_said, "is ready")


async def test_a_run_whose_holder_is_killed_goes_on_and_its_calls_elsewhere_are_cut(
    cluster: Cluster, city: Platform, marks: Marks
) -> None:
    run = await two_at_work(city, marks, cluster, "put")
    holder, helper = holder_and_helper(marks, cluster)

    await asyncio.to_thread(holder.kill)
    another = cluster.worker()
    end = await settled(city, run.run_id)

    assert (end.status, end.output) == (RunStatus.SUCCEEDED, list(range(6)))
    assert await asyncio.to_thread(check_attempts, cluster, run.run_id) == 6
    assert helper.alive
    await asyncio.to_thread(another.until_said, "is ready")
