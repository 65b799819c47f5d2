"""What a piece of work took."""

from typing import NamedTuple


class Spent(NamedTuple):
    """Seconds by the clock, and of all processors together."""

    wall: float
    processor: float
