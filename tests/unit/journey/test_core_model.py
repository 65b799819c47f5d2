"""The pure core against a small model of what a run may be, over random graphs and random fates.

50 runs of 30 steps by default; more by environment variable:

    JOURNEY_MODEL_RUNS=1000 JOURNEY_MODEL_STEPS=80 pytest tests/unit/journey/test_core_model.py
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from foundations.declarations import Effect
from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.control import reopening, verbs
from realms.journey.control.verbs import By, NotAllowed
from realms.journey.engine import core
from realms.journey.engine.codec import decode, encode
from realms.journey.engine.facts import (
    AttemptAlone,
    AttemptFailed,
    AttemptReleased,
    Fact,
    MilestoneBegan,
    RunResumed,
    RunStarted,
)
from realms.journey.engine.folding import apply, fold
from realms.journey.engine.state import UNDO, RunState
from realms.journey.expressions.compiled import compile_expression
from realms.journey.plans.plan import ForEach, OnFailure, Plan, Timer, WaitFor
from realms.journey.plans.retries import FINAL_KINDS, NOTHING_DONE
from tests.support.plays import BEGAN, Play, call, condition, node, plan_of, stepped
from utilities.errors import ErrorKind

IDS = ("a", "b", "c", "d", "e", "f")
CONDITIONS = ("", "succeeded()", "failed()", "always()", "1 == 2")
MINUTE = timedelta(minutes=1)
MOST_FAILURES = 3
PARALLEL = 2

OPEN, DONE, FAILED, SKIPPED, CUT = "open", "succeeded", "failed", "skipped", "cancelled"


@dataclass
class Spot:
    """What the model knows of one path: it is open until it has one of the other ends."""

    end: str = OPEN
    upstream: bool = False
    attempts: int = 0
    failures: int = 0
    crashes: int = 0
    under_way: bool = False
    waits: str = ""
    """`retry`, `ambiguous`, `signal`, `timer`, or its `turn` among items."""
    since: int = 0
    """The minute in which it began to wait for a time."""
    alone: bool = False
    owed: str = ""
    """How an attempt ended of which it is to be decided what follows."""
    blamed: bool = False
    """It is durable that the attempt is made alone."""


@dataclass(frozen=True)
class Shape:
    """One milestone of a random graph."""

    id: str
    needs: tuple[str, ...]
    work: str
    condition: str
    goes_on: bool
    undoes: bool
    items: int = 0
    tolerated: int = 0

    @property
    def guarded(self) -> bool:
        return self.work == "guarded"


@st.composite
def shapes(draw: st.DrawFn) -> tuple[Shape, ...]:
    found: list[Shape] = []
    for name in IDS[: draw(st.integers(1, len(IDS)))]:
        earlier = [shape.id for shape in found]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        work = draw(st.sampled_from(["keyed", "keyed", "guarded", "signal", "timer", "each"]))
        found.append(
            Shape(
                id=name,
                needs=tuple(sorted(needs)),
                work=work,
                condition=draw(st.sampled_from(CONDITIONS)),
                goes_on=draw(st.booleans()),
                undoes=work == "keyed" and draw(st.booleans()),
                items=draw(st.integers(0, 4)) if work == "each" else 0,
                tolerated=draw(st.integers(0, 1)),
            )
        )
    return tuple(found)


def planned(graph: tuple[Shape, ...], on_failure: OnFailure) -> Plan:
    nodes = []
    for shape in graph:
        changes: dict[str, Any] = {"continue_on_error": shape.goes_on}
        match shape.work:
            case "signal":
                changes["work"] = WaitFor(f"of_{shape.id}")
            case "timer":
                changes["work"] = Timer(MINUTE)
            case "guarded":
                changes["work"] = call(effect=Effect.GUARDED)
            case "each":
                items = compile_expression(str(list(range(shape.items))), {})
                changes["each"] = ForEach(items, max_parallel=PARALLEL, tolerated=shape.tolerated)
        if shape.condition:
            changes["condition"] = condition(shape.condition)
        if shape.undoes:
            changes["compensate"] = call("undo")
        nodes.append(node(shape.id, *shape.needs, **changes))
    return plan_of(*nodes, on_failure=on_failure)


@dataclass
class Model:
    """What a run is, worked out from what happened to each of its paths."""

    graph: tuple[Shape, ...]
    on_failure: OnFailure
    spots: dict[str, Spot] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)
    minute: int = 0
    paused: bool = False
    by_failure: bool = False
    ended: RunStatus | None = None
    undo: list[str] | None = None
    undone: set[str] = field(default_factory=set)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return {shape.id: shape for shape in self.graph}

    def shape(self, path: str) -> Shape:
        return self.shapes[path.partition("~")[0].partition("[")[0]]

    def at(self, *, work: str = "", waits: str = "") -> list[str]:
        """Open paths: those under way, or those that wait for something."""
        return [
            path
            for path, spot in self.spots.items()
            if spot.end == OPEN
            and (spot.waits == waits if waits else spot.under_way)
            and (not work or self.shape(path).work == work)
        ]

    # what happens

    def done(self, path: str) -> None:
        self._end(path, DONE)
        if path.endswith(UNDO):
            self.undone.add(path.removesuffix(UNDO))
        else:
            self.order.append(path)
        self.go_on()

    def failed(self, path: str, kind: ErrorKind) -> None:
        self.spots[path].failures += 1
        self._owes(path, kind)
        self.go_on()

    def crashed(self) -> None:
        for path in self.at():
            self.spots[path].crashes += 1
            self._owes(path, "lost")
        self.go_on()

    def left(self, paths: Mapping[str, bool]) -> None:
        """A process closed: who takes the run over makes the attempts again."""
        for path, called in paths.items():
            self._owes(path, "called" if called else "not called")
        self.go_on()

    def _owes(self, path: str, what: str) -> None:
        """An attempt has ended so; what follows is decided when the run moves."""
        self.spots[path].under_way = False
        self.spots[path].owed = what

    def _settle(self, path: str) -> None:
        spot, what = self.spots[path], self.spots[path].owed
        spot.owed = ""
        guarded = self.shape(path).guarded and not path.endswith(UNDO)
        blamed, spot.blamed = spot.blamed, False
        if what in {"lost", "called", "not called"}:
            if guarded and what != "not called":
                spot.waits = "ambiguous"
            elif what == "lost" and blamed:
                self._end(path, FAILED)
            else:
                self._attempt(path, alone=what == "lost" and spot.crashes >= core.SUSPECT_AFTER)
        elif guarded and what not in NOTHING_DONE:
            spot.waits = "ambiguous"
        elif what in FINAL_KINDS or spot.failures >= MOST_FAILURES:
            self._end(path, FAILED)
        else:
            spot.waits, spot.since = "retry", self.minute

    def retried(self, path: str) -> None:
        """By hand: what was given up is open, and what was skipped below it."""
        paths = [path, *[p for p in self.spots if p.startswith(f"{path}[")]]
        for one in paths:
            spot = self.spots[one]
            if spot.end in {FAILED, CUT}:
                self.spots[one] = Spot(attempts=spot.attempts)
                if one == path or one.endswith("]"):
                    self.spots[one].waits = "turn"
        below, opened = {path}, set[str]()
        for shape in self.graph:
            if not below & set(shape.needs):
                continue
            below.add(shape.id)
            skipped = self.spots.get(shape.id)
            if skipped is None or skipped.end != SKIPPED:
                continue
            asks = shape.condition not in {"", "1 == 2"}
            if skipped.upstream or asks or opened & set(shape.needs):
                opened.add(shape.id)
                del self.spots[shape.id]
        self.reopened()

    def reopened(self) -> None:
        self.mended()
        self.ended = None
        self.go_on()

    def mended(self) -> None:
        """What a failure paused goes on; what a person paused waits for one."""
        if self.by_failure:
            self.paused = self.by_failure = False

    # what follows

    def go_on(self) -> None:  # noqa: C901 - a list of cases
        if self.paused or self.ended is not None:
            return
        for path in [path for path, spot in self.spots.items() if spot.owed]:
            self._settle(path)
        for path in [*self.at(waits="retry"), *self.at(waits="timer")]:
            if self.spots[path].since < self.minute:
                self._ring(path)
        if self.undo is not None:
            self._go_on_undoing()
            return
        moved = True
        while moved:
            moved = False
            for shape in self.graph:
                spot = self.spots.get(shape.id)
                if spot is None and self._ready(shape):
                    self._enter(shape)
                    moved = True
                elif spot is not None and spot.waits == "turn":
                    if self._ready(shape):
                        self._enter(shape)
                        moved = True
                elif spot is not None and spot.end == OPEN and shape.work == "each":
                    moved = self._fan(shape) or moved
                elif spot is not None and spot.waits == "signal" and shape.id in self.signals:
                    self._take_signal(shape.id)
                    moved = True
        self._come_to_rest()

    def _ring(self, path: str) -> None:
        if self.spots[path].waits == "retry":
            self._attempt(path)
        else:
            self.order.append(path)
            self._end(path, DONE)

    def _ready(self, shape: Shape) -> bool:
        return all(n in self.spots and self.spots[n].end != OPEN for n in shape.needs)

    def _enter(self, shape: Shape) -> None:
        good, given_up = True, False
        for need in shape.needs:
            spot = self.spots[need]
            if spot.end == DONE or (spot.end == FAILED and self.shapes[need].goes_on):
                continue
            good = False
            given_up = given_up or spot.end != SKIPPED or spot.upstream
        asks = shape.condition not in {"", "1 == 2"}
        holds = {
            "": good,
            "1 == 2": False,
            "succeeded()": good,
            "failed()": given_up,
            "always()": True,
        }[shape.condition]
        spot = self.spots.setdefault(shape.id, Spot())
        spot.waits = ""
        if holds:
            self._begin(shape)
        else:
            spot.end, spot.upstream = SKIPPED, not asks and not good and given_up

    def _begin(self, shape: Shape) -> None:
        spot = self.spots.setdefault(shape.id, Spot())
        match shape.work:
            case "signal":
                spot.waits = "signal"
                if shape.id in self.signals:
                    self._take_signal(shape.id)
            case "timer":
                spot.waits, spot.since = "timer", self.minute
            case "each":
                self._fan(shape)
            case _:
                self._attempt(shape.id)

    def _take_signal(self, path: str) -> None:
        self.signals.discard(path)
        self.order.append(path)
        self._end(path, DONE)

    def _fan(self, shape: Shape) -> bool:
        """Begin items as there is room, or come to an end."""
        items = [f"{shape.id}[{index}]" for index in range(shape.items)]
        known = [self.spots[item] for item in items if item in self.spots]
        if sum(spot.end == FAILED for spot in known) > shape.tolerated:
            for spot in known:
                if spot.end == OPEN:
                    spot.end, spot.under_way, spot.waits = CUT, False, ""
            self._end(shape.id, FAILED)
            return True
        if sum(spot.end != OPEN for spot in known) == shape.items:
            self.order.append(shape.id)
            self._end(shape.id, DONE)
            return True
        moved = False
        for item in items:
            one = self.spots.get(item)
            if (one is None or one.waits == "turn") and self._busy(items) < PARALLEL:
                self.spots.setdefault(item, Spot())
                self._attempt(item)
                moved = True
        return moved

    def _busy(self, items: list[str]) -> int:
        known = [self.spots[item] for item in items if item in self.spots]
        return sum(spot.end == OPEN and spot.waits != "turn" for spot in known)

    def _attempt(self, path: str, *, alone: bool = False) -> None:
        spot = self.spots[path]
        spot.attempts += 1
        spot.under_way, spot.waits, spot.alone = True, "", alone

    def _end(self, path: str, end: str) -> None:
        spot = self.spots[path]
        spot.end, spot.under_way, spot.waits = end, False, ""

    def given_up(self) -> list[str]:
        return [
            shape.id
            for shape in self.graph
            if shape.id in self.spots and self.spots[shape.id].end == FAILED and not shape.goes_on
        ]

    def _come_to_rest(self) -> None:
        if any(spot.end == OPEN for spot in self.spots.values()):
            return
        if not self.given_up():
            self.ended = RunStatus.SUCCEEDED
        elif self.on_failure is OnFailure.PAUSE:
            self.paused = self.by_failure = True
        elif self.on_failure is OnFailure.COMPENSATE and (paths := self._undoable()):
            self.undo = paths
            self._go_on_undoing()
        else:
            self.ended = RunStatus.FAILED

    def _undoable(self) -> list[str]:
        return [
            path
            for path in reversed(self.order)
            if path in self.shapes
            and self.shapes[path].undoes
            and path not in self.undone
            and self.spots[path].attempts
        ]

    def _go_on_undoing(self) -> None:
        assert self.undo is not None
        for path in self.undo:
            spot = self.spots.get(path + UNDO)
            if spot is None:
                self.spots[path + UNDO] = Spot()
                self._attempt(path + UNDO)
                return
            if spot.end == OPEN:
                return
        whole = all(self.spots[path + UNDO].end == DONE for path in self.undo)
        self.ended = RunStatus.COMPENSATED if whole else RunStatus.FAILED


class Runs(RuleBasedStateMachine):
    """One run, driven by hand as the driver would; the model says what it must be."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN
        self.entries: list[bytes] = []
        self.signals = 0
        self.began: set[str] = set()

    @initialize(graph=shapes(), on_failure=st.sampled_from(OnFailure))
    def accept(self, graph: tuple[Shape, ...], on_failure: OnFailure) -> None:
        self.plan = planned(graph, on_failure)
        self.model = Model(graph, on_failure)
        start = RunStarted(
            at=BEGAN,
            template=self.plan.name,
            template_hash=self.plan.text_hash,
            values={"file_id": "f1"},
            trace_id="trace",
            tenant="north",
            principal="ada",
        )
        self.run: RunState = apply(None, start, run_id="run-1")
        self._kept((start, *core.step(self.plan, self.run, self.now).facts))
        self.model.go_on()

    def _take(self, *first: Fact) -> None:
        self._kept(stepped(self.plan, self.run, self.now, first=first).facts)

    def _kept(self, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            if isinstance(fact, MilestoneBegan):
                assert fact.path not in self.model.order, "began after its checkpoint"
        if facts:
            self.entries.append(encode(facts))
            self.run.entries = len(self.entries)

    def _by(self) -> By:
        return By("ada", self.now, ("owner",))

    def _one_of(self, data: st.DataObject, paths: list[str]) -> str:
        return data.draw(st.sampled_from(sorted(paths)))

    def _alive(self) -> bool:
        return bool(self.model.at()) and self.model.ended is None

    # attempts

    @precondition(_alive)
    @rule(data=st.data())
    def an_attempt_succeeds(self, data: st.DataObject) -> None:
        path = self._one_of(data, self.model.at())
        state = self.run.nodes[path]
        of = self.plan.nodes[state.node]
        fact = core.completed(self.plan, self.run, of, path, {}, self.now, attempt=state.attempts)
        self._take(fact)
        self.model.done(path)

    @precondition(_alive)
    @rule(data=st.data(), kind=st.sampled_from(ErrorKind))
    def an_attempt_fails(self, data: st.DataObject, kind: ErrorKind) -> None:
        path = self._one_of(data, self.model.at())
        error = Failure(kind=kind, code="a_code", title="A title.", detail="a detail")
        attempt = self.run.nodes[path].attempts
        self._take(AttemptFailed(at=self.now, path=path, attempt=attempt, error=error))
        self.model.failed(path, kind)

    @precondition(_alive)
    @rule(data=st.data())
    def a_suspect_has_its_turn(self, data: st.DataObject) -> None:
        suspects = [p for p in self.model.at() if self.model.spots[p].alone]
        if suspects:
            path = self._one_of(data, suspects)
            fact = AttemptAlone(at=self.now, path=path, attempt=self.run.nodes[path].attempts)
            apply(self.run, fact)
            self._kept((fact,))
            self.model.spots[path].blamed = True

    @rule()
    def the_process_dies(self) -> None:
        self._taken_over()
        self.model.crashed()

    @rule(data=st.data())
    def the_process_closes(self, data: st.DataObject) -> None:
        """Each attempt is let go, called or not; the next process takes the run over."""
        left = {path: data.draw(st.booleans()) for path in self.model.at()}
        for path, called in left.items():
            attempt = self.run.nodes[path].attempts
            fact = AttemptReleased(at=self.now, path=path, attempt=attempt, called=called)
            apply(self.run, fact)
            self._kept((fact,))
        if left:
            assert self.run.status in {RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.COMPENSATING}
        self._taken_over()
        self.model.left(left)

    def _taken_over(self) -> None:
        self.run = fold("run-1", map(decode, self.entries))
        self._take(*core.recovered(self.run, self.now))

    # time, signals, people

    @rule()
    def time_passes(self) -> None:
        self.now += MINUTE
        self._kept(core.woken(self.plan, self.run, self.now).facts)
        self.model.minute += 1
        self.model.go_on()

    @rule(data=st.data())
    def a_signal_comes(self, data: st.DataObject) -> None:
        waiting = [s.id for s in self.model.graph if s.work == "signal"]
        if not waiting or self.model.ended is not None:
            return
        path = self._one_of(data, waiting)
        if path in self.model.signals:
            return
        self.signals += 1
        facts = verbs.signal(
            self.plan,
            self.run,
            self._by(),
            name=f"of_{path}",
            signal_id=str(self.signals),
            data={},
        )
        self._take(*facts)
        self.model.signals.add(path)
        self.model.go_on()

    @rule()
    def somebody_pauses(self) -> None:
        if self.model.ended is None:
            self._take(*verbs.pause(self.run, self._by()))
            self.model.paused = True

    @rule()
    def somebody_resumes(self) -> None:
        if not self.model.paused or self.model.by_failure:
            return
        self._take(*verbs.resume(self.plan, self.run, self._by()))
        self.model.paused = False
        self.model.go_on()

    @rule(data=st.data())
    def somebody_retries(self, data: st.DataObject) -> None:
        failed = [
            path
            for path, spot in self.model.spots.items()
            if spot.end == FAILED and path in self.model.shapes
        ]
        if not failed or self.model.undo is not None or self.model.ended is RunStatus.SUCCEEDED:
            return
        path = self._one_of(data, failed)
        try:
            facts = reopening.retry(self.plan, self.run, self._by(), path=path)
        except NotAllowed:
            assert self.model.ended is RunStatus.CANCELLED
            return
        self._take(*facts)
        self.model.retried(path)

    @rule(data=st.data())
    def somebody_supplies(self, data: st.DataObject) -> None:
        stuck = [*self.model.at(waits="ambiguous"), *self.model.at(waits="retry")]
        stuck = [path for path in stuck if "~" not in path]
        if not stuck or self.model.ended is not None:
            return
        path = self._one_of(data, stuck)
        self._take(*reopening.supply(self.plan, self.run, self._by(), path=path, result={}))
        self.model.mended()
        self.model.done(path)

    @precondition(lambda self: len(self.entries) > 6)
    @rule()
    def somebody_cancels(self) -> None:
        if self.model.ended is not None or self.model.undo is not None:
            return
        self._take(*verbs.cancel(self.run, self._by()))
        for spot in self.model.spots.values():
            if spot.end == OPEN and spot.waits != "turn":
                spot.end, spot.under_way, spot.waits = CUT, False, ""
        self.model.ended = RunStatus.CANCELLED
        self.model.paused = False

    # what must hold

    @invariant()
    def the_journal_tells_the_same_run(self) -> None:
        if self.entries:
            again = fold("run-1", map(decode, self.entries))
            assert _essence(again) == _essence(self.run)

    @invariant()
    def every_path_stands_where_the_model_says(self) -> None:
        if not self.entries:
            return
        ends = {
            path: state.status.value if state.status.ended else OPEN
            for path, state in self.run.nodes.items()
        }
        assert ends == {path: spot.end for path, spot in self.model.spots.items()}
        for path, spot in self.model.spots.items():
            state = self.run.nodes[path]
            told = (state.performing, state.attempts, state.failures, state.crashes)
            assert told == (spot.under_way, spot.attempts, spot.failures, spot.crashes), path

    @invariant()
    def the_run_ends_or_moves_or_waits_visibly(self) -> None:
        if not self.entries:
            return
        run, model = self.run, self.model
        if model.ended is not None:
            assert (run.ended, run.wake_at) == (model.ended, None)
            return
        assert run.ended is None
        if model.paused:
            assert run.status is RunStatus.PAUSED
            return
        assert run.performing == len(model.at())
        if model.at():
            assert run.wake_at is not None
            return
        assert run.status in {RunStatus.WAITING, RunStatus.COMPENSATING}
        assert run.reason is not Reason.NONE
        timed = [*model.at(waits="retry"), *model.at(waits="timer")]
        assert (run.wake_at is not None) is bool(timed)

    @invariant()
    def no_more_items_are_under_way_than_may_be(self) -> None:
        if self.entries:
            for shape in self.model.graph:
                items = [p for p in self.run.active if p.startswith(f"{shape.id}[")]
                begun = [p for p in items if self.run.nodes[p].status is not RunStatus.PENDING]
                assert len(begun) <= PARALLEL


def _essence(run: RunState) -> dict[str, Any]:
    """All of a run but what is only to be decided yet, or was worked out from it."""
    whole = {f.name: getattr(run, f.name) for f in fields(run) if f.name not in _PASSING}
    whole["active"] = list(run.active)
    whole["nodes"] = {
        path: {f.name: getattr(state, f.name) for f in fields(state) if f.name not in _PASSING}
        for path, state in run.nodes.items()
    }
    return whole


_PASSING = frozenset({"fresh", "handed", "opened", "values", "read_back"})

Runs.TestCase.settings = settings(
    max_examples=int(os.environ.get("JOURNEY_MODEL_RUNS", "50")),
    stateful_step_count=int(os.environ.get("JOURNEY_MODEL_STEPS", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestRuns = Runs.TestCase


HAPPENS = ("done", "done", "done", "failed", "paused", "resumed", "died")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=shapes(), data=st.data())
def test_a_run_taken_over_comes_to_the_same_straight_on_as_by_looking_about(
    graph: tuple[Shape, ...], data: st.DataObject
) -> None:
    play = Play(planned(graph, OnFailure.FAIL))
    for what in data.draw(st.lists(st.sampled_from(HAPPENS), max_size=8)):
        under_way = [path for path, state in play.run.active.items() if state.performing]
        if what == "died":
            play.run = play.folded()
            play.take(core.recovered(play.run, play.now))  # `stepped` looks both ways
        elif what == "paused" and play.run.ended is None:
            play.take(verbs.pause(play.run, play.by()))
        elif what == "resumed" and play.run.paused:  # and nothing of what was put off has begun
            play.entries.append(encode([RunResumed(at=play.now, principal="ada")]))
            play.run = play.folded()
        elif under_way and what == "done":
            play.done(data.draw(st.sampled_from(under_way)))
        elif under_way and what == "failed":
            play.fail(data.draw(st.sampled_from(under_way)), ErrorKind.INVALID)

    play.run = play.folded()
    play.take(core.recovered(play.run, play.now))
