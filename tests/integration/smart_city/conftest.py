"""What the tests of the roles share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.role_city import NORTH, RoleCity, as_user, role_city


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[RoleCity]:
    async with role_city(tmp_path / "city") as opened:
        yield opened


@pytest.fixture(autouse=True)
def call() -> Iterator[None]:
    """Tests run as a user of the tenant `north` unless they say otherwise."""
    with as_user(NORTH):
        yield
