"""Two workers on one PostgreSQL, both in this process: which of them makes which calls of a run."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from foundations.boot import Duty
from foundations.declarations import Effect
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.database import Database, DatabaseBusy
from foundations.public_works.settings import Settings
from realms.journey.api import JourneyRun, Reason, RunStatus
from realms.journey.engine import spreading
from realms.journey.engine.codec import decode
from realms.journey.engine.facts import AttemptLost, AttemptReleased
from realms.journey.engine.journal import Journal
from realms.journey.engine.keeper import Keeper
from realms.journey.engine.offers import Offer, OfferRecords, Offers, Standing
from realms.journey.engine.spreading import Spreading
from realms.journey.records import DatabaseJournal
from tests.support.journals import open_server_database
from tests.support.journeys import TEXT, USER, FakeServices, JourneyCity, signature
from utilities.context import UserContext, bound, current
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import TimeSortableIds

pytestmark = pytest.mark.anyio

ADA = UserContext(tenant="north", principal="ada")
NUMBER = {"type": "integer"}
SECONDS = 0.05
Does = Callable[[int], Awaitable[dict[str, Any]]]


class Refused(PlatformError):
    """It is refused."""

    kind = ErrorKind.INVALID


class Offering(Offers):
    """The real records; a test may have the store away, or see what was offered."""

    def __init__(self, database: Database) -> None:
        self.records = OfferRecords(database=database)
        self.posted: list[Offer] = []
        self.away: dict[str, int] = {}
        """How often a method still finds no store; a negative number after it has worked."""

    async def _met(self, name: str, work: Awaitable[Any]) -> Any:
        times = self.away.pop(name, 0)
        if times > 0:
            work.close()  # type: ignore[attr-defined]  # a coroutine
            self.away[name] = times - 1
            raise DatabaseBusy("away")
        found = await work
        if times < 0:
            raise DatabaseBusy("away, after it has written")
        return found

    async def post(self, offers: Sequence[Offer]) -> None:
        self.posted += offers
        await self._met("post", self.records.post(offers))

    async def take(self, *, holder: int, limit: int, own: bool = False) -> list[Offer]:
        found = await self._met("take", self.records.take(holder=holder, limit=limit, own=own))
        return list(found)

    async def standing(self, offer_ids: Collection[str]) -> dict[str, Standing]:
        return dict(await self._met("standing", self.records.standing(offer_ids)))

    async def wanted(
        self, offer_ids: Collection[str], *, holder: int, alive: Collection[str]
    ) -> set[str]:
        wanted = self.records.wanted(offer_ids, holder=holder, alive=alive)
        return set(await self._met("wanted", wanted))

    async def answer(self, offer_id: str, answer: bytes, *, holder: int) -> None:
        await self._met("answer", self.records.answer(offer_id, answer, holder=holder))

    async def withdraw(self, offer_ids: Collection[str]) -> set[str]:
        return set(await self._met("withdraw", self.records.withdraw(offer_ids)))

    async def drop(self, offer_ids: Collection[str]) -> None:
        await self._met("drop", self.records.drop(offer_ids))

    async def sweep(self) -> None:
        await self._met("sweep", self.records.sweep())


@dataclass
class Worker(JourneyCity):
    """One worker, with services and a line to the store of its own."""

    offers: Offering = field(kw_only=True)

    def _build(self) -> Keeper:
        keeper = super()._build()
        self.spreading = Spreading(
            services=self.services,
            runner=self.runner,
            driver=self.driver,
            offers=self.offers,
            events=self.events,
            ids=TimeSortableIds(),
            tracing=self.tracing,
            settings=self.settings,
        )
        return keeper

    def does(self, api: str, work: Does) -> None:
        self.services.answers[api] = lambda given: work(given["n"])


@dataclass
class Pair:
    """Whoever holds the runs of a test, and another."""

    database: Database
    holder: Worker
    helper: Worker
    texts: int = 0

    def do(self, api: str, work: Does) -> None:
        for worker in (self.holder, self.helper):
            worker.does(api, work)

    async def run(
        self, api: str, *, rows: int = 6, more: str = "", each: str = "", wait: bool = True
    ) -> JourneyRun:
        """A run of so many calls of an API, once it has ended or waits for a person."""
        self.texts += 1
        name = f"flow_{self.texts}"
        text = (
            f"journey_template: {name}\n"
            "input: {rows: {type: array, items: {type: integer}}}\n"
            'output: "${each.map(one, one.by)}"\n'
            'milestones:\n  - {milestone_id: each, for_each: {items: "${input.rows}", as: row'
            + each
            + "}, "
            f'service: WorkService, api: {api}, with: {{n: "${{row}}"}}{more}}}\n'
        )
        self.holder.templates.texts[name] = text
        run = await self.holder.engine.start(name, {"rows": list(range(rows))})
        return await self.settled(run.run_id) if wait else run

    async def settled(self, run_id: str) -> JourneyRun:
        over = time.monotonic() + 20
        while True:
            run = await self.holder.engine.get(run_id)
            if run.status.ended or run.reason is Reason.AMBIGUOUS:
                return run
            assert time.monotonic() < over, (run.status, run.milestones)
            await asyncio.sleep(0.01)

    async def facts(self, run_id: str, *kinds: type) -> list[Any]:
        stored = (await self.holder.journal.load([run_id]))[run_id]
        facts = [fact for entry in stored.entries for fact in decode(entry)]
        return [fact for fact in facts if isinstance(fact, kinds)]

    async def left(self) -> int:
        """How many offers there are when all is over."""
        await asyncio.sleep(0.05)
        ((found,),) = await self.database.light_statement("SELECT count(*) FROM journey_offers", ())
        return int(found)


@pytest.fixture
async def pair(
    postgres_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Pair]:
    for name in ("_LEAST_PATIENCE", "_MOST_PATIENCE"):  # the machine may be loaded
        monkeypatch.setattr(spreading, name, 1.0)
    spread = getattr(request, "param", 0.01)
    settings = Settings(
        drain_seconds=0.3,
        journey_beat_seconds=200_000,
        journey_lease_seconds=60,
        worker_spread_seconds=spread,
    )
    events = InProcessEvents()
    async with AsyncExitStack() as stack:
        workers = []
        for name in ("holder", "helper"):
            database = await stack.enter_async_context(open_server_database(postgres_url))
            journal: Journal = DatabaseJournal(database=database)
            services = FakeServices(*signatures())
            worker = Worker(
                journal,
                services,
                settings=settings,
                duty=Duty.WORK,
                events=events,
                offers=Offering(database),
            )
            for api in ("make", "put", "send", "keep"):
                worker.does(api, slow(name))
            await stack.enter_async_context(worker)
            await stack.enter_async_context(worker.spreading.working())
            workers.append(worker)
        with bound(USER):
            holder, helper = workers
            yield Pair(database, holder, helper)


def signatures() -> list[Any]:
    effects = {
        "make": Effect.PURE,
        "put": Effect.KEYED,
        "send": Effect.GUARDED,
        "keep": Effect.TRANSACTIONAL,
    }
    takes, gives = {"n": NUMBER}, {"by": TEXT, "key": TEXT}
    return [
        signature(f"WorkService.{api}", takes, gives, effect=effect)
        for api, effect in effects.items()
    ]


def slow(by: str, seconds: float = SECONDS) -> Does:
    """Says who did it, after a while."""

    async def work(_n: int) -> dict[str, Any]:
        await asyncio.sleep(seconds)
        return {"by": by, "key": current().idempotency_key}

    return work


def hangs(begun: list[int], cut: list[int]) -> Does:
    """Never ends by itself."""

    async def work(n: int) -> dict[str, Any]:
        begun.append(n)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append(n)
            raise
        raise AssertionError

    return work


async def until(there: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not there():  # noqa: ASYNC110 - what a store brings about
            await asyncio.sleep(0.005)


async def all_begun(pair: Pair, rows: int = 6) -> None:
    """Wait until every call is under way, or done."""
    await until(lambda: len(pair.holder.services.calls + pair.helper.services.calls) == rows)


async def known(pair: Pair, api: str) -> None:
    """Show how long calls take, and leave no trace of it."""
    await pair.run(api, rows=2)
    for worker in (pair.holder, pair.helper):
        worker.services.calls.clear()
    pair.holder.offers.posted.clear()


@pytest.mark.parametrize("api", ["make", "put", "send"])
async def test_calls_that_take_their_time_are_shared(pair: Pair, api: str) -> None:
    if api == "send":  # of which it is to be seen first that it writes nothing with its checkpoint
        await known(pair, api)
    run = await pair.run(api)

    by = run.output
    assert by[0] == "holder"
    assert {"holder", "helper"} == set(by)
    calls = [*pair.holder.services.calls, *pair.helper.services.calls]
    assert sorted(call.key for call in calls) == [f"{run.run_id}:each[{n}]:0:1" for n in range(6)]
    assert {(c.trace_id, c.tenant, c.principal) for c in calls} == {
        (USER.trace_id, USER.user.tenant, USER.user.principal)
    }
    assert await pair.left() == 0


async def test_parallel_milestones_are_shared_too(pair: Pair) -> None:
    await known(pair, "make")
    work = "needs: [first], service: WorkService, api: make"
    steps = "".join(f"  - {{milestone_id: m{n}, {work}, with: {{n: {n}}}}}\n" for n in range(6))
    first = "  - {milestone_id: first, service: WorkService, api: put, with: {n: 0}}\n"
    pair.holder.templates.texts["wide"] = f"journey_template: wide\nmilestones:\n{first}{steps}"

    run = await pair.settled((await pair.holder.engine.start("wide", {})).run_id)

    by = {m.output["by"] for m in run.milestones if m.output}
    assert (run.status, by) == (RunStatus.SUCCEEDED, {"holder", "helper"})


@pytest.mark.parametrize("pair", [0.5], indirect=True)
async def test_calls_that_take_less_than_the_setting_says_stay(pair: Pair) -> None:
    pair.do("make", slow("whoever", 0))

    for _ in range(2):
        assert (await pair.run("make")).status is RunStatus.SUCCEEDED

    assert (pair.holder.offers.posted, pair.helper.services.calls) == ([], [])


@pytest.mark.parametrize("pair", [0], indirect=True)
async def test_calls_stay_where_the_setting_says_so(pair: Pair) -> None:
    assert (await pair.run("make")).output == ["holder"] * 6
    assert pair.holder.offers.posted == []


@pytest.mark.parametrize(
    ("api", "more"),
    [
        ("keep", ""),
        ("make", ", queue: lathe"),
        ("make", ", heartbeat: 500ms"),
    ],
)
async def test_what_only_its_holder_can_do_stays(pair: Pair, api: str, more: str) -> None:
    await known(pair, "make")

    run = await pair.run(api, more=more)

    assert run.output == ["holder"] * 6
    assert pair.holder.offers.posted == []


def writes(pair: Pair, *, when: Callable[[int], bool]) -> Does:
    """Writes with the checkpoint of its call, for some of what it is given."""

    async def work(n: int) -> dict[str, Any]:
        if when(n):
            await pair.database.write_with_checkpoint(lambda _: None)
        return await slow("whoever", 0.05)(n)

    return work


@pytest.mark.parametrize("api", ["put", "send"])
async def test_what_writes_with_its_checkpoint_is_seen_to_and_stays(pair: Pair, api: str) -> None:
    pair.do(api, writes(pair, when=lambda _: True))
    await pair.run(api, rows=2)
    await pair.run(api)
    pair.holder.offers.posted.clear()
    pair.helper.services.calls.clear()

    run = await pair.run(api)

    assert run.status is RunStatus.SUCCEEDED
    assert (pair.holder.offers.posted, pair.helper.services.calls) == ([], [])


async def test_a_guarded_call_that_writes_once_elsewhere_is_never_made_again(pair: Pair) -> None:
    await known(pair, "send")
    pair.holder.does("send", slow("holder", 0.3))
    pair.helper.does("send", writes(pair, when=lambda _: True))

    run = await pair.run("send")

    calls = [call.key for call in (*pair.holder.services.calls, *pair.helper.services.calls)]
    assert pair.helper.services.calls
    assert run.reason is Reason.AMBIGUOUS
    assert len(calls) == len(set(calls)) == 6


async def test_a_failure_elsewhere_is_told_in_the_same_words(pair: Pair) -> None:
    async def refuses(n: int) -> dict[str, Any]:
        await asyncio.sleep(SECONDS)
        if n == 4:
            task = asyncio.current_task()
            assert task is not None
            raise asyncio.CancelledError
        if n % 2:
            raise Refused(f"{n} is odd", hint="take another")
        raise KeyError(n)

    pair.do("make", refuses)
    run = await pair.run("make", each=", tolerate: 100%", more=", retry: none")

    assert {call.api for call in pair.helper.services.calls} == {"make"}
    errors = [m.error for m in run.milestones if "[" in m.milestone_id]
    told = {error and (error.code, error.detail, error.hint) for error in errors}
    assert ("refused", "1 is odd", "take another") in told
    assert len(told) >= 2


async def test_a_worker_without_the_service_leaves_the_call_to_the_holder(pair: Pair) -> None:
    del pair.helper.services.known["WorkService", "make"]
    setattr(pair.helper.services, "signature", refusing)  # noqa: B010 - of this worker alone

    assert (await pair.run("make")).output == ["holder"] * 6
    offered = len(pair.holder.offers.posted)
    assert (await pair.run("make")).output == ["holder"] * 6
    assert len(pair.holder.offers.posted) == offered > 0
    assert pair.helper.services.calls == []


def refusing(service: str, api: str) -> Any:
    raise Refused(f"no {service}.{api} here")


async def test_a_cancelled_run_cuts_calls_elsewhere_and_those_nobody_has_taken(pair: Pair) -> None:
    await known(pair, "make")
    begun: dict[str, list[int]] = {"holder": [], "helper": []}
    cut: dict[str, list[int]] = {"holder": [], "helper": []}
    pair.holder.does("make", hangs(begun["holder"], cut["holder"]))
    pair.helper.does("make", hangs(begun["helper"], cut["helper"]))
    run = await pair.run("make", wait=False)
    await all_begun(pair)

    await pair.holder.operators.cancel(run.run_id)

    await until(lambda: len(cut["holder"] + cut["helper"]) == 6)
    assert (cut, bool(cut["helper"])) == (begun, True)
    assert (await pair.settled(run.run_id)).status is RunStatus.CANCELLED
    assert await pair.left() == 0


async def test_a_call_elsewhere_has_its_time_and_no_more(pair: Pair) -> None:
    await known(pair, "make")
    begun: list[int] = []
    cut: list[int] = []
    pair.helper.does("make", hangs(begun, cut))

    run = await pair.run("make", more=", timeout: 400ms, retry: none")

    assert begun
    assert run.error is not None
    assert run.error.code == "milestone_timed_out"
    await until(lambda: cut == begun)


async def test_signs_of_life_come_from_elsewhere(pair: Pair) -> None:
    await known(pair, "make")
    silent: list[int] = []

    async def lives(n: int) -> dict[str, Any]:
        for _ in range(8):
            await asyncio.sleep(0.2)
            if n not in silent:
                current().heartbeat()
        return {"by": "helper", "key": ""}

    pair.helper.does("make", lives)
    run = await pair.run("make", more=", heartbeat: 1s")
    assert (run.status, "helper" in run.output) == (RunStatus.SUCCEEDED, True)

    silent += range(6)
    run = await pair.run("make", more=", heartbeat: 1s, retry: none")
    assert run.error is not None
    assert run.error.code == "milestone_timed_out"


@pytest.mark.parametrize("api", ["put", "send"])
async def test_calls_of_a_worker_whose_lease_has_ended_are_lost(pair: Pair, api: str) -> None:
    await known(pair, api)
    begun: list[int] = []
    cut: list[int] = []
    pair.helper.does(api, hangs(begun, cut))
    run = await pair.run(api, wait=False)
    await all_begun(pair)

    lost = list(begun)
    await pair.helper.journal.let_go(pair.helper.driver.holder)

    end = await pair.settled(run.run_id)
    assert {f.path for f in await pair.facts(run.run_id, AttemptLost)} == {
        f"each[{n}]" for n in lost
    }
    await until(lambda: sorted(cut) == sorted(lost))
    if api == "put":
        assert (end.status, set(end.output)) == (RunStatus.SUCCEEDED, {"holder"})
    else:
        assert end.reason is Reason.AMBIGUOUS


async def test_calls_of_a_holder_whose_lease_has_ended_are_cut_and_never_begun(pair: Pair) -> None:
    await known(pair, "put")
    begun: list[int] = []
    cut: list[int] = []
    pair.helper.does("put", hangs(begun, cut))
    pair.holder.does("put", hangs([], []))
    await pair.run("put", wait=False)
    await all_begun(pair)
    taken = list(begun)

    await pair.helper.journal.let_go(pair.holder.driver.holder)
    late = offer("late", holder=pair.holder.driver.holder)
    await pair.helper.offers.records.post([late])

    await until(lambda: sorted(cut) == sorted(taken))
    assert await pair.helper.offers.records.take(holder=pair.helper.driver.holder, limit=9) == []
    await pair.helper.offers.records.sweep()
    assert await pair.left() == 0
    assert begun == taken


async def test_a_worker_that_closes_gives_back_what_it_could_not_end(pair: Pair) -> None:
    await known(pair, "put")
    begun: list[int] = []
    cut: list[int] = []
    pair.helper.does("put", hangs(begun, cut))
    run = await pair.run("put", wait=False)
    await all_begun(pair)
    given_back = list(begun)

    await pair.helper.close()

    end = await pair.settled(run.run_id)
    assert (end.status, set(end.output)) == (RunStatus.SUCCEEDED, {"holder"})
    released = await pair.facts(run.run_id, AttemptReleased)
    assert sorted(f.path for f in released) == [f"each[{n}]" for n in sorted(given_back)]
    assert await pair.facts(run.run_id, AttemptLost) == []


@pytest.mark.parametrize("times", [1, -1])
async def test_calls_are_made_though_nobody_knows_whether_they_were_offered(
    pair: Pair, times: int
) -> None:
    await known(pair, "send")
    pair.holder.driver.group._again = 0.05
    pair.holder.offers.away = {"post": times, "withdraw": 1}

    run = await pair.run("send")

    assert run.status is RunStatus.SUCCEEDED
    assert len(pair.holder.services.calls) + len(pair.helper.services.calls) == 6
    assert await pair.left() == 0


async def test_a_store_that_is_away_for_a_while_costs_no_call(pair: Pair) -> None:
    await known(pair, "send")
    for worker in (pair.holder, pair.helper):
        worker.driver.group._again = 0.05
        worker.offers.away = dict.fromkeys(["standing", "wanted", "drop", "sweep"], 1)
    pair.holder.offers.away["take"] = 1
    pair.helper.offers.away["answer"] = 2
    pair.do("send", slow("whoever", 0.3))

    run = await pair.run("send")

    assert run.status is RunStatus.SUCCEEDED
    assert len(pair.holder.services.calls) + len(pair.helper.services.calls) == 6
    assert pair.helper.services.calls
    await until(lambda: not pair.holder.offers.away.get("drop"))
    assert await pair.left() == 0


async def test_an_offer_that_vanished_counts_as_lost(pair: Pair) -> None:
    await known(pair, "put")
    begun: list[int] = []
    pair.helper.does("put", hangs(begun, []))
    run = await pair.run("put", wait=False)
    await all_begun(pair)
    pair.helper.does("put", slow("helper"))

    await pair.database.commit_statement("DELETE FROM journey_offers RETURNING 1", ())

    assert (await pair.settled(run.run_id)).status is RunStatus.SUCCEEDED
    assert len(await pair.facts(run.run_id, AttemptLost)) >= len(begun)


def offer(offer_id: str, *, holder: int) -> Offer:
    return Offer(
        offer_id=offer_id,
        holder=holder,
        service="WorkService",
        api="put",
        shape="",
        arguments={"n": 1},
        user=ADA,
        trace_id="trace",
        idempotency_key="key",
        run_id="run-1",
        milestone="each[1]",
    )


async def test_an_offer_is_taken_once_and_answered_by_its_taker_only(postgres_url: str) -> None:
    async with open_server_database(postgres_url) as database:
        journal, records = DatabaseJournal(database=database), OfferRecords(database=database)
        now = await journal.now(JourneyCity().clock.now())
        mine, its, third = [await journal.take_hold(at=now, until=None) for _ in range(3)]
        over = await journal.take_hold(at=now, until=now)
        offers = [offer(f"o{n}", holder=mine) for n in range(3)]
        await records.post([*offers, offer("o3", holder=over)])

        assert await records.take(holder=over, limit=9) == []
        assert await records.take(holder=its, limit=1) == [offers[0]]
        assert await records.take(holder=its, limit=9, own=True) == []
        assert await records.take(holder=mine, limit=9, own=True) == offers[1:]
        assert await records.take(holder=third, limit=9) == []
        await records.answer("o0", orjson.dumps("wrong"), holder=third)
        assert await records.wanted(["o0", "o1"], holder=its, alive=["o0"]) == {"o0"}
        await records.answer("o0", orjson.dumps("right"), holder=its)
        await records.answer("o0", orjson.dumps("late"), holder=its)
        await journal.let_go(its)

        assert await records.standing(["o0", "o1", "o3", "gone"]) == {
            "o0": Standing(taken=True, beats=1, answer=b'"right"', lost=True),
            "o1": Standing(taken=True, beats=0, answer=None, lost=False),
            "o3": Standing(taken=False, beats=0, answer=None, lost=False),
        }
        assert await records.wanted(["o0"], holder=its, alive=[]) == set()
        assert await records.withdraw(["o0", "o3", "gone"]) == {"o0"}
        await records.drop(["o0", "o1"])
        assert await records.standing(["o0", "o1", "o2"]) == {
            "o2": Standing(taken=True, beats=0, answer=None, lost=False)
        }
