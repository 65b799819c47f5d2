"""The data mash with its files on S3: the same journey, and nothing of the files on this disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundations.experience.client import connect
from foundations.public_works.settings import Settings
from main import Platform
from tests.support.processes import ROOT
from tests.support.stores import (
    bucket_keys,
    bucket_settings,
    bucket_variables,
    make_bucket,
    s3_server,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        make_bucket(address, "city")
        yield address


async def mashed(settings: Settings, name: str) -> dict[str, Any]:
    """What the data mash says of a file of the tour, in a city of its own."""
    async with connect(Platform, settings) as client:
        record = await client.upload(ROOT / "tests/data" / name, name)
        outcome: dict[str, Any] = await client.call(
            "DataMashSolutionOrchestratorService",
            "execute_data_mash_flow",
            {"file_id": record["file_id"]},
        )
    return outcome


def sentences(outcome: dict[str, Any]) -> list[str]:
    insights = outcome["phases"]["insights"]["milestones"]["insights_generated"]
    return [i["sentence"] for i in insights["output"]["insights_result"]["insights"]]


@pytest.mark.parametrize("name", ["planets.xlsx", "declaration.pdf"])
async def test_data_mash_is_the_same_with_files_on_s3(
    tmp_path: Path, endpoint: str, name: str
) -> None:
    here = Settings(data_dir=tmp_path / "here")
    there = bucket_settings(tmp_path / "there", bucket_variables(endpoint, "city", prefix=name))

    outcome = await mashed(there, name)

    assert outcome["success"]
    assert sentences(outcome) == sentences(await mashed(here, name)) != []
    kept = [path.name for path in (tmp_path / "here/objects").rglob("*") if path.is_file()]
    keys = [key for key in bucket_keys(endpoint, "city") if key.startswith(f"{name}/")]
    assert len(keys) == len(kept) > 1
    assert [p for p in (tmp_path / "there/objects").rglob("*") if p.is_file()] == []
    assert list((tmp_path / "there/staging").iterdir()) == []


async def test_city_goes_on_over_the_same_bucket_after_a_restart(
    tmp_path: Path, endpoint: str
) -> None:
    settings = bucket_settings(tmp_path, bucket_variables(endpoint, "city", prefix="restarted"))
    outcome = await mashed(settings, "planets.xlsx")

    async with connect(Platform, settings) as client:
        (file,) = (await client.call("ContentStewardService", "list_files", {}))["files"]
        again = await client.call(
            "DataMashSolutionOrchestratorService",
            "execute_data_mash_flow",
            {"file_id": file["file_id"], "rerun": True},
        )

    assert again["success"]
    assert sentences(again) == sentences(outcome)
