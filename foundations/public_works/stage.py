"""Opens public works, first: the data folder, its database, and what else the city stands on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from foundations.boot import Book
from foundations.public_works.adapters.moving import refuse_a_store_that_was_left
from foundations.public_works.cloud_ready import chosen
from foundations.public_works.container import container
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Database
from foundations.public_works.examining import refuse_unfit
from foundations.public_works.settings import Settings
from foundations.public_works.vectors.records import VectorRecords
from foundations.rooms import Room
from utilities.observability.logs import add_log_file

ROOM = Room("foundations.public_works", "public_works")


@asynccontextmanager
async def open_stage(book: Book) -> AsyncIterator[None]:
    """Open the infrastructure and bring its tables up to date.

    Raises:
        InfrastructureUnfit: what the settings choose is missing or unfit; it lists every fault.
    """
    settings = book.get(Settings)
    choice = chosen(settings)
    await refuse_unfit(choice, settings)
    async with AsyncExitStack() as stack:
        book.enrol(container(choice, settings), ROOM)
        book.prepare()
        await book.open(stack)
        logs = book.get(DataFolder).logs / "civitas.jsonl"
        stack.enter_context(add_log_file(logs, level=settings.log_level))
        await refuse_a_store_that_was_left(book.get(Database))
        if ROOM.migrations is not None:
            await book.get(Database).migrate(ROOM.name, ROOM.migrations)
        await book.get(VectorRecords).choose_search()
        yield
