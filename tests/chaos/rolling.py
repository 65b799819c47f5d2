"""Rolling restarts: one worker after the other is asked to stop under load, and another comes."""

import asyncio
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import ledger, store
from tests.chaos.expecting import expected_outcomes
from tests.chaos.ledger import LedgerLine
from tests.chaos.load import USER, Load
from tests.chaos.referee import Verdict, crashes, judge
from tests.support import postgres
from tests.support.brokers import own_broker
from tests.support.cluster import Cluster
from utilities.context import bound

Say = Callable[[str], None]

_CLIENTS = 20
_SCHEDULER_EVERY = 10
_PATIENT = {"journey_lease_seconds": 20}
"""Nobody is killed here: that a busy machine lets a worker oversleep is no part of this trial."""


@dataclass(slots=True)
class Rolled:
    """What a trial found."""

    restarts: int = 0
    crashes: int = 0
    """Attempts that were cut so that nobody knows how far they came: there are to be none."""
    exit_codes: set[int | None] = field(default_factory=set)
    healed_in: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)


def roll(
    *, restarts: int, seed: int, kind: str, durable: bool = True, say: Say = lambda line: None
) -> Rolled:
    """Restart so many workers one by one, and a scheduler with every tenth."""
    expected, found = expected_outcomes(), Rolled()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="civitas-chaos-")))
        server = stack.enter_context(postgres.own_server(durable=durable))
        broker = stack.enter_context(own_broker(kind, scratch / kind))
        url = stack.enter_context(server.database())
        notes = scratch / "ledger"
        notes.mkdir()
        cluster = Cluster(scratch, url, broker.url(1), ledger=notes, settings=_PATIENT)
        with ledger.keeping(notes):
            asyncio.run(_over(cluster, notes, restarts, random.Random(seed), found, say))
        kept = store.read_server(url)
        found.crashes = crashes(kept)
        found.verdict.add(judge(kept, ledger.notes(notes), expected=expected))
    if found.crashes:
        found.verdict.repeated.append(f"{found.crashes} attempts were cut without a word")
    if found.exit_codes != {0}:
        found.verdict.stranded.append(f"processes ended with {found.exit_codes}")
    return found


async def _over(
    cluster: Cluster, notes: Path, restarts: int, chance: random.Random, found: Rolled, say: Say
) -> None:
    line = LedgerLine(notes)
    load = Load(line, chance)
    try:
        await asyncio.to_thread(cluster.up)
        async with cluster.accepting() as city:
            load.take_up(city)
            with bound(USER):
                async with asyncio.TaskGroup() as group:
                    clients = [group.create_task(load.ask(f"c{n}")) for n in range(_CLIENTS)]
                    serving = group.create_task(load.serve())
                    for number in range(restarts):
                        await asyncio.sleep(chance.uniform(0.05, 0.3))
                        await _restart(cluster, "worker", found)
                        if number % _SCHEDULER_EVERY == _SCHEDULER_EVERY - 1:
                            await _restart(cluster, "scheduler", found)
                            say(f"{number + 1} restarts, {await load.under_way()} runs under way")
                    load.rests.set()
                    await asyncio.wait(clients)
                    seconds = await load.heal()
                    serving.cancel()
    finally:
        cluster.down()
        line.close()
    if seconds is None:
        found.verdict.stranded.append("the city came to no rest")
    found.healed_in = seconds or 0.0


async def _restart(cluster: Cluster, role: str, found: Rolled) -> None:
    """Ask the oldest to stop, and wait until another is up."""
    oldest = next(member for member in cluster.members if member.role == role and member.alive)
    found.exit_codes.add(await asyncio.to_thread(oldest.stop))
    another = cluster.start(role)
    await asyncio.to_thread(another.until_said, "is ready" if role == "worker" else "at work")
    found.restarts += role == "worker"
