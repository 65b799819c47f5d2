"""Clients of a city under trial: they ask, and note what they were told."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from realms.journey.api import Journeys, Reason, RunStatus
from realms.journey.control import questions, verbs
from realms.journey.control.questions import open_questions
from realms.journey.control.verbs import By
from realms.journey.engine.driver import Driver
from realms.journey.engine.journal import Journal, RunFilter
from tests.chaos.witness import WITNESS, Note
from utilities.context import CallContext, UserContext, bound
from utilities.errors import PlatformError

TENANT = "trial"
_USER = UserContext(tenant=TENANT, principal="ada", roles=("owner",))
SIGNALS = ("come", "again")
ASKING = ("trial_ask", "review_file")
_CANCELLED = 0.3


class Client:
    """One client inside the process; what it was told is noted outside."""

    def __init__(
        self, engine: Journeys, driver: Driver, journal: Journal, tell: Callable[[Note], None]
    ) -> None:
        self._engine = engine
        self._driver = driver
        self._journal = journal
        self._tell = tell

    async def ask_for(self, template: str, order: str) -> str:
        """Start a run, under its order as the alias.

        Raises:
            PlatformError: it was not accepted.
        """
        with self._bound():
            try:
                run = await self._engine.start(template, values(template, order), alias=order)
            except PlatformError as error:
                self._told("run", order, answer="failed", why=error.code)
                raise
        self._told("run", order, answer="ok", run_id=run.run_id)
        return run.run_id

    async def serve(self, template: str, order: str) -> bool:
        """Send what the run waits for; whether there was anything to send."""
        served = False
        if template == "trial_signal":
            for name in SIGNALS:
                served |= await self.signal(order, name)
        if template in {"trial_ask", "review_file"}:
            served |= await self.answer(order)
        return served

    async def signal(self, order: str, name: str, *, by: str = "") -> bool:
        """Send a signal once; the same id again changes nothing."""
        row = await self._journal.find(TENANT, order)
        if row is None or row.status.ended:
            return False
        wanted = {"signal": name, "id": f"{order} {name} {by}"}
        try:
            async with self._driver.holding(row.run_id) as hand:
                if wanted["id"] in hand.run.signal_ids or hand.run.ended is not None:
                    return False
                await asyncio.sleep(random.uniform(0, WITNESS.longest_wait))
                facts = verbs.signal(
                    hand.plan,
                    hand.run,
                    self._by(),
                    name=name,
                    signal_id=wanted["id"],
                    data={"n": 1},
                )
                await self._driver.take(hand, facts)
        except PlatformError as error:
            self._told(
                "signal",
                order,
                answer="failed",
                run_id=row.run_id,
                why=error.code,
                detail=error.detail,
            )
            raise
        self._told("signal", order, answer="ok", run_id=row.run_id, id=wanted["id"])
        return True

    async def answer(self, order: str) -> bool:
        """Answer the open question of a run."""
        row = await self._journal.find(TENANT, order)
        if row is None or row.status.ended:
            return False
        async with self._driver.holding(row.run_id) as hand:
            asked = open_questions(hand.plan, hand.run)
            if not asked:
                return False
            facts = questions.answer(
                hand.plan, hand.run, self._by(), wait_id=asked[0].wait_id, given={"approve": True}
            )
            await self._driver.take(hand, facts)
        self._told("answer", order, answer="ok", run_id=row.run_id)
        return True

    async def meddle(self, run_id: str, order: str, chance: random.Random) -> None:
        """Pause and resume a run, or cancel it.

        Raises:
            PlatformError: it was not to be done.
        """
        cancels = chance.random() < _CANCELLED
        async with self._driver.holding(run_id) as hand:
            verb = verbs.cancel if cancels else verbs.pause
            if facts := verb(hand.run, self._by()):
                await self._driver.take(hand, facts)
        self._told("cancel" if cancels else "pause", order, answer="ok", run_id=run_id)
        if not cancels:
            await asyncio.sleep(chance.uniform(0, 0.02))
            await self._resume(run_id)

    async def watch(self, run_id: str, *, seconds: float) -> None:
        """Wait for a run, as clients do."""
        with self._bound():
            await self._engine.wait(run_id, seconds=seconds)

    async def serve_all(self, *, by: str = "", resume: bool = False) -> None:
        """Send what any run waits for; resume what is paused, if asked to.

        Each signal has the name of its sender in its id, so that two senders send two.
        """
        waiting = await self._journal.page(RunFilter(TENANT, status=RunStatus.WAITING), limit=500)
        signalled = [row for row in waiting if row.template == "trial_signal"]
        for name in SIGNALS:  # all at once, so that senders in two processes meet
            sent = (self.signal(row.alias, name, by=by) for row in signalled)
            await asyncio.gather(*sent, return_exceptions=True)
        for row in waiting:
            if row.reason is Reason.PERSON:
                with suppress(PlatformError):
                    await self.answer(row.alias)
        if resume:
            paused = RunFilter(TENANT, status=RunStatus.PAUSED)
            for row in await self._journal.page(paused, limit=500):
                with suppress(PlatformError):
                    await self._resume(row.run_id)

    async def done(self, order: str) -> bool:
        """Whether its run has ended."""
        row = await self._journal.find(TENANT, order)
        return row is not None and row.status.ended

    async def _resume(self, run_id: str) -> None:
        async with self._driver.holding(run_id) as hand:
            await self._driver.take(hand, verbs.resume(hand.plan, hand.run, self._by()))

    def _told(self, asked: str, order: str, **said: Any) -> None:
        self._tell({"what": "told", "asked": asked, "order": order, **said})

    def _bound(self) -> Any:
        return bound(CallContext("trace-of-the-trial", _USER))

    def _by(self) -> By:
        return By("ada", datetime.now(UTC), ("owner",))


def values(template: str, order: str) -> dict[str, Any]:
    """The input of a run of a trial journey, or of one that is shipped."""
    match template:
        case "trial_fan":
            return {"order": order, "rows": [3, 1, 2, 5]}
        case "trial_lane":
            return {"order": order, "kind": "one"}
        case "data_mash_flow" | "review_file":
            return {"file_id": order}
        case _:
            return {"order": order}
