"""What people do to runs: each verb applied through the driver, durable, and told in the log.

The fact is the audit: it names who did it, and stands in the run's journal as long as the run. What
was refused leaves a warning in the log, with the same fields.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from loguru import logger

from realms.journey.api import JourneyRun, MigrationReport, Reason, RunStatus, UnknownRun
from realms.journey.control import forking, migrating, questions, reopening, verbs, views
from realms.journey.control.verbs import By, NotAllowed, Verb
from realms.journey.engine.accepting import Accepting, Order
from realms.journey.engine.driver import Driver
from realms.journey.engine.facts import (
    AnswerRefused,
    Fact,
    MilestoneCancelled,
    MilestoneSucceeded,
    RunEnded,
)
from realms.journey.engine.hands import Hand
from realms.journey.engine.inputs import check_arguments
from realms.journey.engine.journal import Journal, RunRow
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import NotOpen, TemplateSource, Unreadable, Written
from realms.journey.engine.reading import folded
from realms.journey.engine.requesting import Requesting, by_its_holder
from realms.journey.engine.runner import Services
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Call, Plan
from utilities.clock import Clock
from utilities.context import current
from utilities.errors import PlatformError
from utilities.ids import Ids

Decided = Callable[[Hand, By], Sequence[Fact]]
Unfit = Callable[[RunState, By], Sequence[Fact]]


class JourneyOperators:
    """The verbs, for the caller's tenant: a run of another is not found."""

    def __init__(
        self,
        *,
        journal: Journal,
        driver: Driver,
        accepting: Accepting,
        templates: TemplateSource,
        services: Services,
        payloads: Payloads,
        requesting: Requesting,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._journal = journal
        self._driver = driver
        self._accepting = accepting
        self._templates = templates
        self._services = services
        self._payloads = payloads
        self._requesting = requesting
        self._clock = clock
        self._ids = ids

    async def run_called(self, id_or_alias: str) -> str:
        return (await self._row(id_or_alias)).run_id

    # a run as a whole

    @by_its_holder
    async def pause(self, run_id: str) -> JourneyRun:
        return await self._do(Verb.PAUSE, run_id, lambda hand, by: verbs.pause(hand.run, by))

    @by_its_holder
    async def resume(self, run_id: str) -> JourneyRun:
        return await self._do(
            Verb.RESUME, run_id, lambda hand, by: verbs.resume(hand.plan, hand.run, by)
        )

    @by_its_holder
    async def cancel(self, run_id: str, *, note: str = "") -> JourneyRun:
        """Cancel a run and the journeys that it waits for."""
        return await self._do(
            Verb.CANCEL,
            run_id,
            lambda hand, by: verbs.cancel(hand.run, by, note=note),
            unfit=lambda run, by: _cancelled(run, by, note),
        )

    @by_its_holder
    async def signal(
        self, run_id: str, *, name: str, signal_id: str, data: Mapping[str, Any]
    ) -> JourneyRun:
        """Hand a signal to a run; one without an id of its own counts as new each time."""
        given = signal_id or current().idempotency_key or self._ids.new()
        return await self._do(
            Verb.SIGNAL,
            run_id,
            lambda hand, by: verbs.signal(
                hand.plan, hand.run, by, name=name, signal_id=given, data=data
            ),
        )

    @by_its_holder
    async def settle(self, run_id: str, *, note: str = "", settled_by: str = "") -> JourneyRun:
        """Take a failed run from the dead letters; `settled_by` is a run of the same tenant."""
        instead = (await self._row(settled_by)).run_id if settled_by else ""

        def settled(run: RunState, by: By) -> Sequence[Fact]:
            return verbs.settle(run, by, note=note, settled_by=instead)

        return await self._do(
            Verb.SETTLE, run_id, lambda hand, by: settled(hand.run, by), unfit=settled
        )

    # milestones

    @by_its_holder
    async def retry(
        self,
        run_id: str,
        *,
        milestone_id: str = "",
        arguments: Mapping[str, Any] | None = None,
        verb: Verb = Verb.RETRY,
    ) -> JourneyRun:
        """Try again what failed: a milestone, or all; journeys that it waited for go on first."""

        async def retried(hand: Hand, by: By) -> None:
            def facts(anew: Collection[str] = ()) -> Sequence[Fact]:
                verbs.check(verb, hand.run)
                return reopening.retry(
                    hand.plan, hand.run, by, path=milestone_id, arguments=arguments, anew=anew
                )

            facts()  # nothing else is touched when this is refused
            if arguments is None:
                anew = await self._children_retried(hand, by, milestone_id)
                await self._driver.take(hand, facts(anew))
            else:
                self._check_arguments(hand, milestone_id, arguments)
                await self._driver.take(hand, facts())

        return await self._with(verb, run_id, retried)

    @by_its_holder
    async def skip(self, run_id: str, *, milestone_id: str, result: Any) -> JourneyRun:
        """Give the result that a milestone would have had; a journey it waits for is cancelled."""
        return await self._do(
            Verb.SKIP,
            run_id,
            lambda hand, by: reopening.supply(
                hand.plan, hand.run, by, path=milestone_id, result=result
            ),
        )

    @by_its_holder
    async def rerun(self, run_id: str, *, milestone_id: str, note: str = "") -> JourneyRun:
        """Do a milestone and what follows anew."""
        return await self._do(
            Verb.RERUN,
            run_id,
            lambda hand, by: reopening.rerun(hand.plan, hand.run, by, path=milestone_id, note=note),
        )

    @by_its_holder
    async def roll_back(self, run_id: str, *, to: str = "") -> JourneyRun:
        """Undo what the run did, or what came after the milestone `to`."""
        return await self._do(
            Verb.ROLL_BACK,
            run_id,
            lambda hand, by: reopening.roll_back(hand.plan, hand.run, by, to=to),
        )

    # people

    @by_its_holder
    async def answer(self, run_id: str, *, wait_id: str, answer: Mapping[str, Any]) -> JourneyRun:
        """Answer a question of a run.

        Raises:
            InvalidAnswer: it does not fit the form; the question is open as before.
        """

        async def answered(hand: Hand, by: By) -> None:
            facts = questions.answer(hand.plan, hand.run, by, wait_id=wait_id, given=answer)
            await self._driver.take(hand, facts)
            for fact in facts:
                if isinstance(fact, AnswerRefused):
                    raise questions.invalid(fact, asked=fact.path)

        return await self._with(Verb.ANSWER, run_id, answered)

    @by_its_holder
    async def push_back(self, run_id: str, *, wait_id: str, note: str = "") -> JourneyRun:
        """Answer a question by having the run go back to where its template says."""
        return await self._do(
            Verb.ANSWER,
            run_id,
            lambda hand, by: reopening.push_back(
                hand.plan, hand.run, by, wait_id=wait_id, note=note
            ),
        )

    # other runs, other texts

    @by_its_holder
    async def fork(
        self,
        run_id: str,
        *,
        milestone_id: str = "",
        changes: Mapping[str, Any] | None = None,
        alias: str = "",
    ) -> JourneyRun:
        """Begin a run with this one's input, and what it reached before `milestone_id`."""

        async def forked(hand: Hand, by: By) -> JourneyRun:
            taken = forking.taken_over(hand.plan, hand.run, by, path=milestone_id)
            text = await self._journal.pinned_text(hand.run.template_hash)
            order = self._order(hand.run, changes or {}, alias=alias)
            more = [await self._spilled(fact, order.run_id) for fact in taken]
            new = await self._accepting.accept(Written(hand.plan, text), order, more=tuple(more))
            return views.full(new.row, new.run, new.plan)

        return await self._with(Verb.FORK, run_id, forked)

    @by_its_holder
    async def migrate(
        self, run_id: str, *, version: str = "", dry_run: bool = True
    ) -> MigrationReport:
        """Let a run go on by its journey's text as it is now, or in a version; first dry.

        Raises:
            CannotMigrate: with everything that does not fit, unless it was a dry run.
        """
        row = await self._row(run_id)
        written = await self._templates.current(row.template, version)
        new = written.plan
        pins = {} if dry_run else await self._accepting.pinned(written)
        found: list[migrating.Migration] = []

        def looked(old: Plan | None, run: RunState, by: By) -> Sequence[Fact]:
            migrating.check_movable(new, run)
            found.append(migrating.look(old, new, run))
            return () if dry_run else migrating.migrate(old, new, run, by, pins=pins)

        def moved(hand: Hand, by: By) -> Sequence[Fact]:
            facts = looked(hand.plan, hand.run, by)
            if facts:
                hand.plan = new
            return facts

        run = await self._do(
            Verb.MIGRATE, row.run_id, moved, unfit=lambda run, by: looked(None, run, by)
        )
        return views.migration(found[0], run.run_id, new, dry_run=dry_run)

    def audit(self, verb: Verb, run_id: str, outcome: str, *, level: str = "INFO") -> None:
        """Leave a line that tells who did what to which run, or was refused it."""
        context = current()
        logger.bind(
            audit=verb.value,
            run=run_id,
            outcome=outcome,
            principal=context.user.principal,
            tenant=context.tenant,
            trace_id=context.trace_id,
        ).log(level, "{} of run {} by {}: {}", verb.value, run_id, context.user.principal, outcome)

    # helpers

    async def _do(
        self, verb: Verb, run_id: str, decide: Decided, *, unfit: Unfit | None = None
    ) -> JourneyRun:
        """Take the facts of a verb, and cancel journeys that the run waits for no more."""

        async def done(hand: Hand, by: By) -> None:
            waited = _children(hand.run)
            await self._driver.take(hand, decide(hand, by))
            for child in sorted(waited - _children(hand.run)):
                await self._stop(child)

        return await self._with(verb, run_id, done, unfit=unfit)

    async def _with(
        self,
        verb: Verb,
        run_id: str,
        work: Callable[[Hand, By], Awaitable[JourneyRun | None]],
        *,
        unfit: Unfit | None = None,
    ) -> JourneyRun:
        """Do something to a run in hand, to its end even if the caller goes away."""
        try:
            row = await self._row(run_id)
            run = await self._driver.finish(self._worked(row.run_id, work, unfit))
        except PlatformError as error:
            self.audit(verb, run_id, f"refused ({error.code})", level="WARNING")
            raise
        self.audit(verb, run_id, "done")
        return run

    async def _worked(
        self,
        run_id: str,
        work: Callable[[Hand, By], Awaitable[JourneyRun | None]],
        unfit: Unfit | None,
    ) -> JourneyRun:
        if not self._driver.open:
            raise NotOpen("nothing is done to runs any more", hint="try again in a moment")
        by = self._by()
        try:
            async with self._driver.holding(run_id) as hand:
                given = await work(hand, by)
                row = RunRow.of(hand.run, holder=hand.row.holder)
                return given or views.full(row, hand.run, hand.plan)
        except Unreadable:
            if unfit is None:
                raise
        run = await self._driver.take_unfit(run_id, lambda run: unfit(run, by))
        await self._driver.advance(run_id)
        return views.full(RunRow.of(run, holder=0), run, None)

    def _by(self) -> By:
        user = current().user
        return By(user.principal, self._clock.now(), user.roles)

    async def _row(self, id_or_alias: str) -> RunRow:
        row = await self._journal.find(current().tenant, id_or_alias)
        if row is None:
            raise UnknownRun(
                f'no run is called "{id_or_alias}"', hint="GET /api/journey/runs lists"
            )
        return row

    def _order(self, run: RunState, changes: Mapping[str, Any], *, alias: str) -> Order:
        context = current()
        return Order(
            run_id=self._ids.new(),
            values=forking.forked_input(run, changes),
            user=context.user,
            trace_id=context.trace_id,
            alias=alias,
            forked_from=run.run_id,
        )

    async def _spilled(self, fact: MilestoneSucceeded, run_id: str) -> MilestoneSucceeded:
        """A result for a run of its own, so that it outlives the run it comes from."""
        kept = await self._payloads.spill(fact.output, run_id=run_id, name=fact.path)
        return MilestoneSucceeded(at=fact.at, path=fact.path, output=fact.output, spilled=kept)

    async def _stop(self, child: str) -> None:
        assert self._driver.children is not None
        await self._driver.children.stop(child, Reason.OPERATOR)

    async def _children_retried(self, hand: Hand, by: By, path: str) -> set[str]:
        """Let the failed journeys that failed milestones waited for go on.

        Answers the paths that need another journey, because theirs cannot.
        """
        states = [
            state
            for state in hand.run.nodes.values()
            if state.child and state.status is RunStatus.FAILED and path in {"", state.node}
        ]
        anew: set[str] = set()
        for state in states:
            stored = (await self._journal.load([state.child])).get(state.child)
            ended = folded(stored).ended if stored else RunStatus.CANCELLED
            if ended is RunStatus.FAILED and await self._retried(state.child, by):
                continue
            if ended is not None and ended is not RunStatus.SUCCEEDED:
                anew.add(state.path)
        return anew

    async def _retried(self, run_id: str, by: By) -> bool:
        try:
            async with self._driver.holding(run_id) as hand:
                anew = await self._children_retried(hand, by, "")
                facts = reopening.retry(hand.plan, hand.run, by, anew=anew)
                await self._driver.take(hand, facts)
        except (NotAllowed, Unreadable):
            return False
        return True

    def _check_arguments(self, hand: Hand, path: str, arguments: Mapping[str, Any]) -> None:
        """Refuse input that the API of a milestone does not take.

        Raises:
            InvalidInput: with everything that is wrong.
        """
        node = hand.plan.nodes.get(path.partition("[")[0])
        if node is None or not isinstance(work := node.work, Call):
            return
        check_arguments(self._services.signature(work.service, work.api), arguments)


def _children(run: RunState) -> set[str]:
    """Journeys that the run waits for at the moment."""
    return {s.child for s in run.active.values() if s.reason is Reason.JOURNEY and s.child}


def _cancelled(run: RunState, by: By, note: str) -> Sequence[Fact]:
    """A run that nothing can be decided about is cancelled as it stands, without its `finally`."""
    facts = verbs.cancel(run, by, note=note)
    if not facts:
        return ()
    cut = [MilestoneCancelled(at=by.at, path=p, reason=Reason.OPERATOR) for p in run.active]
    ended = RunEnded(at=by.at, status=RunStatus.CANCELLED, reason=Reason.OPERATOR)
    return (*facts, *cut, ended)
