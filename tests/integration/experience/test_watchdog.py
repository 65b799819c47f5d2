"""A process whose loop stands still is ended; one that is busy or slow is not."""

import asyncio
import time

import pytest

from foundations.experience.watchdog import watched

pytestmark = pytest.mark.anyio


async def test_a_loop_that_stands_still_ends_the_process() -> None:
    ended: list[bool] = []

    with watched(0.2, end=lambda: ended.append(True)):
        time.sleep(0.6)  # as a call does that computes, or that blocks

    assert ended == [True]


async def test_a_loop_that_gives_signs_of_life_goes_on() -> None:
    ended: list[bool] = []

    with watched(0.3, end=lambda: ended.append(True)):
        for _ in range(12):
            time.sleep(0.05)
            await asyncio.sleep(0)
        await asyncio.sleep(0.4)

    assert ended == []


async def test_zero_seconds_watch_nothing() -> None:
    ended: list[bool] = []

    with watched(0, end=lambda: ended.append(True)):
        time.sleep(0.05)

    assert ended == []
