"""A run played by hand over the pure core: a test says what each attempt comes to."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.control import verbs
from realms.journey.control.questions import answer
from realms.journey.control.reopening import roll_back
from realms.journey.control.verbs import By
from realms.journey.engine import core
from realms.journey.engine.codec import decode, encode
from realms.journey.engine.facts import AttemptFailed, Fact, RunQueued, RunStarted
from realms.journey.engine.folding import apply, fold
from realms.journey.engine.state import RunState
from realms.journey.expressions.compiled import compile_expression
from realms.journey.plans.contracts import Fits
from realms.journey.plans.plan import Ask, Call, Node, Plan, Race, WaitFor, Work
from utilities.errors import ErrorKind

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

DECIDE = "run-1:decide:0:1"


def node(path: str, *needs: str, work: Work | None = None, **changes: Any) -> Node:
    return Node(path, work or call(path), needs=needs, **changes)


def call(name: str = "work", *, effect: Effect = Effect.KEYED) -> Call:
    return Call("Service", name, effect)


def ask(**changes: Any) -> Ask:
    """A question that is answered with `{"approve": true}` or false."""
    form = {
        "type": "object",
        "required": ["approve"],
        "properties": {"approve": {"type": "boolean"}},
        "additionalProperties": False,
    }
    return Ask(form, Fits(form), **changes)


def condition(text: str) -> Any:
    return compile_expression(text, {}, wants=["boolean"])


def plan_of(*nodes: Node, **changes: Any) -> Plan:
    """A plan of nodes, each after what it needs; branches know their race."""
    of = {b: n.path for n in nodes if isinstance(n.work, Race) for b in n.work.branches}
    known = {n.path: replace(n, branch_of=of.get(n.path, "")) for n in nodes}
    closing = changes.get("closing", ())
    plan = Plan(
        name="played",
        version="",
        text_hash="hash-1",
        description="",
        inputs={"file_id": {"type": "string"}},
        checks={"file_id": Fits({"type": "string"})},
        nodes=known,
        roots=tuple(
            n.path
            for n in known.values()
            if not n.needs and not n.branch_of and n.path not in closing
        ),
        followers={p: tuple(n.path for n in known.values() if p in n.needs) for p in known},
    )
    return replace(plan, **changes)


def stepped(plan: Plan, run: RunState, now: datetime, *, first: Sequence[Fact] = ()) -> core.Step:
    """`core.step`, which must come to the same where it may not go straight on."""
    twin = deepcopy(run)
    expected = core.looked_about(plan, twin, now, first=first)
    step = core.step(plan, run, now, first=first)
    assert (step, run) == (expected, twin)
    return step


class Play:
    """One run of a plan, and a clock that moves when told."""

    def __init__(self, plan: Plan, *, first: tuple[Fact, ...] = (), **start: Any) -> None:
        self.plan = plan
        self.now = BEGAN
        self.entries: list[bytes] = []
        self.moves: list[core.Move] = []
        began = RunStarted(
            at=BEGAN,
            template=plan.name,
            template_hash=plan.text_hash,
            values={"file_id": "f1"},
            trace_id="trace",
            tenant="north",
            principal="ada",
        )
        self.run = apply(None, replace(began, **start), run_id="run-1")
        step = stepped(plan, self.run, self.now, first=first)
        self._kept(replace(began, **start), *step.facts)
        self.moves += step.moves

    def status(self) -> RunStatus:
        return self.run.status

    def by(self, principal: str = "ada", *roles: str) -> By:
        return By(principal, self.now, roles or ("owner",))

    def take(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """Take up facts; answers all that came of it."""
        step = stepped(self.plan, self.run, self.now, first=facts)
        self._kept(*step.facts)
        self.moves += step.moves
        return step.facts

    def done(self, *paths: str, output: Any = None) -> None:
        """The attempts under way at `paths` give a result."""
        for path in paths:
            state = self.run.nodes[path]
            node = self.plan.nodes[state.node]
            given = {} if output is None else output
            fact = core.completed(
                self.plan, self.run, node, path, given, self.now, attempt=state.attempts
            )
            self.take((fact,))

    def fail(self, path: str, kind: ErrorKind = ErrorKind.INVALID) -> None:
        error = Failure(kind=kind, code="a_code", title="A title.", detail="a detail")
        attempt = self.run.nodes[path].attempts
        self.take((AttemptFailed(at=self.now, path=path, attempt=attempt, error=error),))

    def wake(self, **after: float) -> None:
        """Time passes."""
        self.now += timedelta(**after)
        step = core.woken(self.plan, self.run, self.now)
        self._kept(*step.facts)
        self.moves += step.moves

    def standing(self) -> Mapping[str, str]:
        """Where each path stands."""
        return {path: state.status.value for path, state in self.run.nodes.items()}

    def folded(self) -> RunState:
        """The run as its journal tells it."""
        return fold(self.run.run_id, map(decode, self.entries))

    def _kept(self, *facts: Fact) -> None:
        if facts:
            self.entries.append(encode(facts))
            self.run.entries = len(self.entries)


PLAN = plan_of(
    node("read"),
    node("side", "read"),
    node("go", "read", work=WaitFor("go")),
    node("check", "read"),
    node("book", "check", compensate=call("unbook")),
    node("decide", "book", work=ask(push_back_to="read")),
)
OTHER = replace(PLAN, text_hash="hash-2")


# a run in each state


def queued() -> Play:
    return Play(PLAN, first=(RunQueued(at=BEGAN, reason=Reason.CONCURRENCY),))


def running() -> Play:
    play = Play(PLAN)
    play.done("read")
    play.fail("check")
    return play


def waiting() -> Play:
    play = Play(PLAN)
    play.done("read", "side", "check", "book")
    return play


def paused() -> Play:
    play = waiting()
    play.take(verbs.pause(play.run, play.by()))
    return play


def answered(play: Play) -> None:
    play.take(answer(PLAN, play.run, play.by(), wait_id=DECIDE, given={"approve": True}))
    play.take(verbs.signal(PLAN, play.run, play.by(), name="go", signal_id="s1", data={}))


def succeeded() -> Play:
    play = waiting()
    answered(play)
    return play


def failed() -> Play:
    play = Play(PLAN)
    play.done("read", "check", "book")
    answered(play)
    play.fail("side")
    return play


def cancelled() -> Play:
    play = waiting()
    play.take(verbs.cancel(play.run, play.by()))
    return play


def compensating() -> Play:
    play = failed()
    play.take(roll_back(PLAN, play.run, play.by()))
    return play


def compensated() -> Play:
    play = compensating()
    play.done("book~undo")
    return play


IN_STATE: Mapping[RunStatus, Callable[[], Play]] = {
    RunStatus.QUEUED: queued,
    RunStatus.RUNNING: running,
    RunStatus.WAITING: waiting,
    RunStatus.PAUSED: paused,
    RunStatus.SUCCEEDED: succeeded,
    RunStatus.FAILED: failed,
    RunStatus.CANCELLED: cancelled,
    RunStatus.COMPENSATING: compensating,
    RunStatus.COMPENSATED: compensated,
}
