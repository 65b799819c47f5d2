"""How a process has something done to a run that it does not hold: it asks, and is answered."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, get_type_hints

import orjson
from pydantic import BaseModel, TypeAdapter

from foundations.boot import Duty
from foundations.public_works.dispatch import URGENT, Dispatch, Road
from realms.journey.engine.requests import QUEUE, Request, Requests
from utilities.clock import Clock
from utilities.context import LOCAL_USER, CallContext, current_or_none
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import Ids
from utilities.remote_faults import fault_of

P = ParamSpec("P")
M = TypeVar("M", bound=BaseModel)

PATIENCE = 30.0
"""Seconds until whoever asks is told that nobody has answered."""
_FIRST_LOOK = 0.005
_LONGEST_LOOK = 0.1
_SOON = Road(priority=URGENT)


class NoWorker(PlatformError):
    """No worker has taken up what was asked; nothing was done."""

    kind = ErrorKind.UNAVAILABLE


class NotAnswered(PlatformError):
    """A worker has taken up what was asked, and has not answered yet."""

    kind = ErrorKind.TIMEOUT


class Requesting:
    """Asks whoever holds a run; in a process that does journeys itself there is nobody to ask."""

    def __init__(
        self,
        *,
        records: Requests,
        dispatch: Dispatch,
        clock: Clock,
        ids: Ids,
        duty: Duty,
    ) -> None:
        self._records = records
        self._dispatch = dispatch
        self._clock = clock
        self._ids = ids
        self.local = duty in {Duty.ALL, Duty.WORK}
        """Whether this process does to runs what is asked of it."""
        self.shared = duty is not Duty.ALL
        """Whether other processes hold runs too."""
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def ask(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Have `verb` done to a run by whoever holds it; the answer as JSON.

        It is done though its caller goes away.

        Raises:
            NoWorker: nobody took it up; nothing was done.
            NotAnswered: it may be done yet.
            PlatformError: what it was refused with.
        """
        request = self._request(run_id, verb, arguments, answered=True)
        answered = asyncio.get_running_loop().create_future()
        self._waiting[request.request_id] = answered
        try:
            await self._post(request)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.get_running_loop().create_task(self._look())
            async with asyncio.timeout(PATIENCE):
                answer = orjson.loads(await answered)
        except TimeoutError:
            raise await self._given_up(request) from None
        finally:
            del self._waiting[request.request_id]
        await self._records.withdraw(request.request_id)
        if "fault" in answer:
            raise fault_of(answer["fault"])
        return answer["result"]

    async def tell(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> None:
        """Have `verb` done to a run by whoever holds it, and do not wait for it."""
        await self._post(self._request(run_id, verb, arguments, answered=False))

    def _request(
        self, run_id: str, verb: str, arguments: Mapping[str, Any], *, answered: bool
    ) -> Request:
        context = current_or_none() or CallContext("", LOCAL_USER)
        return Request(
            request_id=self._ids.new(),
            run_id=run_id,
            verb=verb,
            arguments=arguments,
            user=context.user,
            trace_id=context.trace_id,
            idempotency_key=context.idempotency_key,
            answered=answered,
        )

    async def _post(self, request: Request) -> None:
        await self._records.post(request, at=self._clock.now())
        self._dispatch.wake(QUEUE, request.run_id, road=_SOON)

    async def _look(self) -> None:
        """Look for the answers that are waited for, all at once, as long as there are any."""
        pause = _FIRST_LOOK
        while self._waiting:
            await asyncio.sleep(pause)
            try:
                found = await self._records.answers(list(self._waiting))
            except PlatformError:
                found = {}  # the store is away; those who wait hear it in the end
            pause = _FIRST_LOOK if found else min(pause * 1.5, _LONGEST_LOOK)
            for request_id, answer in found.items():
                waiter = self._waiting.get(request_id)
                if waiter is not None and not waiter.done():
                    waiter.set_result(answer)

    async def _given_up(self, request: Request) -> PlatformError:
        if await self._records.withdraw(request.request_id):
            return NoWorker(
                f"no worker took it up in {PATIENCE:.0f} s; nothing was done",
                hint="start workers with `civitas worker`, then try again",
                retry_after=5.0,
            )
        return NotAnswered(
            f"a worker has begun it and did not answer in {PATIENCE:.0f} s",
            hint="look at the run, then try again",
            retry_after=5.0,
        )


class Asks(Protocol):
    """Has verbs that are done by whoever holds the run."""

    _requesting: Requesting

    async def run_called(self, id_or_alias: str) -> str:
        """The id of the tenant's run with this id or alias."""
        ...


A = TypeVar("A", bound=Asks)


def by_its_holder(
    verb: Callable[Concatenate[A, str, P], Coroutine[Any, Any, M]],
) -> Callable[Concatenate[A, str, P], Coroutine[Any, Any, M]]:
    """Let a verb be done where the run is held; its arguments and its answer are JSON."""
    signature = inspect.signature(verb)

    @wraps(verb)
    async def asked(self: A, run_id: str, *args: P.args, **arguments: P.kwargs) -> M:
        if self._requesting.local:
            return await verb(self, run_id, *args, **arguments)
        run_id = await self.run_called(run_id)
        named = dict(signature.bind(self, run_id, *args, **arguments).arguments)
        named = {name: value for name, value in named.items() if name not in {"self", "run_id"}}
        answer = await self._requesting.ask(run_id, verb.__name__, named)
        given: TypeAdapter[M] = TypeAdapter(get_type_hints(verb)["return"])
        return given.validate_python(answer)

    return cast("Callable[Concatenate[A, str, P], Coroutine[Any, Any, M]]", asked)
