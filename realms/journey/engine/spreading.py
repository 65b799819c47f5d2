"""Spreads the calls of one run over workers: its holder offers them, who has room takes them.

The holder journals each attempt before its call and what the call came to after it, as if it had
made the call itself. One call of a run stays with it; the others go to whoever takes them first, it
among them. A worker takes as many as its event loop keeps up with, so that busy ones take fewer.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from loguru import logger

from foundations.boot import Duty, Works
from foundations.declarations import Effect
from foundations.public_works.events import Events
from foundations.public_works.settings import Settings
from realms.journey.engine import core, scope
from realms.journey.engine.driver import Driver
from realms.journey.engine.hands import Hand
from realms.journey.engine.helping import Helping
from realms.journey.engine.offers import Offer, Offers, Standing
from realms.journey.engine.payloads import LARGEST
from realms.journey.engine.places import Here, Key, There
from realms.journey.engine.runner import (
    CutBeforeCall,
    EndedElsewhere,
    Place,
    Places,
    Runner,
    Services,
)
from realms.journey.plans.binding import Secret
from realms.journey.plans.plan import Call, Node, Plan, Signature
from utilities.errors import PlatformError
from utilities.ids import Ids
from utilities.observability.distributed_tracing import DistributedTracing, carried
from utilities.tasks import ended

TOPIC = "journey-offers"
_GIVEN_AWAY = frozenset({Effect.PURE, Effect.KEYED, Effect.GUARDED})
"""What a transactional call adds is written with its checkpoint, and so is made by the holder."""
_LOOK_SECONDS = 0.25
"""So often offers are looked for whose ring was lost."""
_SWEEPS = 240
"""Looks from one tidying to the next."""
_PATIENCE, _LEAST_PATIENCE, _MOST_PATIENCE = 0.1, 0.005, 0.05
"""For this part of the time that a call takes, others may be first to take it."""
_FIRST_LOOK, _LONGEST_LOOK = 0.004, 0.1
_TICK_SECONDS = 0.001
_LATE_SECONDS = 0.005
"""A loop that is so late has enough to do."""
_MOST = 64
"""So many offers are taken at a time at the most."""
_SHORTEST_HEARTBEAT = 1.0
"""Signs of life from elsewhere take their time."""
_STAYS_SECONDS = 60.0
"""So long calls of an API stay that some worker could not make."""


class Spreading(Places, Works):
    """One for each worker; it stands around whoever drives runs here."""

    duties = frozenset({Duty.WORK})

    def __init__(
        self,
        *,
        services: Services,
        runner: Runner,
        driver: Driver,
        offers: Offers,
        events: Events,
        ids: Ids,
        tracing: DistributedTracing,
        settings: Settings,
    ) -> None:
        self._services = services
        self._runner = runner
        self._driver = driver
        self._offers = offers
        self._events = events
        self._ids = ids
        self._tracing = tracing
        self._worth = settings.worker_spread_seconds
        self._helping = Helping(
            services=services,
            driver=driver,
            offers=offers,
            tracing=tracing,
            shape=self._shape,
            took=self.learn,
            answered=lambda holder: events.publish(TOPIC, {"answered": holder}),
        )
        self._took: dict[Key, float] = {}
        """About how long calls of an API take."""
        self._first: dict[Key, asyncio.Future[None]] = {}
        """The first calls of APIs, which show how long they take."""
        self._stays: dict[Key, float] = {}
        self._writes: set[Key] = set()
        """APIs that have written with the checkpoint of a call, which only its holder can."""
        self._shapes: dict[Key, str] = {}
        self._seats: dict[str, asyncio.Task[Any]] = {}
        """For each run the task whose calls stay here."""
        self._gathered: list[There] = []
        self._there: dict[str, There] = {}
        self._watching: asyncio.Task[None] | None = None
        self._patient_until = 0.0
        self._rung = asyncio.Event()
        self._answered = asyncio.Event()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Spread calls, and take those of others, inside the block."""
        if not self._worth:
            yield
            return
        self._runner.places = self
        async with self._events.subscribe(TOPIC) as rings:
            hearing = asyncio.create_task(self._hear(rings))
            looking = asyncio.create_task(self._look())
            try:
                yield
            finally:
                await ended(hearing, looking)

    # where a call is made

    async def place(
        self, hand: Hand, attempt: core.Perform, given: Mapping[str, Any]
    ) -> Place | None:
        state = hand.run.nodes[attempt.path]
        node = hand.plan.nodes[state.node]
        call = scope.call_of(node, state)
        if call is None:
            return None
        key = (call.service, call.api)
        here = Here(self._services, key, self.learn, self._writes.add)
        if attempt.alone or not self._may_leave(hand.plan, node, call, given):
            return here
        if key not in self._took and not await self._shown(key):
            return here
        if call.effect is Effect.GUARDED and key not in self._took:
            return here  # whether it writes with its checkpoint has not been seen
        if self._took.get(key, self._worth) < self._worth:
            return here
        return await self._offered(hand, attempt, call, given, here)

    def learn(self, key: Key, seconds: float) -> None:
        """A call of an API has taken so long."""
        before = self._took.get(key, seconds)
        self._took[key] = before + (seconds - before) / 4
        if (first := self._first.pop(key, None)) is not None:
            first.set_result(None)

    async def _shown(self, key: Key) -> bool:
        """Wait until the first call has shown how long it takes; false for the first itself."""
        if (first := self._first.get(key)) is None:
            self._first[key] = asyncio.get_running_loop().create_future()
            return False
        try:
            await asyncio.wait([first], timeout=self._worth)
        except asyncio.CancelledError as error:
            raise CutBeforeCall(*error.args) from error
        return True

    def _may_leave(self, plan: Plan, node: Node, call: Call, given: Mapping[str, Any]) -> bool:
        """Whether another worker can make this call as well."""
        if call.effect not in _GIVEN_AWAY or any(isinstance(v, Secret) for v in given.values()):
            return False
        if any(other.queue for other in plan.nodes.values()):
            return False  # its worker was chosen
        beat = node.heartbeat
        if beat is not None and beat.total_seconds() < _SHORTEST_HEARTBEAT:
            return False
        key = (call.service, call.api)
        if key in self._writes or self._stays.get(key, 0.0) > asyncio.get_running_loop().time():
            return False
        try:
            return len(orjson.dumps(given)) <= LARGEST
        except TypeError:
            return False

    async def _offered(
        self,
        hand: Hand,
        attempt: core.Perform,
        call: Call,
        given: Mapping[str, Any],
        here: Here,
    ) -> Place:
        """Offer a call, with those that are offered at the same moment; who takes it."""
        task = asyncio.current_task()
        assert task is not None
        run, loop = hand.run, asyncio.get_running_loop()
        trace_id = run.start.trace_id
        offer = Offer(
            offer_id=self._ids.new(),
            holder=self._driver.holder,
            service=call.service,
            api=call.api,
            shape=self._shape(call.service, call.api),
            arguments=given,
            user=hand.user,
            trace_id=trace_id,
            idempotency_key=core.idempotency_key(run, run.nodes[attempt.path]),
            run_id=run.run_id,
            milestone=attempt.path,
            headers=carried(trace_id) if self._tracing.recording else {},
        )
        there = There(
            offer=offer,
            here=here,
            task=task,
            placed=loop.create_future(),
            answered=loop.create_future(),
            let_go=self._let_go,
            stays=self._stays_here,
        )
        if not self._gathered:
            loop.call_soon(self._depart)
        self._gathered.append(there)
        try:
            return await there.placed
        except asyncio.CancelledError as error:
            self._let_go(there)
            if there.leaves:
                raise  # somebody may have begun to make it
            raise CutBeforeCall(*error.args) from error

    def _depart(self) -> None:
        gathered, self._gathered = self._gathered, []
        gathered = [there for there in gathered if not there.placed.done()]
        staying = [there for there in gathered if self._sits(there)]
        leaving = [there for there in gathered if there not in staying]
        for there in leaving:
            there.leaves = True
        if leaving:
            self._driver.begin(self._post(leaving, staying))
        for there in staying if not leaving else ():
            there.stay()

    def _sits(self, there: There) -> bool:
        """Whether a call is of the task of its run whose calls stay here; there is always one."""
        run_id, task = there.offer.run_id, there.task
        if run_id not in self._seats:
            self._seats[run_id] = task
            task.add_done_callback(lambda gone: self._left(run_id, gone))
        return self._seats[run_id] is task

    def _left(self, run_id: str, task: "asyncio.Task[Any]") -> None:
        if self._seats.get(run_id) is task:
            del self._seats[run_id]

    async def _post(self, leaving: Sequence[There], staying: Sequence[There]) -> None:
        """Offer these, and only then begin with what stays, which may take the loop for itself."""
        self._there |= {there.offer.offer_id: there for there in leaving}
        try:
            await self._offers.post([there.offer for there in leaving])
        except PlatformError as error:
            logger.warning("{} calls are not offered: {}", len(leaving), error.detail)
            self._driver.begin(self._take_back(leaving))
        else:
            self._events.publish(TOPIC, {"offered": self._driver.holder})
            self._be_patient(leaving)
            self._are_offered(leaving)
        finally:
            for there in staying:
                there.stay()

    def _be_patient(self, offered: Sequence[There]) -> None:
        """Let others be first, for a moment that offers which follow do not prolong."""
        loop = asyncio.get_running_loop()
        if self._patient_until > loop.time():
            return
        longest = max(self._took.get(there.here.key, self._worth) for there in offered)
        seconds = min(max(_PATIENCE * longest, _LEAST_PATIENCE), _MOST_PATIENCE)
        self._patient_until = loop.time() + seconds
        loop.call_at(self._patient_until, self._rung.set)

    def _are_offered(self, offered: Sequence[There]) -> None:
        """From now on see what becomes of these; those that were cut meanwhile are let go."""
        for there in offered:
            there.posted = True
        self._drop([t.offer.offer_id for t in offered if t.offer.offer_id not in self._there])
        if self._there and (self._watching is None or self._watching.done()):
            self._watching = self._driver.begin(self._watch())

    async def _take_back(self, doubtful: Sequence[There]) -> None:
        """Nobody knows whether these were offered: take back what nobody has taken."""
        while True:
            await asyncio.sleep(self._driver.group.again)
            ids = [there.offer.offer_id for there in doubtful]
            try:
                taken = await self._offers.withdraw(ids)
            except PlatformError:
                continue
            break
        for there in doubtful:
            if there.offer.offer_id not in taken:
                self._there.pop(there.offer.offer_id, None)
                there.stay()
        self._are_offered([there for there in doubtful if there.offer.offer_id in taken])

    # what was offered here

    async def _watch(self) -> None:
        """See what becomes of the calls that were offered here, all at once."""
        pause = _FIRST_LOOK
        while self._there:
            await _heard(self._answered, within=pause)
            asked = [there for there in self._there.values() if there.posted]
            try:
                found = await self._offers.standing([there.offer.offer_id for there in asked])
            except PlatformError as error:
                logger.warning("calls elsewhere are not seen: {}", error.detail)
                found, asked = {}, []
            moved = [there for there in asked if self._seen(there, found.get(there.offer.offer_id))]
            pause = _FIRST_LOOK if moved else min(pause * 1.5, _LONGEST_LOOK)

    def _seen(self, there: There, standing: Standing | None) -> bool:
        """Take in how an offer stands; whether something has changed."""
        if there.offer.offer_id not in self._there or (standing and not standing.taken):
            return False
        if not there.placed.done():
            there.placed.set_result(there)
        if standing is None or (standing.lost and standing.answer is None):
            return there.settle(EndedElsewhere(cut=False))
        if standing.beats > there.beats:
            there.beats = standing.beats
            there.on_heartbeat()
        return standing.answer is not None and there.settle(standing.answer)

    def _let_go(self, there: There) -> None:
        """Nobody waits for a call any more: whoever makes it sees that, and cuts it."""
        self._there.pop(there.offer.offer_id, None)
        if there.posted:
            self._drop([there.offer.offer_id])

    def _stays_here(self, key: Key) -> None:
        """Offer no calls of an API for a while."""
        self._stays[key] = asyncio.get_running_loop().time() + _STAYS_SECONDS

    def _drop(self, offer_ids: Sequence[str]) -> None:
        if offer_ids:
            self._driver.begin(self._dropped(offer_ids))

    async def _dropped(self, offer_ids: Sequence[str]) -> None:
        while True:
            try:
                await self._offers.drop(offer_ids)
            except PlatformError:
                await asyncio.sleep(self._driver.group.again)
            else:
                return

    # what is taken here

    async def _hear(self, rings: AsyncIterator[Mapping[str, object]]) -> None:
        async for ring in rings:
            if ring.get("answered") == self._driver.holder:
                self._answered.set()
            elif ring.get("offered", self._driver.holder) != self._driver.holder:
                self._rung.set()

    async def _look(self) -> None:
        looks = 0
        while True:
            await _heard(self._rung, within=_LOOK_SECONDS)
            looks += 1
            try:
                await self._take()
                if looks % _SWEEPS == 1:
                    await self._offers.sweep()
            except PlatformError as error:
                logger.warning("offers could not be looked for: {}", error.detail)

    async def _take(self) -> None:
        """Take what is offered, more each time, as long as the loop keeps up with it."""
        burst, loop = 1, asyncio.get_running_loop()
        while not self._driver.open or loop.time() >= self._patient_until:
            own = not self._driver.open or not self._driver.gate.room
            if own and not self._there:
                return
            limit = _MOST if own else min(burst, self._driver.gate.room)
            taken = await self._offers.take(holder=self._driver.holder, limit=limit, own=own)
            for offer in taken:
                self._taken(offer)
            if len(taken) < limit:
                return
            burst = min(2 * burst, _MOST) if await _keeps_up() else 1

    def _taken(self, offer: Offer) -> None:
        there = self._there.pop(offer.offer_id, None)
        if there is not None:
            there.stay()
        elif offer.holder != self._driver.holder:
            self._helping.help(offer)
            return
        self._drop([offer.offer_id])

    def _shape(self, service: str, api: str) -> str:
        """What two workers must know alike of an API; empty where there is none of the name."""
        known = self._shapes.get((service, api))
        if known is None:
            try:
                found = self._services.signature(service, api)
            except PlatformError:
                return ""
            known = self._shapes[service, api] = _digest(found)
        return known


def _digest(signature: Signature) -> str:
    said = orjson.dumps(signature, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(said).hexdigest()


async def _heard(ring: asyncio.Event, *, within: float) -> None:
    """Wait for a ring, which may be lost, or for so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await ring.wait()
    ring.clear()


async def _keeps_up() -> bool:
    """Whether the event loop has time for more."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.sleep(_TICK_SECONDS)
    return loop.time() - begun < _TICK_SECONDS + _LATE_SECONDS
