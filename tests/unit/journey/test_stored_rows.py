"""Rows of runs are read as they were written; one that was damaged stops nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import DueRun, RunRow
from realms.journey.stored_rows import COLUMNS, all_columns, due_of, row_of
from realms.journey.stored_times import EPOCH, micros

AT = datetime(2026, 11, 28, 5, 30, 0, 123_456, tzinfo=UTC)
ROW = RunRow(
    run_id="run-1",
    tenant="north",
    alias="",
    template="mash",
    template_hash="hash",
    status=RunStatus.WAITING,
    reason=Reason.TIMER,
    wake_at=AT,
    created_at=AT,
    updated_at=AT,
    holder=7,
    lane="lane",
    parent="parent",
    settled=True,
)


def test_a_row_is_read_as_it_was_written() -> None:
    assert row_of(all_columns(ROW)) == ROW


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "away"),
        ("reason", "none of ours"),
        ("created_at", "long ago"),
        ("wake_at", 2**62),
    ],
)
def test_a_damaged_row_stands_for_a_failed_run(column: str, value: Any) -> None:
    stored = dict(zip(COLUMNS.split(", "), all_columns(ROW), strict=True)) | {column: value}

    read = row_of(tuple(stored.values()))

    assert (read.run_id, read.status, read.reason) == (
        "run-1",
        RunStatus.FAILED,
        Reason.CORRUPT_STATE,
    )


def test_of_what_is_due_is_read_when_and_in_which_state() -> None:
    assert due_of(("run-1", micros(AT), "running")) == DueRun("run-1", AT, RunStatus.RUNNING)


def test_damage_in_what_is_due_keeps_its_place() -> None:
    assert due_of(("run-1", micros(AT), "away")) == DueRun("run-1", AT, RunStatus.FAILED)
    assert due_of(("run-1", -(2**62), "running")) == DueRun("run-1", EPOCH, RunStatus.RUNNING)
