"""Does to runs what other processes ask for, where the run is held, and answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
from loguru import logger
from pydantic import BaseModel

from foundations.boot import Duty, Works
from foundations.public_works.dispatch import Dispatch
from realms.journey.api import Reason
from realms.journey.control.engine import JourneyEngine
from realms.journey.control.operators import JourneyOperators
from realms.journey.control.verbs import Verb
from realms.journey.engine.driver import Driver
from realms.journey.engine.journal import StaleWriter
from realms.journey.engine.ports import Children, NotOpen
from realms.journey.engine.requests import QUEUE, Request, Requests
from realms.journey.engine.sharing import LOOK
from utilities.clock import Clock
from utilities.context import CallContext, bound
from utilities.errors import ErrorKind, PlatformError
from utilities.remote_faults import problem_of
from utilities.tasks import ended

_LOOK_SECONDS = 0.25
_FORGOTTEN_AFTER = timedelta(minutes=10)
_FORGETS = 240
"""Looks from one tidying to the next."""

Done = Callable[..., Awaitable[Any]]


class Answering(Works):
    """One for each worker. A request is looked for when it rings, and all the time besides."""

    duties = frozenset({Duty.WORK})

    def __init__(
        self,
        *,
        records: Requests,
        operators: JourneyOperators,
        engine: JourneyEngine,
        children: Children,
        driver: Driver,
        dispatch: Dispatch,
        clock: Clock,
    ) -> None:
        self._records = records
        self._driver = driver
        self._dispatch = dispatch
        self._clock = clock
        self._verbs = _verbs(operators, engine, children, driver)
        self._works: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Answer inside the block; what is being done at its end is done to its end."""
        self._dispatch.handle(QUEUE, self._rung, arrived=self._arrived)
        looking = asyncio.get_running_loop().create_task(self._look())
        try:
            yield
        finally:
            await ended(looking)
            await asyncio.gather(*self._works, return_exceptions=True)

    async def _rung(self, run_id: str) -> None:
        await self._arrived([run_id])

    async def _arrived(self, run_ids: Sequence[str]) -> None:
        await self._taken(run_ids)

    async def _look(self) -> None:
        """See to requests whose ring was lost, or that come to a run that is held here."""
        looks = 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            looks += 1
            try:
                await self._taken()
                if looks % _FORGETS == 1:
                    await self._records.forget(before=self._clock.now() - _FORGOTTEN_AFTER)
            except PlatformError as error:
                logger.warning("requests could not be looked for: {}", error.detail)

    async def _taken(self, run_ids: Sequence[str] = ()) -> None:
        if not self._driver.open:
            return
        for request in await self._records.take(holder=self._driver.holder, run_ids=run_ids):
            task = asyncio.get_running_loop().create_task(self._answered(request))
            self._works.add(task)
            task.add_done_callback(self._works.discard)

    async def _answered(self, request: Request) -> None:
        """Do it, and say what it came to; leave it to the holder if that is somebody else."""
        try:
            answer = await self._done(request)
        except (StaleWriter, NotOpen):
            await asyncio.sleep(_LOOK_SECONDS / 2)  # the holder is given the time to see it first
            await self._records.put_back(request.request_id, holder=self._driver.holder)
            return
        if request.answered:
            await self._records.answer(request.request_id, orjson.dumps(answer))
        else:
            await self._records.withdraw(request.request_id)

    async def _done(self, request: Request) -> Mapping[str, Any]:
        # done again after a crash, it has the same key, so that a signal counts once
        key = request.idempotency_key or request.request_id
        context = CallContext(request.trace_id, request.user, key)
        try:
            with bound(context):
                given = await self._verbs[request.verb](request.run_id, **request.arguments)
        except (StaleWriter, NotOpen):
            raise
        except PlatformError as error:
            return {"fault": problem_of(error)}
        except Exception as error:  # noqa: BLE001 - the task runner's edge: who asked hears of it
            logger.opt(exception=error).error("{} of {} failed", request.verb, request.run_id)
            return {"fault": problem_of(AnsweringFailed("the worker failed over it"))}
        return {"result": given.model_dump(mode="json") if isinstance(given, BaseModel) else None}


class AnsweringFailed(PlatformError):
    """A worker failed over what it was asked."""

    kind = ErrorKind.INTERNAL


def _verbs(
    operators: JourneyOperators, engine: JourneyEngine, children: Children, driver: Driver
) -> Mapping[str, Done]:
    """Everything that may be asked."""

    async def retry(run_id: str, *, verb: str = Verb.RETRY, **arguments: Any) -> Any:
        return await operators.retry(run_id, verb=Verb(verb), **arguments)

    async def stop(run_id: str, *, reason: str) -> None:
        await children.stop(run_id, Reason(reason))  # a run that went elsewhere is asked anew

    plain = (
        operators.pause,
        operators.resume,
        operators.cancel,
        operators.signal,
        operators.settle,
        operators.skip,
        operators.rerun,
        operators.roll_back,
        operators.answer,
        operators.push_back,
        operators.fork,
        operators.migrate,
        engine.supply,
    )
    return {verb.__name__: verb for verb in plain} | {
        "retry": retry,
        "stop": stop,
        LOOK: driver.advance,
    }
