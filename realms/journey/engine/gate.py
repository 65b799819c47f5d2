"""Who may make an attempt now: so many at once, by priority, and suspects only while alone."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Lets attempts through, `most` at a time.

    An attempt whose predecessors died with their process runs while nothing else does, so that it
    can take nobody with it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._alone = False
        self._waiting: list[tuple[int, int, bool, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def under_way(self) -> int:
        """How many attempts are inside."""
        return self._inside

    @property
    def room(self) -> int:
        """How many more could go in now."""
        return 0 if self._waiting or self._alone else self._most - self._inside

    def enter_at_once(self) -> bool:
        """Go in if there is room and nobody waits; whoever goes in must `leave`."""
        if self._waiting or self._alone or self._inside >= self._most:
            return False
        self._inside += 1
        return True

    async def enter(self, *, priority: int = 0, alone: bool = False) -> None:
        """Wait until it is this attempt's turn; the highest priority goes first."""
        if not self._room(alone=alone) or self._waiting:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (-priority, next(self._order), alone, turn))
            self._let_in()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.leave()
                else:
                    self._let_in()  # who waited behind it waits for nobody now
                raise
            return
        self._go_in(alone=alone)

    def leave(self) -> None:
        self._inside -= 1
        self._alone = False
        if self._waiting:
            self._let_in()

    @asynccontextmanager
    async def inside(self, *, priority: int = 0, alone: bool = False) -> AsyncIterator[None]:
        await self.enter(priority=priority, alone=alone)
        try:
            yield
        finally:
            self.leave()

    def _room(self, *, alone: bool) -> bool:
        if alone:
            return self._inside == 0
        return not self._alone and self._inside < self._most

    def _go_in(self, *, alone: bool) -> None:
        self._inside += 1
        self._alone = alone

    def _let_in(self) -> None:
        while self._waiting:
            _, _, alone, turn = self._waiting[0]
            if not turn.done() and not self._room(alone=alone):
                return
            heapq.heappop(self._waiting)
            if not turn.done():
                self._go_in(alone=alone)
                turn.set_result(None)
