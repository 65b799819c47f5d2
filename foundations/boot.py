"""How the city boots: stages entered in order, each timed, and left in reverse."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, ClassVar, Protocol, TypeVar

from loguru import logger

from foundations.rooms import Room
from utilities.long_lived import uncollected

T = TypeVar("T")


class Book(Protocol):
    """The registry as stages see it: what they enrol, build and open."""

    def add(self, instance: object) -> None:
        """Offer a finished object by its type."""
        ...

    def enrol(self, container: Any, room: Room) -> object:
        """Take in every class of a room's container."""
        ...

    def prepare(self) -> None:
        """Fill every open dependency and build everything once; faults are kept, not raised."""
        ...

    async def open(self, stack: AsyncExitStack) -> None:
        """Enter everything built since the last call that holds something open."""
        ...

    def get(self, wanted: type[T]) -> T:
        """The one instance of a type."""
        ...


class Duty(StrEnum):
    """What this process does for the city; with a broker, processes share the work."""

    ALL = "all"
    """Everything: there is no other process."""
    ACCEPT = "accept"
    """Answers requests and accepts journeys, which workers do."""
    WORK = "work"
    """Does journeys."""
    SCHEDULE = "schedule"
    """Sees to it that nothing is forgotten: begins what is scheduled, wakes what is due."""


class Works(Protocol):
    """A service that works by itself, not only when it is called."""

    duties: ClassVar[frozenset[Duty]] = frozenset(Duty)
    """Whose process it works in."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Work inside the block: entered when the whole city is open, left before any of it closes.

        Leaving lets the work in progress end.
        """
        ...


OpenStage = Callable[[Book], AbstractAsyncContextManager[None]]


def stage_of(container: Callable[[], Any], room: Room) -> OpenStage:
    """The plain stage: it enrols one room's container, builds it and opens it."""

    @asynccontextmanager
    async def open_stage(book: Book) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            book.enrol(container(), room)
            book.prepare()
            await book.open(stack)
            yield

    return open_stage


class StageStatus(StrEnum):
    """Where a stage is."""

    PENDING = "pending"
    OPENING = "opening"
    OPEN = "open"
    FAILED = "failed"


@dataclass(slots=True)
class StageRecord:
    """One stage of this boot; `seconds` is how long it took to open."""

    name: str
    status: StageStatus = StageStatus.PENDING
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage by name and the module whose `open_stage(book)` enters it."""

    name: str
    module: str

    def entered(self, book: Book) -> AbstractAsyncContextManager[None]:
        """The stage as a context: open inside the block, closed after it."""
        opened: AbstractAsyncContextManager[None] = import_module(self.module).open_stage(book)
        return opened


@dataclass(slots=True)
class BootReport:
    """The stages of this boot, in order."""

    stages: list[StageRecord] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return bool(self.stages) and all(s.status is StageStatus.OPEN for s in self.stages)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time and log the opening of one stage."""
        record = next(stage for stage in self.stages if stage.name == name)
        record.status = StageStatus.OPENING
        begun = time.perf_counter()
        try:
            yield
        except BaseException:
            record.status = StageStatus.FAILED
            raise
        finally:
            record.seconds = time.perf_counter() - begun
        record.status = StageStatus.OPEN
        logger.debug("stage {} opened in {:.0f} ms", name, record.seconds * 1000)


@dataclass(frozen=True, slots=True)
class Boot:
    """Enters stages over one book."""

    stages: tuple[Stage, ...]
    book: Book
    report: BootReport

    async def run(self, stack: AsyncExitStack) -> None:
        """Enter every stage; when one fails, `stack` leaves those before it in reverse."""
        self.report.stages[:] = [StageRecord(stage.name) for stage in self.stages]
        with uncollected():
            for stage in self.stages:
                with self.report.timed(stage.name):
                    await stack.enter_async_context(stage.entered(self.book))
