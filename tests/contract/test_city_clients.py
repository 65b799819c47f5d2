"""One contract for both ways to ask a city: in this process, and over HTTP."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from foundations.experience.client import CityClient, CityUnreachable, HttpClient, connect
from foundations.experience.need import Need
from foundations.public_works.data_folder import DataFolderInUse
from foundations.public_works.settings import Settings
from main import Platform
from tests.support.processes import Server, serving
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests here."""
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(params=["in process", "over http"])
async def client(
    request: pytest.FixtureRequest, tmp_path: Path, server: Server
) -> AsyncIterator[CityClient]:
    if request.param == "over http":
        async with HttpClient.connected(server.url) as connected:
            yield connected
    else:
        async with connect(Platform, Settings(data_dir=tmp_path)) as connected:
            yield connected


async def test_call_answers_with_the_result(client: CityClient) -> None:
    found = await client.call("CuratorFoundationService", "list_agents", {})

    assert set(found) == {"agents"}


async def test_uploaded_file_is_kept_under_its_name_and_trace(
    client: CityClient, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("day,rain\n1,2\n")

    record = await client.upload(tmp_path / "x", "rain März.csv", trace_id="a-trace")
    found = await client.call("ContentStewardService", "get_file", {"file_id": record["file_id"]})

    assert found == record
    assert (record["name"], record["trace_id"]) == ("rain März.csv", "a-trace")
    assert record["status"] == "stored"


async def test_uploaded_file_is_mashed(client: CityClient, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("day,rain\n1,2\n")
    record = await client.upload(tmp_path / "x", "rain.csv", trace_id="b-trace")

    outcome = await client.call(
        "DataMashSolutionOrchestratorService",
        "execute_data_mash_flow",
        {"file_id": record["file_id"]},
    )

    assert outcome["success"]
    assert outcome["trace_id"] == "b-trace"


@pytest.mark.parametrize(
    ("service", "api", "arguments", "kind", "code"),
    [
        ("CuratorService", "list_agents", {}, ErrorKind.NOT_FOUND, "no_such_api"),
        ("ContentStewardService", "register_upload", {}, ErrorKind.NOT_FOUND, "no_such_api"),
        ("ContentStewardService", "get_file", {}, ErrorKind.INVALID, "invalid_arguments"),
        (
            "ContentStewardService",
            "get_file",
            {"file_id": "x"},
            ErrorKind.NOT_FOUND,
            "file_unknown",
        ),
    ],
)
async def test_refused_call_tells_the_same_wherever_the_city_is(
    client: CityClient,
    service: str,
    api: str,
    arguments: dict[str, object],
    kind: ErrorKind,
    code: str,
) -> None:
    with pytest.raises(PlatformError) as refused:
        await client.call(service, api, arguments)

    assert (refused.value.kind, refused.value.code) == (kind, code)
    assert refused.value.title
    assert refused.value.hint


async def test_fields_at_fault_are_named(client: CityClient) -> None:
    with pytest.raises(PlatformError) as refused:
        await client.call("ContentStewardService", "get_file", {})

    assert [fault.pointer for fault in refused.value.errors] == ["/file_id"]


async def test_malware_is_refused_at_upload(client: CityClient, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(EICAR)

    with pytest.raises(PlatformError) as refused:
        await client.upload(tmp_path / "x", "x.txt")

    assert refused.value.code == "malware"


async def test_server_that_is_gone_is_named() -> None:
    async with HttpClient.connected("http://127.0.0.1:9") as client:
        with pytest.raises(CityUnreachable, match=r"http://127\.0\.0\.1:9"):
            await client.call("CuratorFoundationService", "list_agents", {})


async def test_folder_of_a_city_that_serves_nothing_is_not_taken(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with Platform(settings):
        with pytest.raises(DataFolderInUse):
            async with connect(Platform, settings, patience=0):
                pytest.fail("nobody may enter")


async def test_city_without_need_of_data_leaves_the_folder_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "untouched")

    async with connect(Platform, settings, need=Need.NOTHING) as client:
        await client.call("CuratorFoundationService", "list_agents", {})

    assert not settings.data_dir.exists()


async def test_reading_where_nothing_is_kept_begins_no_city(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "nothing" / "here")

    async with connect(Platform, settings, need=Need.READING) as client:
        assert (await client.call("JourneyRunsService", "list_runs", {}))["runs"] == []

    assert not (tmp_path / "nothing").exists()
