"""Opens the agentic foundation, third."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from foundations.agentic.container import container
from foundations.boot import Book
from foundations.rooms import Room


@asynccontextmanager
async def open_stage(book: Book) -> AsyncIterator[None]:
    """Enrol the agentic services."""
    async with AsyncExitStack() as stack:
        book.enrol(container(), Room("foundations.agentic", "agentic"))
        book.prepare()
        await book.open(stack)
        yield
