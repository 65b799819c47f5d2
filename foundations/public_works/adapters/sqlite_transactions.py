"""Write transactions straight on the driver, on the event loop while commits are quick."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from statistics import median
from time import perf_counter
from typing import Any, Protocol, TypeVar

from foundations.public_works.adapters.sqlite_driver import NO_PATIENCE, PATIENCE
from foundations.public_works.database import DriverConnection

T = TypeVar("T")


class Explained(Protocol):
    """Runs a piece of work, and turns the driver's faults into the port's own."""

    def __call__(self, run: Callable[[], T], /) -> T: ...


SLOW_SECONDS = 0.0015
QUICK_SECONDS = 0.001
PROBE_SECONDS = 2.0
_MEMORY = 15
_STANDSTILL = 4 * SLOW_SECONDS
_OUTLIER = 20 * SLOW_SECONDS
_TRIALS = 5
_TRIAL_SECONDS = 0.05


class Pace:
    """Whether a commit is quick enough to be waited for on the event loop.

    The median of the last commits made there decides, with a gap between "slow" and "quick again":
    a few syncs that stumble say nothing about the disk, unless they hold up the loop all the same.
    Once slow, one commit in a while probes the disk. What a thread measures would not do: it also
    waits for the interpreter.
    """

    def __init__(self, trials: Sequence[float]) -> None:
        self._last = deque(trials or [0.0], maxlen=_MEMORY)
        self._quick = median(self._last) <= SLOW_SECONDS
        self._probe_at = 0.0

    def allows(self, now: float) -> bool:
        return self._quick or now >= self._probe_at

    def took(self, seconds: float, now: float) -> None:
        """Learn from a commit; a single outlier decides nothing."""
        self._last.append(min(seconds, _OUTLIER))
        usual, held_up = median(self._last), sum(self._last) / len(self._last)
        if usual > SLOW_SECONDS or held_up > _STANDSTILL:
            self._quick = False
        elif usual < QUICK_SECONDS and held_up < SLOW_SECONDS:
            self._quick = True
        if not self._quick and seconds > QUICK_SECONDS:
            self._probe_at = now + PROBE_SECONDS


class DriverTransactions:
    """One connection, used by the event loop or by the writer's thread, never by both at once."""

    def __init__(self, connection: Any, *, explained: Explained) -> None:
        self._connection = connection
        self._connection.execute(NO_PATIENCE)
        self._explained = explained
        self.commits = 0
        self.pace = Pace(list(self._trials()))

    def run_here(self, work: Callable[[DriverConnection], T], future: asyncio.Future[T]) -> bool:
        """Run `work` now and settle `future`; or do nothing, where the lock is not to be had."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except self._connection.OperationalError:
            return False  # the writer's thread waits for the lock, or tells what is wrong
        try:
            result, seconds = self._explained(lambda: self._finished(work))
        except Exception as error:  # noqa: BLE001 - nothing is lost: the future hands it on
            future.set_exception(error)
        else:
            future.set_result(result)
            self.pace.took(seconds, perf_counter())
        return True

    def run_waiting(self, work: Callable[[DriverConnection], T]) -> T:
        """Run `work` on the writer's thread, once the lock is to be had."""
        if self._connection.in_transaction:  # a rollback failed, with the disk perhaps
            self._connection.execute("ROLLBACK")
        self._connection.execute(PATIENCE)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            return self._finished(work)[0]
        finally:
            self._connection.execute(NO_PATIENCE)

    def close(self) -> None:
        self._connection.close()

    def _finished(self, work: Callable[[DriverConnection], T]) -> tuple[T, float]:
        """Do `work` in the transaction that has begun, commit, and say how long that took."""
        try:
            result = work(self._connection)
            started = perf_counter()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.commits += 1
        return result, perf_counter() - started

    def _trials(self) -> Iterator[float]:
        """What a few commits take that change nothing but reach the disk; none while it is held."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        begun = perf_counter()
        with suppress(self._connection.OperationalError):
            for _ in range(_TRIALS):
                if perf_counter() - begun > _TRIAL_SECONDS:
                    return
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._finished(lambda c: c.execute(f"PRAGMA user_version={version}"))[1]
