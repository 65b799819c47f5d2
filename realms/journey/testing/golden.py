"""Golden journals: what runs once wrote, kept, and replayed by the code and templates of today."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from foundations.curator.registry import Registry
from realms.journey.api import Reason, RunStatus
from realms.journey.engine import core
from realms.journey.engine.codec import decode
from realms.journey.engine.facts import (
    AnswerGiven,
    AnswerRefused,
    AttemptAlone,
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    Fact,
    GenerationBegan,
    IterationEnded,
    MilestoneFailed,
    MilestoneReopened,
    MilestoneSucceeded,
    MilestoneWaiting,
    ResultSupplied,
    RetryScheduled,
    RunAdmitted,
    RunCompensating,
    RunHeld,
    RunMigrated,
    RunPaused,
    RunQueued,
    RunResumed,
    RunSettled,
    RunStarted,
    RunStopping,
    SignalReceived,
    StepRecorded,
)
from realms.journey.engine.folding import apply, fold
from realms.journey.engine.ports import Written
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan, SubJourney
from realms.journey.testing.cases import Suite
from realms.journey.testing.playing import PlayedRun, play
from utilities.errors import ErrorKind, PlatformError

FORMAT = 1


class UnreadableGolden(PlatformError):
    """The file holds no golden journals of ours."""

    kind = ErrorKind.INVALID


class NothingToRecord(PlatformError):
    """The journey has no tests that leave a journal."""

    kind = ErrorKind.INVALID


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GoldenRun(_Kept):
    """One run: its journal as it was written, and where it ended."""

    test: str
    run_id: str
    template_hash: str
    status: RunStatus
    reason: Reason
    entries: tuple[dict[str, Any], ...]


class Golden(_Kept):
    """The journals of all tests of a journey, and the texts they went by, line by line."""

    format: int = FORMAT
    journey: str
    texts: dict[str, tuple[str, ...]]
    runs: tuple[GoldenRun, ...]

    def text(self, template_hash: str) -> str:
        return "\n".join(self.texts[template_hash])


def recorded(suite: Suite, *, registry: Registry, below: Sequence[Written] = ()) -> Golden:
    """Play the tests of a journey without crashes, and keep what their runs wrote.

    Ids, times and traces are those of the virtual city, so that recording again gives the same.

    Raises:
        NothingToRecord: there are no tests, or all of them are refused.
    """
    journeys = [Written(suite.plan, suite.template.text), *below]
    runs = []
    for ready in suite.cases:
        played = play(journeys, ready.case, registry=registry, mocks=ready.mocks)
        runs += [_kept(ready.case.name, one) for one in played.runs]
    if not runs:
        raise NothingToRecord(
            f"no test of {suite.plan.name} has a run begin, so there is no journal to keep",
            hint="write tests of it: docs/testing-journeys.md",
        )
    used = {run.template_hash for run in runs}
    return Golden(
        journey=suite.plan.name,
        texts={
            written.plan.text_hash: tuple(written.text.split("\n"))
            for written in journeys
            if written.plan.text_hash in used
        },
        runs=tuple(runs),
    )


def dumped(golden: Golden) -> bytes:
    """A golden file, one entry a line."""
    head = golden.model_dump(mode="json", exclude={"runs"})
    lines = [b'{"golden": ' + orjson.dumps(head, option=orjson.OPT_INDENT_2) + b',\n"runs": [']
    for number, run in enumerate(golden.runs):
        about = orjson.dumps(run.model_dump(mode="json", exclude={"entries"}))
        entries = b",\n".join(map(orjson.dumps, run.entries))
        comma = b"," if number + 1 < len(golden.runs) else b""
        lines.append(b'{"run": ' + about + b', "entries": [\n' + entries + b"\n]}" + comma)
    return b"\n".join([*lines, b"]}\n"])


def loaded(data: bytes, *, file: str) -> Golden:
    """A golden file.

    Raises:
        UnreadableGolden: it is none, or of a format that this program does not know.
    """
    try:
        stored = orjson.loads(data)
        runs = [{**one["run"], "entries": one["entries"]} for one in stored["runs"]]
        golden = Golden.model_validate({**stored["golden"], "runs": runs})
    except (orjson.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
        raise UnreadableGolden(
            f"{file} holds no golden journals", hint="journey record NAME --to FILE makes one"
        ) from error
    if golden.format != FORMAT:
        raise UnreadableGolden(f"{file} is of format {golden.format}, this program's is {FORMAT}")
    return golden


def replayed(
    golden: Golden,
    compiled: Callable[[str], Plan],
    *,
    today: Mapping[str, str] | None = None,
) -> list[str]:
    """What today's code, and today's texts of the journeys by name, would have done otherwise.

    Each run is replayed by the text it was recorded with, which runs in flight still go by, and by
    the text of today where that is another.
    """
    found: list[str] = []
    for template_hash in golden.texts:
        text = golden.text(template_hash)
        runs = [run for run in golden.runs if run.template_hash == template_hash]
        plan, problem = _compiled(compiled, text, "the text it was recorded with")
        found += problem
        if plan is None:
            continue
        found += _all_replayed(runs, plan, "")
        now = (today or {}).get(plan.name, text)
        if now == text:
            continue
        other, problem = _compiled(compiled, now, "the text of today")
        found += problem
        if other is None:
            continue
        if plan.version and plan.version == other.version:
            found.append(
                f'{plan.name}: version "{plan.version}" was recorded with another text: raise it'
            )
        found += _all_replayed(runs, other, "by the text of today, ")
    return found


def _compiled(
    compiled: Callable[[str], Plan], text: str, which: str
) -> tuple[Plan | None, list[str]]:
    try:
        return compiled(text), []
    except PlatformError as error:
        return None, [
            f"{which} does not load any more: {line}" for line in error.detail.split("\n")
        ]


def _all_replayed(runs: Sequence[GoldenRun], plan: Plan, how: str) -> Iterator[str]:
    for run in runs:
        for problem in _replayed(run, plan):
            yield f"{run.test} ({run.run_id}): {how}{problem}"


def _kept(test: str, one: PlayedRun) -> GoldenRun:
    return GoldenRun(
        test=test,
        run_id=one.run.run_id,
        template_hash=one.run.template_hash,
        status=one.run.status,
        reason=one.run.reason,
        entries=tuple(orjson.loads(data) for data in one.raw),
    )


def _replayed(run: GoldenRun, plan: Plan) -> Iterator[str]:
    """The first thing that today goes otherwise with one run."""
    entries: list[list[Fact]] = []
    try:
        for number, entry in enumerate(run.entries, start=1):
            facts = decode(orjson.dumps(entry))
            if entry["v"] > 1 and (problem := _decided_otherwise(run, plan, entries, facts)):
                yield f"entry {number}: {problem}"
                return
            entries.append(facts)
        end = fold(run.run_id, entries)
    except (PlatformError, KeyError) as error:
        yield f"entry {len(entries) + 1} cannot be read or does not follow: {error}"
        return
    if (end.status, end.reason) != (run.status, run.reason):
        yield f"it ended {run.status} ({run.reason}); today that is {end.status} ({end.reason})"


def _decided_otherwise(
    run: GoldenRun, plan: Plan, before: Sequence[Sequence[Fact]], facts: Sequence[Fact]
) -> str:
    """How today's core goes on from the same facts, if it does so in another way."""
    now = facts[0].at
    state = _folded(run, before, facts)
    given = _given(plan, state, facts)
    for fact in given:
        if problem := _becomes_otherwise(plan, _folded(run, before, facts), fact, now):
            return problem
    if isinstance(given[-1] if given else None, AttemptReleased):
        return ""  # written when a process closes, and nothing is decided then
    begun = given[1:] if not before else given
    wanted = [_essence(fact) for fact in (facts[1:] if not before else facts)]
    decided: list[Any] = []
    for freshly in (False, True):  # as a run in memory goes on, and as one that was loaded
        state = _folded(run, before, facts)
        if before:
            state.fresh = state.fresh if freshly else []
        step = (
            core.step(plan, state, now, first=begun)
            if begun or freshly or not before
            else (core.woken(plan, state, now))
        )
        made = [_essence(fact) for fact in step.facts]
        if made == wanted:
            return ""
        decided = decided or made
    return f"it was {_told(wanted)}; today it is {_told(decided)}"


def _folded(run: GoldenRun, before: Sequence[Sequence[Fact]], facts: Sequence[Fact]) -> RunState:
    """The run before an entry; of the first entry, the run that it begins."""
    if before:
        return fold(run.run_id, before)
    return apply(None, facts[0], run_id=run.run_id)


_OUTSIDE = (
    RunStarted,
    RunQueued,
    RunAdmitted,
    AttemptAlone,
    AttemptFailed,
    AttemptLost,
    AttemptReleased,
    StepRecorded,
    SignalReceived,
    AnswerGiven,
    AnswerRefused,
    ResultSupplied,
    MilestoneReopened,
    GenerationBegan,
    RunResumed,
    RunStopping,
    RunMigrated,
    RunSettled,
    RunHeld,
)
"""Facts that come from outside: from services, people and time. All others the core decides."""


def _given(plan: Plan, run: RunState, facts: Sequence[Fact]) -> list[Fact]:
    """What of an entry came from outside: it stands first."""
    given = []
    for fact in facts:
        if not _from_outside(plan, run, fact):
            break
        given.append(fact)
    return given


def _from_outside(plan: Plan, run: RunState, fact: Fact) -> bool:
    match fact:
        case MilestoneSucceeded() | IterationEnded():
            return bool(fact.attempt) or _ends_a_child(plan, run, fact.path)
        case MilestoneFailed():
            state = run.nodes.get(fact.path)
            performing = state is not None and state.performing
            return performing or _ends_a_child(plan, run, fact.path)
        case MilestoneWaiting():
            return bool(fact.child)
        case RetryScheduled() | RunPaused() | RunCompensating():
            return bool(fact.principal)
    return isinstance(fact, _OUTSIDE)


def _ends_a_child(plan: Plan, run: RunState, path: str) -> bool:
    state = run.active.get(path)
    if state is None or state.reason is not Reason.JOURNEY:
        return False
    return isinstance(plan.nodes[state.node].work, SubJourney)


def _becomes_otherwise(plan: Plan, run: RunState, fact: Fact, now: datetime) -> str:
    """Whether the same result of a milestone becomes another fact today."""
    if not isinstance(fact, MilestoneSucceeded | IterationEnded):
        return ""
    node = plan.nodes.get(run.nodes[fact.path].node)
    if node is None:
        return f"there is no milestone {run.nodes[fact.path].node}"
    becomes = core.completed(
        plan, run, node, fact.path, fact.output, now, attempt=fact.attempt, signal=fact.signal
    )
    was, is_ = _essence(fact), _essence(becomes)
    return "" if was == is_ else f"the result was {_told([was])}; today it is {_told([is_])}"


def _essence(fact: Fact) -> Any:
    """A fact without what does not count: the words of errors, where large values are kept."""
    error = getattr(fact, "error", None)
    changes: dict[str, Any] = {}
    if error is not None:
        changes["error"] = (error.kind, error.code)
    if isinstance(fact, MilestoneSucceeded):
        changes |= {"spilled": "", "memo": False}
    if isinstance(fact, IterationEnded):
        changes |= {"spilled": ""}
    return replace(fact, **changes)


def _told(facts: Sequence[Fact]) -> str:
    """Facts in a few words."""
    words = []
    for fact in facts:
        path = getattr(fact, "path", "")
        why = getattr(fact, "reason", "")
        words.append(" ".join(str(part) for part in (fact.kind, path, why) if part))
    return ", ".join(words) or "nothing"
