"""An open city for journeys, over a journal; the modules of semantics and crashes name all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.journals import any_journal
from tests.support.journeys import USER, JourneyCity
from utilities.context import bound


@pytest.fixture(params=["memory", "sqlite"])
async def city(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JourneyCity]:
    async with any_journal(request, tmp_path) as journal, JourneyCity(journal) as opened:
        with bound(USER):
            yield opened
