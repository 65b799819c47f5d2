"""What the measured services do besides counting, in this process."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Work:
    """Set by a trial before it starts runs."""

    begun: Callable[[int], None] = lambda number: None
    longest_wait: float = 0.0
    """Seconds; each call waits between nothing and this."""
    stops_at: int = -1
    """The step that never answers."""


WORK = Work()
