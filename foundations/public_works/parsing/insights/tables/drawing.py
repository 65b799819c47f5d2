"""Tables too large to be looked at whole: rows are drawn by lot, and what is told says so.

What is known of all rows from parsing (how many there are, what is missing, how many values differ)
is told of all of them. All else is told of the rows drawn, and of nothing beyond them.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.models import ColumnProfile, TableProfile

MOST_ROWS = 1_000_000
"""Tables of more are not looked at whole."""
MOST_CELLS = 50_000_000
DRAWN = 500_000
_SLICE_ROWS = 250_000
_LOTS = 20251127
_DOUBT = 0.05


@dataclass(frozen=True, slots=True)
class Drawn:
    """Which rows were drawn, counted from 0, and what is known of all of them."""

    rows: NDArray[np.intp]
    known: TableProfile

    @property
    def margin(self) -> float:
        """How far a share, or the rank of a quantile, may lie off that of all rows.

        In 19 of 20 draws none lies farther off (Massart 1990, the inequality of Dvoretzky, Kiefer
        and Wolfowitz; to draw without putting back only makes it closer: Serfling 1974).
        """
        return math.sqrt(math.log(2 / _DOUBT) / (2 * len(self.rows)))

    @property
    def least_seen(self) -> int:
        """What is in fewer rows than this may be missed, once in 20 draws or more often."""
        all_rows = self.known.row_count
        seldom = -math.expm1(math.log(_DOUBT) / len(self.rows))
        return math.ceil(seldom * all_rows)

    def column(self, name: str) -> ColumnProfile | None:
        """What is known of a column; None of those beyond the first few hundred."""
        return next((one for one in self.known.columns if one.name == name), None)


def read_or_drawn(path: Path, known: TableProfile) -> tuple[pl.DataFrame, Drawn | None]:
    """All rows of a stored table, or those that were drawn of one that is too large."""
    height, width = known.row_count, max(1, known.column_count)
    if height <= MOST_ROWS and height * width <= MOST_CELLS:
        return pl.read_parquet(path), None
    size = max(1, min(DRAWN, height // 2, MOST_CELLS // width))
    rows = np.sort(np.random.default_rng(_LOTS).choice(height, size, replace=False))
    whole = pl.scan_parquet(path, glob=False)
    kept = [
        whole.slice(start, _SLICE_ROWS).collect()[
            rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + _SLICE_ROWS)] - start
        ]
        for start in range(0, height, _SLICE_ROWS)
    ]
    return pl.concat(kept, rechunk=True), Drawn(rows, known)


def told_of_drawn(insight: Insight, *drawn: Drawn | None) -> Insight:
    """The insight, which says of how many rows it is where rows were drawn."""
    sizes = [len(one.rows) for one in drawn if one is not None]
    if not sizes or insight.kind in _TOLD_OF_ALL:
        return insight
    return insight.model_copy(
        update={
            "sentence": f"Of {min(sizes):,} rows drawn by lot: {insight.sentence}",
            "figures": insight.figures | {"rows_drawn": min(sizes)},
        }
    )


_TOLD_OF_ALL = frozenset({InsightKind.OVERVIEW, InsightKind.DUPLICATE, InsightKind.KEY})
