"""Bugs that the trials found, each by the shortest way that shows it."""

import asyncio
from datetime import timedelta
from pathlib import Path

from foundations.public_works.database import StorageFull
from realms.journey.api import RunStatus
from realms.journey.engine import core
from realms.journey.engine.core import Perform
from realms.journey.engine.facts import MilestoneSucceeded, RunPaused, RunResumed, RunStarted
from realms.journey.engine.folding import apply
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan
from tests.chaos.crash_points import rounds
from tests.chaos.meddling import Meddler
from tests.chaos.small_city import CachedTemplates, TrialServices, trial_texts
from tests.support.journals import open_database
from tests.support.journeys import BEGAN


def test_race_whose_branch_ended_while_the_run_was_paused_is_decided_when_it_goes_on(
    tmp_path: Path,
) -> None:
    plan = asyncio.run(_plan("trial_race", tmp_path))
    run = _started(plan)
    begun = core.step(plan, run, BEGAN)
    assert [move.path for move in begun.moves if isinstance(move, Perform)] == ["call"]
    output = {"order": "one", "step": "call", "n": 1}
    won = MilestoneSucceeded(at=BEGAN, path="call", output=output, attempt=1)
    core.step(plan, run, BEGAN, first=[RunPaused(at=BEGAN, principal="ada")])
    core.step(plan, run, BEGAN, first=[won])

    core.step(plan, run, BEGAN, first=[RunResumed(at=BEGAN, principal="ada")])

    assert run.nodes["quick"].status is RunStatus.SUCCEEDED
    assert run.nodes["later"].status is RunStatus.CANCELLED


def test_store_that_refused_once_is_asked_again_though_nothing_waits_to_be_written() -> None:
    async def refused_and_accepted() -> tuple[object, object]:
        async with (
            rounds() as trials,
            trials.trial() as trial,
            trial.city(Meddler()) as city,
            city,
        ):
            group = city.driver.group
            group._refused(StorageFull("the disk is full"))
            first = group.trouble
            await asyncio.sleep(0.05)
            return first, group.trouble

    first, later = asyncio.run(refused_and_accepted())

    assert first is not None
    assert later is None


async def _plan(name: str, folder: Path) -> Plan:
    async with open_database(folder) as database:
        templates = CachedTemplates(TrialServices(database), trial_texts())
        return (await templates.current(name)).plan


def _started(plan: Plan) -> RunState:
    start = RunStarted(
        at=BEGAN,
        template=plan.name,
        template_hash=plan.text_hash,
        values={"order": "one"},
        trace_id="trace",
        tenant="trial",
        principal="ada",
        deadline=BEGAN + timedelta(days=1),
    )
    return apply(None, start, run_id="run-1")
