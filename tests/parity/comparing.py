"""Every journey in one process on SQLite, and on workers with PostgreSQL: the same journal."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import realms
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from main import Platform
from realms.journey.api import JourneyRun, Journeys, Reason, RunStatus
from realms.journey.engine.journal import Journal, RunFilter
from realms.journey.engine.ports import TemplateSource
from realms.journey.operations import JourneyOperationsService
from realms.journey.plans.plan import Plan, WaitFor
from realms.journey.template_versions import JourneyTemplatesService
from smart_city.content_steward.api import ContentSteward
from tests.chaos import store
from tests.chaos.clients import values
from tests.chaos.small_city import shipped_texts, trial_texts
from tests.chaos.witness import WITNESS, Note
from tests.parity.generating import NEVER_SENT, Generated, generated
from tests.parity.normalising import differences, normalised, out_of_order
from tests.support import postgres
from tests.support.brokers import own_broker, why_not
from tests.support.cluster import SPREADS_ALL, TRIAL_REALMS, Cluster
from tests.support.processes import ROOT
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean

Say = Callable[[str], None]

REALMS = (TRIAL_REALMS, Path(__file__).parent / "city")
NOT_COMPARED = {"trial_line"}
"""It fails once in each process, so that its attempts say how many processes there were."""
_NEVER_SENT = {NEVER_SENT, "withdraw"}
_ROWS = [3, 1, 2]
_FILE = ROOT / "tests" / "data" / "tides.tsv"
_AT_ONCE = 50
_LOOK = 0.02
_PATIENCE = 120.0
_USER = CallContext(
    "trace-of-parity", UserContext(tenant="trial", principal="ada", roles=("owner",))
)


class UnknownJourney(PlatformError):
    """There is no journey of this name to compare."""

    kind = ErrorKind.NOT_FOUND


class NoServers(PlatformError):
    """A server that the trial needs is not on this machine."""

    kind = ErrorKind.UNAVAILABLE


@dataclass(slots=True)
class Parity:
    """What was compared, and what was not the same."""

    shipped: int = 0
    generated: int = 0
    facts: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    seed: int = 0

    @property
    def figures(self) -> Mapping[str, Any]:
        """For the JSON."""
        return {
            "journeys": self.shipped + self.generated,
            "shipped": self.shipped,
            "generated": self.generated,
            "facts": self.facts,
            "ended": self.ended,
            "differences": len(self.broken),
            "seconds": self.seconds,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the workers' city is."""

    database_url: str
    broker_url: str


def parity(
    names: Iterable[str] = (), *, generate: int, seed: int, kind: str, say: Say = lambda line: None
) -> Parity:
    """Compare the journeys of these names (all by default) and so many generated ones.

    Raises:
        NoServers: a server that it needs is not on this machine.
        UnknownJourney: a name is none.
    """
    if reason := why_not(kind):
        raise NoServers(reason, hint="install it, or take the other with --broker")
    with (
        tempfile.TemporaryDirectory(prefix="civitas-parity-") as scratch,
        postgres.own_server() as server,
        server.database() as url,
        own_broker(kind, Path(scratch) / kind) as broker,
    ):
        where = Servers(url, broker.url(1))
        return compare(Path(scratch), where, names, generate=generate, seed=seed, say=say)


def compare(
    folder: Path,
    servers: Servers,
    names: Iterable[str] = (),
    *,
    generate: int,
    seed: int,
    say: Say = lambda line: None,
) -> Parity:
    """The same, over servers that are up."""
    shipped, made = _chosen(list(names), generate, seed)
    found = Parity(shipped=len(shipped), generated=len(made), seed=seed)
    begun = time.monotonic()
    one, plans = asyncio.run(_in_one_process(folder / "one", shipped, made))
    found.seconds["in one process"] = round(time.monotonic() - begun, 1)
    say(f"{len(one.runs)} runs in one process: {found.seconds['in one process']} s")
    begun = time.monotonic()
    other = asyncio.run(_on_workers(folder / "workers", servers, shipped, made))
    found.seconds["on workers"] = round(time.monotonic() - begun, 1)
    say(f"{len(other.runs)} runs on workers: {found.seconds['on workers']} s")
    for name in (*shipped, *(template.name for template in made)):
        _compare(name, one, other, plans, found)
    return found


def _chosen(names: list[str], generate: int, seed: int) -> tuple[list[str], list[Generated]]:
    known = [name for name in (*shipped_texts(), *trial_texts()) if name not in NOT_COMPARED]
    if not names:
        return known, [generated(seed, number) for number in range(generate)]
    shipped: list[str] = []
    made: list[Generated] = []
    for name in names:
        word, _, rest = name.partition("_")
        if name in known:
            shipped.append(name)
        elif word == "generated" and all(part.isdecimal() for part in rest.split("_")):
            made.append(generated(*map(int, rest.split("_"))))
        else:
            raise UnknownJourney(
                f"there is no journey {name} to compare. {did_you_mean(name, known)}".strip(),
                hint=f"name some of {', '.join(known)}, or generated_SEED_NUMBER",
            )
    return shipped, made


def _compare(
    name: str, one: store.Store, other: store.Store, plans: Mapping[str, Plan], found: Parity
) -> None:
    mine, theirs = (_of(name, kept) for kept in (one, other))
    if mine is None or theirs is None:
        found.broken.append(f"{name} was not accepted by both")
        return
    found.facts += sum(1 for _ in mine.facts)
    found.ended[mine.status] = found.ended.get(mine.status, 0) + 1
    lines = list(differences(normalised(mine, one), normalised(theirs, other)))
    for kept in (mine, theirs):
        lines += out_of_order(kept, plans[name])
    found.broken += [f"{name}: {line}" for line in lines]


def _of(name: str, kept: store.Store) -> store.Kept | None:
    return next((run for run in kept.runs.values() if run.alias == name), None)


async def _in_one_process(
    folder: Path, shipped: Sequence[str], made: Sequence[Generated]
) -> tuple[store.Store, Mapping[str, Plan]]:
    WITNESS.tell, WITNESS.longest_wait = _tell_nobody, 0.0
    with _more_realms():
        async with Platform(Settings(data_dir=folder)) as city:
            plans = await _play(city, shipped, made)
    return store.read(folder / store.DATABASE), plans


def _tell_nobody(note: Note) -> None:
    """No ledger is kept here."""


async def _on_workers(
    folder: Path, servers: Servers, shipped: Sequence[str], made: Sequence[Generated]
) -> store.Store:
    folder.mkdir()
    settings = {"journey_lease_seconds": 15, "worker_spread_seconds": SPREADS_ALL}
    cluster = Cluster(
        folder, servers.database_url, servers.broker_url, realms=REALMS, settings=settings
    )
    try:
        await asyncio.to_thread(cluster.up)
        async with cluster.accepting() as city:
            await _play(city, shipped, made)
    finally:
        cluster.down()
    return await asyncio.to_thread(store.read_server, servers.database_url)


@contextmanager
def _more_realms() -> Iterator[None]:
    before = list(realms.__path__)
    realms.__path__.extend(f for f in map(str, REALMS) if f not in before)
    try:
        yield
    finally:
        realms.__path__[:] = before


async def _play(
    city: Platform, shipped: Sequence[str], made: Sequence[Generated]
) -> Mapping[str, Plan]:
    """Run each journey once, and give it what it waits for; the plans by name."""
    journeys, templates = city.registry.get(Journeys), city.registry.get(TemplateSource)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def run(name: str, given: Mapping[str, Any]) -> None:
        async with at_once:
            begun = await journeys.start(name, given, alias=name)
            deadline = time.monotonic() + _PATIENCE
            while not (await journeys.wait(begun.run_id, seconds=1)).status.ended:
                if time.monotonic() > deadline:
                    return  # its journal tells where it stands
                await asyncio.sleep(_LOOK)  # a run that waits for others is answered at once

    with bound(_USER):
        file_id = await _uploaded(city)
        for template in made:
            await city.registry.get(JourneyTemplatesService).put_template(template.text)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(_serve(city))
            runs = [
                *(group.create_task(run(name, _input(name, file_id))) for name in shipped),
                *(group.create_task(run(t.name, _input(t.name, file_id))) for t in made),
            ]
            await asyncio.wait(runs)
            serving.cancel()
        names = (*shipped, *(template.name for template in made))
        return {name: (await templates.current(name)).plan for name in names}


def _input(name: str, file_id: str) -> Mapping[str, Any]:
    if name.startswith("generated_"):
        return {"order": name, "rows": _ROWS}
    given = values(name, name)
    return {"file_id": file_id} if "file_id" in given else given


async def _uploaded(city: Platform) -> str:
    path = city.registry.get(DataFolder).spool()
    path.write_bytes(_FILE.read_bytes())
    file = await city.registry.get(ContentSteward).register_upload(path.name, _FILE.name)
    return file.file_id


async def _serve(city: Platform) -> None:
    """Send each signal and answer once its milestone waits for it."""
    journal, journeys = city.registry.get(Journal), city.registry.get(Journeys)
    operations = city.registry.get(JourneyOperationsService)
    templates = city.registry.get(TemplateSource)
    served: set[tuple[str, str]] = set()
    while True:
        await asyncio.sleep(_LOOK)
        rows = await journal.page(RunFilter(_USER.tenant, status=RunStatus.WAITING), limit=500)
        for row in rows:
            run = await journeys.get(row.run_id)
            plan = (await templates.current(run.template)).plan
            for name, ask in _asked(run, plan):
                if (row.run_id, name) in served:
                    continue
                served.add((row.run_id, name))
                if ask:
                    await operations.answer_question(row.run_id, ask, {"approve": True})
                else:
                    await operations.signal_run(row.run_id, name, {"n": 1}, f"{row.run_id} {name}")


def _asked(run: JourneyRun, plan: Plan) -> Iterator[tuple[str, str]]:
    """The signals that a run waits for and is to get, and its questions with the id of each."""
    yield from ((question.wait_id, question.wait_id) for question in run.questions)
    for milestone in run.milestones:
        if milestone.status is RunStatus.WAITING and milestone.reason is Reason.SIGNAL:
            work = plan.nodes[milestone.milestone_id].work
            if isinstance(work, WaitFor) and work.signal not in _NEVER_SENT:
                yield work.signal, ""
