"""Tasks end when they are to, also those that lose a cancellation."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from foundations.public_works.adapters.events_between import EventsBetween, Line
from utilities import tasks
from utilities.tasks import ended

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_PATIENCE_SECONDS", 0.01)


async def test_a_task_that_takes_its_cancellation_for_something_else_ends() -> None:
    lost: list[str] = []

    async def deaf() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append("one")

    async def failing() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ConnectionResetError

    living = [asyncio.create_task(work()) for work in (deaf, failing, failing)]
    await asyncio.sleep(0)
    await ended(*living)

    assert len(lost) == 2
    assert all(task.done() for task in living)


async def test_nothing_to_end_is_nothing_to_wait_for() -> None:
    await ended()
    done = asyncio.create_task(asyncio.sleep(0))
    await done
    await ended(done)


class BadlyEndingEvents(EventsBetween):
    """Hangs up with a failure, as where the server does not answer any more."""

    largest = 1000
    failures = (OSError,)

    @asynccontextmanager
    async def line(
        self, heard: Callable[[str], None], broke: Callable[[], None]
    ) -> AsyncIterator[Line]:
        try:
            yield _Silent()
        finally:
            raise ConnectionResetError


class _Silent(Line):
    broken = False

    async def send(self, letter: str) -> None:
        pass


async def test_events_end_where_the_line_cannot_be_closed_well() -> None:
    async with asyncio.timeout(5), BadlyEndingEvents():
        await asyncio.sleep(0.05)
