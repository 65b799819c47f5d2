"""Makes one attempt: does a milestone's work in the run's own context, and says what came of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from loguru import logger

from foundations.public_works.database import Writes, collecting
from foundations.public_works.secrets import Secrets
from realms.journey.api import Failure, Reason
from realms.journey.engine import core, scope
from realms.journey.engine.facts import (
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    Fact,
    IterationEnded,
    MilestoneSucceeded,
    MilestoneWaiting,
)
from realms.journey.engine.failpoints import reach
from realms.journey.engine.hands import Hand
from realms.journey.engine.journal import Journal, Memo, WritesRefused
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.state import NodeState
from realms.journey.plans.binding import Secret
from realms.journey.plans.plan import (
    AgentWork,
    Call,
    Emit,
    Memoize,
    Node,
    Signatures,
    SubJourney,
)
from utilities.clock import Clock
from utilities.context import CallContext, bound
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.distributed_tracing import DistributedTracing


class Steps(Protocol):
    """The durable steps inside an attempt: what was recorded is not done again."""

    async def once(self, name: str, work: Callable[[], Any]) -> Any:
        """What `work` gives, or gave in an earlier attempt; durable when this returns."""
        ...


class Services(Signatures, Protocol):
    """The services of the city: what they take, and a way to call them."""

    def call(
        self, service: str, api: str, arguments: Mapping[str, Any]
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Call an API; its answer as JSON-able data."""
        ...

    async def publish(self, event: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Publish an event, once for each idempotency key; `event_id` tells which it became."""
        ...

    async def delegate(
        self, agent: str, arguments: Mapping[str, Any], steps: Steps
    ) -> dict[str, Any]:
        """Let an agent work; each model and tool call is a durable step."""
        ...


class Beginner(Protocol):
    """Begins journeys for milestones of others."""

    async def begin(self, hand: Hand, state: NodeState, values: Mapping[str, Any]) -> str:
        """The run of the journey that a milestone waits for: begun, or as it was before."""
        ...


class Place(Protocol):
    """Where the call of one attempt is made."""

    async def call(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of the API, whoever asked it.

        Raises:
            FailedElsewhere, EndedElsewhere: another worker made the call, and it gave none.
        """
        ...


class Places(Protocol):
    """Finds where calls of a run are made of which several are under way."""

    async def place(
        self, hand: Hand, attempt: core.Perform, given: Mapping[str, Any]
    ) -> Place | None:
        """Wait until somebody has room for the call; None where it is made here like any other.

        Raises:
            CutBeforeCall: it was cut while it waited.
        """
        ...


class CutBeforeCall(asyncio.CancelledError):
    """An attempt was cut whose call nobody had begun to make."""


class FailedElsewhere(Exception):
    """A call that another worker made failed there."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class EndedElsewhere(Exception):
    """The worker that had taken a call ended, and the call with it."""

    def __init__(self, *, cut: bool, called: bool = True) -> None:
        super().__init__()
        self.cut = cut
        """Whether it was closing in good order, which is no crash."""
        self.called = called

    def fact(self, attempt: core.Perform, at: datetime) -> Fact:
        path, number = attempt.path, attempt.attempt
        if self.cut:
            return AttemptReleased(at=at, path=path, attempt=number, called=self.called)
        return AttemptLost(at=at, path=path, attempt=number)


class MilestoneTimedOut(PlatformError):
    """A milestone took longer than its timeout, or fell silent."""

    kind = ErrorKind.TIMEOUT


@dataclass(slots=True)
class Made:
    """What an attempt came to, and what is to be written along with it."""

    facts: tuple[Fact, ...]
    along: tuple[Writes, ...] = ()
    memos: tuple[Memo, ...] = ()


class StepBook(Protocol):
    """Where the durable steps of attempts are kept."""

    def steps(self, hand: Hand, path: str) -> Steps:
        """Those of one attempt."""
        ...


class Runner:
    """The engine's hand in the city."""

    def __init__(
        self,
        *,
        services: Services,
        journal: Journal,
        payloads: Payloads,
        secrets: Secrets,
        tracing: DistributedTracing,
        clock: Clock,
    ) -> None:
        self._services = services
        self._journal = journal
        self._payloads = payloads
        self._secrets = secrets
        self._tracing = tracing
        self._clock = clock
        self.beginner: Beginner | None = None
        self.places: Places | None = None
        """Where runs are shared with other workers."""

    async def perform(self, hand: Hand, attempt: core.Perform, book: StepBook) -> Made:
        """Do the work of one attempt, under the run's trace, user and idempotency key."""
        state = hand.run.nodes[attempt.path]
        node = hand.plan.nodes[state.node]
        try:
            if self._tracing.recording:
                with self._span(hand, node, attempt):
                    return await self._made(hand, node, state, attempt, book)
            alone = self.places is None or len(hand.tasks) == 1
            if node.plain and alone and attempt.path == state.node:
                return await self._called(hand, node, state, attempt)
            return await self._made(hand, node, state, attempt, book)
        except WritesRefused:
            raise  # those of a step: the driver goes on from what is durable
        except EndedElsewhere as ended:
            return Made((ended.fact(attempt, self._clock.now()),))
        except FailedElsewhere as failed:
            failure = failed.failure
        except BaseException as error:  # noqa: BLE001 - the engine's edge around a call: any failure is the run's, `sys.exit` too
            failure = _failure_by(_worker(node), error)
        _warn(hand, attempt, failure)
        fact = AttemptFailed(
            at=self._clock.now(), path=attempt.path, attempt=attempt.attempt, error=failure
        )
        return Made((fact,))

    async def _called(
        self, hand: Hand, node: Node, state: NodeState, attempt: core.Perform
    ) -> Made:
        """The short road of most milestones: one call with nothing around it."""
        work = node.work
        assert isinstance(work, Call)
        given = scope.arguments(hand.plan, hand.run, attempt.path)
        key = core.idempotency_key(hand.run, state)
        run = hand.run
        context = CallContext(run.start.trace_id, hand.user, key, None, run.run_id, attempt.path)
        with bound(context):
            output = await self._services.call(work.service, work.api, given)
            logger.debug("{} of {} has its result", attempt.path, hand.run.run_id)
        if not self._payloads.fits(output):
            spilled = await self._spilled(hand, attempt, output)
            return self._facts(hand, node, attempt, output, spilled=spilled)
        fact = core.completed(
            hand.plan,
            hand.run,
            node,
            attempt.path,
            output,
            self._clock.now(),
            attempt=attempt.attempt,
        )
        if isinstance(fact, AttemptFailed):
            _warn(hand, attempt, fact.error)
        return Made((fact,))

    async def _made(
        self, hand: Hand, node: Node, state: NodeState, attempt: core.Perform, book: StepBook
    ) -> Made:
        run, path = hand.run, attempt.path
        given = scope.arguments(hand.plan, run, path)
        if isinstance(node.work, SubJourney) and not state.undoes:
            assert self.beginner is not None
            child = await self.beginner.begin(hand, state, given)
            now = self._clock.now()
            wake = None if node.timeout is None else now + node.timeout
            waits = MilestoneWaiting(
                at=now, path=path, reason=Reason.JOURNEY, wake_at=wake, child=child
            )
            return Made((waits,))
        memo = "" if node.memoize is None else self._memo_key(hand, node, node.memoize, path)
        if memo and (output := await self._remembered(hand, node, memo)) is not None:
            reach("memo", path)
            spilled = await self._spilled(hand, attempt, output)
            return self._facts(hand, node, attempt, output, spilled=spilled, memo=True)
        place = None
        if self.places is not None and len(hand.tasks) > 1:
            place = await self.places.place(hand, attempt, given)
        along: list[Writes] = []
        key = core.idempotency_key(run, state)
        context = CallContext(run.start.trace_id, hand.user, key, None, run.run_id, path)
        if node.timeout is None and node.heartbeat is None:
            with bound(context), collecting() as along:
                output = await self._done(hand, node, state, given, book, place)
                logger.debug("{} of {} has its result", path, run.run_id)
        else:
            async with _limited(node, context) as limited:
                with bound(limited), collecting() as along:
                    output = await self._done(hand, node, state, given, book, place)
        spilled = await self._spilled(hand, attempt, output)
        made = self._facts(hand, node, attempt, output, spilled=spilled, along=tuple(along))
        if memo and isinstance(made.facts[0], MilestoneSucceeded):
            kept = Memo(run.start.tenant, memo, orjson.dumps(output), self._clock.now())
            made.memos = (kept,)
        return made

    async def _spilled(self, hand: Hand, attempt: core.Perform, output: Any) -> str:
        name = f"{attempt.path}-{attempt.generation}-{attempt.attempt}"
        return await self._payloads.spill(output, run_id=hand.run.run_id, name=name)

    async def _done(
        self,
        hand: Hand,
        node: Node,
        state: NodeState,
        given: dict[str, Any],
        book: StepBook,
        place: Place | None,
    ) -> dict[str, Any]:
        if any(isinstance(value, Secret) for value in given.values()):
            given = {name: await self._put_in(value) for name, value in given.items()}
        work = scope.call_of(node, state) or node.work
        match work:
            case Call() if place is not None:
                return await place.call(given)
            case Call(service, api):
                return await self._services.call(service, api, given)
            case Emit(event):
                return await self._services.publish(event, given)
            case AgentWork(agent):
                steps = book.steps(hand, state.path)
                return await self._services.delegate(agent, given, steps)
        raise AssertionError(f"{node.path} makes no attempts")

    def _facts(
        self,
        hand: Hand,
        node: Node,
        attempt: core.Perform,
        output: Any,
        *,
        spilled: str = "",
        memo: bool = False,
        along: tuple[Writes, ...] = (),
    ) -> Made:
        fact: Fact = core.completed(
            hand.plan,
            hand.run,
            node,
            attempt.path,
            output,
            self._clock.now(),
            attempt=attempt.attempt,
        )
        if isinstance(fact, AttemptFailed):
            _warn(hand, attempt, fact.error)
            return Made((fact,))
        if spilled or memo:
            fact = marked(fact, spilled=spilled, memo=memo)
        return Made((fact,), along)

    async def _put_in(self, value: Any) -> Any:
        return await self._secrets.get(value.name) if isinstance(value, Secret) else value

    def _memo_key(self, hand: Hand, node: Node, memoize: Memoize, path: str) -> str:
        data = scope.data(hand.plan, hand.run, memoize.key.names, path=path)
        key = memoize.key.value(data)
        what = orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode()
        return f"{hand.plan.name}:{node.path}:{what}"

    async def _remembered(self, hand: Hand, node: Node, key: str) -> Any:
        assert node.memoize is not None
        age = node.memoize.max_age
        since = None if age is None else self._clock.now() - age
        found = await self._journal.memo(hand.run.start.tenant, key, since=since)
        return None if found is None else orjson.loads(found)

    def _span(self, hand: Hand, node: Node, attempt: core.Perform) -> Any:
        trace_id = hand.run.start.trace_id
        return self._tracing.span(
            f"milestone {attempt.path}",
            trace_id,
            parent_span_id=self._tracing.below(hand.run.run_id, trace_id),
            run_id=hand.run.run_id,
            template=hand.plan.name,
            api=_worker(node),
            attempt=attempt.attempt,
        )


@asynccontextmanager
async def _limited(node: Node, context: CallContext) -> AsyncIterator[CallContext]:
    """Cut what is inside when it takes too long, or has not given a sign of life for too long."""
    loop = asyncio.get_running_loop()
    silence = node.heartbeat
    try:
        async with (
            asyncio.timeout(_seconds(node.timeout)) as limit,
            asyncio.timeout(_seconds(silence)) as watch,
        ):
            if silence is not None:
                seconds = silence.total_seconds()
                context = context._replace(
                    on_heartbeat=lambda: watch.reschedule(loop.time() + seconds)
                )
            yield context
    except TimeoutError as error:
        if watch.expired():
            detail = f"{node.path} gave no sign of life for {_seconds(silence)} s"
        elif not limit.expired():
            raise
        else:
            detail = f"{node.path} took longer than {_seconds(node.timeout)} s"
        raise MilestoneTimedOut(detail, hint="raise its limit, or see what it waits for") from error


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def marked(fact: Fact, *, spilled: str, memo: bool = False) -> Fact:
    """The fact of a result that is kept elsewhere, or was remembered."""
    match fact:
        case MilestoneSucceeded():
            return replace(fact, spilled=spilled, memo=memo)
        case IterationEnded():
            return replace(fact, spilled=spilled)
        case _:
            return fact


async def attempted(worker: str, call: Coroutine[Any, Any, bytes]) -> bytes:
    """What a call made for another worker comes to.

    Raises:
        FailedElsewhere: it fails; the failure is in the words of the journal.
    """
    try:
        return await call
    except BaseException as error:
        raise FailedElsewhere(_failure_by(worker, error)) from error


def _failure_by(worker: str, error: BaseException) -> Failure:
    """What may be shown of an error, of an unexpected one only its type.

    What is no failure of the call is raised on.
    """
    if isinstance(error, PlatformError):
        return core.failure_of(error)
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise error
        return _gave_itself_up(worker)  # nobody has cut it
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        raise error  # for the process
    logger.opt(exception=error).error("{} failed unexpectedly", worker)
    return Failure(
        kind=ErrorKind.INTERNAL,
        code="unexpected_error",
        title="The service failed in a way it does not know.",
        detail=f"{worker} raised {type(error).__name__}",
        hint="the log has the rest under this trace id",
    )


def _gave_itself_up(worker: str) -> Failure:
    return Failure(
        kind=ErrorKind.INTERNAL,
        code="cancelled_itself",
        title="The service was cancelled, and not by the engine.",
        detail=f"{worker} raised CancelledError",
        hint="something that it waited for was cancelled: let it say so with an error of its own",
    )


def _worker(node: Node) -> str:
    match node.work:
        case Call(service, api):
            return f"{service}.{api}"
        case Emit(event):
            return f"emit {event}"
        case AgentWork(agent):
            return agent
        case _:
            return node.path


def _warn(hand: Hand, attempt: core.Perform, failure: Failure) -> None:
    logger.warning(
        "attempt {} of milestone {} of {} failed: {}",
        attempt.attempt,
        attempt.path,
        hand.run.run_id,
        failure.detail,
    )
