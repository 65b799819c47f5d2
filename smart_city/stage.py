"""Opens the smart city, fifth: the gateway and its roles, and the road they make."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from foundations.boot import Book
from foundations.curator.discovery import roles
from foundations.curator.registry import Registry
from foundations.experience.road import RoadSocket
from foundations.experience.rooms import join
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.rooms import Room
from smart_city.communication_director.api import CommunicationDirector
from smart_city.librarian.api import Librarian


@asynccontextmanager
async def open_stage(book: Book) -> AsyncIterator[None]:
    """Enrol and open every role; plug the road and the librarian's index into what is below."""
    async with AsyncExitStack() as stack:
        await join(book, [Room("smart_city", "smart_city"), *roles()])
        await book.open(stack)
        registry, socket = book.get(Registry), book.get(RoadSocket)
        for _, director in registry.implementations(CommunicationDirector):
            socket.plug(director)
            stack.callback(socket.plug, None)
        for _, librarian in registry.implementations(Librarian):
            book.get(ContentMetadataAbstraction).plug_index(librarian)
        yield
