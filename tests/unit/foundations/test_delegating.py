"""Agents that are given work: rounds of model and tools, each step recorded once."""

from collections.abc import Iterator
from typing import Any

import pytest

from foundations.agentic.delegating import (
    MOST_TOLD,
    ROUNDS,
    AmbiguousToolCall,
    NoAgent,
    NoAnswer,
    NoModel,
)
from foundations.agentic.model_client import Message, ModelClient, Speaker
from foundations.agentic.scripted_model import ScriptedModelClient, ScriptEnded
from foundations.declarations import agent
from tests.support.agents import Agency, Busy, ListedSteps, SumAgent, calls, says
from utilities.context import CallContext, bound

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    with bound(CallContext("trace", idempotency_key="run-1:answered:0:1")):
        yield


async def work(agency: Agency, steps: ListedSteps | None = None) -> dict[str, Any]:
    given = {"question": "2 + 3?"}
    return await agency.delegation.delegate("SumAgent", given, steps or ListedSteps())


async def test_the_model_is_given_instructions_arguments_and_what_its_tools_answer() -> None:
    agency = Agency(calls("get_sum", a=2, b=3), says("It is 5."))

    answer = await work(agency)

    assert answer == {"text": "It is 5.", "data": {}}
    first, tools = agency.model.asked[0]
    assert [(one.speaker, one.text) for one in first] == [
        (Speaker.SYSTEM, "Use the tools."),
        (Speaker.USER, '{"question":"2 + 3?"}'),
    ]
    assert next(tool.name for tool in tools) == "sum_service__get_sum"
    last = agency.model.asked[1][0][-1]
    assert last == Message(speaker=Speaker.TOOL, text='{"value":5}', answers="1")


async def test_an_answer_that_is_a_json_object_is_there_as_data() -> None:
    assert (await work(Agency(says('{"sum": 5}'))))["data"] == {"sum": 5}
    assert (await work(Agency(says("[5]"))))["data"] == {}


async def test_what_was_recorded_is_not_done_again() -> None:
    steps = ListedSteps()
    before = Agency(calls("get_sum", a=2, b=3))
    with pytest.raises(ScriptEnded):
        await work(before, steps)
    assert [name for name, _ in steps.recorded] == ["model 1", "tool 1 sum_service__get_sum"]

    after = Agency(says("It is 5."))
    answer = await work(after, ListedSteps(steps.recorded))

    assert answer["text"] == "It is 5."
    assert after.sums.keys == []
    assert len(after.model.asked) == 1
    assert after.heard == '{"value":5}'


async def test_each_call_of_a_tool_has_a_key_of_its_own() -> None:
    agency = Agency(calls("get_sum", "2", a=1, b=1), calls("get_sum", a=2, b=2), says("done"))

    await work(agency)

    assert agency.sums.keys == [f"run-1:answered:0:1:{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (calls("get_sum", a=99, b=99), '"error":"overflow"'),
        (calls("get_sum", a="many"), '"error":"invalid_arguments"'),
        (calls("wipe"), '"error":"tool_not_allowed"'),
    ],
)
async def test_the_model_is_told_what_it_did_wrong(wish: Message, told: str) -> None:
    agency = Agency(wish, says("I see."))

    assert (await work(agency))["text"] == "I see."
    assert told in agency.heard


async def test_a_failure_that_may_pass_ends_the_attempt_and_is_not_recorded() -> None:
    agency, steps = Agency(calls("get_sum", a=2, b=3), says("It is 5.")), ListedSteps()
    agency.sums.busy = True
    with pytest.raises(Busy):
        await work(agency, steps)
    agency.sums.busy = False

    answer = await work(agency, ListedSteps(steps.recorded))

    assert answer["text"] == "It is 5."
    assert len(agency.model.asked) == 2


async def test_a_guarded_tool_is_never_called_twice() -> None:
    steps = ListedSteps()
    agency = Agency(calls("post", text="hello"), says("Posted."))
    await work(agency, steps)
    assert agency.sums.posted == ["hello"]
    names = [name for name, _ in steps.recorded]
    assert names == [
        "model 1",
        "begin tool 1 sum_service__post",
        "tool 1 sum_service__post",
        "model 2",
    ]

    crashed = Agency(says("Posted."))
    with pytest.raises(AmbiguousToolCall, match="sum_service__post was called in an attempt"):
        await work(crashed, ListedSteps(steps.recorded[:2]))
    behind = await work(crashed, ListedSteps(steps.recorded[:3]))

    assert crashed.sums.posted == []
    assert behind["text"] == "Posted."


async def test_a_model_that_never_answers_is_given_up() -> None:
    agency = Agency(*[calls("get_sum", a=1, b=1)] * (ROUNDS + 1))

    with pytest.raises(NoAnswer, match=f"it was asked {ROUNDS} times"):
        await work(agency)
    assert len(agency.model.asked) == ROUNDS


async def test_a_long_answer_of_a_tool_is_cut() -> None:
    agency = Agency(calls("get_long"), says("Long."))

    await work(agency)

    assert MOST_TOLD < len(agency.heard) < MOST_TOLD + 100
    assert agency.heard.endswith("more characters")


async def test_who_is_not_there_cannot_be_asked() -> None:
    with pytest.raises(NoAgent) as caught:
        await Agency().delegation.delegate("SumAgnt", {}, ListedSteps())
    assert "SumAgent" in caught.value.hint


class OwnModel(ScriptedModelClient):
    """The model of one agent."""

    def __init__(self) -> None:
        super().__init__([says("mine")])


@agent(instructions="Ask my own model.")
class OwnAgent:
    """Has a model of its own."""

    def __init__(self, *, model: OwnModel) -> None:
        self._model: ModelClient = model


async def test_an_agent_asks_the_model_it_was_built_with() -> None:
    agency = Agency(says("the other's"), parts=(SumAgent, OwnModel, OwnAgent))

    answer = await agency.delegation.delegate("OwnAgent", {}, ListedSteps())

    assert answer["text"] == "mine"
    with pytest.raises(NoModel, match="2 models are there for SumAgent"):
        await work(agency)
