"""What the measured services do besides counting, in this process."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Work:
    """Set by a trial before it starts runs."""

    begun: Callable[[int], None] = lambda number: None
    longest_wait: float = 0.0
    """Seconds; each call waits between nothing and this."""
    stops_at: int = -1
    """The step that never answers."""
    burns: float = field(
        default_factory=lambda: float(os.environ.get("BENCHMARK_CPU_MS", "0")) / 1000
    )
    """Seconds of CPU that each call takes; workers are told by their environment."""


WORK = Work()
