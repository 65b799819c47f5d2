"""The whole city with everything it knows in PostgreSQL: no service and no journey sees it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.data_folder import DataFolder
from foundations.public_works.public_works import PublicWorksFoundationService
from main import Platform
from realms.journey.api import Journeys, RunStatus
from realms.solution.api import DataMashSolutions
from smart_city.content_steward.api import ContentSteward
from smart_city.librarian.api import Librarian
from tests.support.postgres import settings
from utilities.context import CallContext, bound

pytestmark = pytest.mark.anyio

WEATHER = Path(__file__).parents[2] / "data" / "weather.csv"


async def mashed(city: Platform) -> tuple[str, Any]:
    """The id and the outcome of a data mash of the weather."""
    path = city.registry.get(DataFolder).spool()
    path.write_bytes(WEATHER.read_bytes())
    file = await city.registry.get(ContentSteward).register_upload(path.name, WEATHER.name)
    solutions = city.registry.get(DataMashSolutions)
    outcome = await solutions.execute_data_mash_flow(file.file_id)
    return outcome.journey_id, outcome


async def test_data_mash_is_the_same_and_is_there_after_a_restart(
    postgres_url: str, tmp_path: Path
) -> None:
    outcomes, found = [], []
    for url in ("", postgres_url):
        async with Platform(settings(tmp_path / f"city{bool(url)}", url)) as city:
            with bound(CallContext("trace-of-the-test")):
                journey_id, outcome = await mashed(city)
                hits = await city.registry.get(Librarian).search("humidity station Hill")
            outcomes.append(re.findall(r'"sentence":"(.*?)"', outcome.model_dump_json()))
            found.append({(hit.place.label, hit.snippet) for hit in hits.hits})
            works = city.registry.get(PublicWorksFoundationService)
            adapters: Mapping[str, str] = (await works.describe_infrastructure()).adapters
    async with Platform(settings(tmp_path / "cityTrue", postgres_url)) as city:
        with bound(CallContext("trace-of-the-test")):
            run = await city.registry.get(Journeys).get(journey_id)
            hits = await city.registry.get(Librarian).search("humidity station Hill")

    assert adapters["database"] == "PostgresDatabase"
    assert not (tmp_path / "cityTrue" / "city.sqlite3").exists()
    assert len(outcomes[0]) >= 5
    assert outcomes[0] == outcomes[1]
    assert run.status is RunStatus.SUCCEEDED
    assert found[1] == {(hit.place.label, hit.snippet) for hit in hits.hits} != set()
