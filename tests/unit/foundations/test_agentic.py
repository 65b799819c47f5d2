"""Agents: their tools, their model, and what they may not do."""

import pytest
from pydantic import BaseModel

from foundations.agentic.agentic import AgenticFoundationService
from foundations.agentic.model_client import Message, ModelClient, Speaker, ToolCall
from foundations.agentic.scripted_model import ScriptedModelClient, ScriptEnded
from foundations.agentic.toolbox import Toolbox, ToolNotAllowed
from foundations.curator.apis import InvalidArguments
from foundations.curator.catalogue import Catalogue
from foundations.curator.registry import Registry
from foundations.curator.verification import FaultKind
from foundations.declarations import AgentDeclaration, Effect, agent, agent_of, service, soa_api
from foundations.rooms import Room
from foundations.wiring import wire

pytestmark = pytest.mark.anyio


class Number(BaseModel):
    value: int


class Reply(BaseModel):
    text: str


@service
class AddingService:
    """Adds."""

    @soa_api(public=True)
    async def get_sum(self, a: int, b: int) -> Number:
        """Add two numbers."""
        return Number(value=a + b)

    @soa_api(effect=Effect.GUARDED)
    async def wipe(self) -> Number:
        return Number(value=0)


@agent(instructions="Use the tool.", tools=("AddingService.get_sum",))
class SumAgent:
    """Answers sums by its one tool."""

    def __init__(self, *, model: ModelClient, toolbox: Toolbox) -> None:
        self._model = model
        self._toolbox = toolbox

    @soa_api(effect=Effect.KEYED)
    async def answer(self, question: str) -> Reply:
        declared = agent_of(type(self))
        assert declared is not None
        said: tuple[Message, ...] = (
            Message(speaker=Speaker.SYSTEM, text=declared.instructions),
            Message(speaker=Speaker.USER, text=question),
        )
        while True:
            reply = await self._model.reply(said, self._toolbox.tools_of(declared))
            if not reply.tool_calls:
                return Reply(text=reply.text)
            results = [
                Message(
                    speaker=Speaker.TOOL,
                    answers=call.id,
                    text=str(await self._toolbox.call(declared, call.tool, call.arguments)),
                )
                for call in reply.tool_calls
            ]
            said = (*said, reply, *results)


@agent(instructions="", tools=("AddingService.get_some", "Nobody.does", "plain"))
class LostAgent:
    """Declares tools that do not exist."""


def city(*classes: type, script: tuple[Message, ...] = ()) -> tuple[Registry, ScriptedModelClient]:
    registry, model = Registry(), ScriptedModelClient(script)
    registry.add(model)
    room = Room("realms.sums", "sums")
    registry.enrol(
        wire(Toolbox, Catalogue, AgenticFoundationService, AddingService, *classes)(), room
    )
    registry.prepare()
    return registry, model


async def test_agent_calls_its_tool_and_tells_the_model_the_result() -> None:
    call = ToolCall(id="1", tool="adding_service__get_sum", arguments={"a": 2, "b": 3})
    registry, model = city(
        SumAgent,
        script=(
            Message(speaker=Speaker.MODEL, tool_calls=(call,)),
            Message(speaker=Speaker.MODEL, text="It is 5."),
        ),
    )

    reply = await registry.api("SumAgent", "answer").call({"question": "2 + 3?"})

    assert reply == Reply(text="It is 5.")
    last, tools = model.asked[1]
    assert last[-1] == Message(speaker=Speaker.TOOL, answers="1", text="{'value': 5}")
    assert [(tool.name, tool.description) for tool in tools] == [
        ("adding_service__get_sum", "Add two numbers.")
    ]


async def test_script_that_is_too_short_says_so() -> None:
    registry, _ = city(SumAgent)

    with pytest.raises(ScriptEnded, match="no reply left for request 1"):
        await registry.api("SumAgent", "answer").call({"question": "?"})


async def test_tool_that_is_not_declared_is_refused_and_arguments_are_checked() -> None:
    registry, _ = city()
    toolbox = registry.get(Toolbox)
    declared = AgentDeclaration("", ("AddingService.get_sum",))

    with pytest.raises(ToolNotAllowed) as caught:
        await toolbox.call(declared, "adding_service__wipe", {})
    assert "adding_service__get_sum" in caught.value.hint
    with pytest.raises(InvalidArguments):
        await toolbox.call(declared, "adding_service__get_sum", {"a": "many"})


async def test_agents_are_listed_and_tools_that_do_not_exist_are_faults() -> None:
    registry, _ = city(SumAgent, LostAgent)

    listed = await registry.get(AgenticFoundationService).list_agents()

    assert [(one.name, one.tools[0]) for one in listed.agents] == [
        ("LostAgent", "AddingService.get_some"),
        ("SumAgent", "AddingService.get_sum"),
    ]
    faults = registry.faults()
    assert {fault.kind for fault in faults} == {FaultKind.UNKNOWN_TOOL}
    assert {fault.subject for fault in faults} == {"LostAgent"}
    assert len(faults) == 3
    assert faults[0].remedy == 'Did you mean "get_sum"?'
