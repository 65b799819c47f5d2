"""The embedded infrastructure on a real disk, from the data folder to the file of spans."""

import asyncio
import errno
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from foundations.public_works.adapters.in_process_dispatch import InProcessDispatch
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.adapters.local_objects import LocalObjectStore
from foundations.public_works.adapters.migrations import MisnumberedRevision
from foundations.public_works.adapters.span_export import SpanExport
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.data_folder import (
    DataFolder,
    DataFolderInUse,
    DataFolderUnusable,
    holder_of,
)
from foundations.public_works.database import (
    DatabaseBusy,
    DatabaseUnusable,
    SchemaTooNew,
    StorageFull,
)
from foundations.public_works.settings import Settings
from utilities.clock import Clock, SystemClock
from utilities.ids import TimeSortableIds
from utilities.observability.distributed_tracing import DistributedTracing

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "city", drain_seconds=0.2)


@pytest.fixture
async def folder(settings: Settings) -> AsyncIterator[DataFolder]:
    async with DataFolder(settings=settings, ids=TimeSortableIds()) as opened:
        yield opened


@pytest.fixture
async def database(folder: DataFolder) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(folder=folder) as opened:
        yield opened


# the data folder


async def test_c11_second_holder_is_refused_and_told_the_pid(
    folder: DataFolder, settings: Settings
) -> None:
    folder.announce("http://127.0.0.1:1234")

    with pytest.raises(DataFolderInUse, match=f"process {os.getpid()} at http") as caught:
        await DataFolder(settings=settings, ids=TimeSortableIds()).__aenter__()

    assert (caught.value.pid, caught.value.url) == (os.getpid(), "http://127.0.0.1:1234")
    held = holder_of(folder.path)
    assert held is not None
    assert held.pid == os.getpid()


async def test_folder_is_free_again_after_its_holder(settings: Settings) -> None:
    async with DataFolder(settings=settings, ids=TimeSortableIds()) as folder:
        folder.spool().write_text("half an upload")
        (folder.spool()).mkdir()
    folder.announce("ignored once closed")

    assert holder_of(settings.data_dir) is None
    assert holder_of(settings.data_dir / "nowhere") is None
    async with DataFolder(settings=settings, ids=TimeSortableIds()) as again:
        assert list(again.staging.iterdir()) == []


async def test_lock_of_a_killed_process_is_free(settings: Settings) -> None:
    code = (
        "import asyncio, os, signal, sys\n"
        "from foundations.public_works.data_folder import DataFolder\n"
        "from foundations.public_works.settings import Settings\n"
        "from utilities.ids import TimeSortableIds\n"
        "folder = DataFolder(settings=Settings(data_dir=sys.argv[1]), ids=TimeSortableIds())\n"
        "asyncio.run(folder.__aenter__()); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, settings.data_dir], check=False)

    assert killed.returncode == -9
    async with DataFolder(settings=settings, ids=TimeSortableIds()) as folder:
        assert folder.path.is_dir()


async def test_folder_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(data_dir=tmp_path / "file" / "city")

    with pytest.raises(DataFolderUnusable, match="Not a directory"):
        await DataFolder(settings=settings, ids=TimeSortableIds()).__aenter__()


# the database


def add_one(connection: Connection) -> int:
    value = connection.execute(text("SELECT value FROM counter")).scalar_one()
    connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
    return int(value)


async def make_counter(database: SqliteDatabase) -> None:
    def make(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))

    await database.write(make)


async def counted(database: SqliteDatabase) -> int:
    return await database.read(
        lambda c: int(c.execute(text("SELECT value FROM counter")).scalar_one())
    )


async def test_no_increment_is_lost_when_many_write_at_once(database: SqliteDatabase) -> None:
    await make_counter(database)

    await asyncio.gather(*(database.write(add_one) for _ in range(200)))

    assert await counted(database) == 200


async def test_write_that_raises_leaves_nothing(database: SqliteDatabase) -> None:
    await make_counter(database)

    def fail(connection: Connection) -> None:
        add_one(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(fail)
    assert await counted(database) == 0


async def test_writes_that_wait_are_made_in_one_transaction(database: SqliteDatabase) -> None:
    await make_counter(database)
    before = database.commits

    await asyncio.gather(*(database.write(add_one) for _ in range(50)))

    assert await counted(database) == 50
    assert database.commits - before <= 5


async def test_write_that_raises_spoils_none_of_those_beside_it(database: SqliteDatabase) -> None:
    await make_counter(database)

    def fail(connection: Connection) -> None:
        add_one(connection)
        raise ValueError("no")

    writes = [fail if number % 5 == 0 else add_one for number in range(20)]
    ended = await asyncio.gather(*map(database.write, writes), return_exceptions=True)

    assert [isinstance(one, ValueError) for one in ended] == [one is fail for one in writes]
    assert await counted(database) == 16


async def test_write_does_not_overtake_a_commit_that_was_asked_for_before(
    database: SqliteDatabase,
) -> None:
    await make_counter(database)
    first = asyncio.ensure_future(database.write(add_one))
    await asyncio.sleep(0)
    doubled = database.commit(lambda c: c.execute("UPDATE counter SET value = value * 10"))
    later = asyncio.ensure_future(database.write(add_one))

    await asyncio.gather(first, doubled, later)

    assert await counted(database) == 11


async def test_cancelled_caller_does_not_tear_a_write(database: SqliteDatabase) -> None:
    await make_counter(database)
    task = asyncio.create_task(database.write(add_one))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await database.write(add_one)
    assert await counted(database) == 2


async def test_commits_are_durable_and_foreign_keys_hold(database: SqliteDatabase) -> None:
    def pragmas(connection: Connection) -> tuple[str, int, int]:
        def ask(name: str) -> object:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

        return str(ask("journal_mode")), int(str(ask("synchronous"))), int(str(ask("foreign_keys")))

    assert await database.write(pragmas) == ("wal", 2, 1)


async def test_lock_of_another_process_is_explained(
    database: SqliteDatabase, folder: DataFolder
) -> None:
    await make_counter(database)
    code = (
        "import sys, pysqlite3 as s\n"
        "c = s.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, folder.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DatabaseBusy):
            await database.write(add_one)
        other.communicate("\n")
    assert await database.write(add_one) == 0


@pytest.mark.parametrize(
    "content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"x" * 4096]
)
async def test_c11_broken_database_file_is_refused_at_boot(
    folder: DataFolder, content: bytes
) -> None:
    folder.database.write_bytes(content)

    with pytest.raises(DatabaseUnusable) as caught:
        await SqliteDatabase(folder=folder).__aenter__()
    assert "backup" in caught.value.hint


REVISION = """
import sqlalchemy as sa
from alembic import op
revision = "{revision}"
down_revision = {down}
branch_labels = None
depends_on = None
def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))
    {then}
"""


def revision(folder: Path, number: int, *, then: str = "") -> None:
    folder.mkdir(exist_ok=True)
    down = repr(f"{number - 1:04}") if number > 1 else None
    text = REVISION.format(revision=f"{number:04}", down=down, table=f"thing_{number}", then=then)
    (folder / f"{number:04}_thing.py").write_text(text)


async def tables(database: SqliteDatabase) -> set[str]:
    query = text("SELECT name FROM sqlite_master WHERE type = 'table'")
    return set(await database.read(lambda c: list(c.execute(query).scalars())))


async def test_each_room_migrates_by_a_history_of_its_own(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    revision(tmp_path / "a", 1)
    await database.migrate("a", tmp_path / "a")
    await database.migrate("a", tmp_path / "a")
    revision(tmp_path / "a", 2)
    await database.migrate("a", tmp_path / "a")

    assert {"thing_1", "thing_2", "schema_version_a"} <= await tables(database)


async def test_migration_that_fails_leaves_the_schema_as_it_was(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    revision(tmp_path / "a", 1, then='raise ValueError("half way")')

    with pytest.raises(ValueError, match="half way"):
        await database.migrate("a", tmp_path / "a")
    assert "thing_1" not in await tables(database)


async def test_c10_tables_of_a_newer_version_are_refused(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    revision(tmp_path / "a", 1)
    revision(tmp_path / "a", 2)
    await database.migrate("a", tmp_path / "a")
    (tmp_path / "a" / "0002_thing.py").unlink()

    with pytest.raises(SchemaTooNew, match="revision 0002"):
        await database.migrate("a", tmp_path / "a")


async def test_revision_that_is_not_called_as_its_file_is_refused(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    revision(tmp_path / "a", 1)
    (tmp_path / "a" / "0001_thing.py").rename(tmp_path / "a" / "0009_thing.py")

    with pytest.raises(MisnumberedRevision, match="not called 0009"):
        await database.migrate("a", tmp_path / "a")
    assert "thing_1" not in await tables(database)


async def test_start_with_nothing_to_migrate_does_not_load_alembic(
    database: SqliteDatabase, folder: DataFolder, tmp_path: Path
) -> None:
    revision(tmp_path / "a", 1)
    await database.migrate("a", tmp_path / "a")
    code = (
        "import sys; from pathlib import Path; from sqlalchemy import create_engine\n"
        "from foundations.public_works.adapters.migrations import migrate\n"
        "import pysqlite3\n"
        "engine = create_engine(f'sqlite:///{sys.argv[1]}', module=pysqlite3)\n"
        "with engine.connect() as c: migrate(c, 'a', Path(sys.argv[2]))\n"
        "print('alembic' in sys.modules)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code, folder.database, tmp_path / "a"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == "False\n"


# objects


@pytest.fixture
def objects(folder: DataFolder) -> LocalObjectStore:
    return LocalObjectStore(folder=folder)


async def test_stored_object_and_its_folders_are_synced(
    objects: LocalObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.partition("#")[0])
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    await objects.put("client/local/f1", b"1")

    assert synced == ["f1", "local", "client", "objects"]

    synced.clear()
    await objects.put("client/local/f2", b"2")
    assert synced == ["f2", "local"]  # the folders above know it since


async def test_file_of_this_disk_is_moved_and_one_of_another_copied(
    objects: LocalObjectStore, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: folder.spool() for name in ("a", "b")}
    for name, path in paths.items():
        path.write_bytes(name.encode())
    inode = paths["a"].stat().st_ino
    real = Path.replace

    def replace(source: Path, target: Path) -> Path:
        if source == paths["b"]:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(source, target)

    monkeypatch.setattr(Path, "replace", replace)

    await objects.put_files("derived/north/f1", paths)

    assert await objects.get_files("derived/north/f1", ["a", "b"]) == [b"a", b"b"]
    assert (folder.objects / "derived/north/f1/a").stat().st_ino == inode
    assert [path.exists() for path in paths.values()] == [False, True]


async def test_file_that_is_not_there_is_no_object(
    objects: LocalObjectStore, folder: DataFolder
) -> None:
    with pytest.raises(FileNotFoundError):
        await objects.put_files("derived/north/f1", {"a": b"1", "b": folder.spool()})

    assert list((folder.objects / "derived/north/f1").iterdir()) == []


async def test_full_disk_is_explained(
    objects: LocalObjectStore, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageFull) as caught:
        await objects.put("a", b"1")
    assert "free some space" in caught.value.hint
    assert list(folder.objects.iterdir()) == []


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/etc/passwd", "a//b", "."])
async def test_key_that_leads_elsewhere_is_refused(objects: LocalObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="no key of an object"):
        await objects.put(key, b"1")


async def test_folder_that_was_removed_is_made_and_synced_again(
    objects: LocalObjectStore, folder: DataFolder
) -> None:
    await objects.put("derived/north/f1/a", b"1")
    await objects.delete_below("derived/north/f1")
    assert not (folder.objects / "derived/north/f1").exists()

    await objects.put("derived/north/f1/a", b"2")

    assert await objects.get("derived/north/f1/a") == b"2"


# dispatch


async def test_wake_calls_the_handler_and_a_second_one_waits_its_turn(settings: Settings) -> None:
    seen: list[str] = []
    go, twice = asyncio.Event(), asyncio.Event()

    async def handler(key: str) -> None:
        seen.append(f"{key} begins")
        await go.wait()
        seen.append(f"{key} ends")
        if len(seen) == 4:
            twice.set()

    async with InProcessDispatch(settings=settings, clock=SystemClock()) as dispatch:
        dispatch.handle("runs", handler)
        dispatch.wake("runs", "r1")
        await asyncio.sleep(0)
        dispatch.wake("runs", "r1")
        dispatch.wake("runs", "r1")
        go.set()
        await twice.wait()

    assert seen == ["r1 begins", "r1 ends"] * 2


async def test_wake_waits_for_its_time_and_none_comes_after_closing(settings: Settings) -> None:
    rung = asyncio.Event()
    seen: list[str] = []

    async def handler(key: str) -> None:
        seen.append(key)
        rung.set()

    async with InProcessDispatch(settings=settings, clock=SystemClock()) as dispatch:
        dispatch.handle("runs", handler)
        now = datetime.now(UTC)
        dispatch.wake("runs", "soon", at=now + timedelta(milliseconds=5))
        dispatch.wake("runs", "never", at=now + timedelta(hours=1))
        await rung.wait()
    dispatch.wake("runs", "late")

    assert seen == ["soon"]


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Behind(Clock):
    """A clock beside which the loop's timers ring a little early, the first few times."""

    def __init__(self, *, by: timedelta) -> None:
        self.asked = 0
        self._by = by

    def set_back(self) -> None:
        self._by = timedelta(hours=1)

    def now(self) -> datetime:
        self.asked += 1
        return NOON if self.asked > 4 else NOON - self._by


async def test_a_wake_does_not_come_before_its_time_though_the_loop_rings_early(
    settings: Settings,
) -> None:
    rung = asyncio.Event()
    clock = Behind(by=timedelta(milliseconds=1))

    async def handler(_key: str) -> None:
        rung.set()

    async with InProcessDispatch(settings=settings, clock=clock) as dispatch:
        dispatch.handle("runs", handler)
        dispatch.wake("runs", "r1", at=NOON)
        await rung.wait()

    assert clock.asked > 4


async def test_a_wake_comes_though_the_clock_was_set_back_meanwhile(settings: Settings) -> None:
    rung = asyncio.Event()
    clock = Behind(by=timedelta(milliseconds=1))

    async def handler(_key: str) -> None:
        rung.set()

    async with InProcessDispatch(settings=settings, clock=clock) as dispatch:
        dispatch.handle("runs", handler)
        dispatch.wake("runs", "r1", at=NOON)
        clock.set_back()
        await rung.wait()

    assert clock.asked < 4


async def test_failing_handler_stops_no_other_and_closing_cancels_the_late(
    settings: Settings,
) -> None:
    cancelled = asyncio.Event()

    async def handler(key: str) -> None:
        if key == "bad":
            raise ValueError(key)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with InProcessDispatch(settings=settings, clock=SystemClock()) as dispatch:
        dispatch.handle("runs", handler)
        dispatch.wake("runs", "bad")
        dispatch.wake("runs", "endless")
        await asyncio.sleep(0)

    assert cancelled.is_set()


# events


async def test_event_reaches_who_listens_now_and_the_oldest_are_dropped() -> None:
    events = InProcessEvents()
    events.publish("t", {"n": -1})

    assert not events.heard("t")
    async with events.subscribe("t") as listener:
        assert events.heard("t")
        assert not events.heard("other")
        for n in range(1001):
            events.publish("t", {"n": n})
        events.publish("other", {"n": 0})
        assert (await anext(listener))["n"] == 1

    events.publish("t", {"n": 0})  # nobody listens; nothing is kept
    assert not events.heard("t")
    assert not events._listeners


# spans


async def test_spans_are_written_where_the_settings_ask(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "city", trace_export="file")
    tracing = DistributedTracing()
    async with (
        DataFolder(settings=settings, ids=TimeSortableIds()) as folder,
        SpanExport(settings=settings, folder=folder, tracing=tracing),
    ):
        with tracing.span("work", "abc"):
            pass

    (line,) = (folder.logs / "spans.jsonl").read_text().splitlines()
    assert json.loads(line)["attributes"]["civitas.trace_id"] == "abc"
