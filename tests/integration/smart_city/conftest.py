"""What the tests of the roles share."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.postgres import own_database
from tests.support.role_city import NORTH, RoleCity, as_user, role_city


@pytest.fixture(params=["sqlite", "postgres"])
async def city(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RoleCity]:
    """The roles over either database."""
    with own_database(request, "roles", _prepare) as url:
        async with role_city(tmp_path / "city", database_url=url) as opened:
            yield opened


async def _prepare(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with role_city(Path(folder), database_url=url):
            pass


@pytest.fixture(autouse=True)
def call() -> Iterator[None]:
    """Tests run as a user of the tenant `north` unless they say otherwise."""
    with as_user(NORTH):
        yield
