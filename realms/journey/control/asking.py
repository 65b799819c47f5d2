"""What people are asked at the moment, over all runs of a tenant."""

from realms.journey.api import Question, QuestionPage, Reason, RunStatus
from realms.journey.control import views
from realms.journey.control.questions import open_questions
from realms.journey.control.verbs import By
from realms.journey.engine.codec import CorruptFact
from realms.journey.engine.driver import Driver
from realms.journey.engine.journal import Journal, RunFilter, RunRow, Stored
from realms.journey.engine.reading import folded
from realms.journey.engine.state import CorruptJournal
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import PlatformError

_MAY_ASK = (
    (RunStatus.WAITING, Reason.PERSON),
    (RunStatus.WAITING, Reason.AMBIGUOUS),
    (RunStatus.PAUSED, None),
    (RunStatus.RUNNING, None),
)
"""Runs in these states may ask something; a reason that presses more may hide that they do."""


class Asking:
    """Finds open questions for those who may answer them."""

    def __init__(self, *, journal: Journal, driver: Driver, clock: Clock) -> None:
        self._journal = journal
        self._driver = driver
        self._clock = clock

    async def questions(self, *, limit: int, cursor: str = "") -> QuestionPage:
        """Questions of at most `limit` runs, the newest first, that the caller may answer."""
        rows = await self._rows(cursor, limit + 1)
        more = rows[limit - 1].run_id if len(rows) > limit else ""
        stored = await self._journal.load([row.run_id for row in rows[:limit]])
        found: list[Question] = []
        for row in rows[:limit]:
            found += await self._asked(stored[row.run_id])
        return QuestionPage(questions=tuple(found), next_cursor=more)

    async def _rows(self, cursor: str, limit: int) -> list[RunRow]:
        found: dict[str, RunRow] = {}
        for status, reason in _MAY_ASK:
            wanted = RunFilter(current().tenant, status=status, reason=reason)
            for row in await self._journal.page(wanted, before=cursor, limit=limit):
                found[row.run_id] = row
        return sorted(found.values(), key=lambda row: row.run_id, reverse=True)[:limit]

    async def _asked(self, stored: Stored) -> list[Question]:
        user = current().user
        by = By(user.principal, self._clock.now(), user.roles)
        try:
            run = folded(stored)
            plan = await self._driver.plan(run)
        except (CorruptFact, CorruptJournal, PlatformError):
            return []  # it asks nothing that could be answered
        return [views.question(run, q) for q in open_questions(plan, run) if q.may_answer(by)]
