"""Group commit: the entries of all runs in flight, gathered and made durable together.

Each run goes on when its own entry is durable, never before. Entries are written in the order in
which they were added; when the store takes nothing they are kept, and tried again until it does.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from loguru import logger

from realms.journey.engine.failpoints import reach
from realms.journey.engine.journal import (
    AliasTaken,
    Entry,
    Journal,
    StaleWriter,
    WritesRefused,
)
from utilities.errors import ErrorKind, PlatformError

_AGAIN_SECONDS = 2.0
_AGAIN_AT_THE_END_SECONDS = 0.1
_LOOK_SECONDS = 0.005
_MOST = 2_000
"""So many entries go into one commit at the most."""
_LINGERS = 4
"""So many times as long as a commit took, the next waits for others to join it."""
_LINGERS_AT_MOST = 0.002
_TICKS = 4
"""So many ticks of the loop entries wait for others at the most."""
_APART = 16
"""So many entries are told of in two halves, which from then on are written in turns."""
_WORTH_IT = 0.0002
"""Seconds. What is quicker than that gains nothing by company."""


class JournalUnusable(PlatformError):
    """The journal cannot be written at the moment."""

    kind = ErrorKind.UNAVAILABLE


@dataclass(slots=True)
class _Pending:
    entry: Entry
    durable: "asyncio.Future[None]"


class GroupCommit:
    """The one who writes to the journal; one for each process.

    What is added in one tick of the loop is written together, and what the next few ticks add as
    well, if each brings some: a commit has its price, whatever is in it. A store that works apart
    from the loop does not wait for them. While attempts are under way, of which `under_way` says
    how many there are, a commit that follows close on another waits a little for theirs.
    """

    def __init__(self, *, journal: Journal, under_way: Callable[[], int] = lambda: 0) -> None:
        self._journal = journal
        self._under_way = under_way
        self._not_before = 0.0
        self._seen, self._ticks = 1, 0
        """How many entries waited a tick ago, and how many ticks; one alone waits for none."""
        self._loop: asyncio.AbstractEventLoop
        """Asked for once: each time costs the hot path a call of the system."""
        self._holder = 0
        self._pending: list[_Pending] = []
        self._writing: list[_Pending] = []
        self._broken: set[str] = set()
        """Runs of which an entry was just refused; those who write them hear it in a moment."""
        self._untold: list[tuple[Entry, PlatformError]] = []
        """What was refused while nobody waited for it."""
        self._scheduled: asyncio.Handle | None = None
        self._trouble: PlatformError | None = None
        self._again = _AGAIN_SECONDS
        self._stopped = False
        self.written = 0
        self.commits = 0

    def begin(self, holder: int) -> None:
        """Write as `holder` from now on, on the loop that runs."""
        self._loop = asyncio.get_running_loop()
        self._holder = holder
        self._trouble = None

    def begin_anew(self, holder: int) -> None:
        """Write as another holder: what was to be written as the one before is refused."""
        pending, self._pending = self._pending, []
        for one in pending:
            self._tell(one, StaleWriter(f"{one.entry.run_id}: its holder's lease has ended"))
        self._holder = holder
        self._trouble = None

    @property
    def trouble(self) -> PlatformError | None:
        """Why nothing can be written at the moment; None when it can."""
        return self._trouble

    @property
    def again(self) -> float:
        """Seconds after which is tried again what the store did not take."""
        return self._again

    @property
    def pending(self) -> int:
        """How many entries were added and are not durable yet."""
        return len(self._writing) + len(self._pending)

    def add(self, entry: Entry) -> "asyncio.Future[None]":
        """Have an entry written; the future is done when it is durable.

        It raises `StaleWriter`, `AliasTaken` or `WritesRefused` when the entry was refused, and for
        the entry that begins a run also what keeps the store from writing at the moment. After
        the stop it is cancelled.
        """
        durable: asyncio.Future[None] = self._loop.create_future()
        if self._stopped:
            durable.cancel()
            return durable
        if self._trouble is not None and entry.seq == 0:
            durable.set_exception(self._trouble)
            return durable
        if entry.run_id in self._broken:
            durable.set_exception(_after_a_refusal(entry))
            return durable
        self._pending.append(_Pending(entry, durable))
        if self._scheduled is None and not self._writing:
            self._scheduled = self._loop.call_soon(self._flush)
        return durable

    def renewed(self, entry: Entry) -> "asyncio.Future[None] | None":
        """Another future for an entry whose own was cancelled; None when nothing is to come."""
        for untold in self._untold:
            if untold[0] is entry:
                self._untold.remove(untold)
                refused: asyncio.Future[None] = self._loop.create_future()
                refused.set_exception(untold[1])
                return refused
        for pending in (*self._writing, *self._pending):
            if pending.entry is entry and not self._stopped:
                pending.durable = self._loop.create_future()
                return pending.durable
        return None

    async def drained(self, *, seconds: float) -> bool:
        """Wait until all that was added is durable, and at most so long; try again more often."""
        self._again = _AGAIN_AT_THE_END_SECONDS
        if self._trouble is not None and not self._writing:
            self._try_again()
        try:
            async with asyncio.timeout(seconds):
                while self.pending and not self._stopped:  # noqa: ASYNC110 - rare, and no commit pays for an event
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """Write nothing more; what was not written is lost to this process."""
        if self._scheduled is not None:
            self._scheduled.cancel()
        for pending in (*self._writing, *self._pending):
            if not pending.durable.done():
                pending.durable.cancel()
        self._pending.clear()
        self._stopped = True

    def _flush(self) -> None:
        self._scheduled = None
        if self._stopped:  # a write that was under way then has failed, and is not tried again
            return
        began = perf_counter()
        if self._waits_for_company(began):
            return
        self._writing, self._pending = self._pending[:_MOST], self._pending[_MOST:]
        if not self._writing:
            self._trouble = None  # the next that comes finds out whether it is over
            return
        entries = [pending.entry for pending in self._writing]
        reach("flush")
        done = None
        try:
            done = self._journal.write(entries, holder=self._holder)
        finally:
            if done is None:  # whatever it raised, what is to be written stays in hand
                self._refused(JournalUnusable("the journal failed", hint="see the log"))
        if done.done():
            took = perf_counter() - began
            linger = min(_LINGERS * took, _LINGERS_AT_MOST) if took >= _WORTH_IT else 0.0
            self._not_before = began + took + linger
            self._finished(done)
        else:
            done.add_done_callback(self._finished)

    def _waits_for_company(self, now: float) -> bool:
        """Whether a flush is put off for entries that come soon."""
        if now < self._not_before and self._under_way():
            self._scheduled = self._loop.call_later(self._not_before - now, self._flush)
            return True
        brought = len(self._pending) > self._seen and not self._journal.works_apart
        if brought and self._ticks < _TICKS:
            self._seen = len(self._pending)
            self._ticks += 1
            self._scheduled = self._loop.call_soon(self._flush)
            return True
        self._seen, self._ticks = 1, 0
        return False

    def _finished(self, done: "asyncio.Future[Sequence[PlatformError | None]]") -> None:
        """Tell everybody; where the store works apart from us, half of them first."""
        if done.cancelled():
            self._refused(JournalUnusable("the write was cut"))
            return
        if (error := done.exception()) is not None:
            self._refused(error if isinstance(error, PlatformError) else _unexpected(error))
            return
        written, self._writing = self._writing, []
        self._trouble = None
        reach("flushed")
        self.commits += 1
        self.written += len(written)
        outcomes = done.result()
        if outcomes.count(None) < len(written):
            self._told_apart(written, outcomes)
        elif not self._journal.works_apart:
            _tell_all(written)
        elif self._pending or len(written) < _APART:
            self._tell_behind_a_flush(written)
        else:
            half = len(written) // 2
            _tell_all(written[:half])
            self._loop.call_soon(self._tell_behind_a_flush, written[half:])
        if self._pending and self._scheduled is None and not self._writing:
            self._scheduled = self._loop.call_soon(self._flush)

    def _tell_behind_a_flush(self, written: Sequence[_Pending]) -> None:
        """Have others' entries written while those who hear of this go on.

        Else all wait for the store, and then the store waits for all.
        """
        try:
            if self._pending and not self._writing:
                if self._scheduled is not None:
                    self._scheduled.cancel()
                self._flush()
        finally:
            _tell_all(written)

    def _told_apart(
        self, written: Sequence[_Pending], outcomes: Sequence[PlatformError | None]
    ) -> None:
        """Some were refused: so is what waits to be written after them. What failed is kept."""
        refused: dict[str, PlatformError] = {}
        kept: list[_Pending] = []
        for pending, outcome in zip(written, outcomes, strict=True):
            if outcome is not None and not isinstance(outcome, _REFUSALS) and pending.entry.seq:
                kept.append(pending)
                continue
            if outcome is not None and pending.entry.seq:
                refused[pending.entry.run_id] = outcome
            self._tell(pending, outcome)
        kept, waiting = [], [*kept, *self._pending]
        for pending in waiting:
            if pending.entry.seq and pending.entry.run_id in refused:
                self._tell(pending, _after_a_refusal(pending.entry))
            else:
                kept.append(pending)
        self._pending = kept
        self._broken.update(refused)
        self._loop.call_soon(self._broken.clear)
        trouble = (o for o in outcomes if o is not None and not isinstance(o, _REFUSALS))
        if (error := next(trouble, None)) is not None:
            self._refused(error)

    def _tell(self, pending: _Pending, outcome: PlatformError | None) -> None:
        if pending.durable.cancelled() and outcome is not None:
            self._untold.append((pending.entry, outcome))  # its writer asks in a moment
        if pending.durable.done():
            return
        if outcome is None:
            pending.durable.set_result(None)
        else:
            pending.durable.set_exception(outcome)

    def _refused(self, error: PlatformError) -> None:
        """Keep what must be written, tell those who want to begin, and try again later."""
        if self._trouble is None:
            logger.error("the journal cannot be written: {}", error.detail)
        self._trouble = error
        reach("refused")
        kept = []
        for pending in (*self._writing, *self._pending):
            if pending.entry.seq == 0:
                self._tell(pending, error)
            else:
                kept.append(pending)
        self._writing, self._pending = [], kept
        self._try_again()

    def _try_again(self) -> None:
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._scheduled = self._loop.call_later(self._again, self._flush)


def _tell_all(written: Sequence[_Pending]) -> None:
    for pending in written:
        if not pending.durable.done():
            pending.durable.set_result(None)


_REFUSALS = (StaleWriter, AliasTaken, WritesRefused)
"""What is said of one entry; any other error is the store's."""


def _after_a_refusal(entry: Entry) -> StaleWriter:
    return StaleWriter(f"{entry.run_id}: what came before was refused")


def _unexpected(error: BaseException) -> JournalUnusable:
    logger.opt(exception=error).error("the journal failed in a way it does not know")
    return JournalUnusable(
        f"the store failed: {type(error).__name__}", hint="see the log; it is tried again"
    )
