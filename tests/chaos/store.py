"""What is in a store afterwards, read by the journal's own code and in no process under trial."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundations.public_works.adapters.sqlite_driver import opened, sqlite_driver
from realms.journey.api import RunStatus
from realms.journey.engine.codec import CorruptFact, decode
from realms.journey.engine.facts import Fact
from realms.journey.engine.folding import fold
from realms.journey.engine.state import CorruptJournal, RunState

DATABASE = "city.sqlite3"

_NOTED = (
    "CREATE TABLE IF NOT EXISTS trial_writers (pid INTEGER, holder INTEGER)",
    """CREATE TABLE IF NOT EXISTS trial_writes (number INTEGER PRIMARY KEY, run_id TEXT,
    seq INTEGER, pid INTEGER, holder INTEGER, ended INTEGER, living TEXT)""",
)
_NOTE_HOLDER = (
    "CREATE TEMP TRIGGER IF NOT EXISTS trial_holds AFTER INSERT ON main.journey_holders BEGIN"
    " INSERT INTO trial_writers (pid, holder) VALUES ({pid}, NEW.holder); END"
)
_NOTE_WRITE = (
    "CREATE TEMP TRIGGER IF NOT EXISTS trial_writes AFTER INSERT ON main.journey_facts BEGIN"
    " INSERT INTO trial_writes (run_id, seq, pid, holder, ended, living) SELECT NEW.run_id,"
    " NEW.seq, {pid}, mine.holder, coalesce((SELECT ended FROM journey_holders h"
    " WHERE h.holder = mine.holder), 1), (SELECT group_concat(holder) FROM journey_holders"
    " WHERE ended = 0) FROM (SELECT max(holder) AS holder FROM trial_writers WHERE pid = {pid})"
    " AS mine; END"
)


@dataclass(frozen=True, slots=True)
class Write:
    """One entry as it was written: by which holder, whether that had ended, and who lived."""

    seq: int
    holder: int
    ended: bool
    living: frozenset[int]


@dataclass(slots=True)
class Kept:
    """A run as it is kept."""

    run_id: str
    alias: str
    template: str
    status: str
    wake_at: int | None
    holder: int
    parent: str
    entries: list[list[Fact]] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    run: RunState | None = None
    unreadable: str = ""

    @property
    def facts(self) -> Iterator[Fact]:
        for entry in self.entries:
            yield from entry


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that a trial looks at."""

    runs: dict[str, Kept]
    bookings: list[str]
    """The keys under which was booked, one for each row."""
    holders: dict[int, bool]
    """Every holder, and whether its lease was ended."""
    strays: set[str] = field(default_factory=set)
    """Runs that have facts and no row."""


@contextmanager
def hooked(on_open: Callable[[Any], None]) -> Iterator[None]:
    """Let `on_open` have every connection that the driver opens from now on."""
    driver: Any = sqlite_driver()
    connect = driver.connect

    def hooking(*arguments: Any, **options: Any) -> Any:
        connection = connect(*arguments, **options)
        on_open(connection)
        return connection

    driver.connect = hooking
    try:
        yield
    finally:
        driver.connect = connect


def prepare(path: Path) -> None:
    """Make the tables in which the store itself notes who wrote what; its own must be there."""
    connection = opened(sqlite_driver(), path)
    for statement in _NOTED:
        connection.execute(statement)
    connection.close()


def note_writers(pid: int) -> Callable[[Any], None]:
    """Have the store note, in the very transaction of each write, that this process made it."""

    def on_open(connection: Any) -> None:
        connection.execute(_NOTE_HOLDER.format(pid=pid))
        connection.execute(_NOTE_WRITE.format(pid=pid))

    return on_open


def read(path: Path) -> Store:
    """The store as it stands."""
    connection = opened(sqlite_driver(), path)
    try:
        found = _read(connection)
        if connection.execute(_WATCHED).fetchone():
            for run_id, *write in connection.execute(_WRITES):
                if run_id in found.runs:
                    found.runs[run_id].writes.append(_write(write))
    finally:
        connection.close()
    return found


def read_server(url: str) -> Store:
    """The store of a database server as it stands; who wrote what is not noted there."""
    import psycopg

    with psycopg.connect(url) as connection:
        return _read(connection)


def _read(connection: Any) -> Store:
    strays: set[str] = set()
    runs = {row[0]: Kept(*row) for row in connection.execute(_RUNS).fetchall()}
    for run_id, data in connection.execute(_FACTS).fetchall():
        if run_id in runs:
            _add(runs[run_id], data)
        else:
            strays.add(run_id)
    bookings = [row[0] for row in connection.execute("SELECT key FROM trial_bookings").fetchall()]
    holders = dict(connection.execute("SELECT holder, ended FROM journey_holders").fetchall())
    for kept in runs.values():
        if not kept.unreadable:
            try:
                kept.run = fold(kept.run_id, kept.entries)
            except CorruptJournal as error:
                kept.unreadable = error.detail
    return Store(runs, bookings, {holder: bool(ended) for holder, ended in holders.items()}, strays)


_RUNS = (
    "SELECT run_id, coalesce(alias, ''), template, status, wake_at, holder, parent "
    "FROM journey_runs"
)
_FACTS = "SELECT run_id, data FROM journey_facts ORDER BY run_id, seq"
_WATCHED = "SELECT 1 FROM sqlite_master WHERE name = 'trial_writes'"
_WRITES = (
    "SELECT run_id, seq, holder, ended, coalesce(living, '') FROM trial_writes ORDER BY number"
)


def _add(kept: Kept, data: Any) -> None:
    try:
        kept.entries.append(decode(data if isinstance(data, bytes) else str(data).encode()))
    except CorruptFact as error:
        kept.unreadable = error.detail


def _write(values: Sequence[Any]) -> Write:
    seq, holder, ended, living = values
    return Write(
        seq, holder or 0, bool(ended), frozenset(map(int, filter(None, living.split(","))))
    )


def outcome(kept: Kept) -> Any:
    """What a run came to, without what may differ: ids, times, attempts."""
    run = kept.run
    assert run is not None
    nodes = {
        path: (node.status.value, node.output if not node.spilled else "spilled", node.iteration)
        for path, node in sorted(run.nodes.items())
        if node.status.ended
    }
    undone = list(run.undo) if run.ended is RunStatus.COMPENSATED else []
    told = json.dumps([run.status.value, nodes, run.output, undone, sorted(run.left_undone)])
    order = str(run.start.values.get("order", ""))
    return json.loads(told.replace(order, "ORDER") if order else told)
