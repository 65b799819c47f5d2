"""The flag is flipped with runs in flight: from one process to workers, and back; all end."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

import realms
from foundations.public_works.settings import CloudReadyMode, Settings
from main import Platform
from tests.chaos import ledger, store
from tests.chaos.expecting import expected_outcomes
from tests.chaos.ledger import LedgerLine
from tests.chaos.load import HEALS, USER, Load
from tests.chaos.referee import Verdict, judge
from tests.chaos.witness import WITNESS
from tests.support import postgres
from tests.support.brokers import own_broker
from tests.support.cluster import TRIAL_REALMS, Cluster
from utilities.context import bound

Say = Callable[[str], None]

_TRIES = 20


@dataclass(slots=True)
class Flipped:
    """What a trial found."""

    flips: int = 0
    in_flight: list[int] = field(default_factory=list)
    """How many runs had not ended at each flip."""
    ended: Mapping[str, int] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)


def flip(
    *,
    runs: int,
    seed: int,
    kind: str,
    flips: int = 2,
    durable: bool = True,
    say: Say = lambda line: None,
) -> Flipped:
    """Flip with at least so many runs in flight each time, then let all of them end."""
    expected, found = expected_outcomes(), Flipped()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="civitas-chaos-")))
        server = stack.enter_context(postgres.own_server(durable=durable))
        broker = stack.enter_context(own_broker(kind, scratch / kind))
        url = stack.enter_context(server.database())
        notes = scratch / "ledger"
        notes.mkdir()
        cluster = Cluster(scratch, url, broker.url(1), ledger=notes)
        with ledger.keeping(notes):
            trial = _Trial(cluster, notes, random.Random(seed), found, say)
            asyncio.run(trial.over(runs, flips))
        kept = store.read_server(url)
        found.verdict.add(judge(kept, ledger.notes(notes), expected=expected))
        found.ended = {
            status: sum(run.status == status for run in kept.runs.values())
            for status in sorted({run.status for run in kept.runs.values()})
        }
    return found


class _Trial:
    """One database, on which one process and workers take turns."""

    def __init__(
        self, cluster: Cluster, notes: Path, chance: random.Random, found: Flipped, say: Say
    ) -> None:
        self._cluster = cluster
        self._line = LedgerLine(notes)
        self._load = Load(self._line, chance)
        self._found = found
        self._say = say

    async def over(self, runs: int, flips: int) -> None:
        try:
            with bound(USER):
                for number in range(flips):
                    async with self._turn(number) as city:
                        self._load.take_up(city)
                        await self._ask(runs, f"f{number}")
                    self._found.flips += 1
                async with self._turn(flips) as city:
                    await self._finish(city)
        finally:
            self._cluster.down()
            self._line.close()

    @asynccontextmanager
    async def _turn(self, number: int) -> AsyncIterator[Platform]:
        """One process with even numbers, else workers; they stop in good order."""
        if number % 2 == 0:
            async with self._alone() as city:
                yield city
            return
        await asyncio.to_thread(self._cluster.up)
        async with self._cluster.accepting() as city:
            yield city
        members = [member for member in self._cluster.members if member.alive]
        codes = await asyncio.gather(*(asyncio.to_thread(member.stop) for member in members))
        if any(codes):
            self._found.verdict.stranded.append(f"processes ended with {codes}")

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Platform]:
        """The city that does everything itself, over the same database."""
        before, told, waits = list(realms.__path__), WITNESS.tell, WITNESS.longest_wait
        realms.__path__.append(str(TRIAL_REALMS))
        WITNESS.tell, WITNESS.longest_wait = self._line.tell, 0.004
        try:
            settings = Settings(
                data_dir=self._cluster.folder / "data",
                cloud_ready_mode=CloudReadyMode.HYBRID,
                database_url=SecretStr(self._cluster.database_url),
                journey_lease_seconds=2,
                drain_seconds=3,
            )
            async with Platform(settings) as city:
                yield city
        finally:
            realms.__path__[:] = before
            WITNESS.tell, WITNESS.longest_wait = told, waits

    async def _ask(self, runs: int, name: str) -> None:
        """Ask for runs until so many are under way at once; some wait for what comes later."""
        for number in range(_TRIES):
            asked = (self._load.begin(f"{name}-{number}-{n}") for n in range(runs))
            await asyncio.gather(*asked)
            under_way = len(await self._load.open_runs())
            if under_way >= runs:
                break
        self._found.in_flight.append(under_way)
        self._say(f"flip {self._found.flips + 1} with {under_way} runs in flight")

    async def _finish(self, city: Platform) -> None:
        self._load.take_up(city)
        self._load.rests.set()
        deadline = time.monotonic() + HEALS
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._load.serve())
            while left := len(await self._load.open_runs()):
                if time.monotonic() > deadline:
                    self._found.verdict.stranded.append(f"{left} runs did not end")
                    break
                await asyncio.sleep(0.1)
            serving.cancel()
