"""What a city process under trial does: it boots the real city, and is its own clients."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from loguru import logger

import realms
from foundations.public_works.settings import Settings
from main import Platform
from realms.journey.api import Journeys, RunStatus
from realms.journey.engine import failpoints, group_commit
from realms.journey.engine.driver import Driver
from realms.journey.engine.journal import Journal, RunFilter
from tests.chaos import planted, store
from tests.chaos.clients import TENANT, Client
from tests.chaos.ledger import LedgerLine
from tests.chaos.witness import WITNESS
from utilities.clock import SystemClock
from utilities.errors import PlatformError

CITY = Path(__file__).parent / "city"
QUIET = "quiet"
REST = "rest"
CLOSE = "close"
_LOOK_SECONDS = 0.05
_STILL = 2
_FAR = timedelta(hours=5)
_OPEN = (
    RunStatus.PENDING,
    RunStatus.QUEUED,
    RunStatus.RUNNING,
    RunStatus.WAITING,
    RunStatus.PAUSED,
    RunStatus.COMPENSATING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What one city process is to do."""

    folder: Path
    ledger: Path
    name: str
    """Orders of its clients begin so; the next process under this name has others."""
    seed: int = 0
    clients: int = 20
    journeys: tuple[str, ...] = ()
    verbs: float = 0.05
    """The share of runs that are paused and resumed, or cancelled."""
    failpoint: str = ""
    plant: str = ""
    lease: float = 0.0
    beat: float = 1.0
    shared_signals: bool = False
    """Send every signal to runs of other processes too."""
    drain: float = 2.0
    clock_ahead: float = 0.0
    pages: int = 0
    """How many pages the store may have; zero for as many as the disk takes."""


def live(orders: Orders, line: Connection) -> None:
    """The life of a city process, until it is killed, or told to close."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if str(CITY) not in realms.__path__:
        realms.__path__.append(str(CITY))
    logger.remove()
    group_commit._AGAIN_SECONDS = 0.2
    ledger = LedgerLine(orders.ledger)
    WITNESS.tell = ledger.tell
    WITNESS.longest_wait = 0.004
    with contextlib.ExitStack() as stack:
        if (orders.folder / store.DATABASE).exists():
            stack.enter_context(store.hooked(store.note_writers(os.getpid())))
        if orders.pages:
            stack.enter_context(store.hooked(_few_pages(orders.pages)))
        if orders.plant:
            stack.enter_context(planted.planted(orders.plant))
        if orders.failpoint:
            failpoints.ask(failpoints.parsed(orders.failpoint))
        try:
            asyncio.run(_City(orders, line, ledger).live())
        except PlatformError as error:
            with suppress(OSError):
                line.send(f"refused: {error}")


def _few_pages(pages: int) -> Callable[[Any], None]:
    def on_open(connection: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    return on_open


class _City:
    """One city and its clients."""

    def __init__(self, orders: Orders, line: Connection, ledger: LedgerLine) -> None:
        self._orders = orders
        self._line = line
        self._ledger = ledger
        self._random = random.Random(orders.seed)
        self._rests = asyncio.Event()
        self._closes = asyncio.Event()
        self._ahead = orders.clock_ahead
        self._mine: set[str] = set()

    async def live(self) -> None:
        orders = self._orders
        self._set_clock()
        settings = Settings(
            data_dir=orders.folder,
            journey_lease_seconds=orders.lease,
            journey_beat_seconds=orders.beat,
            drain_seconds=orders.drain,
        )
        async with AsyncExitStack() as stack:
            city = await stack.enter_async_context(Platform(settings))
            get = city.registry.get
            self._journal = get(Journal)
            self._driver = get(Driver)
            self._client = Client(
                get(Journeys),
                self._driver,
                self._journal,
                self._ledger.tell,
            )
            asyncio.get_running_loop().add_reader(self._line.fileno(), self._heard)
            self._line.send("open")
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(n)) for n in range(orders.clients)]
                tasks += [group.create_task(self._serve()), group.create_task(self._watch())]
                await self._closes.wait()
                for task in tasks:
                    task.cancel()
            asyncio.get_running_loop().remove_reader(self._line.fileno())
        self._line.send("closed")

    # clients

    async def _ask(self, number: int) -> None:
        """One client after the other, until it is time to rest."""
        count = 0
        journeys = self._orders.journeys
        while not self._rests.is_set():
            count += 1
            template = journeys[self._random.randrange(len(journeys))]
            order = f"{self._orders.name}-{number}-{count}"
            try:
                run_id = await self._client.ask_for(template, order)
                self._mine.add(order)
                if self._random.random() < self._orders.verbs:
                    await self._client.meddle(run_id, order, self._random)
                else:
                    await self._client.watch(run_id, seconds=0.5)
            except PlatformError:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _serve(self) -> None:
        """Send the signals and answers that runs wait for, and resume those that are paused."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(PlatformError):
                await self._client.serve_all(
                    by=self._orders.name if self._orders.shared_signals else "",
                    resume=self._rests.is_set(),
                )

    async def _watch(self) -> None:
        """Say when nothing is under way any more.

        It is looked twice: a run that begins to move between one status and the next escapes once.
        """
        await self._rests.wait()
        still = 0
        while still < _STILL:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(PlatformError):
                still = 0 if await self._under_way() else still + 1
        self._line.send(QUIET)

    async def _under_way(self) -> bool:
        for status in _OPEN:
            wanted = RunFilter(TENANT, status=status)
            for row in await self._journal.page(wanted, limit=500):
                far = row.wake_at is not None and row.wake_at - self._now() > _FAR
                if row.reason != "ambiguous" and not far:  # the referee judges what is far off
                    return True
        return False

    # what the trial says

    def _heard(self) -> None:
        try:
            match self._line.recv():
                case float(ahead):
                    self._ahead = ahead
                case "rest":
                    self._rests.set()
                case _:
                    self._rests.set()
                    self._closes.set()
        except EOFError:
            os.kill(os.getpid(), signal.SIGKILL)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=self._ahead)

    def _set_clock(self) -> None:
        setattr(SystemClock, "now", lambda _clock: self._now())  # noqa: B010 - the clock of this process jumps
