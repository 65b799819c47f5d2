"""Who may make an attempt now, in which order, and who only alone."""

import asyncio

import pytest

from realms.journey.engine.gate import Gate

pytestmark = pytest.mark.anyio


class Queue:
    """People at a gate: each notes when it was let in."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, name: str, *, priority: int = 0, alone: bool = False) -> None:
        async def enter() -> None:
            await self.gate.enter(priority=priority, alone=alone)
            self.inside.append(name)

        self.tasks[name] = asyncio.create_task(enter())
        await self.settle()

    async def leaves(self) -> None:
        self.gate.leave()
        await self.settle()

    async def gives_up(self, name: str) -> None:
        self.tasks[name].cancel()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_so_many_are_inside_and_the_rest_wait_their_turn() -> None:
    queue = Queue(Gate(2))
    for name in "abcd":
        await queue.comes(name)
    before = list(queue.inside)
    await queue.leaves()

    assert before == ["a", "b"]
    assert queue.inside == ["a", "b", "c"]


async def test_the_highest_priority_goes_first_and_equals_in_their_order() -> None:
    queue = Queue(Gate(1))
    await queue.comes("inside")
    for name, priority in (("low", 0), ("high", 9), ("lower", -1), ("high too", 9)):
        await queue.comes(name, priority=priority)
    for _ in range(4):
        await queue.leaves()

    assert queue.inside == ["inside", "high", "high too", "low", "lower"]


async def test_a_suspect_waits_until_all_have_left_and_keeps_others_out() -> None:
    queue = Queue(Gate(5))
    await queue.comes("a")
    await queue.comes("b")
    await queue.comes("suspect", alone=True)
    await queue.comes("after")
    await queue.leaves()
    one_left = list(queue.inside)
    await queue.leaves()
    alone = list(queue.inside)
    at_once = queue.gate.enter_at_once()
    await queue.leaves()

    assert one_left == ["a", "b"]
    assert alone == ["a", "b", "suspect"]
    assert not at_once
    assert queue.inside == ["a", "b", "suspect", "after"]
    assert queue.gate.enter_at_once()


async def test_two_suspects_are_never_inside_together() -> None:
    queue = Queue(Gate(5))
    await queue.comes("one", alone=True)
    await queue.comes("two", alone=True)
    first = list(queue.inside)
    await queue.leaves()

    assert (first, queue.inside) == (["one"], ["one", "two"])


async def test_one_who_gives_up_leaves_his_place_to_the_next() -> None:
    queue = Queue(Gate(1))
    for name in "abc":
        await queue.comes(name)
    await queue.gives_up("b")
    await queue.leaves()

    assert queue.inside == ["a", "c"]


async def test_one_who_gives_up_as_he_is_let_in_takes_nobodys_place() -> None:
    queue = Queue(Gate(1))
    for name in "abc":
        await queue.comes(name)
    queue.gate.leave()
    queue.tasks["b"].cancel()
    await queue.settle()

    assert queue.inside == ["a", "c"]
