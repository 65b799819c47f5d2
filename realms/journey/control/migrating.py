"""A run that goes on by another text of its journey: what that keeps, and what forbids it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from realms.journey.api import RunStatus
from realms.journey.control.verbs import By, NotAllowed, Verb, check
from realms.journey.engine.core import broken
from realms.journey.engine.facts import Fact, RunMigrated
from realms.journey.engine.state import NodeState, RunState
from realms.journey.plans.plan import Node, Plan
from utilities.errors import FieldError


class CannotMigrate(NotAllowed):
    """The run does not fit the other text."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What becomes of each milestone; where there are `obstacles`, nothing does."""

    kept: tuple[str, ...]
    """Came to their end, and stay as they are."""
    goes_on: tuple[str, ...]
    """Wait, and go on waiting."""
    dropped: tuple[str, ...]
    """Are in the old text alone; none of them has a result."""
    to_reach: tuple[str, ...]
    """Are reached, by the new text, when their turn comes."""
    obstacles: tuple[FieldError, ...]
    """Why it is not possible; each names a milestone, or an input."""

    @property
    def possible(self) -> bool:
        return not self.obstacles


def look(old: Plan | None, new: Plan, run: RunState) -> Migration:
    """What would become of the run under the plan `new`. `old` is None when it compiles no more."""
    states = {path: state for path, state in run.nodes.items() if path == state.node}
    known = [path for path in states if path in new.nodes]
    return Migration(
        kept=tuple(path for path in known if states[path].status.ended),
        goes_on=tuple(path for path in known if not states[path].status.ended),
        dropped=tuple(path for path in states if path not in new.nodes),
        to_reach=tuple(path for path in new.nodes if path not in states),
        obstacles=tuple(_obstacles(old, new, run)),
    )


def migrate(
    old: Plan | None, new: Plan, run: RunState, by: By, *, pins: Mapping[str, str]
) -> tuple[Fact, ...]:
    """Go on by the plan `new`, from where the run stands.

    Raises:
        NotAllowed: the run has ended well, is being undone, or goes by that text already.
        CannotMigrate: with everything that does not fit.
    """
    check_movable(new, run)
    found = look(old, new, run)
    if not found.possible:
        first = found.obstacles[0]
        raise CannotMigrate(
            Verb.MIGRATE,
            run,
            f"{len(found.obstacles)} thing(s) do not fit, {first.pointer} first: {first.detail}",
            hint="fork the run, or begin a new one by the new text",
            errors=found.obstacles,
        )
    migrated = RunMigrated(at=by.at, template_hash=new.text_hash, principal=by.principal, pins=pins)
    return (migrated,)


def check_movable(new: Plan, run: RunState) -> None:
    """Let runs pass that stand so that their text can be changed.

    Raises:
        NotAllowed: this one does not.
    """
    check(Verb.MIGRATE, run)
    if new.text_hash == run.template_hash:
        raise NotAllowed(Verb.MIGRATE, run, "it goes by this text already")
    if run.performing:
        busy = ", ".join(state.path for state in run.active.values() if state.performing)
        raise NotAllowed(
            Verb.MIGRATE, run, f"{busy} is under way", hint="pause the run, and wait for it"
        )


def _obstacles(old: Plan | None, new: Plan, run: RunState) -> Iterator[FieldError]:
    if new.name != run.start.template:
        yield FieldError("/template", f"{new.name} is another journey than {run.start.template}")
    for name in new.inputs:
        if name not in run.start.values:
            yield FieldError(f"/input/{name}", "the run was begun without it")
        elif problem := new.checks[name].problem(run.start.values[name]):
            yield FieldError(f"/input/{name}", problem)
    for path, state in run.nodes.items():
        if path == state.node:
            for problem in _problems(old, new, state):
                yield FieldError(f"/milestones/{path}", problem)


def _problems(old: Plan | None, new: Plan, state: NodeState) -> Iterator[str]:
    node = new.nodes.get(state.node)
    before = old.nodes.get(state.node) if old else None
    match state.status:
        case RunStatus.SUCCEEDED if node is None:
            yield "it is done, and the new text does not have it"
        case RunStatus.SUCCEEDED:
            assert node is not None
            yield from _wanting(node, state)
        case status if status.ended:
            return
        case _ if node is None:
            yield "it waits, and the new text does not have it"
        case _:
            assert node is not None
            if before is not None and not _alike(before, node):
                yield "it waits, and the new text has it otherwise"


def _wanting(node: Node, state: NodeState) -> Iterator[str]:
    """What later milestones of the new text need, and the result does not have."""
    results = state.output if node.each is not None else [state.output]
    if not isinstance(results, list) or (node.each is None and not isinstance(state.output, dict)):
        yield "its result has another form than in the new text"
        return
    for result in results:
        if missing := sorted(node.promised - set(result)):
            yield f"its result lacks {', '.join(missing)}, which later milestones need"
        elif problems := broken(node.on_done, result):
            yield "; ".join(problems)
        else:
            continue
        return


def _alike(one: Node, other: Node) -> bool:
    """Whether what is waited for is the same in both texts."""
    return (one.work, one.each, one.loop, one.branch_of) == (
        other.work,
        other.each,
        other.loop,
        other.branch_of,
    )
