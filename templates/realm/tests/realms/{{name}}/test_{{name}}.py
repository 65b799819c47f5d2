"""The realm of {{title}}: its service by the road, its route, its journey, and what lists it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from foundations.curator.catalogue import Catalogue
from foundations.experience.client import InProcessClient
from foundations.public_works.settings import Settings
from main import Platform
from realms.journey.api import Journeys, RunStatus
from utilities.context import CallContext, bound

pytestmark = pytest.mark.anyio


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Platform]:
    async with Platform(Settings(data_dir=tmp_path)) as platform:
        yield platform


async def test_service_counts_words(city: Platform) -> None:
    client = InProcessClient(city.registry)

    counted = await client.call("{{Name}}Service", "count_words", {"text": "one three"})

    assert counted == {"words": 2, "longest": "three"}


async def test_route_and_derived_operation_answer_alike(city: Platform) -> None:
    web = httpx2.ASGITransport(app=city.asgi)
    async with httpx2.AsyncClient(transport=web, base_url="http://127.0.0.1") as http:
        by_hand = await http.get("/api/{{name}}/words", params={"text": "one three"})
        derived = await http.post(
            "/api/{{name}}/{{name}}_service/count_words", json={"text": "one three"}
        )

    assert by_hand.status_code == derived.status_code == 200
    assert by_hand.json()["result"] == derived.json()["result"] == {"words": 2, "longest": "three"}


async def test_journey_ends_with_a_report(city: Platform) -> None:
    journeys = city.registry.get(Journeys)

    with bound(CallContext("a-trace")):
        run = await journeys.start("{{name}}_report", {"text": "one three"})
        run = await journeys.wait(run.run_id, seconds=30)

    assert run.status is RunStatus.SUCCEEDED
    assert run.milestones[-1].output == {"report": '2 words, the longest is "three"'}


async def test_curator_lists_and_draws_the_service(city: Platform) -> None:
    catalogue = city.registry.get(Catalogue)

    assert "{{Name}}Service" in {listing.name for listing in await catalogue.services()}
    assert "{{Name}}Service" in catalogue.graph()
