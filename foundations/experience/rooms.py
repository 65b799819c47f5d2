"""How rooms above the foundations join: tables, container, routes."""

from collections.abc import Sequence

from foundations.boot import Book
from foundations.experience.application import Application
from foundations.public_works.database import Database
from foundations.rooms import Room


async def join(book: Book, rooms: Sequence[Room]) -> None:
    """Bring each room's tables up to date, enrol its container, then build all and serve routes."""
    database = book.get(Database)
    for room in rooms:
        if room.migrations is not None:
            await database.migrate(room.name, room.migrations)
        module = room.module("container")
        assert module is not None
        book.enrol(module.container(), room)
    book.prepare()
    for room in rooms:
        book.get(Application).include(room)
