"""Tasks that live as long as their owner."""

import asyncio
from typing import Any

_PATIENCE_SECONDS = 2.0


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until they have ended; what they raise is nobody's business any more.

    A cancellation can be lost: what a task cleans up after it may fail, and the task take that for
    a failure like others, and go on. So it is said again.
    """
    living = set(tasks)
    while living:
        for task in living:
            task.cancel()
        _, living = await asyncio.wait(living, timeout=_PATIENCE_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
