"""The boot benchmark runs, and its figures keep what is promised."""

import pytest

from tests.benchmarks.boot import Figures, measure, readable

pytestmark = pytest.mark.slow

STAGES = ["public_works", "curator", "agentic", "experience", "smart_city", "realms"]


@pytest.fixture(scope="module")
def figures() -> Figures:
    return measure(times=1)


def test_every_stage_is_measured_in_boot_order(figures: Figures) -> None:
    for part in ("imports", "stages"):
        assert list(figures["boot"]["cold"][part]) == STAGES
        assert list(figures["boot"]["warm"][part]) == STAGES


def test_figures_are_readable(figures: Figures) -> None:
    lines = readable(figures).splitlines()

    assert lines[0].split() == ["milliseconds", "cold", "warm"]
    assert len(lines) == 1 + 1 + 2 * (len(STAGES) + 1) + 1
