"""One child of the prepared process: what it is asked, what it says, and how it ends."""

import asyncio
import json
import socket
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from foundations.public_works.parsing.fork_server import STATUS
from foundations.public_works.parsing.frames import HEAD, framed

_CHUNK = 65_536
_ANSWER_LIMIT = 4 * 1024 * 1024
_NOISE_LIMIT = 64 * 1024


class ServerGone(Exception):
    """The prepared process ended before the child did."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a request: the answer, or how the child ended, and what noise it made."""

    answer: dict[str, Any]
    code: int
    noise: bytes

    @property
    def goes_on(self) -> bool:
        """Whether the child waits for another request."""
        return bool(self.answer.get("again"))


class Child:
    """A child, by our ends of its sockets; between requests they belong to no event loop."""

    def __init__(self, talk: socket.socket, noise: socket.socket, status: socket.socket) -> None:
        self._talk, self._noise, self._status = talk, noise, status
        self._said = bytearray()
        self._noises = b""
        self._end = b""
        self._is_over = False
        for ours in (talk, noise, status):
            ours.settimeout(0)
        self.hang_up = weakref.finalize(self, _close, talk, noise, status)

    async def ask(self, told: bytes) -> Done:
        """Have it do one request. Cancelled, this ends the child and waits until it has ended.

        Raises:
            ServerGone: nobody is there any more to say how it ended.
        """
        self._said.clear()
        try:
            with self._attended() as more:
                with suppress(ConnectionError):  # one that died at once is judged by its exit code
                    await asyncio.get_running_loop().sock_sendall(self._talk, framed(told))
                while not (self._is_over or self._is_answered()):
                    await more()
                answer = self._answer()
                if not (answer or self._is_over):  # it says what nobody can read
                    self._status.shutdown(socket.SHUT_WR)
                while not (self._is_over or answer.get("again")):
                    await more()
        except asyncio.CancelledError:
            await asyncio.shield(self._killed())
            raise
        if not self._is_over:
            return Done(answer, 0, self._noises)
        self.hang_up()
        if len(self._end) < STATUS.size:
            raise ServerGone
        return Done(answer, STATUS.unpack(self._end)[0], self._noises)

    @contextmanager
    def _attended(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """Hear the child while the block lasts; the block is given what waits for more of it."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def attend(ours: socket.socket, take: Callable[[bytes], None]) -> None:
            chunk = _received(ours)
            if chunk is not None:
                take(chunk)
                news.set()
            if chunk == b"":
                loop.remove_reader(ours.fileno())

        async def more() -> None:
            news.clear()
            await news.wait()

        takes = {self._talk: self._hear, self._noise: self._listen, self._status: self._learn}
        for ours, take in takes.items():
            loop.add_reader(ours.fileno(), attend, ours, take)
        try:
            yield more
        finally:
            for ours in takes:
                loop.remove_reader(ours.fileno())

    def _hear(self, chunk: bytes) -> None:
        self._said += chunk[: _ANSWER_LIMIT - len(self._said)]

    def _listen(self, chunk: bytes) -> None:
        self._noises = (self._noises + chunk)[-_NOISE_LIMIT:]

    def _learn(self, chunk: bytes) -> None:
        """Hear of the child's end, after which all that it ever said is there."""
        self._end += chunk
        if chunk and len(self._end) < STATUS.size:
            return
        for ours, take in ((self._talk, self._hear), (self._noise, self._listen)):
            while left := _received(ours):
                take(left)
        self._is_over = True

    def _is_answered(self) -> bool:
        if len(self._said) < HEAD.size:
            return False
        size: int = HEAD.unpack(self._said[: HEAD.size])[0]
        return len(self._said) >= min(HEAD.size + size, _ANSWER_LIMIT)

    def _answer(self) -> dict[str, Any]:
        """The answer; empty where there is none that can be read."""
        with suppress(ValueError):
            answer = json.loads(self._said[HEAD.size :])
            return answer if isinstance(answer, dict) else {}
        return {}

    async def _killed(self) -> None:
        """Hang up, which kills the child and its group, and wait until that is told."""
        try:
            self._status.shutdown(socket.SHUT_WR)
            while await asyncio.get_running_loop().sock_recv(self._status, _CHUNK):
                pass
        except OSError:
            return
        finally:
            self.hang_up()


def _close(*sockets: socket.socket) -> None:
    """Let go of a child: it ends, or is killed."""
    for ours in sockets:
        ours.close()


def _received(ours: socket.socket) -> bytes | None:
    """What has come; nothing when the other end is closed, None while nothing has."""
    try:
        return ours.recv(_CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
