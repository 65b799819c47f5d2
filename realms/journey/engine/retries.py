"""When an attempt is made again, and after how long: the same answer on every machine."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

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


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how far apart; delays grow to `max_delay` and are drawn from the full range."""

    attempts: int = 3
    first_delay: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    max_delay: timedelta = timedelta(minutes=1)
    never_on: frozenset[ErrorKind] = FINAL_KINDS

    def repeats(self, kind: ErrorKind, *, failures: int) -> bool:
        """Whether another attempt follows after `failures` that ended in an error."""
        return kind not in self.never_on and failures < self.attempts

    def delay(self, identity: str, *, failures: int) -> timedelta:
        """The wait before the next attempt: full jitter, deterministic from `identity`.

        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: uniform in [0, cap).
        """
        grown = self.first_delay * min(self.factor ** (failures - 1), 1e6)
        digest = hashlib.blake2b(f"{identity}:{failures}".encode(), digest_size=8).digest()
        return min(grown, self.max_delay) * (int.from_bytes(digest, "big") / 2**64)


DEFAULT_RETRY = RetryPolicy()

CRASH_ATTEMPTS = 3
"""So many attempts may die with their process before the milestone is taken for poison."""
