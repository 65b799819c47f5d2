"""What the tests of content share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.content_world import World, content_world
from utilities.context import CallContext, UserContext, bound


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with content_world(tmp_path / "city") as made:
        yield made


@pytest.fixture(autouse=True)
def call() -> Iterator[CallContext]:
    context = CallContext("trace-of-the-test", UserContext(tenant="north", principal="tester"))
    with bound(context):
        yield context
