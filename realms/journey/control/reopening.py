"""Milestones opened again by people: tried again, skipped with a result, done anew, undone."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.control.questions import check_role, question
from realms.journey.control.verbs import By, NotAllowed, Verb, check
from realms.journey.engine import scope
from realms.journey.engine.facts import (
    Fact,
    GenerationBegan,
    MilestoneCancelled,
    MilestoneReopened,
    ResultSupplied,
    RetryScheduled,
    RunCompensating,
    RunPaused,
)
from realms.journey.engine.inputs import InvalidResult, checked_result
from realms.journey.engine.quiet import undoable
from realms.journey.engine.state import UNDO, NodeState, RunState, Stage
from realms.journey.plans.plan import Ask, Node, Plan, Race
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean


class UnknownMilestone(PlatformError):
    """The journey has no such milestone."""

    kind = ErrorKind.NOT_FOUND


class NotOpenForResult(NotAllowed):
    """The milestone takes no result from outside."""


def retry(
    plan: Plan,
    run: RunState,
    by: By,
    *,
    path: str = "",
    arguments: Mapping[str, Any] | None = None,
    anew: Collection[str] = (),
) -> tuple[Fact, ...]:
    """Try a milestone again that has failed, or at once the one that waits for its next attempt.

    Without `path` all that failed are tried again. What was skipped because of the failure is open
    again, and nothing that finished is. `arguments` stand in place of what the template binds to
    these parameters. `anew` are paths whose journey cannot go on, so that another is begun.

    Raises:
        UnknownMilestone: the journey has none of this name.
        NotAllowed: nothing of the kind has failed, or what it did was undone since.
    """
    check(Verb.RETRY, run)
    if path:
        node, state = _found(plan, run, path)
        if state is not None and state.status is RunStatus.WAITING:
            return _at_once(run, by, node, state, arguments)
        if state is not None and state.undoes and state.status is RunStatus.FAILED:
            reason = f"{path} was given up, and the run with it"
            raise NotAllowed(Verb.RETRY, run, reason, hint=_UNDO_FAILED)
        if state is None or not _given_up(run, state):
            raise NotAllowed(Verb.RETRY, run, f"{path} is {_standing(state)}", hint=_RETRIED)
        again = [state]
    else:
        again = [
            s for s in map(run.nodes.get, plan.nodes) if s is not None and _counts(plan, run, s)
        ]
    if not again:
        raise NotAllowed(Verb.RETRY, run, "no milestone of it has failed", hint=_RETRIED)
    if arguments is not None and len(again) > 1:
        failed = ", ".join(state.path for state in again)
        raise NotAllowed(
            Verb.RETRY, run, f"several milestones failed: {failed}", hint="name one of them"
        )
    _check_open(plan, run, Verb.RETRY, again)
    return (*_reopened(plan, run, by, again, arguments, anew), *_paused_still(run, by))


def supply(plan: Plan, run: RunState, by: By, *, path: str, result: Any) -> tuple[Fact, ...]:
    """Skip a milestone that waits or has failed, with the result it would have had.

    Of a `for_each` that was given up a single item may be: the others that failed are tried again.

    Raises:
        UnknownMilestone: the journey has none of this name.
        NotOpenForResult: the milestone is done, runs, or was never reached.
        InvalidResult: the result lacks or breaks what later milestones and contracts need.
        NotYours: it is a question for others.
    """
    check(Verb.SKIP, run)
    node, state = _found(plan, run, path)
    waits = state is not None and state.status is RunStatus.WAITING
    if state is not None and state.undoes and state.status is RunStatus.FAILED:
        raise NotOpenForResult(
            Verb.SKIP, run, f"{path} was given up, and the run with it", hint=_UNDO_FAILED
        )
    if state is None or not (waits or _given_up(run, state)):
        standing = _standing(state)
        raise NotOpenForResult(
            Verb.SKIP,
            run,
            f"{path} is {standing}; a result is taken while it waits or after it has failed",
        )
    if isinstance(node.work, Ask):
        check_role(node.work, state, by)
    output = _checked(node, state, result)
    first: Iterable[Fact] = ()
    opened: tuple[str, ...] = ()
    if not waits and state.path != state.node:
        first = _opened_for(plan, run, by, state)
    elif not waits:
        _check_open(plan, run, Verb.SKIP, [state])
        opened = tuple(reopened_by(plan, run, path))
    return (
        *first,
        ResultSupplied(at=by.at, path=path, output=output, principal=by.principal, skipped=opened),
        *_paused_still(run, by),
    )


def rerun(
    plan: Plan, run: RunState, by: By, *, path: str, note: str = "", verb: Verb = Verb.RERUN
) -> tuple[Fact, ...]:
    """Do a milestone and all that follows from it anew, in a new generation.

    Results and idempotency keys of the generation before stay as they are in the journal.

    Raises:
        UnknownMilestone: the journey has none of this name.
        NotAllowed: it was not reached, or something that would be done anew is under way.
    """
    check(verb, run)
    node = node_called(plan, path)
    if node.branch_of:
        raise NotAllowed(verb, run, f"{path} is a branch", hint=f"rerun {node.branch_of}")
    if path not in run.nodes:
        raise NotAllowed(verb, run, f"{path} was not reached yet")
    again = anew_from(plan, run, path)
    busy = sorted({s.node for s in run.active.values() if s.performing and s.node in again})
    if busy:
        raise NotAllowed(
            verb, run, f"{', '.join(busy)} is under way", hint="wait until it has ended"
        )
    undone = sorted({s.node for s in run.nodes.values() if s.undone and s.node not in again})
    if undone:
        raise NotAllowed(
            verb,
            run,
            f"{', '.join(undone)} was undone, and would not be done again",
            hint=f"rerun from {undone[0]}",
        )
    ordered = tuple(name for name in plan.nodes if name in again)
    return (
        GenerationBegan(at=by.at, path=path, again=ordered, principal=by.principal, note=note),
        *_paused_still(run, by),
    )


def roll_back(plan: Plan, run: RunState, by: By, *, to: str = "") -> tuple[Fact, ...]:
    """Undo what the run did, the last first: all of it, or what came after the milestone `to`.

    Raises:
        UnknownMilestone: the journey has none of this name.
        NotAllowed: something is under way, or nothing is left that can be undone.
    """
    check(Verb.ROLL_BACK, run)
    if run.performing:
        raise NotAllowed(
            Verb.ROLL_BACK, run, "milestones are under way", hint="pause it, and wait for them"
        )
    only = None
    if to:
        node_called(plan, to)
        if to not in run.results:
            raise NotAllowed(Verb.ROLL_BACK, run, f"{to} has not been reached")
        only = _with_branches(plan, plan.descendants(to))
    paths = undoable(plan, run, only=only)
    if not paths:
        raise NotAllowed(Verb.ROLL_BACK, run, _nothing_to_undo(run), hint=_UNDONE_BY)
    cancelled = [
        MilestoneCancelled(at=by.at, path=path, reason=Reason.OPERATOR) for path in run.active
    ]
    return (*cancelled, RunCompensating(at=by.at, paths=paths, principal=by.principal))


def push_back(plan: Plan, run: RunState, by: By, *, wait_id: str, note: str) -> tuple[Fact, ...]:
    """Answer a question by having the run go back to the milestone its `push_back_to` names.

    Raises:
        NotAllowed, UnknownQuestion, NotYours: as for an answer, or the question allows no way back.
    """
    check(Verb.ANSWER, run)
    asked = question(plan, run, wait_id)
    check_role(asked.ask, asked.state, by)
    if not asked.ask.push_back_to:
        raise NotAllowed(Verb.ANSWER, run, f"{asked.path} names no `push_back_to`")
    to = asked.ask.push_back_to
    return rerun(plan, run, by, path=to, note=note, verb=Verb.ANSWER)


def anew_from(plan: Plan, run: RunState, path: str) -> frozenset[str]:
    """What is done anew with `path`: all that follows from it, `finally` too, as far as reached."""
    closing = () if path in plan.closing else plan.closing
    names = {path, *plan.descendants(path), *closing}
    for name in closing:
        names |= plan.descendants(name)
    return frozenset(name for name in _with_branches(plan, names) if name in run.nodes)


def reopened_by(plan: Plan, run: RunState, *paths: str) -> list[str]:
    """What was skipped because `paths` were given up, and is open again when they are."""
    below = frozenset[str]().union(*(plan.descendants(path) for path in paths))
    opened: list[str] = []
    for name, node in plan.nodes.items():
        state = run.nodes.get(name)
        if state is None or state.status is not RunStatus.SKIPPED:
            continue
        asks = node.condition is not None and node.condition.asks_status
        because = asks or state.reason is Reason.UPSTREAM or any(n in opened for n in node.needs)
        if (asks and name in plan.closing) or (because and name in below):
            opened.append(name)
    return opened


def node_called(plan: Plan, name: str) -> Node:
    """A milestone by its id.

    Raises:
        UnknownMilestone: the journey has none of this name.
    """
    if (node := plan.nodes.get(name)) is None:
        whole = name.partition("[")[0]
        near = f"name {whole}" if whole in plan.nodes else did_you_mean(name, plan.nodes)
        raise UnknownMilestone(f'{plan.name} has no milestone "{name}"', hint=near)
    return node


# helpers

_RETRIED = "what failed, or waits for its next attempt, can be tried again"
_UNDO_FAILED = "roll back again, or undo it by hand and settle the run"
_UNDONE_BY = "a milestone is undone by what its `compensate` names"


def _opened_for(plan: Plan, run: RunState, by: By, item: NodeState) -> Iterable[Fact]:
    """What opens a `for_each` again so that one of its items that failed may be given a result."""
    whole = run.nodes[item.node]
    if whole.path in run.active:
        return ()
    if not _given_up(run, whole):
        raise NotOpenForResult(
            Verb.SKIP,
            run,
            f"{whole.path} is {_standing(whole)} without {item.path}",
            hint=f"rerun from {whole.path}",
        )
    _check_open(plan, run, Verb.SKIP, [whole])
    return _reopened(plan, run, by, [whole], None, ())


def _paused_still(run: RunState, by: By) -> tuple[Fact, ...]:
    """What people paused goes on when they resume it; what a failure paused when that is mended."""
    stays = run.paused and run.why is not Reason.ERROR
    return (RunPaused(at=by.at, principal=by.principal),) if stays else ()


def _at_once(
    run: RunState, by: By, node: Node, state: NodeState, arguments: Mapping[str, Any] | None
) -> tuple[Fact, ...]:
    """The next attempt of a milestone that waits for one, now."""
    path = state.path
    if state.reason not in {Reason.RETRY, Reason.AMBIGUOUS}:
        raise NotAllowed(Verb.RETRY, run, f"{path} waits ({state.reason})", hint=_RETRIED)
    if arguments is None:
        return (RetryScheduled(at=by.at, path=path, wake_at=by.at, principal=by.principal),)
    _check_takes_arguments(run, node, state)
    if run.stage is not Stage.WORKING:
        raise NotAllowed(Verb.RETRY, run, "its input stays as it is while the run closes")
    return (MilestoneReopened(at=by.at, path=path, principal=by.principal, arguments=arguments),)


def _reopened(
    plan: Plan,
    run: RunState,
    by: By,
    again: Iterable[NodeState],
    arguments: Mapping[str, Any] | None,
    anew: Collection[str],
) -> Iterable[Fact]:
    opened: set[str] = set()
    for state in again:
        node = plan.nodes[state.node]
        if arguments is not None:
            _check_takes_arguments(run, node, state)
        skipped = [p for p in reopened_by(plan, run, state.path) if p not in opened]
        opened.update(skipped)
        yield MilestoneReopened(
            at=by.at,
            path=state.path,
            principal=by.principal,
            skipped=tuple(skipped),
            arguments=arguments,
            anew=tuple(p for p in anew if p.partition("[")[0] == state.path),
        )
        if isinstance(node.work, Race):
            for branch in node.work.branches:
                if branch in run.nodes:
                    yield MilestoneReopened(
                        at=by.at,
                        path=branch,
                        principal=by.principal,
                        anew=(branch,) if branch in anew else (),
                    )


def _check_open(plan: Plan, run: RunState, verb: Verb, again: Iterable[NodeState]) -> None:
    """Refuse to open milestones of a run that is past them."""
    undone = sorted({state.node for state in run.nodes.values() if state.undone})
    if undone:
        raise NotAllowed(
            verb,
            run,
            f"what it did was undone: {', '.join(undone)}",
            hint=f"rerun from {undone[0]}, or fork the run",
        )
    if run.ended is None and run.stage is Stage.CLOSING:
        raise NotAllowed(verb, run, "its last milestones are under way", hint="wait for its end")
    if run.ended is None and run.stage is Stage.COMPENSATING:
        raise NotAllowed(verb, run, "it is being undone", hint="wait for its end")
    for state in again:
        node = plan.nodes[state.node]
        if state.path != state.node:
            raise NotAllowed(
                verb,
                run,
                f"{state.path} is one item of {state.node}",
                hint=f"name {state.node}, whose items that succeeded stay as they are; "
                f"or skip {state.path} with a result",
            )
        if node.branch_of:
            raise NotAllowed(
                verb, run, f"{state.path} is a branch of {node.branch_of}", hint="name the race"
            )
        if verb is Verb.RETRY and isinstance(node.work, Race):
            won = [b for b in node.work.branches if b in run.results]
            if won:
                raise NotAllowed(
                    verb,
                    run,
                    f"{won[0]} has won the race {state.path}, and its result was refused",
                    hint=f"rerun from {state.path}",
                )


def _check_takes_arguments(run: RunState, node: Node, state: NodeState) -> None:
    if state.undoes or getattr(node.work, "bindings", None) is None:
        raise NotAllowed(Verb.RETRY, run, f"{state.path} takes no input that could be edited")


def _found(plan: Plan, run: RunState, path: str) -> tuple[Node, NodeState | None]:
    """A milestone by the path of one of its states."""
    node = node_called(plan, path.removesuffix(UNDO).partition("[")[0])
    state = run.nodes.get(path)
    if state is None and path != node.path:
        raise UnknownMilestone(f"{run.run_id} has nothing at {path}", hint=f"name {node.path}")
    return node, state


def _given_up(run: RunState, state: NodeState) -> bool:
    """Whether a path has failed, or was cut because its run took too long."""
    if state.undoes:
        return False
    cut = state.status is RunStatus.CANCELLED and state.reason is Reason.TIMEOUT
    return state.status is RunStatus.FAILED or (cut and run.ended is RunStatus.FAILED)


def _counts(plan: Plan, run: RunState, state: NodeState) -> bool:
    """Whether the run is given up because of this milestone."""
    node = plan.nodes[state.node]
    fails = state.status is not RunStatus.FAILED or any(
        failed is state for failed in scope.failures(plan, run)
    )
    return _given_up(run, state) and fails and not node.branch_of


def _standing(state: NodeState | None) -> str:
    return "pending" if state is None else state.status.value


def _with_branches(plan: Plan, names: Iterable[str]) -> frozenset[str]:
    found = set(names)
    for name, node in plan.nodes.items():
        if node.branch_of in found:
            found.add(name)
    return frozenset(found)


def _nothing_to_undo(run: RunState) -> str:
    if any(state.undone for state in run.nodes.values()):
        return "everything that can be undone was undone"
    return "nothing that it reached can be undone"


def _checked(node: Node, state: NodeState, result: Any) -> Any:
    """A result in the form that the path gives: an object, of a whole `for_each` a list of them."""
    if node.each is not None and state.path == node.path:
        if not isinstance(result, list):
            raise InvalidResult(f"{node.path} gives a list, one result for each item")
        return [_checked_object(node, one) for one in result]
    return result if state.undoes else _checked_object(node, result)


def _checked_object(node: Node, result: Any) -> dict[str, Any]:
    if not isinstance(result, dict):
        problem = FieldError("", "is no object")
        raise InvalidResult(f"{node.path} gives an object", errors=[problem])
    return checked_result(node, result)
