"""What the tests of the roles share."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.postgres import own_database
from tests.support.role_city import NORTH, RoleCity, as_user, role_city


@pytest.fixture(params=["sqlite", "postgres"])
async def city(
    request: pytest.FixtureRequest, tmp_path: Path, migrated: Path
) -> AsyncIterator[RoleCity]:
    """The roles over either database, whose tables were made once for all tests."""
    folder = tmp_path / "city"
    with own_database(request, "roles", _prepare) as url:
        if not url:
            folder.mkdir()
            shutil.copy(migrated, folder)
        async with role_city(folder, database_url=url) as opened:
            yield opened


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the tables of the roles, and nothing in them."""

    async def opened_once(folder: Path) -> Path:
        async with role_city(folder) as city:
            return city.folder.database

    with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
        return thread.submit(asyncio.run, opened_once(tmp_path_factory.mktemp("roles"))).result()


async def _prepare(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with role_city(Path(folder), database_url=url):
            pass


@pytest.fixture(autouse=True)
def call() -> Iterator[None]:
    """Tests run as a user of the tenant `north` unless they say otherwise."""
    with as_user(NORTH):
        yield
