"""Rows of runs as the tables keep them: columns of a row, and a row of columns."""

from collections.abc import Mapping
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import MOVING, DueRun, RunRow
from realms.journey.stored_times import EPOCH, micros, moment

COLUMNS = (
    "run_id, tenant, alias, template, template_hash, status, reason, "
    "wake_at, created_at, updated_at, holder, lane, parent, settled"
)
DUE_COLUMNS = "run_id, wake_at, status"
MOVES = f"(status IN ({', '.join(repr(status.value) for status in sorted(MOVING))}))"
"""The condition of rows whose runs wait for nothing but a process."""
READY = (
    f"holder = 0 AND wake_at IS NOT NULL AND ({MOVES} "
    "OR (status IN ('queued', 'waiting') AND wake_at <= ?))"
)
"""The condition of rows that whoever drives runs may claim at a time."""


# A member's `_value_` is its `value` without the descriptor, which costs more than the column.


def all_columns(row: RunRow) -> tuple[Any, ...]:
    """The columns of a new row, in the order of `COLUMNS`."""
    return (
        row.run_id,
        row.tenant,
        row.alias or None,
        row.template,
        row.template_hash,
        row.status._value_,
        row.reason._value_,
        None if row.wake_at is None else micros(row.wake_at),
        micros(row.created_at),
        micros(row.updated_at),
        row.holder,
        row.lane,
        row.parent,
        int(row.settled),
    )


def changing_columns(row: RunRow) -> tuple[Any, ...]:
    """Text, status, reason, wake, update, holder, settlement; the others never change."""
    return (
        row.template_hash,
        row.status._value_,
        row.reason._value_,
        None if row.wake_at is None else micros(row.wake_at),
        micros(row.updated_at),
        row.holder,
        int(row.settled),
    )


def due_of(found: Any) -> DueRun:
    """A run of `DUE_COLUMNS`; one that was damaged stands for a failed run and stops no list."""
    run_id, wake, status = found
    try:
        at = moment(wake)
    except OverflowError:
        at = EPOCH  # before all that are sound, as it is in the store
    return DueRun(run_id, at, _STATUSES.get(status, RunStatus.FAILED))


def row_of(found: Any) -> RunRow:
    """A row as it is stored; one that was damaged stands for a failed run and stops no list."""
    (
        run_id,
        tenant,
        alias,
        template,
        text_hash,
        status,
        reason,
        wake,
        created,
        updated,
        holder,
        lane,
        parent,
        settled,
    ) = found
    try:
        return RunRow(  # without keywords, as where the engine makes one
            run_id,
            tenant,
            alias or "",
            template,
            text_hash,
            _STATUSES[status],
            _REASONS[reason],
            None if wake is None else moment(wake),
            moment(created),
            moment(updated),
            int(holder),
            lane,
            parent,
            bool(settled),
        )
    except (LookupError, ValueError, TypeError, OverflowError):
        return RunRow(
            run_id=run_id,
            tenant=tenant,
            alias=alias or "",
            template=str(template),
            template_hash=str(text_hash),
            status=RunStatus.FAILED,
            reason=Reason.CORRUPT_STATE,
            wake_at=None,
            created_at=EPOCH,
            updated_at=EPOCH,
        )


_STATUSES: Mapping[str, RunStatus] = {status.value: status for status in RunStatus}
_REASONS: Mapping[str, Reason] = {reason.value: reason for reason in Reason}
"""To ask the class for the member of a value takes twenty times as long."""
