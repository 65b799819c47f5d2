"""Places where a trial may have the process killed; off unless `JOURNEY_FAILPOINT` names one.

The engine passes `accepted` (a run is durable, nothing was called), `before:{milestone}` (its
attempt is journalled, the call not made), `called:{milestone}` (the call answered, its checkpoint
is not written) and `after:{milestone}` (the checkpoint is durable).
"""

import os
import signal

VARIABLE = "JOURNEY_FAILPOINT"


def reach(point: str) -> None:
    """Die here, as by `kill -9`, if the environment asks for it."""
    if os.environ.get(VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
