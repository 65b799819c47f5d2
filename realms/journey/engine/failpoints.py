"""Named places where a trial has the process killed or stopped; off unless the environment asks.

`JOURNEY_FAILPOINT=called:file_parsed@2=stop` stops the process (SIGSTOP) when it reaches the place
`called` of the path `file_parsed` for the second time. Without `:path` any path counts, without
`@n` the first time, and without `=stop` the process is killed (SIGKILL).
"""

import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from realms.journey.engine.facts import (
    Fact,
    MilestoneBegan,
    MilestoneSucceeded,
    MilestoneWaiting,
)
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean

VARIABLE = "JOURNEY_FAILPOINT"

PLACES: Mapping[str, str] = {
    "accept_checked": "The input of a run was found good; nothing of it is written.",
    "accept_pinned": "The texts that a run begins with are durable; the run is not.",
    "accept_deciding": "The first facts of a run are made, and not handed to the journal.",
    "accepted": "A run is durable; nobody was told, nothing was called.",
    "before": "An attempt is durable, and its call not made.",
    "called": "A call has answered, and nothing of its answer is durable.",
    "decided": "What follows of an answer is decided, and not handed to the journal.",
    "after": "A checkpoint is durable; the next attempt is not made.",
    "released": "A closing city is about to write that it left an attempt.",
    "flush": "Entries are gathered for a commit that has not begun.",
    "in_transaction": "Entries are written in a transaction that is not committed.",
    "flushed": "A commit is durable; no run has gone on.",
    "refused": "A commit was refused; its entries are kept.",
    "hold_taken": "A process is a holder; those before it are not dismissed.",
    "dismissed": "The holders before are dismissed and their runs free; none was taken up.",
    "drives": "A process drives, and has not looked for what is due.",
    "sweep": "The sweeper is about to look.",
    "sweep_found": "The sweeper found runs that are due, and woke none.",
    "sweep_woke": "The sweeper woke a page of runs.",
    "sweep_over": "The sweeper has looked, and not said when it looks next.",
    "rung": "A run was woken, by a timer, a sweep or another run, and not looked at.",
    "load": "A run is about to be read from the journal.",
    "loaded": "A run was read and folded; that its attempts were lost is not written.",
    "recovered": "It is durable that attempts of a run died with their process.",
    "renew": "A lease is about to be prolonged.",
    "renewed": "A lease is prolonged.",
    "publish": "Entries are durable, and nobody was told of them.",
    "lane_entered": "A lane was looked at for a run that is not accepted yet.",
    "lane_admits": "A queued run may begin; that is not written.",
    "spill": "A large value is about to be kept beside the journal.",
    "spilled": "A large value is kept; what refers to it is not written.",
    "memo": "A remembered result was found; it is not written.",
    "child_begins": "A journey within a journey is about to be accepted.",
    "child_begun": "A journey within a journey is durable; that its parent waits is not.",
    "child_seen": "A journey within a journey has ended; its parent's facts are not made.",
    "child_stops": "A journey within a journey is about to be cancelled.",
    "drain": "A closing city is about to wait for what is under way.",
    "drained": "A closing city has written all, and still has its lease.",
    "let_go": "A closing city has given back its lease.",
    "claim": "Workers: runs that rang are about to be claimed.",
    "claimed": "Workers: runs are claimed, and not read.",
}
"""Each place and what is durable there."""

OF_FACTS: Mapping[str, str] = {
    "run_queued": "a run has to wait for its turn",
    "run_admitted": "a queued run begins",
    "fanned_out": "a `for_each` or a race begins",
    "fan_in": "the results of a `for_each` are gathered",
    "iteration_ended": "a loop goes round",
    "timer_set": "a timer runs",
    "timer_rang": "a timer was heard",
    "waits": "a milestone waits for a person, a signal or a journey",
    "attempt_failed": "an attempt ended in an error",
    "attempt_lost": "an attempt died with its process",
    "retry_scheduled": "the next attempt has its time",
    "milestone_failed": "a milestone is given up",
    "milestone_cancelled": "a milestone is cut, as those that lose a race",
    "milestone_skipped": "a milestone is passed over",
    "step_recorded": "a step inside an attempt",
    "signal_received": "a signal came",
    "answer_given": "a person answered",
    "result_supplied": "a person gave a result",
    "run_paused": "a run is paused",
    "run_resumed": "a run is resumed",
    "run_stopping": "a run is to be cancelled",
    "milestone_reopened": "a milestone is tried again by hand",
    "generation_began": "milestones are done anew",
    "run_compensating": "a run is to be undone",
    "undo_began": "something is being undone",
    "undone": "something was undone",
    "run_closing": "what `finally` names begins",
    "run_succeeded": "a run succeeded",
    "run_failed": "a run failed",
    "run_ended": "a run was cancelled or undone",
}
"""Kinds of facts by what they say: a place before each is handed to the journal, and `.durable`."""

POINTS: Mapping[str, str] = {
    **PLACES,
    **{name: f"Not written yet: {said}." for name, said in OF_FACTS.items()},
    **{f"{name}.durable": f"Durable, and not acted on: {said}." for name, said in OF_FACTS.items()},
}
"""Every failpoint there is."""

_FORM = re.compile(r"(?P<point>[\w.]+)(:(?P<path>[^@=]+))?(@(?P<n>[1-9]\d*))?(=(?P<how>\w+))?")
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_CHECKOUT = Path(__file__).parents[3] / "tests" / "chaos"


class FaultyFailpoint(PlatformError):
    """The environment asks for a failpoint that there is not."""

    kind = ErrorKind.CONFIGURATION


@dataclass(slots=True)
class Asked:
    """The place that a trial waits for, and what happens there the `left`th time."""

    point: str
    path: str = ""
    left: int = 1
    happens: Callable[[], None] = lambda: None

    def reached(self, point: str, path: str) -> None:
        if point == self.point and (not self.path or path == self.path):
            self.left -= 1
            if self.left == 0:
                self.happens()


_asked: Asked | None = None


def reach(point: str, path: str = "") -> None:
    """Be killed or stopped here, if a trial asks for it."""
    if _asked is not None:
        _asked.reached(point, path)


def reach_facts(facts: Iterable[Fact], *, durable: bool) -> None:
    """The same for what facts say, before or after they are durable."""
    if _asked is not None:
        for fact in facts:
            if name := name_of(fact):
                _asked.reached(f"{name}.durable" if durable else name, getattr(fact, "path", ""))


def arm() -> None:
    """Look once what the environment asks for.

    Raises:
        FaultyFailpoint: there is no such place, or this is an installed package.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return
    if not _CHECKOUT.is_dir():
        raise FaultyFailpoint(
            f"{VARIABLE} is for trials in a checkout, and this is an installed package",
            hint=f"unset {VARIABLE}",
        )
    ask(parsed(text))


def ask(asked: Asked | None) -> None:
    """Wait for a place from now on; for None nowhere any more."""
    global _asked  # noqa: PLW0603 - a module-level switch costs the hot path one look
    _asked = asked


def parsed(text: str) -> Asked:
    """What `name[:path][@n][=kill|stop]` asks for.

    Raises:
        FaultyFailpoint: it is no such text, or names no place.
    """
    found = _FORM.fullmatch(text)
    if found is None or (found["how"] or "kill") not in _SIGNALS:
        raise FaultyFailpoint(
            f'{VARIABLE}="{text}" is no name[:path][@n][=kill|stop]', hint="such as called:parse@2"
        )
    if found["point"] not in POINTS:
        raise FaultyFailpoint(
            f'there is no failpoint "{found["point"]}"',
            hint=did_you_mean(found["point"], POINTS) or "realms.journey.engine.failpoints has all",
        )
    how = _SIGNALS[found["how"] or "kill"]
    return Asked(
        found["point"], found["path"] or "", int(found["n"] or 1), lambda: os.kill(os.getpid(), how)
    )


def name_of(fact: Fact) -> str:
    """Which of `OF_FACTS` a fact is; empty for those that are said by other places."""
    match fact:
        case MilestoneBegan(path=path):
            return "undo_began" if path.endswith("~undo") else ""
        case MilestoneSucceeded(path=path) if path.endswith("~undo"):
            return "undone"
        case MilestoneSucceeded(gathered=True):
            return "fan_in"
        case MilestoneSucceeded(attempt=0, output={}, signal="") if not fact.output:
            return "timer_rang"
        case MilestoneWaiting():
            return "timer_set" if fact.reason == "timer" else "waits"
        case _:
            return fact.kind if fact.kind in OF_FACTS else ""
