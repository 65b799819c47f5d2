"""Ids that sort by the time they were made."""

import secrets
import time
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


class Ids(Protocol):
    """Makes new ids."""

    def new(self) -> str: ...


class TimeSortableIds(Ids):
    """26 characters: 48 bits of milliseconds, then 80 random bits (the layout of a ULID).

    Within one millisecond ids count upwards, so ids of one process sort strictly by creation.
    """

    def __init__(self) -> None:
        self._last = 0
        self._head, self._begin = 0, ""
        """The bits that stay while ids count upwards, and how they are written."""

    def new(self) -> str:
        now = time.time_ns() // 1_000_000
        later = now > self._last >> 80
        value = now << 80 | secrets.randbits(80) if later else self._last + 1
        self._last = value
        if value >> 20 != self._head:
            self._head = value >> 20
            self._begin = "".join([_PAIRS[value >> shift & 1023] for shift in range(120, 10, -10)])
        return self._begin + _PAIRS[value >> 10 & 1023] + _PAIRS[value & 1023]
