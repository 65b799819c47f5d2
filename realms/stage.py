"""Opens the realms, last: joins them, verifies the whole city, and only then opens them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from foundations.boot import Book
from foundations.curator.discovery import realms
from foundations.curator.registry import Registry
from foundations.curator.verification import BootRefused
from foundations.experience.rooms import join


@asynccontextmanager
async def open_stage(book: Book) -> AsyncIterator[None]:
    """Join every realm that is found.

    Raises:
        BootRefused: something in the city does not fit together; it lists every fault.
    """
    registry = book.get(Registry)
    rooms, faults = realms()
    for fault in faults:
        registry.report(fault)
    async with AsyncExitStack() as stack:
        await join(book, rooms)
        if found := registry.faults():
            raise BootRefused(found)
        await book.open(stack)
        registry.seal()
        yield
