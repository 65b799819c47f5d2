"""Services that answer as a test says, typed as the real ones are."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from foundations.curator.registry import Registry
from foundations.public_works.secrets import Secrets
from realms.journey.engine.runner import Steps
from realms.journey.expressions.compiled import Expression
from realms.journey.expressions.values import Value
from realms.journey.registry_services import RegistryServices
from realms.journey.testing.language import Raised
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean

Attempt = tuple[str, str, int, int]
"""One attempt: run, path, generation and number."""


class Unmocked(PlatformError):
    """A test calls what it does not mock."""

    kind = ErrorKind.CONFIGURATION


class UnfitAnswer(PlatformError):
    """A mock answers with something that its service would never say."""

    kind = ErrorKind.CONFIGURATION


class MockedFault(PlatformError):
    """A mocked service failed, as the test says."""

    def __init__(self, raised: Raised) -> None:
        after = raised.retry_after
        super().__init__(
            raised.detail or f"the test says {raised.kind}",
            retry_after=None if after is None else after.total_seconds(),
        )
        self._code = raised.code or str(raised.kind)

    @property
    def code(self) -> str:
        return self._code


_BY_KIND = {
    kind: type("MockedFault", (MockedFault,), {"kind": kind, "__doc__": MockedFault.__doc__})
    for kind in ErrorKind
}


class MockedServices(RegistryServices):
    """The services that templates are checked against: there to be looked up, not to be called."""

    def complete(self, service: str, api: str, answer: Any) -> tuple[dict[str, Any], list[str]]:
        """An answer with all that its type adds, and what is wrong with it."""
        found = self._registry.api(service, api)
        try:
            whole = found.dump(found.contract.answer.validate_json(orjson.dumps(answer)))
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            problems = [f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults]
            unknown = set(answer) - set(found.output_fields) if isinstance(answer, dict) else ()
            fields = dict.fromkeys(found.output_fields)
            return {}, [*problems, *_lost(dict.fromkeys(unknown), fields, "")]
        return whole, list(_lost(answer, whole, ""))


@dataclass(frozen=True, slots=True)
class Mock:
    """One answer of one API, ready to be given."""

    when: Expression | None = None
    times: int | None = None
    """So often it is given; None for always."""
    returns: Value | None = None
    raises: Raised | None = None
    takes: timedelta | None = None
    beats: timedelta | None = None

    def suits(self, arguments: Mapping[str, Any]) -> bool:
        return self.when is None or bool(self.when.value(arguments))


@dataclass(frozen=True, slots=True)
class MockedCall:
    """A call that was made: `name` is `Service.api` or an agent's."""

    name: str
    arguments: Mapping[str, Any]
    attempt: Attempt
    mock: int
    """Which of the answers it was given."""


@dataclass(slots=True)
class Given:
    """What was called and published in the virtual city, over all crashes."""

    calls: list[MockedCall] = field(default_factory=list)
    """Calls that counted: one that was lost in a crash is made again, and is here once."""
    events: dict[str, str] = field(default_factory=dict)
    """The events by idempotency key."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with the test itself."""


_attempt: ContextVar[Attempt] = ContextVar("virtual_attempt", default=("", "", 0, 0))


@contextmanager
def attempting(attempt: Attempt) -> Iterator[None]:
    """Let calls inside the block belong to an attempt."""
    token = _attempt.set(attempt)
    try:
        yield
    finally:
        _attempt.reset(token)


class VirtualServices(MockedServices):
    """Answers by mocks, in virtual time."""

    def __init__(self, *, registry: Registry) -> None:
        super().__init__(registry=registry)
        self.mocks: Mapping[str, Sequence[Mock]] = {}
        self.given = Given()

    def lose(self, attempts: set[Attempt]) -> None:
        """Forget calls of attempts that a crash cut: their answers are given again."""
        self.given.calls = [c for c in self.given.calls if c.attempt not in attempts]

    async def call(self, service: str, api: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        name = f"{service}.{api}"
        answer = await self._answered(name, arguments)
        whole, problems = self.complete(service, api, answer)
        if problems:
            raise self._unfit(name, problems)
        return whole

    async def delegate(
        self, agent: str, arguments: Mapping[str, Any], steps: Steps
    ) -> dict[str, Any]:
        answer: dict[str, Any] = await self._answered(agent, arguments)
        return answer

    async def publish(self, event: str, data: Mapping[str, Any]) -> dict[str, Any]:
        published = self.given.events
        key = current().idempotency_key
        published.setdefault(key, event)
        return {"event_id": f"event-{list(published).index(key) + 1}"}

    async def _answered(self, name: str, arguments: Mapping[str, Any]) -> Any:
        mock = self._next(name, arguments)
        if mock.takes is not None:
            await _pass(mock.takes, mock.beats)
        if mock.raises is not None:
            raise _BY_KIND[mock.raises.kind](mock.raises)
        assert mock.returns is not None
        return mock.returns.value(arguments)

    def _next(self, name: str, arguments: Mapping[str, Any]) -> Mock:
        """The first answer that suits and is not used up."""
        used = Counter(call.mock for call in self.given.calls if call.name == name)
        mocks = self.mocks.get(name, ())
        left = (n for n, mock in enumerate(mocks) if mock.times is None or used[n] < mock.times)
        chosen = next((n for n in left if mocks[n].suits(arguments)), None)
        if chosen is None:
            problem = "no answer suits that is not used up" if mocks else "it has no mock"
            self._note(f"{name} was called, and {problem}")
            raise Unmocked(f"{name}: {problem}", hint=f"mock it: mocks: {{{name}: ...}}")
        self.given.calls.append(MockedCall(name, dict(arguments), _attempt.get(), chosen))
        return mocks[chosen]

    def _unfit(self, name: str, problems: list[str]) -> UnfitAnswer:
        self._note(f"the mock of {name} answers what {name} never would: {'; '.join(problems)}")
        return UnfitAnswer("; ".join(problems), hint="see the API's answer in /openapi.json")

    def _note(self, problem: str) -> None:
        if problem not in self.given.problems:
            self.given.problems.append(problem)


class VirtualSecrets(Secrets):
    """Every secret is there, and worth nothing."""

    async def get(self, name: str) -> str:
        return f"the secret {name}"


async def _pass(duration: timedelta, beats: timedelta | None) -> None:
    """Let virtual time pass, with signs of life in between."""
    left = duration.total_seconds()
    pause = beats.total_seconds() if beats else left
    while left > 0:
        await asyncio.sleep(min(pause, left))
        left -= pause
        if beats:
            current().heartbeat()


def _lost(given: Any, kept: Any, at: str) -> Iterator[str]:
    """What an answer says and its type does not know."""
    match given, kept:
        case dict(), dict():
            for name, value in given.items():
                if name in kept:
                    yield from _lost(value, kept[name], f"{at}{name}.")
                else:
                    near = did_you_mean(str(name), kept)
                    yield f"{at}{name}: is no field of the answer. {near}".rstrip()
        case list(), list():
            for number, (one, other) in enumerate(itertools.zip_longest(given, kept)):
                yield from _lost(one, other, f"{at}{number}.")
