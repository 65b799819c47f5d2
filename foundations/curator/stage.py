"""Opens the curator, second: from here on there is a registry that answers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from foundations.boot import Book
from foundations.curator.container import container
from foundations.rooms import Room


@asynccontextmanager
async def open_stage(book: Book) -> AsyncIterator[None]:
    """Enrol the curator's own services."""
    async with AsyncExitStack() as stack:
        book.enrol(container(), Room("foundations.curator", "curator"))
        book.prepare()
        await book.open(stack)
        yield
