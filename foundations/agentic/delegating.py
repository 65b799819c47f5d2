"""Lets a declared agent do a piece of work: a conversation of its model and its tools.

Each reply of the model and each call of a tool is a step that is recorded before the next is made.
Begun again after a crash, the work goes on behind the last recorded step.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import orjson

from foundations.agentic.model_client import Message, ModelClient, Speaker, ToolCall
from foundations.agentic.toolbox import Toolbox
from foundations.curator.entries import Entry
from foundations.curator.registry import Registry
from foundations.declarations import AgentDeclaration, Effect
from utilities.context import bound, current
from utilities.errors import ErrorKind, PlatformError

ROUNDS = 16
"""So often a model is asked in one piece of work."""
MOST_TOLD = 64 * 1024
"""So many characters of a tool's answer are told to a model."""

_TOLD = frozenset(
    {
        ErrorKind.INVALID,
        ErrorKind.REFUSED,
        ErrorKind.NOT_FOUND,
        ErrorKind.CONFLICT,
        ErrorKind.UNSUPPORTED,
        ErrorKind.TOO_LARGE,
    }
)
"""Errors that a model is told, to do otherwise; all others end the attempt."""


class Steps(Protocol):
    """Durable steps: what was recorded is not done again."""

    async def once(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """What `work` gives, or gave before; durable when this returns."""
        ...


class NoAgent(PlatformError):
    """No agent is called so."""

    kind = ErrorKind.NOT_FOUND


class NoModel(PlatformError):
    """The city has no model for the agent."""

    kind = ErrorKind.CONFIGURATION


class NoAnswer(PlatformError):
    """The agent came to no answer."""

    kind = ErrorKind.INVALID


class AmbiguousToolCall(PlatformError):
    """Nobody knows whether a tool that must not be called twice was called."""

    kind = ErrorKind.REFUSED


class Delegation:
    """Asks agents by the instructions, the tools and the model that they are declared with."""

    def __init__(self, *, registry: Registry, toolbox: Toolbox) -> None:
        self._registry = registry
        self._toolbox = toolbox

    async def delegate(
        self, agent: str, arguments: Mapping[str, Any], steps: Steps
    ) -> dict[str, Any]:
        """What the agent answers to `arguments`: its words as `text`, and a JSON object as `data`.

        `data` is empty when the words are no JSON object. Each tool is called with an idempotency
        key of its own, made of the caller's and the number of the step.

        Raises:
            NoAgent, NoModel: there is nobody to ask.
            NoAnswer: the model still calls tools after so many rounds.
            AmbiguousToolCall: a guarded tool was begun in an attempt that died.
            PlatformError: the model, or a tool in a way that may pass, failed.
        """
        entry = self._entry(agent)
        assert entry.agent is not None
        work = _Work(entry.agent, self._model(entry), self._toolbox, steps)
        return _answer(await work.done(arguments))

    def _entry(self, agent: str) -> Entry:
        found = {entry.name: entry for entry in self._registry.entries() if entry.agent}
        if agent not in found:
            listed = ", ".join(found) or "none"
            raise NoAgent(f'no agent is called "{agent}"', hint=f"there are: {listed}")
        return found[agent]

    def _model(self, entry: Entry) -> ModelClient:
        """The model that the agent was built with, else the city's only one."""
        for part in self._registry.dependencies(entry):
            if ModelClient in part.cls.__mro__:
                model: ModelClient = part.provider()
                return model
        found = [model for _, model in self._registry.implementations(ModelClient)]
        if len(found) != 1:
            raise NoModel(
                f"{len(found)} models are there for {entry.name}",
                hint="let the agent's constructor ask for the class of its model",
            )
        return found[0]


class _Work:
    """One piece of work of one agent."""

    def __init__(
        self, agent: AgentDeclaration, model: ModelClient, toolbox: Toolbox, steps: Steps
    ) -> None:
        self._agent = agent
        self._model = model
        self._toolbox = toolbox
        self._tools = toolbox.tools_of(agent)
        self._steps = steps
        self._calls = 0

    async def done(self, arguments: Mapping[str, Any]) -> str:
        said: tuple[Message, ...] = (
            Message(speaker=Speaker.SYSTEM, text=self._agent.instructions),
            Message(speaker=Speaker.USER, text=_json(arguments)),
        )
        for number in range(ROUNDS):
            reply = await self._reply(said, number)
            if not reply.tool_calls:
                return reply.text
            said = (*said, reply)
            for call in reply.tool_calls:
                said = (*said, await self._told(call))
        raise NoAnswer(
            f"it was asked {ROUNDS} times and still calls tools",
            hint="narrow its instructions, or give it fewer tools",
        )

    async def _reply(self, said: tuple[Message, ...], number: int) -> Message:
        async def ask() -> Any:
            reply = await self._model.reply(said, self._tools)
            return reply.model_dump(mode="json")

        return Message.model_validate(await self._steps.once(f"model {number + 1}", ask))

    async def _told(self, call: ToolCall) -> Message:
        """What a tool answers, or why it does not, as the model is told it."""
        self._calls += 1
        number, begun_now = self._calls, True
        if self._toolbox.effect(self._agent, call.tool) in {None, Effect.GUARDED}:
            begun_now = await self._begun_now(call, number)

        async def work() -> Any:
            if not begun_now:
                raise AmbiguousToolCall(
                    f"{call.tool} was called in an attempt that ended before its answer was kept",
                    hint="see what it did; retry to have it called again, or skip with the result",
                )
            return await self._answered(call, number)

        text = await self._steps.once(f"tool {number} {call.tool}", work)
        return Message(speaker=Speaker.TOOL, text=text, answers=call.id)

    async def _begun_now(self, call: ToolCall, number: int) -> bool:
        """Record that a tool which must not be called twice is about to be; False if it was."""
        now = False

        async def begin() -> Any:
            nonlocal now
            now = True

        await self._steps.once(f"begin tool {number} {call.tool}", begin)
        return now

    async def _answered(self, call: ToolCall, number: int) -> str:
        context = current()
        key = f"{context.idempotency_key}:{number}" if context.idempotency_key else ""
        context.heartbeat()
        try:
            with bound(context._replace(idempotency_key=key)):
                answer = await self._toolbox.call(self._agent, call.tool, call.arguments)
        except PlatformError as error:
            if error.kind not in _TOLD:
                raise
            faults = [f"{fault.pointer}: {fault.detail}" for fault in error.errors]
            told = {"error": error.code, "detail": error.detail, "hint": error.hint}
            return _json({**told, "errors": faults})
        return _cut(_json(answer))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _cut(text: str) -> str:
    if len(text) <= MOST_TOLD:
        return text
    return f"{text[:MOST_TOLD]} ... {len(text) - MOST_TOLD:,} more characters"


def _answer(text: str) -> dict[str, Any]:
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        data = {}
    return {"text": text, "data": data if isinstance(data, dict) else {}}
