"""What a milestone can see of its run: arguments of calls, data of expressions, items."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.state import UNDO, NodeState, RunState, Stage
from realms.journey.expressions.compiled import ExpressionFailed, Outcomes
from realms.journey.plans.binding import Binding, Computed, Constant, FromInput, FromResult, Secret
from realms.journey.plans.plan import AgentWork, Call, Emit, Node, Plan, SubJourney

_NOTHING_KNOWN = Outcomes(succeeded=True, failed=False, skipped=frozenset())
MOST_ITEMS = 10_000


def call_of(node: Node, state: NodeState) -> Call | None:
    """The API that a path calls, if it calls one."""
    if state.undoes:
        return node.compensate
    return node.work if isinstance(node.work, Call) else None


def arguments(plan: Plan, run: RunState, path: str) -> dict[str, Any]:
    """What a path's work is given; a `Secret` stands where one is to be put in at the call.

    Raises:
        ExpressionFailed: an expression of the template could not be evaluated.
    """
    state = run.nodes[path]
    node = plan.nodes[state.node]
    given: dict[str, Any] = {}
    if not state.undoes:
        edited = state.arguments or run.nodes[node.path].arguments
        if node.feeds is not None and not edited:
            values, results = run.start.values, run.results
            return {
                parameter: (results[producer] if producer else values)[name]
                for parameter, producer, name in node.feeds
            }
        given.update(edited or {})
    for binding in _bindings(node, state):
        if binding.parameter in given:
            continue  # a person gave it in its place
        match binding.source:
            case FromResult(producer, name):
                given[binding.parameter] = run.results[producer][name]
            case FromInput(name):
                given[binding.parameter] = run.start.values[name]
            case Constant(value):
                given[binding.parameter] = value
            case Computed(value):
                own = run.nodes[path.removesuffix(UNDO)].output
                found = data(plan, run, value.names, path=path, own=own)
                seen = outcomes(run, value.guards)
                given[binding.parameter] = value.value(found, seen)
            case Secret():
                given[binding.parameter] = binding.source
    return given


def _bindings(node: Node, state: NodeState) -> Sequence[Binding]:
    if state.undoes:
        assert node.compensate is not None
        return node.compensate.bindings
    match node.work:
        case Call(bindings=bindings) | SubJourney(bindings=bindings):
            return bindings
        case AgentWork(bindings=bindings) | Emit(bindings=bindings):
            return bindings
        case _:
            return ()


def data(
    plan: Plan, run: RunState, names: Iterable[str], *, path: str = "", own: Any = None
) -> dict[str, Any]:
    """The data behind `names`; what a run does not have is absent.

    `path` is whose item is meant, `own` the result of that path where it is not in the run yet.
    """
    found: dict[str, Any] = {}
    for name in names:
        if name == "input":
            found[name] = run.start.values
        elif name == "run":
            found[name] = about(run)
        elif path and name == run.nodes[path].node if path in run.nodes else name == path:
            found[name] = own
        elif name in plan.nodes:
            if name in run.results:
                found[name] = run.results[name]
        else:
            found[name] = item(plan, run, path)
    return found


def about(run: RunState) -> Mapping[str, Any]:
    """What expressions see as `run`."""
    start = run.start
    return {
        "id": run.run_id,
        "alias": start.alias,
        "template": start.template,
        "trace_id": start.trace_id,
        "tenant": start.tenant,
        "principal": start.principal,
        "started_at": start.at.isoformat(),
    }


def outcomes(
    run: RunState, guards: Iterable[str], *, succeeded: bool = True, failed: bool = False
) -> Outcomes:
    """What the status functions tell; `skipped('a')` holds where `a` gave no result."""
    if succeeded and not failed and not guards:
        return _NOTHING_KNOWN
    absent = frozenset(name for name in guards if name not in run.results)
    return Outcomes(succeeded=succeeded, failed=failed, skipped=absent)


def standing(plan: Plan, run: RunState, node: Node) -> tuple[bool, bool]:
    """Whether all that a milestone needs succeeded, and whether any of it was given up.

    What may fail (`continue_on_error`) counts as a success, what was skipped as neither. In
    `finally` the whole run is asked.
    """
    if run.stage is Stage.CLOSING:
        failed = run.stopping is not None or any(True for _ in failures(plan, run))
        return not failed, failed
    succeeded, failed = True, False
    for need in node.needs:
        state = run.nodes[need]
        if state.status is RunStatus.SUCCEEDED:
            continue
        if state.status is RunStatus.FAILED and plan.nodes[need].continue_on_error:
            continue
        succeeded = False
        failed = failed or _given_up(state)
    return succeeded, failed


def failures(plan: Plan, run: RunState) -> Iterable[NodeState]:
    """The milestones that were given up and whose failure is the run's."""
    for path, node in plan.nodes.items():
        state = run.nodes.get(path)
        if state is None or state.status is not RunStatus.FAILED:
            continue
        if not node.continue_on_error and not node.branch_of:
            yield state


def items(plan: Plan, run: RunState, node: Node) -> Sequence[Any]:
    """What a `for_each` goes over, worked out once.

    Raises:
        ExpressionFailed: the expression fails, or gives no list, or one that is too long.
    """
    state = run.nodes.get(node.path)
    if state is not None and state.values is not None:
        return state.values
    assert node.each is not None
    expression = node.each.items
    found = expression.value(data(plan, run, expression.names), outcomes(run, expression.guards))
    if not isinstance(found, list):
        raise ExpressionFailed(f"the items of {node.path} are no list", text=expression.text)
    if len(found) > MOST_ITEMS:
        raise ExpressionFailed(
            f"{node.path} has {len(found):,} items; {MOST_ITEMS:,} is the most",
            text=expression.text,
            hint="hand over fewer, or bundles of them",
        )
    if state is not None:
        state.values = found
    return found


def item(plan: Plan, run: RunState, path: str) -> Any:
    """The item that a path is about."""
    state = run.nodes[path]
    return items(plan, run, plan.nodes[state.node])[state.item]


def _given_up(state: NodeState) -> bool:
    return state.status is not RunStatus.SKIPPED or state.reason is Reason.UPSTREAM
