"""What an engine promises of one run, over the journal in memory."""

from collections.abc import AsyncIterator

import pytest

from realms.journey.api import RunStatus
from tests.support.journeys import USER, JourneyCity
from utilities.context import bound

pytestmark = pytest.mark.anyio


@pytest.fixture
async def city() -> AsyncIterator[JourneyCity]:
    async with JourneyCity() as opened:
        with bound(USER):
            yield opened


async def test_the_data_mash_goes_from_end_to_end(city: JourneyCity) -> None:
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
    await city.dispatch.settle()

    run = await city.engine.get(accepted.run_id)
    assert accepted.status is RunStatus.RUNNING
    assert run.status is RunStatus.SUCCEEDED
    assert [m.milestone_id for m in run.milestones] == [
        "file_uploaded",
        "file_parsed",
        "semantic_processed",
        "insights_generated",
    ]
    assert run.milestones[-1].output == {"insights_result": {"sentences": ["Three rows."]}}
