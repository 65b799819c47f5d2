"""Runs as others see them, from facts, row and plan."""

from collections.abc import Mapping
from typing import Any

from realms.journey.api import Failure, JourneyRun, MilestoneRecord, Reason, RunSummary
from realms.journey.engine.facts import Fact
from realms.journey.engine.journal import RunRow
from realms.journey.engine.hands import settled
from realms.journey.engine.plan import Call, Node, Plan
from realms.journey.engine.state import NodeState, RunState
from utilities.errors import ErrorKind

_UNREADABLE = Failure(
    kind=ErrorKind.INTERNAL,
    code="corrupt_state",
    title="The journal of this run cannot be read.",
    detail="what it had reached is kept as it is, and nothing more is done with it",
    hint="restore the data folder from a backup, or start the run anew",
)


def summary(row: RunRow) -> RunSummary:
    """One line of a list."""
    return RunSummary(**_row_fields(row))


def full(row: RunRow, run: RunState, plan: Plan | None) -> JourneyRun:
    """Everything about a run; milestones in the plan's order, or as far as the facts go."""
    nodes: Mapping[str, Node | None] = dict(plan.nodes) if plan else dict.fromkeys(run.nodes)
    return JourneyRun(
        **_row_fields(row),
        trace_id=run.start.trace_id,
        principal=run.start.principal,
        input=dict(run.start.values),
        milestones=tuple(
            _milestone(path, node, run.nodes.get(path) or NodeState(path, path))
            for path, node in nodes.items()
        ),
        error=run.error,
    )


def unreadable(row: RunRow) -> JourneyRun:
    """A run whose facts are corrupt: what its row says."""
    return JourneyRun(**_row_fields(row), error=_UNREADABLE)


def event(run: RunState, fact: Fact) -> dict[str, object]:
    """A fact as those who listen hear it, without the data it carries."""
    return {
        "kind": fact.kind,
        "run_id": run.run_id,
        "trace_id": run.start.trace_id,
        "tenant": run.start.tenant,
        "milestone_id": getattr(fact, "path", ""),
        "at": fact.at.isoformat(),
        "status": run.status.value,
        "reason": run.reason.value,
        "settled": settled(run),
    }


def _row_fields(row: RunRow) -> dict[str, Any]:
    return {
        "run_id": row.run_id,
        "alias": row.alias,
        "template": row.template,
        "template_hash": row.template_hash,
        "status": row.status,
        "reason": row.reason,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "wake_at": row.wake_at if row.reason is Reason.RETRY else None,
    }


def _milestone(path: str, node: Node | None, state: NodeState) -> MilestoneRecord:
    return MilestoneRecord(
        milestone_id=path,
        phase=node.phase if node else "",
        service=node.work.service if node and isinstance(node.work, Call) else "",
        api=node.work.api if node and isinstance(node.work, Call) else "",
        status=state.status,
        reason=state.reason,
        attempts=state.attempts,
        failures=state.failures,
        crashes=state.crashes,
        began_at=state.began_at,
        ended_at=state.ended_at,
        wake_at=state.wake_at,
        supplied_by=state.supplied_by,
        output=state.output,
        error=state.error,
    )
