"""Agents for tests: small tools, a registry that knows them, and steps kept in a list."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

from foundations.agentic.delegating import Delegation, Steps
from foundations.agentic.model_client import Message, Speaker, ToolCall
from foundations.agentic.scripted_model import ScriptedModelClient
from foundations.agentic.toolbox import Toolbox
from foundations.curator.registry import Registry
from foundations.declarations import Effect, agent, service, soa_api
from foundations.rooms import Room
from foundations.wiring import wire
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError


class Number(BaseModel):
    value: int


class Note(BaseModel):
    text: str


class Overflow(PlatformError):
    """The sum is too large."""

    kind = ErrorKind.INVALID


class Busy(PlatformError):
    """The tool is busy."""

    kind = ErrorKind.UNAVAILABLE


@service
class SumService:
    """Adds, keeps in mind under which keys, and writes letters that cannot be called back."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.posted: list[str] = []
        self.busy = self.hangs = False

    @soa_api(public=True)
    async def get_sum(self, a: int, b: int) -> Number:
        """Add two numbers."""
        if self.busy:
            raise Busy("come back later")
        if a + b > 100:
            raise Overflow(f"{a + b} is more than 100", hint="add smaller numbers")
        self.keys.append(current().idempotency_key)
        return Number(value=a + b)

    @soa_api(effect=Effect.GUARDED)
    async def post(self, text: str) -> Note:
        """Post a letter."""
        self.posted.append(text)
        if self.hangs:
            await asyncio.Event().wait()
        return Note(text=text)

    @soa_api()
    async def get_long(self) -> Note:
        """A long text."""
        return Note(text="x" * 100_000)


@agent(
    instructions="Use the tools.",
    tools=("SumService.get_sum", "SumService.post", "SumService.get_long"),
)
class SumAgent:
    """Answers sums."""


def says(text: str) -> Message:
    return Message(speaker=Speaker.MODEL, text=text)


def calls(tool: str, *more: str, **arguments: Any) -> Message:
    """A reply that calls one tool, or the same tool again for each of `more`."""
    ids = ("1", *more)
    wishes = [ToolCall(id=i, tool=f"sum_service__{tool}", arguments=arguments) for i in ids]
    return Message(speaker=Speaker.MODEL, tool_calls=tuple(wishes))


class Agency:
    """A registry with the agent above, its services, and its model's script."""

    def __init__(self, *script: Message, parts: tuple[type, ...] = (SumAgent,)) -> None:
        self.registry = Registry()
        self.model = ScriptedModelClient(script)
        self.registry.add(self.model)
        container = wire(Toolbox, Delegation, SumService, *parts)
        self.registry.enrol(container(), Room("realms.sums", "sums"))
        self.registry.prepare()
        self.delegation = self.registry.get(Delegation)
        self.sums = self.registry.get(SumService)

    @property
    def heard(self) -> str:
        """What the model was told last."""
        return self.model.asked[-1][0][-1].text


class ListedSteps(Steps):
    """Steps in memory, in the order in which they were recorded."""

    def __init__(self, recorded: list[tuple[str, Any]] | None = None) -> None:
        self.recorded = recorded if recorded is not None else []
        self._next = 0

    async def once(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        number, self._next = self._next, self._next + 1
        if number < len(self.recorded):
            known, data = self.recorded[number]
            assert known == name
            return data
        data = await work()
        self.recorded.append((name, data))
        return data
