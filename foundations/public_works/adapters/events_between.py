"""Transient events between processes, whatever carries them, and within this one by queues.

Who listens to a topic says so to all; only events that somebody has said to listen to are sent. An
event may be lost, as when a connection breaks.
"""

import asyncio
import json
import secrets
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Protocol, Self

from loguru import logger

from foundations.public_works.adapters.in_process_events import InProcessEvents
from utilities.tasks import ended

CHANNEL = "civitas"
CONNECT_SECONDS = 5.0
_TOGETHER_SECONDS = 0.002
_SAID_AGAIN_SECONDS = 10.0
"""So often a process says what it listens to; one that is silent for three times is forgotten."""
_AGAIN_SECONDS = 1.0

Notice = dict[str, Any]


class Line(Protocol):
    """A connection that carries letters to all processes, this one among them."""

    @property
    def broken(self) -> bool: ...

    async def send(self, letter: str) -> None: ...


class EventsBetween(InProcessEvents):
    """Events of all processes that share a server; an adapter gives the line to it."""

    largest: int
    """Bytes of a letter."""
    failures: tuple[type[Exception], ...]
    """What its client raises when the server is away."""

    def __init__(self) -> None:
        super().__init__()
        self._me = secrets.token_hex(6)
        self._others: dict[str, dict[str, float]] = {}
        """For each topic the processes that listen to it, and until when that is believed."""
        self._leaving: list[Notice] = []
        self._departs = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def line(
        self, heard: Callable[[str], None], broke: Callable[[], None]
    ) -> AbstractAsyncContextManager[Line]:
        """A line on which `heard` has every letter; `broke` is called when it breaks."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._live())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        assert self._task is not None
        await ended(self._task)

    def publish(self, topic: str, data: Mapping[str, object]) -> None:
        super().publish(topic, data)
        if topic in self._others:
            self._send({"topic": topic, "data": dict(data)})

    def heard(self, topic: str) -> bool:
        return super().heard(topic) or topic in self._others

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[Mapping[str, object]]]:
        async with super().subscribe(topic) as events:
            self._send({"listens": topic})
            try:
                yield events
            finally:
                if len(self._listeners[topic]) == 1:
                    self._send({"left": topic})

    def take(self, letter: str) -> None:
        """Take a letter in that came by the line."""
        try:
            read = json.loads(letter)
            sender, notices = str(read["from"]), list(read["notices"])
        except (ValueError, KeyError, TypeError):
            logger.warning("a notice is dropped: it cannot be read")
            return
        if sender == self._me:
            return
        for notice in notices:
            match notice:
                case {"topic": str(topic), "data": dict(data)}:
                    super().publish(topic, data)
                case {"listens": str(topic)}:
                    until = time.monotonic() + 3 * _SAID_AGAIN_SECONDS
                    self._others.setdefault(topic, {})[sender] = until
                case {"left": str(topic)}:
                    self._gone(topic, sender)
                case {"hello": True}:
                    for topic in self._listeners:
                        self._send({"listens": topic})

    def _send(self, notice: Notice) -> None:
        self._leaving.append(notice)
        self._departs.set()

    async def _live(self) -> None:
        """Keep a line for as long as this process lives."""
        while True:
            try:
                async with self.line(self.take, self._departs.set) as line:
                    self._send({"hello": True})
                    await self._talk(line)
            except self.failures as error:
                logger.warning("events of other processes are not heard: {}", error)
            self._others.clear()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _talk(self, line: Line) -> None:
        """Send what there is to be said, many notices at a time."""
        said = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SAID_AGAIN_SECONDS):
                    await self._departs.wait()
            await asyncio.sleep(_TOGETHER_SECONDS)
            self._departs.clear()
            if line.broken:
                raise ConnectionResetError("the connection broke")
            if time.monotonic() - said >= _SAID_AGAIN_SECONDS:
                said = time.monotonic()
                self._leaving += [{"listens": topic} for topic in self._listeners]
                self._forget()
            leaving, self._leaving = self._leaving, []
            for letter in self._letters(leaving):
                await line.send(letter)

    def _letters(self, notices: list[Notice]) -> Iterator[str]:
        """Notices as texts that are small enough."""
        letter: list[str] = []
        size = 0
        for notice in notices:
            text = json.dumps(notice, default=str)
            if len(text) > self.largest - 100:
                logger.warning("an event of {} is too large to be sent", notice.get("topic"))
                continue
            if size + len(text) > self.largest - 100:
                yield self._letter(letter)
                letter, size = [], 0
            letter.append(text)
            size += len(text) + 1
        if letter:
            yield self._letter(letter)

    def _letter(self, notices: list[str]) -> str:
        return f'{{"from": "{self._me}", "notices": [{",".join(notices)}]}}'

    def _gone(self, topic: str, sender: str) -> None:
        listeners = self._others.get(topic, {})
        listeners.pop(sender, None)
        if not listeners:
            self._others.pop(topic, None)

    def _forget(self) -> None:
        """Forget who has not been heard of for long."""
        now = time.monotonic()
        for topic, listeners in list(self._others.items()):
            for sender in [sender for sender, until in listeners.items() if until < now]:
                self._gone(topic, sender)
