"""What the runs of each journey come to when nothing disturbs them."""

import asyncio
import functools
from typing import Any

from tests.chaos.crash_points import rounds
from tests.chaos.small_city import trial_texts


@functools.cache
def expected_outcomes() -> dict[str, Any]:
    """By template, normalised as the referee compares."""

    async def played() -> dict[str, Any]:
        found: dict[str, Any] = {}
        async with rounds() as trials:
            for template in trial_texts():
                _, outcomes = await trials.undisturbed(template)
                found |= outcomes
        return found

    return asyncio.run(played())
