"""No city begins while unfinished runs of it lie in another store, where nobody would move them."""

from contextlib import suppress
from types import TracebackType
from typing import Self

from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Database, DatabaseBusy, Dialect
from foundations.public_works.settings import Settings
from foundations.public_works.stores import came_from, embedded, is_left, shown
from realms.journey.records import unfinished
from utilities.errors import ErrorKind, PlatformError

_NOTE = "runs-elsewhere"


class RunsLeftBehind(PlatformError):
    """Another store of this data folder has runs that have not ended."""

    kind = ErrorKind.CONFIGURATION


class LeftBehind:
    """Looks when the city opens, and notes in the data folder where its runs are."""

    def __init__(self, *, settings: Settings, folder: DataFolder, database: Database) -> None:
        self._folder = folder
        self._database = database
        self._url = settings.database_url.get_secret_value()
        self._note = folder.path / _NOTE

    async def __aenter__(self) -> Self:
        if self._database.dialect is Dialect.SQLITE:
            await self._look_elsewhere()
        else:
            await self._look_into_the_folder()
            self._note.write_text(shown(self._url), "utf-8")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._database.dialect is Dialect.SQLITE:
            return
        with suppress(DatabaseBusy):  # nobody knows: the note stays
            if not await unfinished(self._database):
                self._note.unlink(missing_ok=True)

    async def _look_elsewhere(self) -> None:
        if not self._note.exists():
            return
        there = self._note.read_text("utf-8").strip()
        if await came_from(self._database) == there:
            self._note.unlink()
            return
        here = f"sqlite:///{self._folder.database}"
        raise RunsLeftBehind(
            f"runs of this city may be unfinished in {there}",
            hint=f"set CIVITAS_DATABASE_URL to it, or move them: civitas store migrate --from "
            f"{there} --to {here}; if they are of no use, remove {self._note}",
        )

    async def _look_into_the_folder(self) -> None:
        if not self._folder.database.exists():
            return
        async with embedded(self._folder) as before:
            count = 0 if await is_left(before) else await unfinished(before)
        if count:
            here, there = f"sqlite:///{self._folder.database}", shown(self._url)
            raise RunsLeftBehind(
                f"{count} runs of this city are unfinished in {self._folder.database}",
                hint=f"move them: civitas store migrate --from {here} --to {there} (with its user "
                "and password); or unset CIVITAS_DATABASE_URL and let them end",
            )
