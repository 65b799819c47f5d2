"""Runs that are taken up together: their text is compiled once, and then all go on."""

import asyncio
from typing import Any

import pytest

from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.engine.ports import TemplateSource, Written
from realms.journey.engine.reading import PinnedPlans
from realms.journey.engine.state import RunState
from realms.journey.plans.plan import Plan
from tests.support.plays import Play, node, plan_of
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

PLAN = plan_of(node("first"))
MANY = 50
_TURNS = 10


class Misfit(PlatformError):
    """The text does not fit."""

    kind = ErrorKind.CONFLICT


class SlowTemplates(TemplateSource):
    """Compiles when it is let, `faults` times in vain."""

    def __init__(self, faults: int = 0) -> None:
        self.let = asyncio.Event()
        self.compiled_texts: list[str] = []
        self._faults = faults

    async def current(self, name: str, version: str = "") -> Written:
        raise AssertionError(name)

    async def compiled(self, text: str) -> Plan:
        await self.let.wait()
        self.compiled_texts.append(text)
        if len(self.compiled_texts) <= self._faults:
            raise Misfit(text)
        return PLAN


async def asked(templates: SlowTemplates) -> list["asyncio.Task[Any]"]:
    """So many runs whose plan was asked for, and not compiled yet."""
    journal = MemoryJournal()
    run: RunState = Play(PLAN).run
    await journal.pin_text(run.template_hash, "the text", name=PLAN.name, version="")
    plans = PinnedPlans(journal=journal, templates=templates)
    tasks = [asyncio.create_task(plans.of(run)) for _ in range(MANY)]
    await asyncio.sleep(0)
    return tasks


async def turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def test_a_text_is_compiled_once_and_all_who_wait_go_on_together() -> None:
    templates = SlowTemplates()
    tasks = await asked(templates)

    templates.let.set()
    await turns()

    assert all(task.done() and task.result() is PLAN for task in tasks)
    assert templates.compiled_texts == ["the text"]


async def test_when_it_cannot_be_compiled_the_next_who_waits_tries_again() -> None:
    templates = SlowTemplates(faults=2)
    tasks = await asked(templates)

    templates.let.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(result) for result in results[:2]] == [Misfit, Misfit]
    assert results[2:] == [PLAN] * (MANY - 2)


async def test_who_gives_up_while_it_is_compiled_leaves_it_to_the_next() -> None:
    templates = SlowTemplates()
    tasks = await asked(templates)

    tasks[0].cancel()
    await turns()
    templates.let.set()
    await turns()

    assert tasks[0].cancelled()
    assert all(task.result() is PLAN for task in tasks[1:])
