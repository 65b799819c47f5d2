"""What services of trials tell of: every effect, to a ledger outside the system under trial."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Note = Mapping[str, Any]


@dataclass(slots=True)
class Witness:
    """Where the effects of this process go, and how long each takes at the most."""

    tell: Callable[[Note], None] = lambda note: None
    longest_wait: float = 0.0

    def effect(self, effect: str, order: str, step: str, n: int, *, key: str) -> None:
        """Tell of an effect that takes place now."""
        self.tell(
            {
                "what": "effect",
                "effect": effect,
                "order": order,
                "step": step,
                "n": n,
                "key": key,
                "pid": os.getpid(),
                "at": time.time(),
            }
        )


WITNESS = Witness()
