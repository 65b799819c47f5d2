"""Places where a trial may have the process killed or stopped; off unless the environment asks.

`JOURNEY_FAILPOINT` names one: `accepted` (a run is durable, nothing was called),
`before:{milestone}` (its attempt is journalled, the call not made), `called:{milestone}` (the call
answered, its checkpoint is not written), `after:{milestone}` (the checkpoint is durable).
"""

import os
import signal

VARIABLE = "JOURNEY_FAILPOINT"
_asked = os.environ.get(VARIABLE, "")


def reach(point: str, path: str = "") -> None:
    """Die here, as by `kill -9`, if the environment asks for it."""
    if _asked and _asked == (f"{point}:{path}" if path else point):
        os.kill(os.getpid(), signal.SIGKILL)
