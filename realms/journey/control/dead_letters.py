"""Runs that failed, kept until somebody settles them: looked through, and replayed at a rate."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from loguru import logger

from foundations.boot import Works
from realms.journey.api import (
    DeadLetter,
    DeadLetterPage,
    Reason,
    Replaying,
    ReplayReport,
    RunStatus,
)
from realms.journey.control import views
from realms.journey.control.engine import JourneyEngine
from realms.journey.control.operators import JourneyOperators
from realms.journey.control.verbs import Verb
from realms.journey.engine import scope
from realms.journey.engine.codec import CorruptFact
from realms.journey.engine.driver import Driver
from realms.journey.engine.journal import Journal, RunFilter, RunRow, Stored
from realms.journey.engine.ports import NotOpen
from realms.journey.engine.reading import folded
from realms.journey.engine.state import CorruptJournal
from smart_city.data_steward.api import DataSteward
from utilities.context import current
from utilities.errors import PlatformError

MOST_LOOKED_AT = 10_000
"""So many dead letters are looked at for one answer; the cursor leads on."""
MOST_REPLAYED = 1000
_PAGE = 200
_SETTLED_WITHIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dead letters are meant; what is left out does not narrow."""

    template: str = ""
    reason: Reason | None = None
    since: datetime | None = None
    """Failed then or later."""
    error: str = ""
    """Part of the error's code or detail, as who asks is shown them."""


@dataclass(slots=True)
class _Progress:
    tenant: str
    chosen: int
    begun: int = 0
    refused: int = 0


class DeadLetters(Works):
    """The inbox. A replay that a stop cuts short leaves what it did not come to in the inbox."""

    def __init__(
        self,
        *,
        journal: Journal,
        driver: Driver,
        engine: JourneyEngine,
        operators: JourneyOperators,
        data: DataSteward,
    ) -> None:
        self._journal = journal
        self._driver = driver
        self._engine = engine
        self._operators = operators
        self._data = data
        self._tasks: asyncio.TaskGroup | None = None
        self._replays: list[_Progress] = []
        self._running: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Replay inside the block. At its end what is begun goes on, and nothing more begins."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                for task in self._running:
                    task.cancel()

    async def page(self, wanted: Wanted, *, cursor: str = "", limit: int = 50) -> DeadLetterPage:
        """Dead letters, newest first. One whose replay has succeeded is settled by it, here."""
        found, more = await self._found(wanted, cursor=cursor, limit=limit)
        tenant = current().tenant
        return DeadLetterPage(
            dead_letters=tuple(found),
            next_cursor=more,
            replaying=tuple(
                Replaying(chosen=p.chosen, begun=p.begun, refused=p.refused)
                for p in self._replays
                if p.tenant == tenant
            ),
        )

    async def replay(
        self, wanted: Wanted, *, limit: int, per_second: float, anew: bool, dry_run: bool
    ) -> ReplayReport:
        """Choose dead letters, the newest first, and replay them one after the other at a rate.

        A replay tries again what failed in the same run; with `anew` it begins another run with
        the same input, by the template as it is now, whose success settles the one that failed.

        Raises:
            NotOpen: the city is closing.
        """
        found, _ = await self._found(wanted, cursor="", limit=limit)
        if not dry_run:
            if self._tasks is None:
                raise NotOpen("nothing is replayed any more", hint="try again in a moment")
            progress = _Progress(current().tenant, len(found))
            self._replays.append(progress)
            work = self._guarded(found, progress, 1 / per_second, anew=anew)
            task = self._tasks.create_task(work)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return ReplayReport(
            dry_run=dry_run,
            anew=anew,
            per_second=per_second,
            chosen=len(found),
            dead_letters=tuple(found),
        )

    async def _found(
        self, wanted: Wanted, *, cursor: str, limit: int
    ) -> tuple[list[DeadLetter], str]:
        tenant = current().tenant
        shown = self._data.masking().text  # else it could be guessed what is hidden
        narrow = RunFilter(tenant, reason=wanted.reason, template=wanted.template, dead=True)
        found: list[DeadLetter] = []
        for _ in range(MOST_LOOKED_AT // _PAGE):
            rows = await self._journal.page(narrow, before=cursor, limit=_PAGE)
            stored = await self._journal.load([row.run_id for row in rows])
            for row in rows:
                if len(found) == limit:
                    return found, cursor
                cursor = row.run_id
                replays = await self._replays_of(row)
                if await self._settled(row.run_id, replays):
                    continue  # a crash had come before that
                letter = await self._letter(row, stored[row.run_id], replays)
                if _fits(letter, wanted, shown):
                    found.append(letter)
            if len(rows) < _PAGE:
                return found, ""
        return found, cursor

    async def _letter(self, row: RunRow, stored: Stored, replays: Sequence[RunRow]) -> DeadLetter:
        shown = views.summary(row).model_dump()
        try:
            run = folded(stored)
        except (CorruptFact, CorruptJournal):
            return DeadLetter(**shown, error=views.unreadable(row).error)
        try:
            plan = await self._driver.plan(run)
            failed = [state.path for state in scope.failures(plan, run)]
        except PlatformError:  # its text fits no longer
            failed = [s.path for s in run.nodes.values() if s.status is RunStatus.FAILED]
        return DeadLetter(
            **shown,
            principal=run.start.principal,
            error=run.error,
            failed=tuple(failed),
            replays=tuple(replay.run_id for replay in replays),
        )

    async def _replays_of(self, row: RunRow) -> list[RunRow]:
        """The runs that were begun in place of one, the oldest first."""
        found: list[RunRow] = []
        alias = f"replay_{row.run_id}"
        while replay := await self._journal.find(
            row.tenant, alias if not found else f"{alias}_{len(found) + 1}"
        ):
            found.append(replay)
        return [replay for replay in found if replay.template == row.template]

    async def _settled(self, run_id: str, replays: Sequence[RunRow]) -> bool:
        """Settle a dead letter of which a replay has succeeded."""
        for replay in replays:
            if replay.status is RunStatus.SUCCEEDED:
                if self._driver.open:
                    with suppress(PlatformError):  # whoever looks next does it
                        note = "replayed"
                        await self._operators.settle(run_id, note=note, settled_by=replay.run_id)
                return True
        return False

    async def _guarded(
        self, letters: Sequence[DeadLetter], progress: _Progress, apart: float, *, anew: bool
    ) -> None:
        try:
            try:
                await self._replayed(letters, progress, apart, anew=anew)
            finally:
                self._replays.remove(progress)
            if anew:
                await self._see_to(letters)
        except Exception:  # noqa: BLE001 - the edge of a task: a fault in it must not end the city
            logger.exception("a replay of {} dead letters was given up", len(letters))

    async def _replayed(
        self, letters: Sequence[DeadLetter], progress: _Progress, apart: float, *, anew: bool
    ) -> None:
        for letter in letters:
            try:
                await (self._begun_anew(letter) if anew else self._retried(letter))
            except PlatformError as error:
                logger.warning("{} is not replayed: {}", letter.run_id, error.detail)
                progress.refused += 1
            else:
                progress.begun += 1
            if letter is not letters[-1]:
                await asyncio.sleep(apart)
        logger.info(
            "{} of {} dead letters were replayed, {} refused",
            progress.begun,
            progress.chosen,
            progress.refused,
        )

    async def _retried(self, letter: DeadLetter) -> None:
        await self._operators.retry(letter.run_id, verb=Verb.REPLAY)

    async def _begun_anew(self, letter: DeadLetter) -> None:
        before = await self._engine.get(letter.run_id)
        for run_id in letter.replays:
            if not (await self._engine.get(run_id)).status.ended:
                return  # it is on its way
        await self._engine.start(
            letter.template,
            before.input,
            alias=f"replay_{letter.run_id}",
            rerun=bool(letter.replays),
        )
        self._operators.audit(Verb.REPLAY, letter.run_id, "begun anew")

    async def _see_to(self, letters: Sequence[DeadLetter]) -> None:
        """Settle what was replayed with success, as soon as that is known."""
        for letter in letters:
            row = await self._journal.find(current().tenant, letter.run_id)
            if row is None or row.settled:
                continue
            for replay in await self._replays_of(row):
                await self._engine.wait(replay.run_id, seconds=_SETTLED_WITHIN_SECONDS)
            await self._settled(letter.run_id, await self._replays_of(row))


def _fits(letter: DeadLetter, wanted: Wanted, shown: Callable[[str], str]) -> bool:
    if wanted.since is not None and letter.updated_at < wanted.since:
        return False
    error = letter.error
    told = f"{error.code} {shown(error.detail)}" if error and wanted.error else ""
    return wanted.error.casefold() in told.casefold()
