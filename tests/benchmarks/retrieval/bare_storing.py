"""What the disk alone asks for the content of texts: its rows and files, written by nothing else.

The physical limit that indexing is measured by: nobody who keeps the same comes below it.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from foundations.public_works.adapters.sqlite_driver import opened, sqlite_driver
from foundations.public_works.data_folder import DATABASE_FILE, OBJECTS
from tests.benchmarks.retrieval.spent import Spent

Statement = tuple[str, Sequence[Any]]
_BEGIN = "BEGIN IMMEDIATE"
_COMMIT: Statement = ("COMMIT", ())


class Writing:
    """What a city on SQLite wrote while it was watched, and its database as it was before."""

    def __init__(self, city: Path, scratch: Path) -> None:
        self._city = city
        self._before = scratch / "before.sqlite3"
        self._begun: dict[Connection, list[Statement]] = {}
        self._committed: list[Statement] = []
        self._files: dict[Path, dict[str, bytes]] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the rows that are committed and the objects that are put during the block."""
        driver = sqlite_driver()
        source, copy = driver.connect(self._city / DATABASE_FILE), driver.connect(self._before)
        source.backup(copy)
        for connection in (source, copy):
            connection.close()
        there = set(self._objects())
        heard: dict[str, Callable[..., Any]] = {
            "before_cursor_execute": self._executed,
            "commit": self._ended_well,
            "rollback": lambda connection: self._begun.pop(connection, None),
        }
        for name, hear in heard.items():
            event.listen(Engine, name, hear)
        try:
            yield
        finally:
            for name, hear in heard.items():
                event.remove(Engine, name, hear)
        for path in set(self._objects()) - there:
            files = self._files.setdefault(path.parent.relative_to(self._city), {})
            files[path.name] = path.read_bytes()

    def again(self, folder: Path) -> Spent:
        """Write the same into a new folder: by the driver, in one thread, and as durably."""
        folder.mkdir()
        shutil.copyfile(self._before, folder / DATABASE_FILE)
        database = opened(sqlite_driver(), folder / DATABASE_FILE)
        clock, used = time.perf_counter(), time.process_time()
        for sql, values in self._committed:
            database.execute(sql, values).fetchall()
        for parent, files in self._files.items():
            _put(folder / parent, files)
        spent = Spent(time.perf_counter() - clock, time.process_time() - used)
        database.close()
        shutil.rmtree(folder)
        return spent

    def _executed(  # as SQLAlchemy calls it
        self, connection: Connection, _: Any, sql: str, values: Any, __: Any, many: bool
    ) -> None:
        if sql == _BEGIN:
            self._begun[connection] = []
        if connection in self._begun:
            rows = values if many else [values]
            self._begun[connection] += [(sql, tuple(row)) for row in rows]

    def _ended_well(self, connection: Connection) -> None:
        if statements := self._begun.pop(connection, None):
            self._committed += [*statements, _COMMIT]

    def _objects(self) -> Iterator[Path]:
        return (path for path in (self._city / OBJECTS).rglob("*") if path.is_file())


def _put(folder: Path, files: Mapping[str, bytes]) -> None:
    """New files in a new folder, which are there whatever happens."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        with (folder / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
