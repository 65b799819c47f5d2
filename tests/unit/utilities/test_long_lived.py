"""A program that lives long does not go through all that it consists of, again and again."""

import gc
from collections.abc import Iterator

import pytest

from utilities.long_lived import uncollected


@pytest.fixture
def collector_on() -> Iterator[None]:
    was = gc.isenabled()
    gc.enable()
    yield
    if not was:
        gc.disable()


class _Thing:
    """Something that the collector knows of."""


@pytest.mark.usefixtures("collector_on")
def test_nothing_is_collected_inside_and_all_is_old_at_the_end() -> None:
    with uncollected():
        assert not gc.isenabled()
        things = [_Thing() for _ in range(1_000)]

    assert gc.isenabled()
    young = {id(thing) for thing in gc.get_objects(generation=0)}
    assert young.isdisjoint(map(id, things))
    assert gc.get_freeze_count() == 0, "what is garbage one day is to be found"


@pytest.mark.usefixtures("collector_on")
def test_a_boot_within_another_leaves_the_collector_off_for_the_outer() -> None:
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
