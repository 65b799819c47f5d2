"""Workers killed under load, brokers flushed and restarted, the database restarted; then recovery.

Everything is real: PostgreSQL, the broker, and workers and a scheduler as processes. The trial's
own process accepts the runs, and is the clients.
"""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import ledger, store
from tests.chaos.expecting import expected_outcomes
from tests.chaos.ledger import LedgerLine
from tests.chaos.load import HEALS, USER, Load
from tests.chaos.referee import Verdict, crashes, judge
from tests.support import postgres
from tests.support.brokers import Broker, own_broker, why_not
from tests.support.cluster import SPREADS_ALL, Cluster, Member
from utilities.context import bound

Say = Callable[[str], None]

_WORKERS = 2
_CLIENTS = 20


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
        settings = {"drain_seconds": 0.3, "worker_spread_seconds": SPREADS_ALL}
        self._cluster = Cluster(
            folder, server.url("city"), broker.url(1), ledger=notes, settings=settings
        )
        self._found = Disturbed(broker.kind)

    async def over(self, kills: int) -> Disturbed:
        try:
            await asyncio.to_thread(self._cluster.up, workers=_WORKERS)
            async with self._cluster.accepting() as city:
                load = Load(self._line, self._chance)
                load.take_up(city)
                with bound(USER):
                    async with asyncio.TaskGroup() as group:
                        clients = [group.create_task(load.ask(f"c{n}")) for n in range(_CLIENTS)]
                        serving = group.create_task(load.serve())
                        managing = group.create_task(self._manage())
                        await self._disturb(kills)
                        load.rests.set()
                        await asyncio.wait(clients)
                        self._healed(await load.heal())
                        serving.cancel()
                        managing.cancel()
        finally:
            self._cluster.down()
            self._line.close()
        return self._found

    def _healed(self, seconds: float | None) -> None:
        self._found.healed_in = HEALS if seconds is None else seconds
        if seconds is None:
            self._found.verdict.stranded.append(f"the city with {self._broker.kind} has no rest")

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


_MORE = {"broker flushed", "broker restarted", "database restarted", "scheduler killed"}
