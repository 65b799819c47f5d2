"""Runs as others see them, from facts, row and plan."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from foundations.declarations import Effect
from realms.journey.api import (
    Failure,
    JourneyRun,
    MigrationReport,
    MilestoneRecord,
    Question,
    Reason,
    RunStatus,
    RunSummary,
    Settlement,
    Warned,
)
from realms.journey.control.migrating import Migration
from realms.journey.control.questions import OpenQuestion, open_questions
from realms.journey.engine.facts import RunSettled
from realms.journey.engine.journal import RunRow
from realms.journey.engine.state import NodeState, RunState
from realms.journey.plans.plan import Call, Node, Plan
from utilities.errors import ErrorKind

M = TypeVar("M", bound=BaseModel)

MOST_ITEMS = 100
"""So many items of a milestone, and undoings, are shown one by one: those that wait first."""

_UNREADABLE = Failure(
    kind=ErrorKind.INTERNAL,
    code="corrupt_state",
    title="The journal of this run cannot be read.",
    detail="what it had reached is kept as it is, and nothing more is done with it",
    hint="restore the data folder from a backup, or start the run anew",
)
_TIMED = frozenset({Reason.RETRY, Reason.TIMER, Reason.RATE_LIMIT})


def summary(row: RunRow) -> RunSummary:
    """One line of a list."""
    return RunSummary(**_row_fields(row))


def full(row: RunRow, run: RunState, plan: Plan | None) -> JourneyRun:
    """Everything about a run; milestones in the plan's order, or as far as the facts go."""
    start = run.start
    fields = _row_fields(row)
    fields |= {
        "wake_at": None if run.ended is not None or run.paused else _wakes(run),
        "trace_id": start.trace_id,
        "principal": start.principal,
        "input": dict(start.values),
        "milestones": _milestones(run, plan),
        "error": run.error,
        "output": run.output,
        "warnings": tuple(_warnings(run, plan)) if plan and plan.forgiving else (),
        "questions": _questions(run, plan) if plan and len(run.active) > run.performing else (),
        "left_undone": tuple(run.left_undone),
        "settlement": None if run.settled is None else _settlement(run.settled),
        "deadline": run.deadline,
        "forked_from": start.forked_from,
        "parent": start.parent,
    }
    return _known(JourneyRun, fields)


def _questions(run: RunState, plan: Plan) -> tuple[Question, ...]:
    return tuple(question(run, asked) for asked in open_questions(plan, run))


def question(run: RunState, asked: OpenQuestion) -> Question:
    """What a run asks."""
    ask, state = asked.ask, asked.state
    return Question(
        wait_id=asked.wait_id,
        run_id=run.run_id,
        alias=run.start.alias,
        template=run.start.template,
        milestone_id=asked.path,
        form=dict(ask.form),
        role=ask.role,
        quorum=ask.quorum,
        answered_by=tuple(answer.principal for answer in state.answers),
        asked_at=state.began_at or run.start.at,
        due=state.wake_at,
        escalate_to=ask.escalate_to,
        escalated=state.escalated,
        push_back_to=ask.push_back_to,
        refused=state.refused,
    )


def migration(found: Migration, run_id: str, new: Plan, *, dry_run: bool) -> MigrationReport:
    """What becomes, or became, of a run under another plan."""
    return MigrationReport(
        run_id=run_id,
        template=new.name,
        version=new.version,
        template_hash=new.text_hash,
        dry_run=dry_run,
        possible=found.possible,
        kept=found.kept,
        goes_on=found.goes_on,
        dropped=found.dropped,
        to_reach=found.to_reach,
        obstacles=found.obstacles,
    )


def unreadable(row: RunRow) -> JourneyRun:
    """A run whose facts are corrupt: what its row says."""
    return JourneyRun(**_row_fields(row), error=_UNREADABLE)


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
        "wake_at": row.wake_at if row.reason in _TIMED else None,
    }


def _wakes(run: RunState) -> datetime | None:
    """When a timer moves the run: not when it would be cut, or a question be too late."""
    times = [n.wake_at for n in run.active.values() if n.wake_at and n.reason in _TIMED]
    return min(times, default=run.queued_until if run.status is RunStatus.QUEUED else None)


def _milestones(run: RunState, plan: Plan | None) -> tuple[MilestoneRecord, ...]:
    untouched = _untouched(plan) if plan else {}
    nodes, again = run.nodes, run.generations
    shown = [
        _touched(record, state, run) if (state := nodes.get(path)) is not None else record
        for path, record in untouched.items()
    ]
    if again:
        for number, path in enumerate(untouched):
            if path in again and path not in nodes:
                empty = NodeState(path, path, run.generation(path))
                shown[number] = _touched(untouched[path], empty, run)
    if len(nodes) > len(untouched) or not nodes.keys() <= untouched.keys():
        shown += _besides(run, plan)
    return tuple(shown)


def _besides(run: RunState, plan: Plan | None) -> Iterator[MilestoneRecord]:
    """What stands in no plan, and those items and undoings that need to be looked at."""
    known: Mapping[str, Node] = plan.nodes if plan else {}
    for state in run.nodes.values():
        if state.path == state.node and state.path not in known:
            yield _milestone(None, state)
    shown = Counter[str]()
    apart = [s for s in run.nodes.values() if s.path != s.node and s.status in _APART]
    for state in sorted(apart, key=lambda s: s.status is not RunStatus.WAITING):
        shown[state.node] += 1
        if shown[state.node] <= MOST_ITEMS:
            yield _milestone(known.get(state.node), state)


def _untouched(plan: Plan) -> Mapping[str, MilestoneRecord]:
    """The milestones of a plan as every run has them that has not come there."""
    known = _PLANS.get(id(plan))
    if known is None or known[0] is not plan:
        records = {}
        for path, node in plan.nodes.items():
            work = node.work if isinstance(node.work, Call) else _NO_CALL
            records[path] = MilestoneRecord(
                milestone_id=path, phase=node.phase, service=work.service, api=work.api
            )
        while len(_PLANS) >= _MOST_PLANS:
            del _PLANS[next(iter(_PLANS))]
        known = _PLANS[id(plan)] = (plan, records)
    return known[1]


_MOST_PLANS = 256
_PLANS: dict[int, tuple[Plan, Mapping[str, MilestoneRecord]]] = {}
"""By identity: nothing else tells two plans apart as quickly."""
_NO_CALL = Call("", "", Effect.PURE)


_APART = frozenset({RunStatus.WAITING, RunStatus.FAILED})


def _milestone(node: Node | None, state: NodeState) -> MilestoneRecord:
    work = None if node is None else node.compensate if state.undoes else node.work
    return MilestoneRecord(
        milestone_id=state.path,
        phase=node.phase if node else "",
        service=work.service if isinstance(work, Call) else "",
        api=work.api if isinstance(work, Call) else "",
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
        generation=state.generation,
        iteration=state.iteration,
        child=state.child,
        undone=state.undone,
    )


def _touched(untouched: MilestoneRecord, state: NodeState, run: RunState) -> MilestoneRecord:
    """A milestone that was begun: as it stands in the plan, and what came of it."""
    fields = untouched.__dict__.copy()
    fields["status"] = state.status
    fields["reason"] = state.reason
    fields["attempts"] = state.attempts
    fields["began_at"] = state.began_at
    fields["ended_at"] = state.ended_at
    fields["output"] = state.output
    if state.wake_at or state.failures or state.crashes or state.error or state.generation > 1:
        fields["wake_at"] = state.wake_at
        fields["failures"] = state.failures
        fields["crashes"] = state.crashes
        fields["error"] = state.error
        fields["generation"] = state.generation
    if state.iteration or state.child or state.undone or state.supplied_by:
        fields["iteration"] = state.iteration
        fields["child"] = state.child
        fields["undone"] = state.undone
        fields["supplied_by"] = state.supplied_by
    if state.items >= 0:
        fields |= _counts(run, state)
    return _known(MilestoneRecord, fields)


def _counts(run: RunState, state: NodeState) -> dict[str, int]:
    """How the items of a `for_each` stand; it is undone when all that succeeded are."""
    each = [run.nodes.get(f"{state.path}[{index}]") for index in range(state.begun)]
    found = [item for item in each if item is not None]
    counts = Counter(item.status for item in found)
    undone = sum(item.undone for item in found)
    return {
        "undone": undone > 0 and undone == counts[RunStatus.SUCCEEDED],
        "items": state.items,
        "items_done": state.done,
        "items_succeeded": counts[RunStatus.SUCCEEDED],
        "items_failed": counts[RunStatus.FAILED],
        "items_cancelled": counts[RunStatus.CANCELLED],
        "items_waiting": counts[RunStatus.WAITING],
        "items_running": counts[RunStatus.RUNNING],
    }


def _known(model: type[M], fields: dict[str, Any]) -> M:
    """A model of what the engine knows to be right: every field is given, and none is checked."""
    made = model.__new__(model)
    _set_fields(made, fields)
    _set_given(made, _ALL_FIELDS[model])
    _set_extra(made, None)
    _set_private(made, None)
    return made


_set_fields, _set_given, _set_extra, _set_private = (
    vars(BaseModel)[slot].__set__
    for slot in (
        "__dict__",
        "__pydantic_fields_set__",
        "__pydantic_extra__",
        "__pydantic_private__",
    )
)
_ALL_FIELDS: Mapping[type[BaseModel], set[str]] = {
    model: set(model.model_fields) for model in (MilestoneRecord, JourneyRun)
}


def _warnings(run: RunState, plan: Plan) -> Iterator[Warned]:
    for path, node in plan.nodes.items():
        state = run.nodes.get(path) if node.continue_on_error else None
        if state is not None and state.status is RunStatus.FAILED and state.error is not None:
            yield Warned(milestone_id=path, error=state.error)


def _settlement(done: RunSettled) -> Settlement:
    return Settlement(by=done.principal, at=done.at, note=done.note, settled_by=done.settled_by)
