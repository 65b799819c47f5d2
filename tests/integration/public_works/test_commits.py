"""Write transactions straight on the driver: durable, in order, and off the loop when slow."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from foundations.public_works import ballast, data_folder
from foundations.public_works.adapters import sqlite_checkpoints
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.adapters.sqlite_checkpoints import Checkpoints
from foundations.public_works.adapters.sqlite_driver import sqlite_driver
from foundations.public_works.adapters.sqlite_transactions import Pace
from foundations.public_works.data_folder import DataFolder, DataFolderUnusable
from foundations.public_works.database import (
    AttemptIsOver,
    ConstraintBroken,
    DatabaseBusy,
    DriverConnection,
    StorageFull,
    collecting,
)
from foundations.public_works.settings import Settings
from utilities.ids import TimeSortableIds

pytestmark = pytest.mark.anyio

INSERT = "INSERT INTO fact (id, data) VALUES (?, ?)"


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[DataFolder]:
    settings = Settings(data_dir=tmp_path / "city")
    async with DataFolder(settings=settings, ids=TimeSortableIds()) as opened:
        yield opened


@pytest.fixture
async def database(folder: DataFolder) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(folder=folder) as opened:
        await opened.commit(lambda c: c.execute("CREATE TABLE fact (id INTEGER PRIMARY KEY, data)"))
        yield opened


def put(number: int, data: object = b"") -> Callable[[DriverConnection], int]:
    def work(connection: DriverConnection) -> int:
        connection.execute(INSERT, (number, data))
        return number

    return work


def also_put(number: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO fact (id) VALUES (:id)"), {"id": number})

    return work


async def stored(database: SqliteDatabase) -> list[int]:
    select = text("SELECT id FROM fact ORDER BY rowid")
    return await database.read(lambda c: list(c.execute(select).scalars()))


def set_quick(database: SqliteDatabase) -> None:
    database._transactions.pace = Pace([0.0])


def set_slow(database: SqliteDatabase) -> None:
    pace = Pace([1.0])
    pace.took(1.0, float("inf"))
    database._transactions.pace = pace


# the two roads


async def test_quick_commit_is_done_within_the_call_and_durable(
    database: SqliteDatabase, folder: DataFolder
) -> None:
    set_quick(database)
    before = database.commits

    future = database.commit(put(1))

    assert future.done()
    assert await future == 1
    assert database.commits == before + 1
    # another connection, as after a crash, finds it
    other = sqlite_driver().connect(folder.database)
    assert other.execute("SELECT id FROM fact").fetchall() == [(1,)]
    other.close()


async def test_slow_commit_leaves_the_loop_free(database: SqliteDatabase) -> None:
    set_slow(database)
    go, threads = threading.Event(), []

    def work(connection: DriverConnection) -> int:
        go.wait(10)
        threads.append(threading.current_thread().name)
        return put(1)(connection)

    future = database.commit(work)
    assert not future.done()
    go.set()

    assert await future == 1
    assert threads[0].startswith("sqlite-writer")
    assert await stored(database) == [1]


async def test_commit_never_overtakes_one_that_waits(database: SqliteDatabase) -> None:
    set_slow(database)
    order: list[int] = []
    go = threading.Event()
    first = database.commit(lambda c: (go.wait(10), put(1)(c)))
    set_quick(database)
    futures = [database.commit(put(number)) for number in (2, 3)]
    every: list[asyncio.Future[Any]] = [first, *futures]
    for future in every:
        future.add_done_callback(lambda _: order.append(len(order) + 1))

    assert not any(future.done() for future in every)
    go.set()
    assert await asyncio.gather(*futures) == [2, 3]

    assert (first.done(), order) == (True, [1, 2, 3])
    assert await stored(database) == [1, 2, 3]
    assert database.commit(put(4)).done()


async def test_commit_waits_for_a_write_in_progress(database: SqliteDatabase) -> None:
    set_quick(database)
    go = threading.Event()
    writing = asyncio.ensure_future(database.write(lambda c: (go.wait(10), also_put(1)(c))))
    await asyncio.sleep(0)

    future = database.commit(put(2))
    assert not future.done()
    go.set()
    await asyncio.gather(writing, future)

    assert await stored(database) == [1, 2]


async def test_cancelled_future_does_not_stop_the_work(database: SqliteDatabase) -> None:
    set_slow(database)
    for number in (1, 1):
        database.commit(put(number)).cancel()

    await database.commit(put(2))

    assert await stored(database) == [1, 2]


@pytest.mark.parametrize("road", [set_quick, set_slow])
async def test_work_that_raises_leaves_nothing_and_says_so_through_its_future(
    database: SqliteDatabase, road: Callable[[SqliteDatabase], None]
) -> None:
    road(database)
    before = database.commits

    def fail(connection: DriverConnection) -> None:
        put(1)(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.commit(fail)
    await database.commit(put(2))

    assert await stored(database) == [2]
    assert database.commits == before + 1


@pytest.mark.parametrize("road", [set_quick, set_slow])
async def test_row_that_is_there_already_is_told_apart(
    database: SqliteDatabase, road: Callable[[SqliteDatabase], None]
) -> None:
    road(database)
    await database.commit(put(1))

    with pytest.raises(ConstraintBroken, match="UNIQUE"):
        await database.commit(lambda c: (put(2)(c), put(1)(c)))
    assert await stored(database) == [1]


@pytest.mark.parametrize("road", [set_quick, set_slow])
async def test_wrong_sql_is_explained_as_it_is_for_write(
    database: SqliteDatabase, road: Callable[[SqliteDatabase], None]
) -> None:
    road(database)

    with pytest.raises(DatabaseBusy) as caught:
        await database.commit(lambda c: c.execute("SELECT * FROM nowhere"))
    assert "no such table" in str(caught.value.__cause__)


async def test_lock_of_another_process_sends_a_quick_commit_to_the_thread(
    database: SqliteDatabase, folder: DataFolder
) -> None:
    set_quick(database)
    code = (
        "import sys, pysqlite3 as s\n"
        "c = s.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.readline()\n"
        "c.execute('ROLLBACK')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, folder.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        waits = database.commit(put(1))
        assert not waits.done()
        other.communicate("\n")
        assert await waits == 1
    assert database.commit(put(2)).done()


async def test_lock_that_is_never_freed_is_explained(
    database: SqliteDatabase, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "foundations.public_works.adapters.sqlite_transactions.PATIENCE", "PRAGMA busy_timeout=10"
    )
    holder = sqlite_driver().connect(folder.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseBusy, match="another process holds"):
        await database.commit(put(1))
    holder.close()


async def test_transaction_whose_rollback_failed_is_ended_before_the_next(
    database: SqliteDatabase,
) -> None:
    set_quick(database)
    database._transactions._connection.execute("BEGIN IMMEDIATE")
    database._transactions._connection.execute(INSERT, (1, b"half"))

    assert await database.commit(put(2)) == 2
    assert await stored(database) == [2]


# writes along with a checkpoint


async def test_writes_of_an_attempt_travel_with_its_checkpoint(database: SqliteDatabase) -> None:
    with collecting() as along:
        await database.write_with_checkpoint(also_put(2))
        await asyncio.create_task(database.write_with_checkpoint(also_put(3)))
    assert await stored(database) == []
    before = database.commits

    assert await database.commit(put(1), along=along) == 1

    assert await stored(database) == [1, 2, 3]
    assert database.commits == before + 1


@pytest.mark.parametrize("work", [put(2), put(1)])
async def test_neither_goes_without_the_other(
    database: SqliteDatabase, work: Callable[[DriverConnection], int]
) -> None:
    await database.commit(put(1))

    with pytest.raises(Exception, match="UNIQUE"):
        await database.commit(work, along=[also_put(3), also_put(1)])
    assert await stored(database) == [1]


async def test_write_outside_of_an_attempt_is_made_at_once(database: SqliteDatabase) -> None:
    await database.write_with_checkpoint(also_put(1))

    assert await stored(database) == [1]


async def test_writes_of_an_attempt_inside_another_stay_its_own(database: SqliteDatabase) -> None:
    with collecting() as outer:
        with collecting() as inner:
            await database.write_with_checkpoint(also_put(1))
        await database.write_with_checkpoint(also_put(2))

    assert (len(outer), len(inner)) == (1, 1)


async def test_task_that_outlives_its_attempt_cannot_write(database: SqliteDatabase) -> None:
    over = asyncio.Event()

    async def late() -> None:
        await over.wait()
        await database.write_with_checkpoint(also_put(1))

    with collecting() as along:
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    over.set()

    with pytest.raises(AttemptIsOver) as caught:
        await task
    assert caught.value.hint
    assert along == []
    assert await stored(database) == []


# the write-ahead log


def log_size(folder: DataFolder) -> int:
    log = folder.database.with_name("city.sqlite3-wal")
    return log.stat().st_size if log.exists() else 0


async def written(database: SqliteDatabase, commits: int, *, first: int) -> None:
    for number in range(first, first + commits):
        await database.commit(put(number, os.urandom(40_000)))
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what happens on a thread of SQLite's rings no bell
            await asyncio.sleep(0.002)


async def test_log_stays_small_while_many_read_and_write(
    database: SqliteDatabase, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_checkpoints, "ENOUGH_PAGES", 50)
    monkeypatch.setattr(sqlite_checkpoints, "MANY_PAGES", 200)
    database._checkpoints._too_many = 200
    done = False
    reads = 0

    async def read() -> None:
        nonlocal reads
        while not done:
            await database.read(lambda c: c.execute(text("SELECT sum(length(data)) FROM fact")))
            reads += 1

    largest = 0
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(read())
        for step in range(30):
            await written(database, 20, first=step * 20)  # 24 MB in all
            largest = max(largest, log_size(folder))
        done = True

    assert reads > 10
    assert largest < 8 * 2**20
    assert len(await stored(database)) == 600


async def test_log_that_a_reader_held_is_begun_anew_and_given_back_afterwards(
    database: SqliteDatabase, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ENOUGH_PAGES", 50), ("MANY_PAGES", 200), ("LARGE_FILE", 2**20)):
        monkeypatch.setattr(sqlite_checkpoints, name, value)
    database._checkpoints._too_many = 200
    reader = sqlite_driver().connect(folder.database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM fact").fetchone()
    await written(database, 100, first=0)
    await until(lambda: not database._checkpoints._looking)
    held = log_size(folder)
    tried = database._checkpoints._too_many

    reader.execute("COMMIT")
    reader.close()
    await written(database, 200, first=100)
    await until(lambda: log_size(folder) < held)

    assert held > 3 * 2**20
    assert tried > 200
    await until(lambda: database._checkpoints._too_many == 200)


async def test_limit_that_a_reader_had_raised_is_lowered_once_the_log_is_small(
    database: SqliteDatabase,
) -> None:
    await until(lambda: not database._checkpoints._looking)
    database._checkpoints._too_many = 10**9

    database._checkpoints.look()

    await until(lambda: database._checkpoints._too_many == sqlite_checkpoints.MANY_PAGES)


async def test_close_leaves_no_log_behind(folder: DataFolder) -> None:
    async with SqliteDatabase(folder=folder) as database:
        await database.commit(lambda c: c.execute("CREATE TABLE fact (id, data)"))
        await database.commit(put(1))
        assert log_size(folder) > 0

    assert not folder.database.with_name("city.sqlite3-wal").exists()
    async with SqliteDatabase(folder=folder) as again:
        assert await stored(again) == [1]


async def test_writes_that_would_be_made_again_while_it_closes_are_refused(
    folder: DataFolder,
) -> None:
    database, begun, free = SqliteDatabase(folder=folder), threading.Event(), threading.Event()

    def held(_: Connection) -> None:
        begun.set()
        free.wait()

    def refused(_: Connection) -> None:
        raise RuntimeError("no")

    async with asyncio.timeout(20), database:
        first = asyncio.create_task(database.write(held))
        await asyncio.to_thread(begun.wait)
        batch = [asyncio.create_task(database.write(work)) for work in (refused, lambda _: 1)]
        await until(lambda: database._queued == 2)
        closing = asyncio.create_task(asyncio.to_thread(database._close))
        await until(lambda: database._writer._shutdown)
        free.set()
        told = await asyncio.gather(*batch, return_exceptions=True)
        await asyncio.gather(first, closing)

    assert [type(answer) for answer in told] == [DatabaseBusy, DatabaseBusy]


async def test_old_sqlite_checkpoints_on_the_writers_thread_only(
    database: SqliteDatabase,
) -> None:
    driver: Any = sqlite_driver()
    queued: list[Callable[[], None]] = []

    class Old:
        sqlite_version_info = (3, 40, 1)
        DatabaseError = driver.DatabaseError
        connect = staticmethod(driver.connect)
        register_adapter = staticmethod(driver.register_adapter)

    checkpoints = Checkpoints(
        driver=Old,  # type: ignore[arg-type]  # as much of the module as is used
        path=database._path,
        on_writer=queued.append,
        tidy=lambda: None,
    )
    checkpoints.look()
    checkpoints.look()
    checkpoints.stop()

    assert len(queued) == 1
    checkpoints.close()


# a full disk, and one of a network


def limit_pages(database: SqliteDatabase) -> None:
    """Let SQLite say what it says on a full disk."""
    database._transactions._connection.execute("PRAGMA max_page_count=1")


@pytest.mark.parametrize("road", [set_quick, set_slow])
async def test_full_disk_is_explained_and_the_ballast_given_up_until_there_is_room(
    database: SqliteDatabase,
    folder: DataFolder,
    monkeypatch: pytest.MonkeyPatch,
    road: Callable[[SqliteDatabase], None],
) -> None:
    file = folder.path / "ballast"
    await until(file.exists)
    await until(lambda: not database._checkpoints._looking)
    assert file.stat().st_blocks * 512 >= ballast.SIZE
    road(database)
    limit_pages(database)
    with monkeypatch.context() as full:
        full.setattr(ballast, "_PLENTY", 2**62)
        with pytest.raises(StorageFull):
            await database.commit(put(1, os.urandom(100_000)))
        assert not file.exists()
        await until(lambda: not database._checkpoints._looking)
        assert not file.exists()

    database._checkpoints.look()
    await until(file.exists)


def test_ballast_that_does_not_fit_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    one = ballast.Ballast(tmp_path / "ballast")

    one.take()
    assert list(tmp_path.iterdir()) == []
    one.give_up()


async def test_folder_on_a_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_folder, "network_file_system", lambda _: "nfs4")
    settings = Settings(data_dir=tmp_path / "city")

    with pytest.raises(DataFolderUnusable, match=r"network file system \(nfs4\)") as caught:
        await DataFolder(settings=settings, ids=TimeSortableIds()).__aenter__()
    assert "--data-dir" in caught.value.hint
    assert not (tmp_path / "city").exists()
