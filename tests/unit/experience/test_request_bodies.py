"""How a body is watched over while it arrives."""

from collections.abc import Awaitable, Callable, Iterable

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from foundations.experience.request_bodies import (
    BodyGuard,
    BodyTooLarge,
    BodyTooSlow,
    IncomingBody,
)

pytestmark = pytest.mark.anyio


def piece(size: int, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def arriving(messages: Iterable[Message]) -> Callable[[], Awaitable[Message]]:
    waiting = iter(messages)

    async def receive() -> Message:
        for message in waiting:
            return message
        await anyio.sleep_forever()
        raise AssertionError

    return receive


def body(messages: Iterable[Message], **headers: str) -> IncomingBody:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return IncomingBody({"type": "http", "headers": raw}, arriving(messages), 100, 0.05)


async def test_body_up_to_the_limit_passes() -> None:
    guarded = body([piece(50), piece(50, more=False)])

    assert [len((await guarded.receive())["body"]) for _ in range(2)] == [50, 50]


async def test_declared_length_is_refused_before_anything_is_read() -> None:
    guarded = body([], content_length="101")

    with pytest.raises(BodyTooLarge):
        await guarded.receive()


async def test_length_that_is_no_number_counts_as_none() -> None:
    guarded = body([piece(1, more=False)], content_length="x")

    assert (await guarded.receive())["body"] == b"x"


async def test_body_that_grows_over_the_limit_is_refused() -> None:
    guarded = body([piece(100), piece(1)])
    await guarded.receive()

    with pytest.raises(BodyTooLarge) as refused:
        await guarded.receive()

    assert refused.value.limit == 100


async def test_body_that_stops_arriving_is_given_up() -> None:
    guarded = body([piece(1)])
    await guarded.receive()

    with pytest.raises(BodyTooSlow):
        await guarded.receive()


async def test_what_follows_the_body_may_take_its_time() -> None:
    guarded = body([piece(1, more=False)])
    await guarded.receive()

    with anyio.move_on_after(0.1) as waited:
        await guarded.receive()

    assert waited.cancelled_caught


async def test_fast_pieces_renew_the_patience() -> None:
    guarded = IncomingBody({"type": "http", "headers": []}, arriving([piece(99)] * 9), 1000, 0.05)

    for _ in range(9):
        await guarded.receive()

    assert guarded._patience > 0


class Answering:
    """An application that answers after the first fault."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except BodyTooLarge:
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b"too large"})


async def answer_to(messages: list[Message], **headers: str) -> tuple[list[Message], list[Message]]:
    """What is sent, and what of the request is left unread by then."""
    sent: list[Message] = []
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    guard = BodyGuard(Answering(), limit=100, idle_seconds=1)
    await guard({"type": "http", "headers": raw}, receive, send)
    return sent, waiting


async def test_rest_of_a_refused_body_is_read_between_the_answer_and_its_end() -> None:
    sent, unread = await answer_to([piece(101), piece(101), piece(1, more=False)])

    assert [m.get("body", b"") for m in sent] == [b"", b"too large", b""]
    assert unread == []


async def test_client_that_waits_for_leave_to_send_is_not_waited_for() -> None:
    sent, unread = await answer_to([piece(101)], content_length="101", expect="100-continue")

    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    assert unread == [piece(101)]


async def test_other_scopes_pass_untouched() -> None:
    seen: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        raise AssertionError("nothing is sent")

    await BodyGuard(application, limit=1, idle_seconds=1)({"type": "websocket"}, receive, send)

    assert seen == ["websocket"]
