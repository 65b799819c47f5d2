"""What people do to runs, for those outside: every verb, questions, and the dead letters."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from foundations.declarations import Effect, service, soa_api
from realms.journey.api import (
    DeadLetterPage,
    JourneyRun,
    MigrationReport,
    QuestionPage,
    Reason,
    ReplayReport,
)
from realms.journey.control.asking import Asking
from realms.journey.control.dead_letters import MOST_REPLAYED, DeadLetters, Wanted
from realms.journey.control.operators import JourneyOperators
from realms.journey.runs import Alias, Cursor, Limit, refuse_kept

Note = Annotated[str, Field(max_length=2000, description="why, for those who read it later")]
Name = Annotated[str, Field(max_length=300)]
SignalId = Annotated[
    str, Field(max_length=200, description="counts once in a run; empty for a new one each time")
]
ErrorPart = Annotated[str, Field(max_length=200, description="part of the error's code or detail")]
Rate = Annotated[float, Field(gt=0, le=1000, description="how many a second")]
Many = Annotated[int, Field(ge=1, le=MOST_REPLAYED, description="how many at most")]


@service
class JourneyOperationsService:
    """Pause, resume, cancel, retry, skip, rerun, roll back, signal, answer, fork, migrate, settle.

    Each is done, or refused with the reason; either way the log tells who asked for it, and what
    was done stands in the run's journal with its name. A run is named by its id or its alias.
    """

    def __init__(
        self, *, operators: JourneyOperators, asking: Asking, dead_letters: DeadLetters
    ) -> None:
        self._operators = operators
        self._asking = asking
        self._dead_letters = dead_letters

    @soa_api(public=True, effect=Effect.KEYED)
    async def pause_run(self, run_id: str) -> JourneyRun:
        """Begin nothing of a run any more; what is under way ends. A paused run stays paused.

        Raises:
            UnknownRun, NotAllowed: there is none, or it has ended.
        """
        return await self._operators.pause(run_id)

    @soa_api(public=True, effect=Effect.KEYED)
    async def resume_run(self, run_id: str) -> JourneyRun:
        """Let a paused run go on; nothing that completed is done again.

        Raises:
            UnknownRun, NotAllowed: there is none, or it is not paused, or it paused because of a
                failure, which is to be retried or skipped first.
        """
        return await self._operators.resume(run_id)

    @soa_api(public=True, effect=Effect.KEYED)
    async def cancel_run(self, run_id: str, note: Note = "") -> JourneyRun:
        """Cut what is under way, in the journeys that the run waits for too, and end it.

        Raises:
            UnknownRun, NotAllowed: there is none, or it has ended otherwise.
        """
        return await self._operators.cancel(run_id, note=note)

    @soa_api(public=True, effect=Effect.KEYED)
    async def retry_milestone(
        self,
        run_id: str,
        milestone_id: Name = "",
        input: dict[str, Any] | None = None,  # noqa: A002 - the word of the journey language
    ) -> JourneyRun:
        """Try again what failed: one milestone, or all; or at once what waits for its next attempt.

        What was skipped because of the failure is open again, and nothing that finished is done
        again. `input` gives parameters of the call in place of what the template binds to them.

        Raises:
            UnknownRun, UnknownMilestone, NotAllowed, InvalidInput: it cannot be tried again.
        """
        return await self._operators.retry(run_id, milestone_id=milestone_id, arguments=input)

    @soa_api(public=True, effect=Effect.KEYED)
    async def skip_milestone(
        self, run_id: str, milestone_id: Name, result: dict[str, Any] | list[dict[str, Any]]
    ) -> JourneyRun:
        """Skip a milestone that waits or has failed, with the result it would have had.

        Raises:
            UnknownRun, UnknownMilestone, NotOpenForResult, InvalidResult: it takes none, or not
                this one.
            NotYours: it is a question for people with another role.
        """
        return await self._operators.skip(run_id, milestone_id=milestone_id, result=result)

    @soa_api(public=True, effect=Effect.GUARDED)
    async def rerun_milestone(self, run_id: str, milestone_id: Name, note: Note = "") -> JourneyRun:
        """Do a milestone and all that follows from it anew, as a new generation with new keys.

        Raises:
            UnknownRun, UnknownMilestone, NotAllowed: it cannot be done anew.
        """
        return await self._operators.rerun(run_id, milestone_id=milestone_id, note=note)

    @soa_api(public=True, effect=Effect.KEYED)
    async def roll_back_run(self, run_id: str, to: Name = "") -> JourneyRun:
        """Undo what a run did, the last first: all of it, or what came after the milestone `to`.

        Raises:
            UnknownRun, UnknownMilestone, NotAllowed: nothing of it can be undone now.
        """
        return await self._operators.roll_back(run_id, to=to)

    @soa_api(public=True, effect=Effect.KEYED)
    async def signal_run(
        self,
        run_id: str,
        signal: Name,
        data: dict[str, Any] | None = None,
        id: SignalId = "",  # noqa: A002 - what senders call it
    ) -> JourneyRun:
        """Send a run a signal. One that comes early is kept; one with the same id counts once.

        Raises:
            UnknownRun, UnknownSignal, NotAllowed: nothing of it will ever take the signal.
        """
        return await self._operators.signal(run_id, name=signal, signal_id=id, data=data or {})

    @soa_api(public=True, effect=Effect.KEYED, asks_roles=True)
    async def answer_question(
        self, run_id: str, wait_id: Name, answer: dict[str, Any]
    ) -> JourneyRun:
        """Answer what a run asks; `wait_id` says which question, as it was told with it.

        Raises:
            UnknownRun, UnknownQuestion: there is none.
            NotAllowed: the question is over, or this person has answered otherwise.
            NotYours: the question is for people with another role.
            InvalidAnswer: it does not fit the form; the question is open as before.
        """
        return await self._operators.answer(run_id, wait_id=wait_id, answer=answer)

    @soa_api(public=True, effect=Effect.KEYED, asks_roles=True)
    async def push_back_question(self, run_id: str, wait_id: Name, note: Note = "") -> JourneyRun:
        """Answer a question by having the run go back to where its template says.

        Raises:
            UnknownRun, UnknownQuestion, NotAllowed, NotYours: as for an answer, or there is no way
                back.
        """
        return await self._operators.push_back(run_id, wait_id=wait_id, note=note)

    @soa_api(public=True)
    async def list_questions(self, limit: Limit = 50, cursor: Cursor = "") -> QuestionPage:
        """What runs of the tenant ask at the moment and the caller may answer."""
        return await self._asking.questions(limit=limit, cursor=cursor)

    @soa_api(public=True, effect=Effect.GUARDED)
    async def fork_run(
        self,
        run_id: str,
        milestone_id: Name = "",
        input: dict[str, Any] | None = None,  # noqa: A002 - the word of the journey language
        alias: Alias = "",
    ) -> JourneyRun:
        """Begin a run with this one's input, `input` changing some of it, and by the same text.

        It does `milestone_id` and what follows by itself, and takes over all other results;
        without a milestone it takes over none.

        Raises:
            UnknownRun, UnknownMilestone, InvalidInput, AliasTaken: it cannot be begun.
        """
        refuse_kept(alias)
        return await self._operators.fork(
            run_id, milestone_id=milestone_id, changes=input, alias=alias
        )

    @soa_api(public=True, effect=Effect.KEYED)
    async def migrate_run(
        self, run_id: str, version: Name = "", dry_run: bool = True
    ) -> MigrationReport:
        """Tell what becomes of a run by its journey's text of today, and without `dry_run` do it.

        Raises:
            UnknownRun, UnknownTemplate, NotAllowed, CannotMigrate: it is not possible.
        """
        return await self._operators.migrate(run_id, version=version, dry_run=dry_run)

    @soa_api(public=True, effect=Effect.KEYED)
    async def settle_run(self, run_id: str, note: Note = "", settled_by: Name = "") -> JourneyRun:
        """Take a failed run from the dead letters; `settled_by` is the run that did its work.

        Raises:
            UnknownRun, NotAllowed: there is none, or it has not failed, or is settled otherwise.
        """
        return await self._operators.settle(run_id, note=note, settled_by=settled_by)

    @soa_api(public=True)
    async def list_dead_letters(
        self,
        template: Name = "",
        reason: Reason | None = None,
        since: AwareDatetime | None = None,
        error: ErrorPart = "",
        limit: Limit = 50,
        cursor: Cursor = "",
    ) -> DeadLetterPage:
        """Runs that failed and that nobody has settled, newest first."""
        wanted = _wanted(template, reason, since, error)
        return await self._dead_letters.page(wanted, cursor=cursor, limit=limit)

    @soa_api(public=True, effect=Effect.KEYED)
    async def replay_dead_letters(
        self,
        template: Name = "",
        reason: Reason | None = None,
        since: AwareDatetime | None = None,
        error: ErrorPart = "",
        limit: Many = 100,
        per_second: Rate = 10.0,
        anew: bool = False,
        dry_run: bool = True,
    ) -> ReplayReport:
        """Tell which dead letters would be replayed, and without `dry_run` replay them at a rate.

        What failed is tried again in the same run; with `anew` another run begins with the same
        input by the template as it is now, and its success settles the one that failed.
        """
        return await self._dead_letters.replay(
            _wanted(template, reason, since, error),
            limit=limit,
            per_second=per_second,
            anew=anew,
            dry_run=dry_run,
        )


def _wanted(template: str, reason: Reason | None, since: datetime | None, error: str) -> Wanted:
    return Wanted(template=template, reason=reason, since=since, error=error)
