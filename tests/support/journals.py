"""Journals for tests: over a database of its own, and ones that fail at a chosen commit."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import realms.journey
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Database
from foundations.public_works.settings import Settings
from realms.journey.api import Reason
from realms.journey.engine.journal import DueRun, Entry, Journal, RunFilter, RunRow, Stored
from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.records import DatabaseJournal
from tests.support.postgres import own_database
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import TimeSortableIds

MIGRATIONS = Path(realms.journey.__file__).parent / "migrations"


@asynccontextmanager
async def open_server_database(url: str) -> AsyncIterator[Database]:
    """The database at `url` with the journal's tables."""
    from foundations.public_works.adapters.postgres import PostgresDatabase

    settings = Settings(database_url=SecretStr(url), database_connections=5)
    async with PostgresDatabase(settings=settings) as database:
        await database.migrate("journey", MIGRATIONS)
        yield database


@asynccontextmanager
async def open_database(folder: Path) -> AsyncIterator[SqliteDatabase]:
    """A database in `folder` with the journal's tables."""
    settings = Settings(data_dir=folder)
    async with (
        DataFolder(settings=settings, ids=TimeSortableIds()) as data,
        SqliteDatabase(folder=data) as database,
    ):
        await database.migrate("journey", MIGRATIONS)
        yield database


@asynccontextmanager
async def any_database(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Database]:
    """For a fixture with the parameter "sqlite" or "postgres": with the journal's tables."""
    if request.param == "sqlite":
        async with open_database(folder) as database:
            yield database
        return
    with own_database(request, "journey", _prepare) as url:
        async with open_server_database(url) as server:
            yield server


@asynccontextmanager
async def any_journal(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Journal]:
    """For a fixture with the parameter "memory", "sqlite" or "postgres"."""
    if request.param == "memory":
        yield MemoryJournal()
        return
    async with any_database(request, folder) as database:
        yield DatabaseJournal(database=database)


async def _prepare(url: str) -> None:
    async with open_server_database(url):
        pass


class DiskFull(PlatformError):
    """The disk is full."""

    kind = ErrorKind.STORAGE_FULL


class OtherJournal(Journal):
    """Hands everything on to `inner`; the others here change one thing of it."""

    def __init__(self, inner: Journal) -> None:
        self.inner = inner

    @property
    def works_apart(self) -> bool:
        return self.inner.works_apart

    async def now(self, here: datetime) -> datetime:
        return await self.inner.now(here)

    async def take_hold(self, *, at: datetime, until: datetime | None) -> int:
        return await self.inner.take_hold(at=at, until=until)

    async def renew(self, holder: int, *, until: datetime) -> bool:
        return await self.inner.renew(holder, until=until)

    async def dismiss(self, *, at: datetime, survivor: int) -> int:
        return await self.inner.dismiss(at=at, survivor=survivor)

    async def let_go(self, holder: int) -> None:
        await self.inner.let_go(holder)

    async def claim(
        self, run_ids: Sequence[str], *, holder: int, at: datetime
    ) -> Mapping[str, Stored]:
        return await self.inner.claim(run_ids, holder=holder, at=at)

    async def release(
        self,
        run_ids: Sequence[str],
        *,
        holder: int,
        wake_at: datetime | None = None,
        reason: Reason | None = None,
    ) -> None:
        await self.inner.release(run_ids, holder=holder, wake_at=wake_at, reason=reason)

    async def held(self, holder: int) -> list[str]:
        return await self.inner.held(holder)

    async def take_turn(self, name: str, *, holder: int, at: datetime, until: datetime) -> bool:
        return await self.inner.take_turn(name, holder=holder, at=at, until=until)

    async def end_turn(self, name: str, *, holder: int) -> None:
        await self.inner.end_turn(name, holder=holder)

    async def next_slot(self, name: str, *, earliest: datetime, spacing: timedelta) -> datetime:
        return await self.inner.next_slot(name, earliest=earliest, spacing=spacing)

    def write(
        self, entries: Sequence[Entry], *, holder: int
    ) -> "asyncio.Future[Sequence[PlatformError | None]]":
        return self.inner.write(entries, holder=holder)

    async def condemn(self, run_id: str, *, at: datetime, holder: int) -> None:
        await self.inner.condemn(run_id, at=at, holder=holder)

    async def pin_text(self, text_hash: str, text: str, *, name: str, version: str) -> None:
        await self.inner.pin_text(text_hash, text, name=name, version=version)

    async def pinned_text(self, text_hash: str) -> str:
        return await self.inner.pinned_text(text_hash)

    async def load(self, run_ids: Sequence[str]) -> Mapping[str, Stored]:
        return await self.inner.load(run_ids)

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        return await self.inner.find(tenant, id_or_alias)

    async def page(self, wanted: RunFilter, *, before: str = "", limit: int = 50) -> list[RunRow]:
        return await self.inner.page(wanted, before=before, limit=limit)

    async def due(
        self, now: datetime, *, after: DueRun | None = None, limit: int = 500
    ) -> list[DueRun]:
        return await self.inner.due(now, after=after, limit=limit)

    async def at_rest(self, seen: Mapping[str, datetime | None]) -> Mapping[str, Stored]:
        return await self.inner.at_rest(seen)

    async def ready(self, now: datetime, *, most: int) -> int:
        return await self.inner.ready(now, most=most)

    async def next_wake(self, *, after: datetime) -> datetime | None:
        return await self.inner.next_wake(after=after)

    async def lane(self, tenant: str, lane: str) -> list[RunRow]:
        return await self.inner.lane(tenant, lane)

    async def unfinished_naming(self, tenant: str, word: str, *, limit: int) -> list[RunRow]:
        return await self.inner.unfinished_naming(tenant, word, limit=limit)

    async def queued_lanes(self) -> list[tuple[str, str]]:
        return await self.inner.queued_lanes()

    async def memo(self, tenant: str, key: str, *, since: datetime | None) -> bytes | None:
        return await self.inner.memo(tenant, key, since=since)

    async def finished(
        self, template: str, *, before: datetime, after: str = "", limit: int = 500
    ) -> list[RunRow]:
        return await self.inner.finished(template, before=before, after=after, limit=limit)

    async def templates(self) -> list[str]:
        return await self.inner.templates()

    async def remove(self, run_ids: Sequence[str]) -> None:
        await self.inner.remove(run_ids)


class CountingJournal(OtherJournal):
    """Knows what was written, commit by commit."""

    def __init__(self, inner: Journal) -> None:
        super().__init__(inner)
        self.commits: list[list[Entry]] = []

    def write(
        self, entries: Sequence[Entry], *, holder: int
    ) -> "asyncio.Future[Sequence[PlatformError | None]]":
        self.commits.append(list(entries))
        return super().write(entries, holder=holder)


class PowerCutJournal(OtherJournal):
    """Loses power at the `commit`th commit (the acceptance is the first), before or after it.

    From then on the process that wrote hears nothing any more, as one that is dead; the next holder
    finds what was durable.
    """

    def __init__(self, inner: Journal, *, commit: int, when: str) -> None:
        super().__init__(inner)
        self.commit = commit
        self.when = when
        self.commits = 0
        self.dead = 0
        """The holder that had the power cut."""
        self._last: asyncio.Future[Sequence[PlatformError | None]] | None = None
        """What was on its way to the disk when the power went."""

    def in_the_dark(self, holder: int) -> bool:
        """Whether nothing will be heard or become durable of what this holder writes."""
        return holder == self.dead and (self._last is None or self._last.done())

    def write(
        self, entries: Sequence[Entry], *, holder: int
    ) -> "asyncio.Future[Sequence[PlatformError | None]]":
        never: asyncio.Future[Sequence[PlatformError | None]] = (
            asyncio.get_running_loop().create_future()
        )
        if holder == self.dead:
            return never
        self.commits += 1
        if self.commits != self.commit:
            return super().write(entries, holder=holder)
        self.dead = holder
        if self.when == "after":
            self._last = super().write(entries, holder=holder)
        return never


class FullJournal(OtherJournal):
    """Refuses every write while `full` holds; entries and rows stay as they are."""

    def __init__(self, inner: Journal) -> None:
        super().__init__(inner)
        self.full = False
        self.refused = 0

    def write(
        self, entries: Sequence[Entry], *, holder: int
    ) -> "asyncio.Future[Sequence[PlatformError | None]]":
        if not self.full:
            return super().write(entries, holder=holder)
        self.refused += 1
        refused: asyncio.Future[Sequence[PlatformError | None]] = (
            asyncio.get_running_loop().create_future()
        )
        refused.set_exception(DiskFull("the disk is full"))
        return refused
