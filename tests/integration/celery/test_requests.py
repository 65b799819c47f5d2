"""Requests to whoever holds a run: over SQLite and PostgreSQL, and how they are asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from foundations.boot import Duty
from foundations.public_works.database import Database
from foundations.public_works.dispatch import Handler, Road
from realms.journey.api import RunStatus
from realms.journey.engine import requesting
from realms.journey.engine.journal import Entry, Journal
from realms.journey.engine.requesting import NotAnswered, NoWorker, Requesting
from realms.journey.engine.requests import NoRequests, Request, RequestRecords
from realms.journey.records import DatabaseJournal
from tests.support.journals import open_database, open_server_database
from tests.support.journeys import BEGAN, CountingIds, VirtualClock, VirtualDispatch
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError
from utilities.remote_faults import fault_of, problem_of

pytestmark = pytest.mark.anyio

ADA = UserContext(tenant="north", principal="ada", roles=("owner",))


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        async with open_database(tmp_path) as small:
            yield small
        return
    async with open_server_database(request.getfixturevalue("postgres_url")) as server:
        yield server


@pytest.fixture
def journal(database: Database) -> Journal:
    return DatabaseJournal(database=database)


@pytest.fixture
def records(database: Database) -> RequestRecords:
    return RequestRecords(database=database)


async def run_of(journal: Journal, run_id: str, *, holder: int, by: int) -> None:
    from tests.contract.test_journals import row

    entry = Entry(run_id, 0, b"one", row(run_id, holder=holder, status=RunStatus.RUNNING))
    assert list(await journal.write([entry], holder=by)) == [None]


def request(request_id: str, run_id: str = "run-1") -> Request:
    return Request(request_id, run_id, "pause", {"note": "why"}, ADA, "trace", "key")


async def test_a_request_goes_to_whoever_holds_the_run(
    journal: Journal, records: RequestRecords
) -> None:
    mine, its = [await journal.take_hold(at=BEGAN, until=None) for _ in range(2)]
    await run_of(journal, "run-1", holder=its, by=mine)
    await run_of(journal, "run-2", holder=0, by=mine)
    for number, run_id in enumerate(["run-1", "run-2", "run-3"]):
        await records.post(request(f"r{number}", run_id), at=BEGAN)

    free = await records.take(holder=mine)
    held = await records.take(holder=its, run_ids=["run-1"])

    assert free == [request("r1", "run-2")]
    assert held == [request("r0", "run-1")]
    assert await records.take(holder=its) == []


async def test_what_a_dead_holder_had_taken_goes_to_the_next(
    journal: Journal, records: RequestRecords
) -> None:
    mine, its = [await journal.take_hold(at=BEGAN, until=None) for _ in range(2)]
    await run_of(journal, "run-1", holder=0, by=mine)
    await records.post(request("r1"), at=BEGAN)

    assert len(await records.take(holder=its)) == 1
    await journal.let_go(its)
    assert await records.take(holder=mine) == [request("r1")]
    await records.put_back("r1", holder=its)
    assert await records.take(holder=mine) == []
    await records.put_back("r1", holder=mine)
    assert len(await records.take(holder=mine)) == 1


async def test_an_answer_is_there_until_it_is_fetched_or_old(
    journal: Journal, records: RequestRecords
) -> None:
    mine = await journal.take_hold(at=BEGAN, until=None)
    await run_of(journal, "run-1", holder=0, by=mine)
    for name in ("r1", "r2", "r3"):
        await records.post(request(name), at=BEGAN)
    await records.take(holder=mine)
    await records.answer("r1", b"done")
    await records.answer("r2", b"forgotten")

    assert await records.answers(["r1", "r3", "r9"]) == {"r1": b"done"}
    assert await records.withdraw("r1") is False
    assert await records.answers(["r1"]) == {}
    await records.forget(before=BEGAN + timedelta(seconds=1))
    assert await records.answers(["r2"]) == {}
    await records.post(request("r4"), at=BEGAN)
    assert await records.withdraw("r4") is True


class RoadDispatch(VirtualDispatch):
    """Notes what would travel."""

    def __init__(self) -> None:
        super().__init__(VirtualClock())
        self.rung: list[tuple[str, str]] = []
        self.on_ring: Handler | None = None

    def wake(self, queue: str, key: str, *, at: object = None, road: Road | None = None) -> None:
        self.rung.append((queue, key))


def asking(records: RequestRecords | NoRequests, duty: Duty, dispatch: RoadDispatch) -> Requesting:
    return Requesting(
        records=records, dispatch=dispatch, clock=VirtualClock(), ids=CountingIds(), duty=duty
    )


async def test_whoever_asks_is_given_the_answer_or_the_fault(
    journal: Journal, records: RequestRecords
) -> None:
    mine = await journal.take_hold(at=BEGAN, until=None)
    await run_of(journal, "run-1", holder=0, by=mine)
    dispatch = RoadDispatch()
    asks = asking(records, Duty.ACCEPT, dispatch)

    async def answered(answer: dict[str, object]) -> None:
        while not (taken := await records.take(holder=mine)):  # noqa: ASYNC110 - by the store
            await asyncio.sleep(0.005)
        assert (taken[0].user, taken[0].trace_id) == (ADA, "t")
        await records.answer(taken[0].request_id, orjson.dumps(answer))

    with bound(CallContext("t", ADA)):
        given, _ = await asyncio.gather(
            asks.ask("run-1", "pause", {}), answered({"result": {"n": 1}})
        )
        fault = problem_of(NoWorker("nobody", hint="wait", retry_after=2.0))
        with pytest.raises(PlatformError) as refused:
            await asyncio.gather(asks.ask("run-1", "pause", {}), answered({"fault": fault}))

    assert given == {"n": 1}
    assert (refused.value.code, refused.value.kind) == ("no_worker", ErrorKind.UNAVAILABLE)
    assert (refused.value.hint, refused.value.retry_after) == ("wait", 2.0)
    assert dispatch.rung == [("journey-requests", "run-1")] * 2


async def test_what_nobody_takes_up_is_not_done_later(
    journal: Journal, records: RequestRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requesting, "PATIENCE", 0.1)
    mine = await journal.take_hold(at=BEGAN, until=None)
    await run_of(journal, "run-1", holder=0, by=mine)
    asks = asking(records, Duty.ACCEPT, RoadDispatch())

    with pytest.raises(NoWorker):
        await asks.ask("run-1", "pause", {})
    assert await records.take(holder=mine) == []
    waiting = asyncio.ensure_future(asks.ask("run-1", "pause", {}))
    while not await records.take(holder=mine):  # noqa: ASYNC110 - by the store
        await asyncio.sleep(0.005)
    with pytest.raises(NotAnswered):
        await waiting


async def test_a_process_that_does_journeys_asks_nobody() -> None:
    nobody = NoRequests()
    asks = asking(nobody, Duty.ALL, RoadDispatch())

    assert asks.local
    assert not asks.shared
    assert asking(nobody, Duty.WORK, RoadDispatch()).local
    assert not asking(nobody, Duty.SCHEDULE, RoadDispatch()).local
    with pytest.raises(AssertionError):
        await asks.tell("run-1", "stop", {})
    assert (await nobody.take(holder=1), await nobody.answers([])) == ([], {})
    assert await nobody.withdraw("r") is False


def test_a_fault_of_an_unknown_kind_is_an_internal_one() -> None:
    assert fault_of({"kind": "odd", "detail": "x"}).kind is ErrorKind.INTERNAL
    assert fault_of({}).detail == "no reason was given"
