"""A realm in a package of its own joins the city by its entry point."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from foundations.agentic.scripted_model import ScriptedModelClient
from foundations.curator.catalogue import Catalogue
from foundations.experience.client import InProcessClient
from foundations.public_works.settings import Settings
from main import Platform
from realms.journey.api import Journeys, RunStatus
from tests.support.installed import installed
from tests.support.processes import ROOT, civitas
from utilities.context import CallContext, bound

pytestmark = pytest.mark.anyio

SAMPLE = ROOT / "tests/support/sample_realm"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The sample, installed for one test."""
    folder = installed(SAMPLE, tmp_path / "site")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "letters"]:
        del sys.modules[name]


@pytest.fixture
async def city(site: Path, tmp_path: Path) -> AsyncIterator[Platform]:
    async with Platform(Settings(data_dir=tmp_path / "data")) as platform:
        yield platform


async def test_service_is_served_under_the_name_of_its_entry_point(city: Platform) -> None:
    web = httpx2.ASGITransport(app=city.asgi)
    async with httpx2.AsyncClient(transport=web, base_url="http://127.0.0.1") as http:
        answer = await http.post(
            "/api/letters/letter_service/count_letter", json={"word": "rare", "letter": "r"}
        )
        document = (await http.get("/openapi.json")).json()

    assert answer.json()["result"] == {"occurrences": 2}
    assert "/api/letters/letter_service/count_letter" in document["paths"]


async def test_catalogue_knows_service_agent_and_tool(city: Platform) -> None:
    catalogue = city.registry.get(Catalogue)

    (service,) = await catalogue.services("LetterService")
    agents = {agent.name: agent.tools for agent in catalogue.agents()}
    tools = {tool.name for tool in catalogue.tools()}

    assert (service.realm, service.version, service.owner) == ("letters", "2", "the sample")
    assert agents["SpellingAgent"] == ("LetterService.count_letter",)
    assert "letter_service__count_letter" in tools


async def test_agent_answers_with_the_help_of_its_tool(city: Platform) -> None:
    client = InProcessClient(city.registry)

    said = await client.call("SpellingAgent", "answer", {"question": "How many r?"})

    assert said == {"text": "There are three."}
    script = city.registry.get(ScriptedModelClient)
    messages, tools = script.asked[-1]
    assert [tool.name for tool in tools] == ["letter_service__count_letter"]
    assert messages[-1].text == "{'occurrences': 3}"


async def test_its_journey_runs(city: Platform) -> None:
    journeys = city.registry.get(Journeys)

    with bound(CallContext("a-trace")):
        run = await journeys.start("letters_count", {"word": "tree", "letter": "e"})
        run = await journeys.wait(run.run_id, seconds=30)

    assert run.status is RunStatus.SUCCEEDED
    assert run.milestones[0].output == {"occurrences": 2}


async def test_its_agent_reaches_a_milestone(city: Platform) -> None:
    journeys = city.registry.get(Journeys)

    with bound(CallContext("a-trace")):
        run = await journeys.start("letters_asked", {"question": "How many r?"})
        run = await journeys.wait(run.run_id, seconds=30)

    assert run.status is RunStatus.SUCCEEDED, run.error
    assert run.output == "There are three."
    (messages, _) = city.registry.get(ScriptedModelClient).asked[-1]
    assert messages[-1].text == '{"occurrences":3}'


@pytest.mark.slow
async def test_its_commands_join_the_command_line(site: Path) -> None:
    environment = {"PYTHONPATH": str(site)}

    shown = civitas("--help", environment=environment)
    counted = civitas("letters", "count", "tree", environment=environment)

    assert "letters" in shown.stdout
    assert counted.stdout == "2\n"
