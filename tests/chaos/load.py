"""Clients of a city of several processes, while things befall it; and whether it comes to rest."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from main import Platform
from realms.journey.api import Journeys, Reason, RunStatus
from realms.journey.engine.journal import Journal, RunFilter, RunRow
from realms.journey.operations import JourneyOperationsService
from tests.chaos.clients import ASKING, SIGNALS, TENANT, values
from tests.chaos.ledger import LedgerLine
from tests.chaos.small_city import trial_texts
from utilities.context import CallContext, UserContext
from utilities.errors import PlatformError

HEALS = 60.0
"""Seconds after which everything has to be done that can be."""
USER = CallContext(
    "trace-of-the-trial", UserContext(tenant=TENANT, principal="ada", roles=("owner",))
)
_FAR = timedelta(hours=5)
_OPEN = tuple(status for status in RunStatus if not status.ended)


class Load:
    """What clients ask of a city, which may be another one after a while."""

    def __init__(self, line: LedgerLine, chance: random.Random) -> None:
        self._line = line
        self._chance = chance
        self.rests = asyncio.Event()
        """Set when no more runs are to be asked for."""

    def take_up(self, city: Platform) -> None:
        """Ask this city from now on."""
        self._journeys = city.registry.get(Journeys)
        self._operations = city.registry.get(JourneyOperationsService)
        self._journal = city.registry.get(Journal)

    async def heal(self) -> float | None:
        """Wait until nothing is under way: so many seconds, or None if it came to no rest."""
        begun = time.monotonic()
        while await self.under_way() or await self.under_way():  # one may escape a look
            if time.monotonic() - begun > HEALS:
                return None
            await asyncio.sleep(0.1)
        return time.monotonic() - begun

    async def under_way(self) -> int:
        """How many runs are to be done yet, or 1 if that cannot be told."""
        try:
            return sum(not _far_off(row) for row in await self.open_runs())
        except PlatformError:
            return 1

    async def open_runs(self) -> Sequence[RunRow]:
        """Runs that have not ended, at most 500 of a status."""
        found: list[RunRow] = []
        for status in _OPEN:
            found += await self._journal.page(RunFilter(TENANT, status=status), limit=500)
        return found

    async def ask(self, name: str) -> None:
        """Be a client that asks for one run after the other."""
        count = 0
        while not self.rests.is_set():
            count += 1
            run_id = await self.begin(order := f"{name}-{count}")
            if not run_id:
                await asyncio.sleep(0.1)
                continue
            with suppress(PlatformError):
                if self._chance.random() < 0.05:
                    await self._meddle(run_id, order)
                await self._journeys.wait(run_id, seconds=0.5)

    async def begin(self, order: str) -> str:
        """Ask for a run of any journey; its id, or nothing if it was not accepted."""
        template = self._chance.choice(sorted(trial_texts()))
        try:
            run = await self._journeys.start(template, values(template, order), alias=order)
        except PlatformError as error:
            self._told("run", order, answer="failed", why=error.code)
            return ""
        self._told("run", order, answer="ok", run_id=run.run_id)
        return run.run_id

    async def _meddle(self, run_id: str, order: str) -> None:
        """Pause and resume a run, or cancel it."""
        if self._chance.random() < 0.3:
            await self._operations.cancel_run(run_id)
            self._told("cancel", order, answer="ok", run_id=run_id)
            return
        await self._operations.pause_run(run_id)
        self._told("pause", order, answer="ok", run_id=run_id)
        await self._operations.resume_run(run_id)

    async def serve(self) -> None:
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
            if self.rests.is_set():
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


def _far_off(row: RunRow) -> bool:
    """Whether it waits for a person to judge, or for a time that the trial does not see."""
    far = row.wake_at is not None and row.wake_at - datetime.now(UTC) > _FAR
    return row.reason is Reason.AMBIGUOUS or far
