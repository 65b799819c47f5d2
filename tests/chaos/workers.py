"""Workers killed under load, brokers flushed and restarted, the database restarted; then recovery.

Everything is real: PostgreSQL, the broker, and workers and a scheduler as processes. The trial's
own process accepts the runs, and is the clients.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from main import Platform
from realms.journey.api import Journeys, Reason, RunStatus
from realms.journey.engine.journal import Journal, RunFilter
from realms.journey.operations import JourneyOperationsService
from tests.chaos import ledger, store
from tests.chaos.clients import ASKING, SIGNALS, TENANT, values
from tests.chaos.expecting import expected_outcomes
from tests.chaos.ledger import LedgerLine
from tests.chaos.referee import Verdict, crashes, judge
from tests.chaos.small_city import trial_texts
from tests.support import postgres
from tests.support.brokers import Broker, own_broker, why_not
from tests.support.cluster import Cluster, Member
from utilities.context import CallContext, UserContext, bound
from utilities.errors import PlatformError

Say = Callable[[str], None]

HEALS = 60.0
"""Seconds after which everything has to be done that can be."""
_WORKERS = 2
_CLIENTS = 20
_USER = CallContext(
    "trace-of-the-trial", UserContext(tenant=TENANT, principal="ada", roles=("owner",))
)
_FAR = timedelta(hours=5)
_OPEN = tuple(status for status in RunStatus if not status.ended)


@dataclass(slots=True)
class Disturbed:
    """What a trial found."""

    broker: str
    kills: int = 0
    disturbances: Counter[str] = field(default_factory=Counter)
    revived: int = 0
    """Processes that ended by themselves, because a server was away, and were started again."""
    crashes: int = 0
    healed_in: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)


def workers(
    *, kills: int, seed: int, kind: str, durable: bool = True, say: Say = lambda line: None
) -> Disturbed:
    """Kill so many workers of a city with this kind of broker; the seed gives the schedule.

    A database that is not `durable` is kept in memory, which is quicker.

    Raises:
        NoServers: a server that it needs is not on this machine.
    """
    if reason := why_not(kind):
        raise NoServers(reason)
    expected = expected_outcomes()
    with (
        tempfile.TemporaryDirectory(prefix="civitas-chaos-") as scratch,
        postgres.own_server(durable=durable) as server,
        own_broker(kind, Path(scratch) / kind) as broker,
    ):
        notes = Path(scratch) / "ledger"
        notes.mkdir()
        server.run("CREATE DATABASE city TEMPLATE template0")
        with ledger.keeping(notes):
            trial = _Trial(Path(scratch), server, broker, notes, random.Random(seed), say)
            found = asyncio.run(trial.over(kills))
        kept = store.read_server(server.url("city"))
        found.crashes = crashes(kept)
        found.verdict.add(judge(kept, ledger.notes(notes), expected=expected))
    return found


class NoServers(Exception):
    """A server that the trial needs is not on this machine."""


class _Trial:
    """One city of several processes, its clients, and what befalls it."""

    def __init__(
        self,
        folder: Path,
        server: postgres.PostgresServer,
        broker: Broker,
        notes: Path,
        chance: random.Random,
        say: Say,
    ) -> None:
        self._server = server
        self._broker = broker
        self._line = LedgerLine(notes)
        self._chance = chance
        self._say = say
        self._cluster = Cluster(
            folder, server.url("city"), broker.url(1), ledger=notes, settings={"drain_seconds": 0.3}
        )
        self._rests = asyncio.Event()
        self._found = Disturbed(broker.kind)

    async def over(self, kills: int) -> Disturbed:
        try:
            await asyncio.to_thread(self._cluster.up, workers=_WORKERS)
            async with self._cluster.accepting() as city:
                self._take_up(city)
                with bound(_USER):
                    async with asyncio.TaskGroup() as group:
                        clients = [group.create_task(self._ask(n)) for n in range(_CLIENTS)]
                        serving = group.create_task(self._serve())
                        managing = group.create_task(self._manage())
                        await self._disturb(kills)
                        self._rests.set()
                        await asyncio.wait(clients)
                        await self._heal()
                        serving.cancel()
                        managing.cancel()
        finally:
            self._cluster.down()
            self._line.close()
        return self._found

    def _take_up(self, city: Platform) -> None:
        self._journeys = city.registry.get(Journeys)
        self._operations = city.registry.get(JourneyOperationsService)
        self._journal = city.registry.get(Journal)

    # what befalls the city

    async def _disturb(self, kills: int) -> None:
        for number in range(kills):
            await asyncio.sleep(self._chance.uniform(0.05, 0.5))
            await asyncio.to_thread((await self._one_of("worker")).kill)
            self._found.kills += 1
            if number % 10 == 4:
                await self._more(self._chance.choice(sorted(_MORE)))
            self._cluster.worker()
            if number % 10 == 9:
                state = f"{self._found.kills} kills, {dict(self._found.disturbances)}"
                self._say(f"{self._broker.kind}: {state}")
        for name in sorted(_MORE - self._found.disturbances.keys()):
            await self._more(name)

    async def _more(self, name: str) -> None:
        self._found.disturbances[name] += 1
        match name:
            case "broker flushed":
                await asyncio.to_thread(self._broker.flush)
            case "broker restarted":
                await asyncio.to_thread(self._broker.kill)
                await asyncio.to_thread(self._broker.start)
            case "database restarted":
                for _ in range(2):  # the second time while it recovers
                    await asyncio.to_thread(self._server.stop, "immediate")
                    await asyncio.to_thread(self._server.start)
                    await asyncio.sleep(self._chance.uniform(0, 0.3))
            case "scheduler killed":
                await asyncio.to_thread((await self._one_of("scheduler")).kill)
                self._cluster.scheduler()

    async def _one_of(self, role: str) -> Member:
        while True:
            if alive := [m for m in self._cluster.members if m.role == role and m.alive]:
                return self._chance.choice(alive)
            await asyncio.sleep(0.05)

    async def _manage(self) -> None:
        """What a service manager does: a process that ended by itself is started again."""
        while True:
            await asyncio.sleep(0.2)
            self._found.revived += self._cluster.revive()

    async def _heal(self) -> None:
        """Wait until nothing is under way, in the time that is allowed."""
        begun = time.monotonic()
        while await self._under_way():
            if time.monotonic() - begun > HEALS:
                self._found.verdict.stranded.append(
                    f"the city with {self._broker.kind} has no rest"
                )
                break
            await asyncio.sleep(0.1)
        self._found.healed_in = time.monotonic() - begun

    async def _under_way(self) -> bool:
        try:
            for status in _OPEN:
                for row in await self._journal.page(RunFilter(TENANT, status=status), limit=500):
                    far = row.wake_at is not None and row.wake_at - datetime.now(UTC) > _FAR
                    if row.reason is not Reason.AMBIGUOUS and not far:
                        return True
        except PlatformError:
            return True
        return False

    # clients

    async def _ask(self, number: int) -> None:
        names, count = sorted(trial_texts()), 0
        while not self._rests.is_set():
            count += 1
            order, template = f"c{number}-{count}", self._chance.choice(names)
            try:
                run = await self._journeys.start(template, values(template, order), alias=order)
            except PlatformError as error:
                self._told("run", order, answer="failed", why=error.code)
                await asyncio.sleep(0.1)
                continue
            self._told("run", order, answer="ok", run_id=run.run_id)
            with suppress(PlatformError):
                if self._chance.random() < 0.05:
                    await self._meddle(run.run_id, order)
                await self._journeys.wait(run.run_id, seconds=0.5)

    async def _meddle(self, run_id: str, order: str) -> None:
        """Pause and resume a run, or cancel it."""
        if self._chance.random() < 0.3:
            await self._operations.cancel_run(run_id)
            self._told("cancel", order, answer="ok", run_id=run_id)
            return
        await self._operations.pause_run(run_id)
        self._told("pause", order, answer="ok", run_id=run_id)
        await self._operations.resume_run(run_id)

    async def _serve(self) -> None:
        """Send the signals and answers that runs wait for, and resume what is paused."""
        while True:
            await asyncio.sleep(0.1)
            with suppress(PlatformError):
                waiting = RunFilter(TENANT, status=RunStatus.WAITING)
                rows = await self._journal.page(waiting, limit=500)
                signalled = [row for row in rows if row.template == "trial_signal"]
                asked = (await self._operations.list_questions(limit=200)).questions
                await asyncio.gather(
                    *(self._signal(r.run_id, r.alias, name) for r in signalled for name in SIGNALS),
                    *(self._answer(q.run_id, q.wait_id) for q in asked if q.template in ASKING),
                )
            if self._rests.is_set():
                await self._resume_all()

    async def _signal(self, run_id: str, order: str, name: str) -> None:
        given = f"{order} {name}"
        with suppress(PlatformError):
            await self._operations.signal_run(run_id, name, {"n": 1}, given)
            self._told("signal", order, answer="ok", run_id=run_id, id=given)

    async def _answer(self, run_id: str, wait_id: str) -> None:
        with suppress(PlatformError):
            await self._operations.answer_question(run_id, wait_id, {"approve": True})
            self._told("answer", run_id, answer="ok", run_id=run_id)

    async def _resume_all(self) -> None:
        with suppress(PlatformError):
            paused = RunFilter(TENANT, status=RunStatus.PAUSED)
            for row in await self._journal.page(paused, limit=500):
                with suppress(PlatformError):
                    await self._operations.resume_run(row.run_id)

    def _told(self, asked: str, order: str, **said: Any) -> None:
        self._line.tell({"what": "told", "asked": asked, "order": order, **said})


_MORE = {"broker flushed", "broker restarted", "database restarted", "scheduler killed"}
