"""Journals for tests: over a database of its own, and one whose power fails at a chosen commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import realms.journey
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from realms.journey.api import RunStatus
from realms.journey.engine.journal import Journal, RunRow, Stored
from realms.journey.engine.memory_journal import MemoryJournal
from realms.journey.records import DatabaseJournal
from utilities.ids import TimeSortableIds

MIGRATIONS = Path(realms.journey.__file__).parent / "migrations"


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
async def open_journal(kind: str, folder: Path) -> AsyncIterator[Journal]:
    """The journal called `kind`."""
    if kind == "memory":
        yield MemoryJournal()
        return
    async with open_database(folder) as database:
        yield DatabaseJournal(database=database)


class PowerCut(BaseException):
    """The power went; nothing of the process is left."""


@dataclass
class PowerCutJournal(Journal):
    """Loses power at the `commit`th commit (the acceptance is the first), before or after it."""

    commit: int
    when: str
    inner: Journal = field(default_factory=MemoryJournal)
    commits: int = 0

    async def create(self, row: RunRow, facts: tuple[bytes, ...], *, epoch: int) -> None:
        self._cut("before")
        await self.inner.create(row, facts, epoch=epoch)
        self._cut("after")

    async def append(
        self, row: RunRow, facts: tuple[bytes, ...], *, expected: int, epoch: int
    ) -> None:
        self._cut("before")
        await self.inner.append(row, facts, expected=expected, epoch=epoch)
        self._cut("after")

    def _cut(self, at: str) -> None:
        self.commits += at == "before"
        if self.commits == self.commit and at == self.when:
            raise PowerCut

    async def take_epoch(self) -> int:
        return await self.inner.take_epoch()

    async def pin_text(self, text_hash: str, text: str, *, name: str, version: str) -> None:
        await self.inner.pin_text(text_hash, text, name=name, version=version)

    async def pinned_text(self, text_hash: str) -> str:
        return await self.inner.pinned_text(text_hash)

    async def condemn(self, run_id: str, *, at: datetime, epoch: int) -> None:
        await self.inner.condemn(run_id, at=at, epoch=epoch)

    async def load(self, run_id: str) -> Stored | None:
        return await self.inner.load(run_id)

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        return await self.inner.find(tenant, id_or_alias)

    async def page(
        self,
        tenant: str,
        *,
        status: RunStatus | None = None,
        template: str = "",
        before: str = "",
        limit: int = 50,
    ) -> list[RunRow]:
        return await self.inner.page(
            tenant, status=status, template=template, before=before, limit=limit
        )

    async def due(self, *, after: str = "", limit: int = 500) -> list[RunRow]:
        return await self.inner.due(after=after, limit=limit)
