"""An open city for journeys, over either journal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.journals import open_journal
from tests.support.journeys import USER, JourneyCity
from utilities.context import bound


@pytest.fixture(params=["memory", "sqlite"])
async def city(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JourneyCity]:
    async with open_journal(request.param, tmp_path) as journal, JourneyCity(journal) as opened:
        with bound(USER):
            yield opened
