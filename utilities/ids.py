"""Ids that sort by the time they were made."""

import secrets
import time
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


class Ids(Protocol):
    """Makes new ids."""

    def new(self) -> str: ...


class TimeSortableIds(Ids):
    """26 characters: 48 bits of milliseconds, then 80 random bits (the layout of a ULID).

    Within one millisecond ids count upwards, so ids of one process sort strictly by creation.
    """

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        if value <= self._last or value >> 80 == self._last >> 80:
            value = self._last + 1
        self._last = value
        return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
