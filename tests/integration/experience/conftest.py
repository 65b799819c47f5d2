"""The edge over a small city."""

from collections.abc import Iterator

import pytest

from tests.support.small_city import SmallCity, small_city


@pytest.fixture
def city() -> Iterator[SmallCity]:
    yield from small_city(max_body_bytes=100_000)
