"""Every crash point of every journey: cut the power, or let something fail, at the Nth; recover."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loguru import logger

from realms.journey.engine import group_commit
from tests.chaos import store
from tests.chaos.meddling import How
from tests.chaos.referee import Verdict, judge
from tests.chaos.small_city import TRIAL, Trial, fresh, shipped_texts, trial_texts
from tests.support.journals import open_database

MOST_BOOTS = 4


@dataclass(slots=True)
class Found:
    """What a round over crash points found."""

    points: int = 0
    kills: int = 0
    faults: int = 0
    by_journey: dict[str, int] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)


@dataclass(slots=True)
class Rounds:
    """Plays journeys again and again, each time in a fresh folder."""

    scratch: Path
    texts: Mapping[str, str]
    _number: int = 0

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[Trial]:
        self._number += 1
        folder = self.scratch / f"trial-{self._number}"
        async with fresh(self.texts, folder, self.scratch / "seed") as trial:
            yield trial

    async def undisturbed(self, template: str) -> tuple[int, dict[str, Any]]:
        """How many points there are, and what each run comes to."""
        async with self.trial() as trial:
            meddler = await trial.played(template)
            kept = store.read(trial.folder / store.DATABASE)
            return meddler.count, {k.template: store.outcome(k) for k in kept.runs.values()}

    async def disturbed(
        self, template: str, at: int, how: How, expected: Mapping[str, Any]
    ) -> Verdict:
        """The verdict after meddling with one point, and then with nothing any more."""
        async with self.trial() as trial:
            meddler = await trial.played(template, at=at, how=how)
            if how is How.CUT or meddler.refused:
                await trial.played(template)
            kept = store.read(trial.folder / store.DATABASE)
            verdict = judge(kept, trial.notes, expected=expected, clock_held=False)
            if verdict.runs == 0:
                verdict.lost.append(f"{template} never came to be")
        for name in ("lost", "repeated", "stale_writes", "stranded", "differs"):
            lines = getattr(verdict, name)
            lines[:] = [f"{how} at {at} ({meddler.point}): {line}" for line in lines]
        return verdict


@contextmanager
def quiet() -> Any:
    """Say nothing of what a trial does to the city, and try again soon what a store refused."""
    before = group_commit._AGAIN_SECONDS
    group_commit._AGAIN_SECONDS = 0.005
    logger.disable("realms")
    logger.disable("foundations")
    try:
        yield
    finally:
        group_commit._AGAIN_SECONDS = before
        logger.enable("realms")
        logger.enable("foundations")


@asynccontextmanager
async def rounds() -> AsyncIterator[Rounds]:
    """Rounds in a scratch folder, over the shipped and the trial journeys."""
    with tempfile.TemporaryDirectory(prefix="civitas-chaos-") as folder, quiet():
        scratch = Path(folder)
        async with open_database(scratch / "seed") as database:
            await database.migrate("trial", TRIAL / "migrations")
        _mute(asyncio.get_running_loop())
        yield Rounds(scratch, {**shipped_texts(), **trial_texts()})


async def crash_points(
    *,
    journeys: Iterable[str] = (),
    hows: Sequence[How] = (How.CUT, How.FAULT),
    stride: int = 1,
    first: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Found:
    """Meddle with every `stride`th point, from the `first`, of each journey, all by default."""
    found = Found()
    async with rounds() as trials:
        for template in journeys or trials.texts:
            count, expected = await trials.undisturbed(template)
            found.by_journey[template] = count
            broken = Verdict()
            for how in hows:
                for at in range(first, count + 1, stride):
                    broken.add(await trials.disturbed(template, at, how, expected))
                    found.kills += how is How.CUT
                    found.faults += how is How.FAULT
            found.points += count
            found.verdict.add(broken)
            say(f"{template}: {count} points, {'sound' if broken.sound else 'BROKEN'}")
    return found


def _mute(loop: asyncio.AbstractEventLoop) -> None:
    """What dies with a cut city is not news."""
    loop.set_exception_handler(lambda _loop, _context: None)
