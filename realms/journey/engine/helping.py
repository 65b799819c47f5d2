"""Makes calls that other workers have offered, as their runs would make them, and answers."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import orjson
from loguru import logger

from foundations.declarations import Effect
from foundations.public_works.database import collecting
from realms.journey.engine.codec import UnstorableResult
from realms.journey.engine.driver import Driver
from realms.journey.engine.offers import Offer, Offers
from realms.journey.engine.runner import FailedElsewhere, Services, attempted
from utilities.context import CallContext, bound
from utilities.errors import PlatformError
from utilities.observability.distributed_tracing import DistributedTracing

_LOOK_SECONDS = 0.1
"""So often it is looked whether calls are still wanted, and told that they live."""

NOT_HERE = b'{"not_here":true}'
"""The answer of a worker that cannot make the call: its holder is to make it."""

_IN_DOUBT = b'{"cut":true,"called":true,"writes":true}'
"""The answer to a call that may not be made again, and of which something is lost: rows of it that
only its holder can write."""


class Helping:
    """The calls that this worker makes for others.

    One that nobody wants any more is cut: its run was cancelled, its time was up, or its holder's
    lease is over.
    """

    def __init__(
        self,
        *,
        services: Services,
        driver: Driver,
        offers: Offers,
        tracing: DistributedTracing,
        shape: Callable[[str, str], str],
        took: Callable[[tuple[str, str], float], None],
        answered: Callable[[int], None],
    ) -> None:
        self._services = services
        self._driver = driver
        self._offers = offers
        self._tracing = tracing
        self._shape = shape
        self._took = took
        self._answered = answered
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._alive: set[str] = set()
        """Those that have given a sign of life since it was last told."""
        self._unwanted: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    def help(self, offer: Offer) -> None:
        """Begin a call that was taken."""
        taken = self._driver.begin(self._helped(offer, holder=self._driver.holder))
        self._calls[offer.offer_id] = taken
        if self._looking is None or self._looking.done():
            self._looking = self._driver.begin(self._look())

    async def _helped(self, offer: Offer, *, holder: int) -> None:
        called = False
        try:
            async with self._driver.gate.inside():
                called = True
                answer = await self._answer(offer)
        except asyncio.CancelledError:
            if offer.offer_id in self._unwanted:
                raise
            answer = orjson.dumps({"cut": True, "called": called})
        finally:
            del self._calls[offer.offer_id]
            self._unwanted.discard(offer.offer_id)
        await self._told(offer, answer, holder=holder)

    async def _told(self, offer: Offer, answer: bytes, *, holder: int) -> None:
        """Keep the answer; where the store is away, until it is there."""
        while True:
            try:
                await self._offers.answer(offer.offer_id, answer, holder=holder)
            except PlatformError as error:
                logger.warning("what a call came to is not written yet: {}", error.detail)
                await asyncio.sleep(self._driver.group.again)
            else:
                self._answered(offer.holder)
                return

    async def _answer(self, offer: Offer) -> bytes:
        """What a call came to, in the very words of the worker that would have made it."""
        if self._shape(offer.service, offer.api) != offer.shape:
            return NOT_HERE
        try:
            return await attempted(f"{offer.service}.{offer.api}", self._called(offer))
        except FailedElsewhere as failed:
            return orjson.dumps({"failure": failed.failure.model_dump(mode="json")})

    async def _called(self, offer: Offer) -> bytes:
        context = CallContext(
            offer.trace_id,
            offer.user,
            offer.idempotency_key,
            lambda: self._alive.add(offer.offer_id),
            offer.run_id,
            offer.milestone,
        )
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with self._span(offer), bound(context), collecting() as along:
            output = await self._services.call(offer.service, offer.api, offer.arguments)
            logger.debug("{} of {} has its result here", offer.milestone, offer.run_id)
        self._took((offer.service, offer.api), loop.time() - begun)
        if along:  # they belong into the transaction of the checkpoint
            guarded = self._services.signature(offer.service, offer.api).effect is Effect.GUARDED
            return _IN_DOUBT if guarded else NOT_HERE
        return _output(output)

    def _span(self, offer: Offer) -> Any:
        if not offer.headers or not self._tracing.recording:
            return nullcontext()
        name = f"call {offer.service}.{offer.api}"
        return self._tracing.received(name, offer.headers, run_id=offer.run_id)

    async def _look(self) -> None:
        """Tell who is alive, and cut what nobody wants, as long as there are calls."""
        while self._calls:
            await asyncio.sleep(_LOOK_SECONDS)
            asked, alive = list(self._calls), self._alive
            self._alive = set()
            try:
                wanted = await self._offers.wanted(asked, holder=self._driver.holder, alive=alive)
            except PlatformError as error:
                logger.warning("whether calls are still wanted is not known: {}", error.detail)
                self._alive |= alive
                continue
            for offer_id in asked:
                call = self._calls.get(offer_id)
                if call is not None and offer_id not in wanted:
                    self._unwanted.add(offer_id)
                    call.cancel()


def _output(output: Any) -> bytes:
    try:
        return orjson.dumps({"output": output})
    except TypeError as error:
        raise UnstorableResult(
            str(error), hint="answer with JSON values of at most 64 bits"
        ) from error
