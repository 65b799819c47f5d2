"""Stores by their URL: where a city is moved from, and where to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from foundations.public_works.adapters.moving import Moving, note_of
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Database, DatabaseUnusable
from foundations.public_works.settings import Settings
from utilities.ids import TimeSortableIds

_SQLITE = "sqlite:///"
_FILE = "city.sqlite3"


def shown(url: str) -> str:
    """A store's name, without a password, the same whenever it is meant."""
    if url.startswith(_SQLITE):
        return f"{_SQLITE}{_file(url)}"
    parts = urlsplit(url)
    return f"postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"


@asynccontextmanager
async def opened_alone(url: str, *, kept: bool = False) -> AsyncIterator[Database]:
    """The store at a URL while no city works on it, and none can begin to.

    `kept` says that a file must be there already.

    Raises:
        DataFolderInUse, StoreInUse: a city works on it.
        DatabaseUnusable: the URL names no store that there can be.
    """
    if url.startswith(_SQLITE):
        from foundations.public_works.adapters.sqlite import SqliteDatabase

        if kept and not _file(url).exists():
            raise DatabaseUnusable(f"no city is kept in {_file(url)}", hint="name its data folder")
        settings = Settings(data_dir=_file(url).parent, database_url=SecretStr(""))
        async with (
            DataFolder(settings=settings, ids=TimeSortableIds()) as folder,
            SqliteDatabase(folder=folder) as embedded,
        ):
            yield embedded
        return
    from foundations.public_works.adapters.postgres import PostgresDatabase

    settings = Settings(database_url=SecretStr(url))
    async with PostgresDatabase(settings=settings) as server, server.alone():
        yield server


@asynccontextmanager
async def embedded(folder: DataFolder) -> AsyncIterator[Database]:
    """SQLite in a data folder whose city keeps what it knows elsewhere."""
    from foundations.public_works.adapters.sqlite import SqliteDatabase

    async with SqliteDatabase(folder=folder) as opened:
        yield opened


async def is_left(database: Database) -> bool:
    """Whether the city was moved out of a store."""
    return (await note_of(database)).state is Moving.LEFT


async def came_from(database: Database) -> str:
    """The store that the city was moved from into this one; empty for none."""
    note = await note_of(database)
    return note.other if note.state is Moving.ARRIVED else ""


def _file(url: str) -> Path:
    path = Path(url.removeprefix(_SQLITE)).expanduser().absolute()
    if path.name != _FILE:
        raise DatabaseUnusable(
            f"{url} names no city", hint=f"name the file {_FILE} in its data folder"
        )
    return path
