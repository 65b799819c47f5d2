"""The tests of a journey: read, checked against template and services, ready to be played."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realms.journey.api import Reason
from realms.journey.expressions.compiled import FaultyExpression, compile_expression
from realms.journey.expressions.values import compile_value, template_parts
from realms.journey.language.compiling import load_plan
from realms.journey.language.loading import read_template
from realms.journey.language.template_reader import TemplateReader
from realms.journey.plans.plan import AgentWork, Ask, JsonSchema, Plan, WaitFor
from realms.journey.testing.language import Answer, Answers, Case, Cases, Every
from realms.journey.testing.mocks import Mock, MockedServices
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.marked_faults import Faults, MarkedFault
from utilities.strict_yaml import (
    Entries,
    Mark,
    Node,
    UnreadableYaml,
    read_yaml,
)


class FaultyTests(PlatformError):
    """Tests of a journey have faults."""

    kind = ErrorKind.INVALID

    def __init__(self, faults: Iterable[MarkedFault], *, file: str) -> None:
        self.file = file
        self.faults = tuple(sorted(set(faults)))
        super().__init__(
            "\n".join(fault.line(file) for fault in self.faults),
            hint=f"mend the {len(self.faults)} fault(s) in {file}",
            errors=[FieldError(f"/{f.path}", f"{f.mark}  {f.sentence}") for f in self.faults],
        )


@dataclass(frozen=True, slots=True)
class Source:
    """A text and how it is called."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadyCase:
    """One test, checked and compiled, and where it stands."""

    case: Case
    mocks: Mapping[str, Sequence[Mock]]
    file: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Suite:
    """A journey and its tests."""

    plan: Plan
    template: Source
    cases: tuple[ReadyCase, ...]
    marks: Mapping[str, Mark]
    """Where each milestone stands."""


def suite_of(
    template: Source,
    services: MockedServices,
    *,
    beside: Source | None = None,
    below: Callable[[Plan], Sequence[Plan]] = lambda _: (),
) -> Suite:
    """A journey with the tests in its template, then those in the file beside it.

    `below` tells which journeys its milestones begin: tests may answer and signal those too.

    Raises:
        FaultyTemplate: the template has faults.
        FaultyTests: the tests have, all of one file at once.
    """
    plan = load_plan(template.text, services, file=template.file)
    plans = (plan, *below(plan))
    cases = _read(_within(template), template.file, plans, services)
    if beside is not None:
        cases += _read(_whole(beside), beside.file, plans, services)
    return Suite(plan, template, tuple(cases), _marks(template.text))


def _within(template: Source) -> Node | None:
    """Tests that stand in the template itself; all else in it was read already."""
    root = read_yaml(template.text)
    assert isinstance(root, Entries)
    entry = root.entry("tests")
    return None if entry is None else Entries(root.mark, (entry,))


def _whole(beside: Source) -> Node:
    try:
        return read_yaml(beside.text)
    except UnreadableYaml as error:
        faults = [MarkedFault(fault.mark, "yaml", fault.problem) for fault in error.faults]
        raise FaultyTests(faults, file=beside.file) from error


def _read(
    root: Node | None, file: str, plans: Sequence[Plan], services: MockedServices
) -> list[ReadyCase]:
    if root is None:
        return []
    faults = Faults()
    written = TemplateReader(faults).part(Cases, root, "")
    check = _Check(plans, services, faults)
    shared = check.mocks(written.mocks, "mocks")
    ready = []
    for index, case in enumerate(written.tests):
        place = f"tests[{index}]"
        check.case(case, place)
        own = check.mocks(case.mocks, f"{place}.mocks")
        ready.append(ReadyCase(case, {**shared, **own}, file, faults.mark(place)))
    check.names(written.tests)
    if faults.found:
        raise FaultyTests(faults.found, file=file)
    return ready


class _Check:
    """Looks up what tests name, and compiles what their mocks answer."""

    def __init__(self, plans: Sequence[Plan], services: MockedServices, faults: Faults) -> None:
        self._plan = plans[0]
        self._works = [(path, node.work) for plan in plans for path, node in plan.nodes.items()]
        self._services = services
        self._faults = faults
        self._agents = {work.agent for _, work in self._works if isinstance(work, AgentWork)}

    def names(self, cases: Sequence[Case]) -> None:
        seen: set[str] = set()
        for index, case in enumerate(cases):
            if case.name in seen:
                self._faults.add(f"tests[{index}].name", "is the name of another test already")
            seen.add(case.name)

    def case(self, case: Case, place: str) -> None:
        self._input(case, place)
        self._stimuli(case, place)
        self._crashes(case, place)
        self._expectation(case, f"{place}.expect")

    def mocks(self, mocks: Mapping[str, Answers], place: str) -> dict[str, Sequence[Mock]]:
        return {
            name: tuple(self._mocks_of(name, answers, f"{place}.{name}"))
            for name, answers in mocks.items()
            if self._is_called(name, f"{place}.{name}")
        }

    # what is done

    def _input(self, case: Case, place: str) -> None:
        """What a run that is to be accepted must be given."""
        if case.expect.refused is not None:
            return
        known = self._plan.inputs
        places = [f"{place}.input.{name}" for name in case.input]
        self._known([*case.input], known, "the input has no", places)
        for name, schema in known.items():
            if name not in case.input:
                if "default" not in schema:
                    self._faults.add(f"{place}.input", f'the input "{name}" is missing')
            elif problem := self._plan.checks[name].problem(case.input[name]):
                self._faults.add(f"{place}.input.{name}", problem)

    def _stimuli(self, case: Case, place: str) -> None:
        signals = {work.signal for _, work in self._works if isinstance(work, WaitFor)}
        asking = {path for path, work in self._works if isinstance(work, Ask)}
        self._known(
            [sent.signal for sent in case.signals],
            signals,
            "no milestone waits for the signal",
            [f"{place}.signals[{n}].signal" for n in range(len(case.signals))],
        )
        self._known(
            [answer.milestone for answer in case.answers],
            asking,
            "no question is asked by",
            [f"{place}.answers[{n}].milestone" for n in range(len(case.answers))],
        )

    def _crashes(self, case: Case, place: str) -> None:
        if isinstance(case.crash, Every):
            return
        for number, point in enumerate(case.crash):
            if isinstance(point, Every):
                continue
            at = f"{place}.crash[{number}]"
            words = [word for word in ("before", "called", "after") if getattr(point, word)]
            if len(words) != 1:
                self._faults.add(at, 'is one of {before: id}, {called: id}, {after: id}, "every"')
            for word in words:
                self._milestones([getattr(point, word)], [f"{at}.{word}"])

    # what is expected

    def _expectation(self, case: Case, place: str) -> None:
        expect = case.expect
        for word in ("path", "skipped", "failed", "cancelled", "undone", "waiting"):
            names = getattr(expect, word) or ()
            self._milestones(names, [f"{place}.{word}[{n}]" for n in range(len(names))])
        self._milestones([*expect.results], [f"{place}.results.{n}" for n in expect.results])
        reasons = [str(reason) for reason in Reason if reason]
        if expect.reason:
            self._known([expect.reason], reasons, "there is no reason", [f"{place}.reason"])
        for name in expect.calls:
            self._is_called(name, f"{place}.calls.{name}")

    def _milestones(self, names: Sequence[str], places: Sequence[str]) -> None:
        self._known(names, self._plan.nodes, "no milestone is called", places)

    def _known(
        self, names: Sequence[str], right: Collection[str], said: str, places: Sequence[str]
    ) -> None:
        for name, place in zip(names, places, strict=True):
            if name not in right and not self._faults.at(place):
                self._faults.add(place, f'{said} "{name}"', wrong=name, right=right)

    def _is_called(self, name: str, place: str) -> bool:
        """Whether `name` is `Service.api`, or an agent of the journey."""
        if name in self._agents:
            return True
        service, _, api = name.partition(".")
        services = self._services.services()
        if service not in services:
            right = [*services, *sorted(self._agents)]
            self._faults.add(place, f'no service is called "{service}"', wrong=service, right=right)
            return False
        apis = self._services.apis(service)
        if api not in apis:
            self._faults.add(place, f'{service} has no API "{api}"', wrong=api, right=apis)
            return False
        return True

    # mocks

    def _mocks_of(self, name: str, answers: Answers, place: str) -> Iterator[Mock]:
        if isinstance(answers, Answer):
            yield self._mock(name, answers, place, last=True)
            return
        if not answers:
            self._faults.add(place, "is empty; say what it answers")
        for number, answer in enumerate(answers):
            last = number + 1 == len(answers)
            yield self._mock(name, answer, f"{place}[{number}]", last=last)

    def _mock(self, name: str, answer: Answer, place: str, *, last: bool) -> Mock:
        written = answer.model_fields_set
        if len({"returns", "raises"} & written) != 1 and not self._faults.at(place):
            self._faults.add(place, 'needs one of "returns" and "raises"')
        if "beats" in written and "takes" not in written:
            self._faults.add(f"{place}.beats", '"beats" makes no sense without "takes"')
        scope = self._parameters(name)
        when = returns = None
        if answer.when and not self._faults.at(f"{place}.when"):
            part = template_parts(answer.when)[0]
            with _noting(self._faults, f"{place}.when", part.at):
                when = compile_expression(part.text, scope, wants={"boolean"})
        if "returns" in written and not self._faults.at(f"{place}.returns"):
            with _noting(self._faults, f"{place}.returns"):
                returns = compile_value(answer.returns, scope)
        if returns is not None and "." in name:
            self._complete(name, answer.returns, f"{place}.returns")
        once = None if last or answer.when else 1
        return Mock(
            when=when,
            times=answer.times or once,
            returns=returns,
            raises=answer.raises,
            takes=answer.takes,
            beats=answer.beats,
        )

    def _parameters(self, name: str) -> dict[str, JsonSchema | None]:
        """What expressions of a mock see: the parameters; those of an agent may be anything."""
        if "." not in name:
            bindings = (
                work.bindings
                for _, work in self._works
                if isinstance(work, AgentWork) and work.agent == name
            )
            return {binding.parameter: None for each in bindings for binding in each}
        signature = self._services.signature(*name.split(".", 1))
        return {name: shape.schema for name, shape in signature.parameters.items()}

    def _complete(self, name: str, answer: Any, place: str) -> None:
        """Note what no expression can mend; what expressions come to is seen when it runs."""
        service, api = name.split(".", 1)
        _, problems = self._services.complete(service, api, answer)
        computed = tuple(_computed(answer, ""))
        for problem in problems:
            field, _, said = problem.partition(": ")
            if f"{field}.".startswith(computed):
                continue
            where = f"{place}.{field}" if field else place
            self._faults.add(where, f"{name} never answers so: {said}", path=where)


class _noting:  # noqa: N801 - a context manager reads as a verb
    """Notes a faulty expression inside the block at its place."""

    def __init__(self, faults: Faults, place: str, at: int = 0) -> None:
        self._faults = faults
        self._place = place
        self._at = at

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _tb: Any) -> bool:
        if not isinstance(error, FaultyExpression):
            return False
        steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
        hint = error.hint[:1].upper() + error.hint[1:]
        place = self._place + "".join(steps)
        self._faults.add(place, error.problem, suggestion=hint, column=error.column + self._at)
        return True


def _computed(answer: Any, at: str) -> Iterator[str]:
    """The places of an answer that expressions fill, each with a dot at its end."""
    match answer:
        case str() if "${" in answer:
            yield at
        case dict():
            for name, value in answer.items():
                yield from _computed(value, f"{at}{name}.")
        case list():
            for number, value in enumerate(answer):
                yield from _computed(value, f"{at}{number}.")


def _marks(text: str) -> Mapping[str, Mark]:
    reading = read_template(text)
    return {step.id: reading.faults.mark(f"{step.place}.milestone_id") for step in reading.steps}
