"""A city moves from one store into another and back, with its runs, and goes on there."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from foundations.curator.discovery import realms, roles
from foundations.public_works.adapters import moving
from foundations.public_works.adapters.moving import (
    MoveUnfinished,
    StoreLeft,
    StoreNotEmpty,
    StoresDiffer,
    move,
)
from foundations.public_works.adapters.postgres import PostgresDatabase, StoreInUse
from foundations.public_works.data_folder import DataFolder, DataFolderInUse
from foundations.public_works.database import Database, DatabaseBusy
from foundations.public_works.stage import ROOM
from foundations.public_works.stores import opened_alone, shown
from main import Platform
from realms.journey.api import Journeys, RunStatus
from realms.journey.left_behind import RunsLeftBehind
from realms.journey.operations import JourneyOperationsService
from realms.solution.api import DataMashSolutions
from smart_city.content_steward.api import ContentSteward
from smart_city.librarian.api import Librarian
from tests.support.postgres import settings
from utilities.context import CallContext, bound

pytestmark = pytest.mark.anyio

CSV = b"day,city,temp\n2024-01-01,Oslo,-4.5\n2024-01-02,Rome,12.5\n"


@contextmanager
def caller() -> Iterator[None]:
    with bound(CallContext("trace-of-the-test")):
        yield


async def moved(source: str, target: str, said: list[str] | None = None) -> int:
    rooms = [ROOM, *roles(), *realms()[0]]
    async with opened_alone(source, kept=True) as here, opened_alone(target) as there:
        for room in rooms:
            for store in (here, there):
                if room.migrations is not None:
                    await store.migrate(room.name, room.migrations)
        names = (shown(source), shown(target))
        tables = await move(here, there, names=names, say=(said or []).append)
    return sum(table.rows for table in tables)


async def uploaded(city: Platform) -> str:
    path = city.registry.get(DataFolder).spool()
    path.write_bytes(CSV)
    return (
        await city.registry.get(ContentSteward).register_upload(path.name, "readings.csv")
    ).file_id


async def asking(city: Platform, file_id: str) -> str:
    """The id of a run that waits for a person."""
    journeys = city.registry.get(Journeys)
    run_id = (await journeys.start("review_file", {"file_id": file_id})).run_id
    async with asyncio.timeout(30):
        while (await journeys.wait(run_id, seconds=0.1)).status is not RunStatus.WAITING:
            pass
    return run_id


async def approved(city: Platform, run_id: str) -> Any:
    operations = city.registry.get(JourneyOperationsService)
    (question,) = [q for q in (await operations.list_questions()).questions if q.run_id == run_id]
    await operations.answer_question(run_id, question.wait_id, {"approve": True})
    return await city.registry.get(Journeys).wait(run_id, seconds=30)


async def test_city_moves_to_a_server_and_back_with_its_live_runs(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "AT_ONCE", 20)
    folder, embedded = tmp_path / "city", f"sqlite:///{tmp_path}/city/city.sqlite3"
    async with Platform(settings(folder)) as city:
        with caller():
            file_id = await uploaded(city)
            await city.registry.get(DataMashSolutions).execute_data_mash_flow(file_id)
            runs = [await asking(city, file_id) for _ in range(3)]
            found = await city.registry.get(Librarian).search("Oslo readings")
        with pytest.raises(DataFolderInUse):
            await moved(embedded, postgres_url)
    with pytest.raises(RunsLeftBehind, match="3 runs"):
        await Platform(settings(folder, postgres_url)).__aenter__()

    said: list[str] = []
    there = await moved(embedded, postgres_url, said)

    with pytest.raises(StoreLeft):
        await Platform(settings(folder)).__aenter__()
    async with Platform(settings(folder, postgres_url)) as city:
        with caller():
            first = await approved(city, runs[0])
            fresh = await asking(city, file_id)
            again = await city.registry.get(Librarian).search("Oslo readings")
            await city.registry.get(DataMashSolutions).execute_data_mash_flow(file_id, rerun=True)
        with pytest.raises(StoreInUse):
            await moved(postgres_url, embedded)
    with pytest.raises(StoreLeft):
        await Platform(settings(folder)).__aenter__()

    back = await moved(postgres_url, embedded)

    with pytest.raises(StoreLeft):
        await Platform(settings(folder, postgres_url)).__aenter__()
    async with Platform(settings(folder)) as city:
        with caller():
            others = [await approved(city, run) for run in (runs[1], fresh)]
            last = await asking(city, file_id)
            back_again = await city.registry.get(Librarian).search("Oslo readings")

    assert [run.status for run in (first, *others)] == [RunStatus.SUCCEEDED] * 3
    assert there < back
    assert any(line.startswith("journey_facts: ") for line in said) or there
    assert {hit.snippet for hit in again.hits} == {hit.snippet for hit in found.hits} != set()
    assert {hit.snippet for hit in back_again.hits} == {hit.snippet for hit in found.hits}
    assert last > fresh


async def filled(folder: Path, rows: int = 30) -> None:
    async with Platform(settings(folder), working=False) as city:
        database = city.registry.get(Database)
        await database.write(
            lambda c: (
                c.exec_driver_sql(
                    "INSERT INTO journey_memos VALUES ('north', ?, ?, ?)",
                    [(f"key-{n:03}", bytes([n]), n) for n in range(rows)],
                )
                and None
            )
        )


async def test_move_that_was_broken_off_goes_on_where_it_was(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "AT_ONCE", 4)
    embedded = f"sqlite:///{tmp_path}/city.sqlite3"
    await filled(tmp_path)
    write, writes = PostgresDatabase.write, []

    async def break_off(self: PostgresDatabase, work: Any) -> Any:
        writes.append(work)
        if len(writes) == 5:
            raise DatabaseBusy("the cable")
        return await write(self, work)

    monkeypatch.setattr(PostgresDatabase, "write", break_off)
    with pytest.raises(DatabaseBusy):
        await moved(embedded, postgres_url)
    with pytest.raises(MoveUnfinished):
        await Platform(settings(tmp_path / "other", postgres_url)).__aenter__()
    first_time, writes[:] = len(writes), [None] * 5
    rows = await moved(embedded, postgres_url)

    assert rows == 30
    assert len(writes) - 5 < 30 / 4 + first_time  # what had arrived is not sent again
    async with opened_alone(postgres_url) as store:
        kept = "SELECT count(*) FROM journey_memos"
        assert await store.read(lambda c: c.exec_driver_sql(kept).scalar_one()) == 30


async def test_store_that_keeps_another_city_is_not_written_over(
    postgres_url: str, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        await filled(tmp_path / name)
    await moved(f"sqlite:///{tmp_path}/one/city.sqlite3", postgres_url)

    with pytest.raises(StoreNotEmpty):
        await moved(f"sqlite:///{tmp_path}/other/city.sqlite3", postgres_url)


async def test_what_arrives_otherwise_is_found(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = moving._insert

    def spoiled(table: Any, values: list[dict[str, Any]], connection: Any) -> None:
        insert(
            table,
            [row | {"output": b"?"} if "output" in row else row for row in values],
            connection,
        )

    monkeypatch.setattr(moving, "_insert", spoiled)
    await filled(tmp_path)

    with pytest.raises(StoresDiffer, match="journey_memos"):
        await moved(f"sqlite:///{tmp_path}/city.sqlite3", postgres_url)
    async with Platform(settings(tmp_path), working=False) as city:
        assert city.registry


async def test_embedded_city_does_not_begin_while_its_runs_are_on_a_server(
    postgres_url: str, tmp_path: Path
) -> None:
    async with Platform(settings(tmp_path, postgres_url)) as city:
        with caller():
            file_id = await uploaded(city)
            run = await asking(city, file_id)

    with pytest.raises(RunsLeftBehind) as refused:
        await Platform(settings(tmp_path)).__aenter__()
    async with Platform(settings(tmp_path, postgres_url)) as city:
        with caller():
            await approved(city, run)

    assert "store migrate" in refused.value.hint
    async with Platform(settings(tmp_path)) as city:
        assert city.registry
