"""Rows of totals are told, checked, and left out of everything else."""

import polars as pl
import pytest

from foundations.public_works.parsing.insights.model import InsightKind
from foundations.public_works.parsing.insights.tables.columns import Table, table_of
from foundations.public_works.parsing.insights.tables.table import of_table, overview
from foundations.public_works.parsing.insights.tables.totals import told_totals, without_totals

AMOUNTS = [12.5, 30.25, 18.0, 22.75, 9.5, 41.0]


def ledger(*, label: str = "Total", total: float = 134.0, shares: float | None = None) -> Table:
    return without_totals(
        table_of(
            pl.DataFrame(
                {
                    "item": [*"abcdef", label],
                    "units": [3, 1, 4, 1, 5, 9, 23],
                    "amount": [*AMOUNTS, total],
                    "share": [0.1, 0.2, 0.1, 0.2, 0.3, 0.1, shares],
                }
            ),
            "ledger",
        )
    )


@pytest.mark.parametrize("label", ["Total", "Grand total:", "Summe", "Gesamt", "TOTAL 2024"])
def test_row_of_totals_is_told_and_set_apart(label: str) -> None:
    table = ledger(label=label)

    assert table.height == 6
    (told,) = told_totals(table)
    assert told.sentence == (
        "Row 7 holds sums of the rows above, of units and amount; all else is told without it."
    )
    assert told.evidence.rows == (7,)
    assert "6 rows, 1 row of totals and 4 columns" in overview(table).sentence


def test_total_that_is_wrong_is_told_with_what_the_rows_come_to() -> None:
    right, wrong = told_totals(ledger(total=143.0))

    assert "of units;" in right.sentence
    assert wrong.sentence == (
        "Row 7 says that amount is 143 in all, but the rows above come to 134, which is 9 less."
    )
    assert wrong.evidence.rows == (7,)


def test_mean_beside_totals_is_no_wrong_total() -> None:
    (told,) = told_totals(ledger(shares=0.1667))

    assert "of units and amount" in told.sentence


def test_subtotals_sum_up_what_is_since_the_last_one() -> None:
    table = without_totals(
        table_of(
            pl.DataFrame(
                {
                    "item": ["a", "b", "c", "Subtotal", "d", "e", "f", "Subtotal", "Total"],
                    "n": [1, 2, 4, 7, 8, 16, 32, 56, 63],
                }
            ),
            "t",
        )
    )

    assert [total.row for total in table.totals] == [4, 8, 9]
    assert table.named("n").series.to_list() == [1, 2, 4, 8, 16, 32]
    assert table.number(3) == 5


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (["a", "b", "c", "d", "Total war"], [1, 2, 3, 4, 90]),  # a title, and no sum
        (["a", "b", "c", "d", "e"], [1, 2, 3, 4, 10]),  # a sum that nobody calls so
        (["Total", "Total", "Total", "d", "e"], [1, 1, 2, 4, 8]),  # a label of its own
        (["a", "b", "c", "d", "Total"], ["x", "y", "z", "w", "v"]),
    ],
)
def test_row_that_is_no_total_stays(labels: list[str], numbers: list[object]) -> None:
    table = without_totals(table_of(pl.DataFrame({"item": labels, "n": numbers}), "t"))

    assert table.height == 5
    assert list(told_totals(table)) == []


def test_totals_are_no_outliers_and_hold_no_share_of_a_sum() -> None:
    rows = 40
    frame = pl.DataFrame(
        {
            "shop": [*(f"shop {n % 8}" for n in range(rows)), "Total"],
            "sales": [*(20.0 + n % 7 for n in range(rows)), sum(20.0 + n % 7 for n in range(rows))],
        }
    )
    kinds = {one.kind for one in of_table(without_totals(table_of(frame, "t")))}

    assert kinds.isdisjoint({InsightKind.OUTLIER, InsightKind.CONCENTRATION, InsightKind.MISSING})


def test_column_in_which_totals_are_called_so_is_of_dates_without_them() -> None:
    days = [f"2024-01-{day:02} 00:00:00" for day in range(1, 13)]
    frame = pl.DataFrame({"day": [*days, "Total"], "n": [*range(12), sum(range(12))]})
    table = without_totals(table_of(frame, "t"))

    assert table.clock is not None
    assert table.clock.name == "day"
