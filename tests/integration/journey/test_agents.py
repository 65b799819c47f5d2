"""Agents as milestones: each model and tool call is a durable step, over both journals."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from foundations.agentic.delegating import Delegation
from foundations.agentic.model_client import Message, ModelClient, Tool
from foundations.agentic.toolbox import Toolbox
from foundations.curator.registry import Registry
from foundations.declarations import Effect, agent, service, soa_api
from foundations.public_works.database import Database
from foundations.rooms import Room
from foundations.wiring import wire
from realms.journey.api import JourneyRun, Reason, RunStatus
from realms.journey.engine.codec import decode
from realms.journey.engine.facts import StepRecorded
from realms.journey.engine.runner import Steps
from realms.journey.records import DatabaseJournal
from tests.support.agents import Note, SumAgent, SumService, calls, says
from tests.support.journals import any_journal, open_database
from tests.support.journeys import USER, FakeServices, JourneyCity
from utilities.context import bound
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

ASKED = """\
journey_template: asked
input: {question: string}
milestones:
  - milestone_id: answered
    agent: SumAgent
    with: {question: "${input.question}"}
output: "${answered.text}"
"""


class Down(PlatformError):
    """The model does not answer."""

    kind = ErrorKind.UNAVAILABLE


class Model(ModelClient):
    """Answers by how often it was asked in a conversation; hangs or fails where a test says so."""

    def __init__(self, *replies: Message) -> None:
        self.replies = replies
        self.asked: list[int] = []
        self.hangs: int | None = None
        self.fails: set[int] = set()

    async def reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> Message:
        turn = sum(1 for one in messages if one.speaker == "model")
        self.asked.append(turn)
        if turn == self.hangs:
            await asyncio.Event().wait()
        if turn in self.fails:
            self.fails.discard(turn)
            raise Down("it is down")
        return self.replies[turn]


class AgentServices(FakeServices):
    """Fake services beside real agents."""

    def __init__(self, model: ModelClient, *parts: type, given: tuple[object, ...] = ()) -> None:
        super().__init__()
        self.registry = Registry()
        for one in (model, *given):
            self.registry.add(one)
        container = wire(Toolbox, Delegation, SumService, *(parts or (SumAgent,)))
        self.registry.enrol(container(), Room("realms.sums", "sums"))
        self.registry.prepare()
        assert self.registry.faults() == []

    def agents(self) -> list[str]:
        return [entry.name for entry in self.registry.entries() if entry.agent is not None]

    async def delegate(
        self, agent: str, arguments: Mapping[str, Any], steps: Steps
    ) -> dict[str, Any]:
        return await self.registry.get(Delegation).delegate(agent, arguments, steps)


def thinking() -> Model:
    return Model(calls("get_sum", a=2, b=3), calls("get_sum", a=5, b=1), says("It is 6."))


@pytest.fixture
def model() -> Model:
    return thinking()


@pytest.fixture(params=["memory", "sqlite"])
async def city(
    request: pytest.FixtureRequest, tmp_path: Path, model: Model
) -> AsyncIterator[JourneyCity]:
    services = AgentServices(model)
    async with (
        any_journal(request, tmp_path) as journal,
        JourneyCity(journal, services, {"asked": ASKED}) as opened,
    ):
        with bound(USER):
            yield opened


def sums(city: JourneyCity) -> SumService:
    assert isinstance(city.services, AgentServices)
    return city.services.registry.get(SumService)


async def begin(city: JourneyCity) -> JourneyRun:
    return await city.engine.start("asked", {"question": "2 + 3 + 1?"})


async def steps_of(city: JourneyCity, run_id: str) -> list[str]:
    stored = (await city.journal.load([run_id]))[run_id]
    facts = [fact for entry in stored.entries for fact in decode(entry)]
    return [fact.name for fact in facts if isinstance(fact, StepRecorded)]


STEPS = [
    "model 1",
    "tool 1 sum_service__get_sum",
    "model 2",
    "tool 2 sum_service__get_sum",
    "model 3",
]


async def test_an_agent_reaches_a_milestone_step_by_step(city: JourneyCity, model: Model) -> None:
    accepted = await begin(city)
    await city.dispatch.settle()
    run = await city.engine.get(accepted.run_id)

    assert run.status is RunStatus.SUCCEEDED, run.error
    assert run.output == "It is 6."
    assert run.milestones[0].output == {"text": "It is 6.", "data": {}}
    assert await steps_of(city, run.run_id) == STEPS
    key = f"{run.run_id}:answered:0:1"
    assert sums(city).keys == [f"{key}:1", f"{key}:2"]


@pytest.mark.parametrize("hangs", [1, 2])
async def test_a_crash_between_two_model_calls_asks_no_answered_question_again(
    city: JourneyCity, model: Model, hangs: int
) -> None:
    model.hangs = hangs
    accepted = await begin(city)
    await city.dispatch.settle()
    assert model.asked == list(range(hangs + 1))

    model.hangs = None
    await city.reboot()
    await city.dispatch.settle()
    run = await city.engine.get(accepted.run_id)

    assert run.output == "It is 6."
    assert model.asked == [*range(hangs + 1), *range(hangs, 3)]
    assert len(sums(city).keys) == 2
    assert await steps_of(city, run.run_id) == STEPS


async def test_a_model_that_is_down_is_asked_again_later_and_only_that_question(
    city: JourneyCity, model: Model
) -> None:
    model.fails = {1}
    accepted = await begin(city)
    await city.dispatch.settle()
    run = await city.engine.get(accepted.run_id)

    assert run.output == "It is 6."
    assert run.milestones[0].failures == 1
    assert model.asked == [0, 1, 1, 2]
    assert len(sums(city).keys) == 2


async def cut_at_a_guarded_tool(city: JourneyCity, model: Model) -> JourneyRun:
    """A run whose agent was about to hear from a tool when the process died; it is back since."""
    model.replies = (calls("post", text="hello"), says("Posted."))
    sums(city).hangs = True
    accepted = await begin(city)
    await city.dispatch.settle()
    sums(city).hangs = False
    await city.reboot()
    await city.dispatch.settle(until=timedelta(hours=12))
    return await city.engine.get(accepted.run_id)


async def test_a_guarded_tool_that_a_crash_cut_is_left_to_a_person(
    city: JourneyCity, model: Model
) -> None:
    run = await cut_at_a_guarded_tool(city, model)

    assert (run.status, run.reason) == (RunStatus.WAITING, Reason.AMBIGUOUS)
    assert run.milestones[0].error is not None
    assert run.milestones[0].error.code == "ambiguous_tool_call"
    assert sums(city).posted == ["hello"]


async def test_a_person_has_it_called_again_and_nothing_else(
    city: JourneyCity, model: Model
) -> None:
    run = await cut_at_a_guarded_tool(city, model)
    asked = len(model.asked)
    await city.operators.retry(run.run_id, milestone_id="answered")
    await city.dispatch.settle()
    again = await city.engine.get(run.run_id)
    await city.reboot()
    read_back = await city.engine.get(run.run_id)

    assert again.output == "Posted."
    assert read_back == again
    assert sums(city).posted == ["hello", "hello"]
    assert len(model.asked) == asked + 1


async def test_a_person_supplies_what_it_did(city: JourneyCity, model: Model) -> None:
    run = await cut_at_a_guarded_tool(city, model)
    result = {"text": "Posted, I saw it.", "data": {}}
    await city.operators.skip(run.run_id, milestone_id="answered", result=result)
    await city.dispatch.settle()

    assert (await city.engine.get(run.run_id)).output == "Posted, I saw it."
    assert sums(city).posted == ["hello"]


# what tools write


@service
class LedgerService:
    """Writes along with the step it is called in."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @soa_api(effect=Effect.TRANSACTIONAL)
    async def book(self, text: str) -> Note:
        """Book."""
        insert = "INSERT INTO bookings (text) VALUES (?)"
        await self._database.write_with_checkpoint(lambda c: c.exec_driver_sql(insert, (text,)))  # type: ignore[arg-type]  # a write gives nothing
        return Note(text=text)


@agent(instructions="Book.", tools=("LedgerService.book",))
class BookAgent:
    """Books."""


def books(text: str) -> Message:
    called = calls("x", text=text)
    wish = called.tool_calls[0].model_copy(update={"tool": "ledger_service__book"})
    return called.model_copy(update={"tool_calls": (wish,)})


async def test_writes_of_a_tool_are_made_once_with_its_step(tmp_path: Path) -> None:
    model = Model(books("a"), books("b"), books("b"), says("Booked."))
    async with open_database(tmp_path) as database:
        await database.write(lambda c: c.exec_driver_sql("CREATE TABLE bookings (text TEXT)"))
        services = AgentServices(model, LedgerService, BookAgent, given=(database,))
        texts = {"asked": ASKED.replace("SumAgent", "BookAgent")}
        async with JourneyCity(DatabaseJournal(database=database), services, texts) as city:
            with bound(USER):
                model.hangs = 2
                accepted = await begin(city)
                await city.dispatch.settle()
                assert await booked(database) == ["a", "b"]
                model.hangs = None
                await city.reboot()
                await city.dispatch.settle()
                run = await city.engine.get(accepted.run_id)

        assert run.output == "Booked."
        assert await booked(database) == ["a", "b", "b"]


async def test_writes_that_are_refused_fail_the_attempt_and_the_run_is_not_forgotten(
    tmp_path: Path,
) -> None:
    model = Model(books("a"), books("a"), says("Booked."))
    async with open_database(tmp_path) as database:
        await database.write(
            lambda c: c.exec_driver_sql("CREATE TABLE bookings (text TEXT UNIQUE)")
        )
        services = AgentServices(model, LedgerService, BookAgent, given=(database,))
        texts = {"asked": ASKED.replace("SumAgent", "BookAgent")}
        async with JourneyCity(DatabaseJournal(database=database), services, texts) as city:
            with bound(USER):
                accepted = await begin(city)
                await city.dispatch.settle()
                run = await city.engine.get(accepted.run_id)

        assert run.status is RunStatus.FAILED
        assert run.milestones[0].failures == 3
        assert run.milestones[0].error is not None
        assert run.milestones[0].error.code == "writes_refused"
        assert await booked(database) == ["a"]


async def booked(database: Any) -> list[str]:
    select = "SELECT text FROM bookings"
    found: list[str] = await database.read(lambda c: list(c.exec_driver_sql(select).scalars()))
    return found
