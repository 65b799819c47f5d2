"""Wakes go out together, and a broker that fails costs those on their way and nobody's time."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from loguru import logger

from foundations.public_works.adapters import celery_sender
from foundations.public_works.adapters.celery_messages import LONGEST_KEY, packed
from foundations.public_works.adapters.celery_sender import Sender
from foundations.public_works.dispatch import PLAIN


class Line:
    """Takes messages; holds the first up until the test lets it go, and breaks when told to."""

    opened: "ClassVar[list[Line]]"
    breaks_at = 0
    free = threading.Event()
    holds = threading.Event()

    def __init__(self, _url: str) -> None:
        self.taken: list[str] = []
        self.together: list[int] = []
        self.closed = False
        Line.opened.append(self)

    def publish(self, message: Any) -> None:
        packed(message.queue, list(message.keys))
        if len(Line.opened) == 1 and len(self.taken) + 1 == Line.breaks_at:
            raise ConnectionResetError
        self.taken += message.keys

    def confirmed(self) -> None:
        self.together.append(len(self.taken))
        Line.holds.set()
        assert Line.free.wait(10)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setattr(celery_sender, "_Line", Line)
    monkeypatch.setattr(celery_sender, "_REST_SECONDS", 0.001)
    monkeypatch.setattr(celery_sender, "_WAITING", 3)
    Line.opened, Line.breaks_at = [], 0
    Line.free.clear()
    Line.holds.clear()
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{message}")
    yield lines
    logger.remove(sink)


def _until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.005)
    return true()


def sending() -> Sender:
    """A sender whose first message the broker has not confirmed yet."""
    sender = Sender("amqp://nowhere")
    sender.start()
    sender.send("runs", {"first": {}}, PLAIN)
    assert Line.holds.wait(10)
    return sender


def test_what_waits_goes_out_together_and_what_is_too_much_is_lost(said: list[str]) -> None:
    sender = sending()
    for number in range(4):
        sender.send("runs", {f"run-{number}": {}}, PLAIN)
    Line.free.set()
    sender.stop()

    (line,) = Line.opened
    assert line.taken == ["first", "run-0", "run-1", "run-2"]
    assert line.together[:2] == [1, 4]
    assert line.closed
    assert "1 wakes were not sent: the broker is slow" in "".join(said)


def test_a_line_that_breaks_is_opened_anew(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_sender, "_WAITING", 100)
    Line.breaks_at = 2
    sender = sending()
    Line.free.set()
    sender.send("runs", {"lost": {}}, PLAIN)
    assert _until(lambda: bool(said))
    sender.send("runs", {"x" * (LONGEST_KEY + 1): {}}, PLAIN)
    sender.send("runs", {"next": {}}, PLAIN)
    sender.stop()

    broken, other = Line.opened
    assert (broken.taken, broken.closed) == (["first"], True)
    assert (other.taken, other.closed) == (["next"], True)
    assert "takes no wakes (ConnectionResetError)" in said[0]
    assert "a wake cannot be sent" in said[1]
