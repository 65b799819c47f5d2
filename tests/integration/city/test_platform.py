"""The whole city in this process: foundations by name, roles through the gateway, the one road."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundations.curator.curator import CuratorFoundationService
from foundations.experience.experience import ExperienceFoundationService
from foundations.experience.road import CityRequest, RoadClosed, RoadSocket
from foundations.public_works.public_works import PublicWorksFoundationService
from foundations.public_works.settings import Settings
from main import STAGES, Platform, create_app
from smart_city.gateway import SmartCityGateway
from utilities.context import UserContext

pytestmark = pytest.mark.anyio

ORDER = ["public_works", "curator", "agentic", "experience", "smart_city", "realms"]


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Platform]:
    async with Platform(Settings(data_dir=tmp_path / "data")) as booted:
        yield booted


async def test_stages_are_those_of_the_architecture_in_order(city: Platform) -> None:
    gateway = city.registry.get(SmartCityGateway)

    boot = await gateway.get_smart_city_api("CityManagerService").get_boot()

    assert [stage.name for stage in boot.stages] == [stage.name for stage in STAGES] == ORDER
    assert boot.ready


@pytest.mark.parametrize(
    "name",
    [
        "PublicWorksFoundationService",
        "CuratorFoundationService",
        "AgenticFoundationService",
        "ExperienceFoundationService",
    ],
)
async def test_each_foundation_is_found_by_name(city: Platform, name: str) -> None:
    assert type(city.di_container.get_foundation_service(name)).__name__ == name


async def test_foundations_tell_what_they_keep(city: Platform) -> None:
    works = city.registry.get(PublicWorksFoundationService)
    experience = city.registry.get(ExperienceFoundationService)
    curator = city.registry.get(CuratorFoundationService)

    assert (await works.describe_infrastructure()).adapters["database"] == "SqliteDatabase"
    served = {(o.method, o.path) for o in (await experience.list_operations()).operations}
    assert ("POST", "/api/files") in served
    assert {("POST", api.path) for api in (await curator.list_apis()).apis if api.public} <= served


async def test_trace_and_user_given_to_the_road_are_in_the_answer_and_the_session(
    city: Platform,
) -> None:
    gateway = city.registry.get(SmartCityGateway)
    director = gateway.get_smart_city_api("CommunicationDirectorService")
    someone = UserContext(tenant="north", principal="someone", roles=("member",))
    request = CityRequest(service="TrafficCopService", api="open_session")

    outcome = await director.route_request(request, trace_id="abc", user_context=someone)

    assert outcome.trace_id == "abc"
    assert outcome.result["trace_id"] == "abc"
    assert (outcome.result["user_id"], outcome.result["tenant"]) == ("someone", "north")


async def test_road_is_closed_before_and_after_the_city_stands(tmp_path: Path) -> None:
    async with Platform(Settings(data_dir=tmp_path / "data")) as city:
        socket = city.registry.get(RoadSocket)
    request = CityRequest(service="NurseService", api="check_health")

    with pytest.raises(RoadClosed, match="takes no requests"):
        await socket.route_request(request)


async def test_application_boots_in_its_lifespan_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_DATA_DIR", str(tmp_path / "data"))
    from starlette.testclient import TestClient

    with TestClient(create_app(), base_url="http://127.0.0.1") as client:
        assert client.get("/livez").json()["status"] == "alive"
        assert client.get("/api/city/boot").json()["result"]["ready"] is True


async def test_application_that_cannot_boot_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    monkeypatch.setenv("CIVITAS_DATA_DIR", str(tmp_path / "data"))
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await create_app()({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]  # plain dicts, as servers send them

    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "choose a folder" in str(sent[0]["message"])


async def test_application_without_a_lifespan_says_what_to_do() -> None:
    async def nothing() -> dict[str, object]:
        return {}

    async def send(_message: dict[str, object]) -> None:
        return None

    with pytest.raises(RuntimeError, match="lifespan"):
        await create_app()({"type": "http"}, nothing, send)  # type: ignore[arg-type]  # plain dicts, as servers send them
