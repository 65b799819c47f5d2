"""The gate: every planted bug is caught, or the trials are not to be trusted."""

import asyncio

import pytest

from tests.chaos.crash_points import rounds
from tests.chaos.planted import BUGS
from tests.chaos.planted_gate import (
    CAUGHT_BY_CRASH_POINTS,
    CAUGHT_BY_TWO_ENGINES,
    by_crash_points,
    by_two_engines,
)


@pytest.mark.parametrize("bug", CAUGHT_BY_CRASH_POINTS)
def test_crash_points_catch_a_planted_bug(bug: str) -> None:
    async def look() -> str:
        async with rounds() as trials:
            return await by_crash_points(trials, bug)

    assert asyncio.run(look())


@pytest.mark.slow
@pytest.mark.parametrize("bug", CAUGHT_BY_TWO_ENGINES)
def test_two_engines_on_one_folder_catch_a_planted_bug(bug: str) -> None:
    assert by_two_engines(bug, seed=5)


def test_at_least_twelve_bugs_are_planted() -> None:
    assert len(BUGS) >= 12
