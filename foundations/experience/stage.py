"""Opens the experience, fourth: the application stands, its road is plugged in later."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from foundations.boot import Book
from foundations.experience.container import container
from foundations.rooms import Room


@asynccontextmanager
async def open_stage(book: Book) -> AsyncIterator[None]:
    """Enrol the application and the road's socket."""
    async with AsyncExitStack() as stack:
        book.enrol(container(), Room("foundations.experience", "experience"))
        book.prepare()
        await book.open(stack)
        yield
