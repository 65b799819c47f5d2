"""Plays all tests of journeys, and tells what failed and what was never taken."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import Field

from foundations.curator.registry import Registry
from realms.journey.engine.ports import Written
from realms.journey.testing.cases import ReadyCase, Suite
from realms.journey.testing.city import Moment
from realms.journey.testing.coverage import Coverage
from realms.journey.testing.expecting import differences
from realms.journey.testing.language import Every
from realms.journey.testing.playing import Played, play
from utilities.models import FrozenModel


class CaseResult(FrozenModel):
    """What came of one test."""

    name: str
    file: str
    line: int
    passed: bool
    problems: tuple[str, ...] = ()
    crashes: int = Field(default=0, description="At so many points the process died.")
    seconds: float = Field(default=0, description="Of real time.")


class MissedBranch(FrozenModel):
    """A branch that no test takes, and where its milestone stands."""

    milestone: str
    branch: str
    line: int
    column: int


class JourneyResult(FrozenModel):
    """What came of the tests of one journey."""

    journey: str
    file: str
    tests: tuple[CaseResult, ...]
    branches: int
    never: tuple[MissedBranch, ...]

    @property
    def passed(self) -> bool:
        return all(test.passed for test in self.tests)


def play_suite(
    suite: Suite,
    *,
    registry: Registry,
    below: Sequence[Written] = (),
    told: Callable[[CaseResult], None] = lambda _: None,
) -> JourneyResult:
    """Play every test of a journey. `below` are the journeys that its milestones begin."""
    journeys = [Written(suite.plan, suite.template.text), *below]
    coverage = Coverage(suite.plan)
    results = []
    for ready in suite.cases:
        result = played_case(journeys, ready, registry=registry, coverage=coverage)
        told(result)
        results.append(result)
    return JourneyResult(
        journey=suite.plan.name,
        file=suite.template.file,
        tests=tuple(results),
        branches=len(coverage.branches),
        never=tuple(_missed(suite, coverage)),
    )


def played_case(
    journeys: Sequence[Written],
    ready: ReadyCase,
    *,
    registry: Registry,
    coverage: Coverage | None = None,
) -> CaseResult:
    """Play one test: once as it is, then once more for each crash."""
    began = time.perf_counter()
    problems: list[str] = []
    crashes = 0
    for played in plays(journeys, ready, registry=registry):
        found = differences(ready.case, played)
        if played.crash is not None:
            crashes += 1
            found = [f"crash {played.crash}: {problem}" for problem in found]
        problems += found
        for one in played.runs if coverage is not None else ():
            if coverage is not None and one.plan is coverage.plan:
                coverage.add(one)
    return CaseResult(
        name=ready.case.name,
        file=ready.file,
        line=ready.mark.line,
        passed=not problems,
        problems=tuple(problems),
        crashes=crashes,
        seconds=round(time.perf_counter() - began, 3),
    )


def plays(journeys: Sequence[Written], ready: ReadyCase, *, registry: Registry) -> Iterator[Played]:
    """A test as it is, then with each of its crashes."""
    first = play(journeys, ready.case, registry=registry, mocks=ready.mocks)
    yield first
    for moment in dict.fromkeys(_moments(ready, first)):
        yield play(journeys, ready.case, registry=registry, mocks=ready.mocks, crash=moment)


def _moments(ready: ReadyCase, first: Played) -> Iterable[Moment]:
    wanted = ready.case.crash
    for point in (wanted,) if isinstance(wanted, Every) else wanted:
        if isinstance(point, Every):
            yield from first.moments
            continue
        for when in ("before", "called", "after"):
            if milestone := getattr(point, when):
                yield Moment(when, milestone)


def _missed(suite: Suite, coverage: Coverage) -> Iterator[MissedBranch]:
    for milestone, branch in coverage.never:
        mark = suite.marks.get(milestone)
        yield MissedBranch(
            milestone=milestone,
            branch=branch,
            line=mark.line if mark else 1,
            column=mark.column if mark else 1,
        )
