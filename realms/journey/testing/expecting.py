"""What was expected of a run, and is otherwise."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from realms.journey.api import Failure, Reason, RunStatus
from realms.journey.engine.state import RunState
from realms.journey.testing.language import Case, Error, Expectation
from realms.journey.testing.playing import Played

_LONGEST = 200


def differences(case: Case, played: Played) -> list[str]:
    """Everything that is otherwise than the test expects, each in a sentence."""
    found = list(played.problems)
    if played.crash is not None and not played.crashed:
        found.append(f"the process was to die {played.crash}, and never came there")
    if played.ambiguous:
        return [*found, *_visibly_ambiguous(played)]
    expect = case.expect
    if expect.refused is not None or played.refused is not None:
        return [*found, *_refusal(expect, played.refused)]
    if played.main is None:
        return found or ["no run came about"]
    run = played.main.run
    found += _state(expect, run)
    found += _milestones(expect, run)
    found += _values(expect, run)
    found += _calls(expect, played)
    found += _events(expect, played)
    found += _duration(expect, played)
    return found


def _visibly_ambiguous(played: Played) -> Iterator[str]:
    """After a crash amid a call that cannot be repeated, a run waits for a person."""
    reasons = {state.reason for one in played.runs for state in one.run.active.values()}
    if Reason.AMBIGUOUS not in reasons:
        yield "a call that cannot be repeated was cut by the crash, and nobody is asked about it"


def _refusal(expect: Expectation, refused: Failure | None) -> Iterator[str]:
    if refused is None:
        yield "the run was to be refused, and was accepted"
    elif expect.refused is None:
        yield f"the run was refused: {refused.detail}"
    else:
        yield from _error(expect.refused, refused, "refused")


def _state(expect: Expectation, run: RunState) -> Iterator[str]:
    if run.status is not expect.status:
        because = f" ({run.reason})" if run.reason else ""
        error = f": {run.error.detail}" if run.error else ""
        yield f"status is {run.status}{because}, not {expect.status}{error}"
    if expect.reason and run.reason != expect.reason:
        yield f'reason is "{run.reason}", not "{expect.reason}"'
    if expect.error is not None:
        if run.error is None:
            yield "error is missing: the run has none"
        else:
            yield from _error(expect.error, run.error, "error")


def _error(expected: Error, error: Failure, word: str) -> Iterator[str]:
    if expected.kind is not None and error.kind is not expected.kind:
        yield f"{word}.kind is {error.kind}, not {expected.kind}: {error.detail}"
    if expected.code and error.code != expected.code:
        yield f"{word}.code is {error.code}, not {expected.code}: {error.detail}"
    if expected.detail not in error.detail:
        yield f'{word}.detail is "{error.detail}", without "{expected.detail}"'


_SETS: Mapping[str, RunStatus] = {
    "skipped": RunStatus.SKIPPED,
    "failed": RunStatus.FAILED,
    "cancelled": RunStatus.CANCELLED,
    "waiting": RunStatus.WAITING,
}


def _milestones(expect: Expectation, run: RunState) -> Iterator[str]:
    whole = [state for state in run.nodes.values() if state.path == state.node]
    if expect.path is not None:
        reached = [path for path in run.completed if path == run.nodes[path].node]
        if reached != list(expect.path):
            yield f"path is {_listed(reached)}, not {_listed(expect.path)}"
    for word, status in _SETS.items():
        expected = getattr(expect, word)
        if expected is not None:
            yield from _same(word, expected, [s.path for s in whole if s.status is status])
    if expect.undone is not None:
        yield from _same("undone", expect.undone, [s.path for s in whole if s.undone])


def _same(word: str, expected: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    if set(expected) != set(found):
        yield f"{word} is {_listed(sorted(found))}, not {_listed(sorted(expected))}"


def _values(expect: Expectation, run: RunState) -> Iterator[str]:
    if "output" in expect.model_fields_set:
        yield from _unlike(expect.output, run.output, "output")
    for name, value in expect.results.items():
        if name not in run.results:
            yield f"results.{name} is missing: it has no result"
        else:
            yield from _unlike(value, run.results[name], f"results.{name}")


def _calls(expect: Expectation, played: Played) -> Iterator[str]:
    for name, expected in expect.calls.items():
        calls = [call.arguments for call in played.given.calls if call.name == name]
        if isinstance(expected, int):
            if len(calls) != expected:
                yield f"calls.{name} is {len(calls)}, not {expected}"
        elif len(calls) != len(expected):
            yield f"calls.{name}: it was called {_times(len(calls))}, not {_times(len(expected))}"
        else:
            for number, (stated, call) in enumerate(zip(expected, calls, strict=True)):
                yield from _unlike(stated, call, f"calls.{name}[{number}]")


def _events(expect: Expectation, played: Played) -> Iterator[str]:
    published = Counter(played.given.events.values())
    for name, expected in expect.events.items():
        if published[name] != expected:
            yield f"events.{name} is {published[name]}, not {expected}"


def _duration(expect: Expectation, played: Played) -> Iterator[str]:
    took = played.duration
    if expect.duration_at_least is not None and took < expect.duration_at_least:
        yield f"it took {took}, less than {expect.duration_at_least}"
    if expect.duration_at_most is not None and took > expect.duration_at_most:
        yield f"it took {took}, more than {expect.duration_at_most}"


def _unlike(stated: Any, found: Any, at: str) -> Iterator[str]:
    """Where a value is not as stated; of maps, only what is stated is looked at."""
    match stated, found:
        case Mapping(), Mapping():
            for name, value in stated.items():
                if name in found:
                    yield from _unlike(value, found[name], f"{at}.{name}")
                else:
                    yield f"{at}.{name} is missing"
        case ((list() | tuple()), (list() | tuple())):
            if len(stated) != len(found):
                yield f"{at} has {len(found)} items, not {len(stated)}"
                return
            for number, (one, other) in enumerate(zip(stated, found, strict=True)):
                yield from _unlike(one, other, f"{at}[{number}]")
        case _:
            if type(stated) is bool or type(found) is bool:
                same = stated is found
            else:
                same = stated == found
            if not same:
                yield f"{at} is {_shown(found)}, not {_shown(stated)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
