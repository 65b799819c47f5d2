"""The benchmark of large tables runs, and both sides read the same rows."""

import pytest

from tests.benchmarks.large_csv import ROWS, measure

pytestmark = pytest.mark.slow


def test_both_read_the_same_rows() -> None:
    figures = measure(megabytes=2, times=1)

    assert figures["city"]["rows"] == figures["polars"]["rows"] == ROWS
    assert set(figures["ratios"]) == {"wall_s", "cpu_s", "rss_mb"}
