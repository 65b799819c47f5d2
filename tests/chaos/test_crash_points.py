"""The short form of `chaos crash-points`: some points of every journey; the command has all."""

import asyncio

import pytest

from tests.chaos.crash_points import crash_points
from tests.chaos.meddling import How
from tests.chaos.small_city import shipped_texts, trial_texts

_STRIDE = 17
_JOURNEYS = sorted({**shipped_texts(), **trial_texts()})


@pytest.mark.no_cover  # much work in a few lines, which other tests cover
@pytest.mark.parametrize("how", [How.CUT, How.FAULT])
@pytest.mark.parametrize("journey", _JOURNEYS)
def test_journey_comes_to_the_same_wherever_the_power_or_a_statement_fails(
    journey: str, how: How
) -> None:
    first = 1 + _JOURNEYS.index(journey) % _STRIDE

    found = asyncio.run(crash_points(journeys=[journey], hows=[how], stride=_STRIDE, first=first))

    assert list(found.verdict.broken()) == []
    assert found.verdict.runs > 0
