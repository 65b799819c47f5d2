"""When an attempt is made again, and after how long: the same answer on every machine."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from realms.journey.api import Failure
from utilities.errors import ErrorKind

FINAL_KINDS = frozenset(
    {
        ErrorKind.INVALID,
        ErrorKind.UNAUTHENTICATED,
        ErrorKind.REFUSED,
        ErrorKind.NOT_FOUND,
        ErrorKind.CONFLICT,
        ErrorKind.TOO_LARGE,
        ErrorKind.UNSUPPORTED,
        ErrorKind.CONFIGURATION,
    }
)
"""Errors that say no: the same call would hear it again. The others (timeout, unavailable, too
many, storage full, internal) are tried again."""

NOTHING_DONE = FINAL_KINDS | {ErrorKind.TOO_MANY}
"""Errors after which it is certain that the call had no effect."""

LONGEST_HEED = timedelta(days=1)
"""A service may ask to be left alone for so long and no longer."""


class Jitter(StrEnum):
    """How a delay is drawn."""

    FULL = "full"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how far apart; delays grow to `max_delay` and are drawn from the full range.

    `on` and `never_on` hold kinds of errors (`invalid`) and names of errors in snake_case
    (`quota_exceeded`, as in `Failure.code`). With `on`, only those are tried again.
    """

    attempts: int = 3
    first_delay: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    max_delay: timedelta = timedelta(minutes=1)
    max_elapsed: timedelta | None = None
    jitter: Jitter = Jitter.FULL
    on: frozenset[str] = frozenset()
    never_on: frozenset[str] = FINAL_KINDS
    delays: tuple[timedelta, ...] = ()
    """Stated one by one; the last holds for all that follow."""
    respect_retry_after: bool = True

    def repeats(self, error: Failure, *, failures: int, elapsed: timedelta) -> bool:
        """Whether another attempt follows after `failures` that ended in an error.

        `elapsed` is the time since the first attempt began, over every restart.
        """
        names = {str(error.kind), error.code}
        if names & self.never_on or (self.on and not names & self.on):
            return False
        if self.max_elapsed is not None and elapsed >= self.max_elapsed:
            return False
        return failures < self.attempts

    def delay(self, identity: str, *, failures: int, retry_after: float | None = None) -> timedelta:
        """The wait before the next attempt, deterministic from `identity`.

        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: uniform in [0, cap).
        What the service asked for (`retry_after`, seconds) is the least.
        """
        drawn = self._grown(failures) * self._share(identity, failures)
        if not self.respect_retry_after or retry_after is None or not retry_after > 0:
            return drawn
        return max(drawn, timedelta(seconds=min(retry_after, LONGEST_HEED.total_seconds())))

    def _grown(self, failures: int) -> timedelta:
        if self.delays:
            return self.delays[min(failures, len(self.delays)) - 1]
        cap = self.max_delay / self.first_delay
        try:
            grown = self.factor ** (failures - 1)
        except OverflowError:
            return self.max_delay
        return self.first_delay * min(grown, cap)

    def _share(self, identity: str, failures: int) -> float:
        if self.jitter is Jitter.NONE:
            return 1.0
        digest = hashlib.blake2b(f"{identity}:{failures}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


DEFAULT_RETRY = RetryPolicy()
NO_RETRY = RetryPolicy(attempts=1)
