"""Runs that ended long ago leave the journal for the archive: over SQLite and a local store."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from foundations.public_works.database import Database, StorageFull
from foundations.public_works.settings import Settings
from realms.journey.api import RunStatus, UnknownRun
from realms.journey.engine.codec import decode
from realms.journey.engine.folding import fold
from realms.journey.engine.journal import RunFilter
from realms.journey.engine.records import ArchiveRecords
from realms.journey.engine.retention import QUEUE, Retention
from realms.journey.engine.schedules import InForce, ScheduledTemplates
from realms.journey.records import DatabaseJournal
from realms.journey.testing.city import MemoryObjects
from tests.support.journals import any_database
from tests.support.journeys import BEGAN, USER, JourneyCity
from utilities.context import bound
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

UPLOAD = """\
journey_template: upload
input: {file_id: string}
milestones:
  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}
"""
KEEP_A_WEEK = UPLOAD.replace("upload", "brief") + "retention: {keep: P7D}\n"
OUTER = """\
journey_template: outer
input: {file_id: string}
milestones:
  - {milestone_id: below, journey: brief, with: {file_id: "${input.file_id}"}}
  - {milestone_id: rest, wait: P20D, needs: [below]}
timeout: P30D
"""


class Faulty(PlatformError):
    """It fails."""

    kind = ErrorKind.INVALID


class FullStore(MemoryObjects):
    """Takes no object while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    async def put(self, key: str, data: bytes) -> None:
        if self.full:
            raise StorageFull("the disk is full")
        await super().put(key, data)


@dataclass
class World(ScheduledTemplates):
    city: JourneyCity
    database: Database
    objects: FullStore
    gone: set[str] = field(default_factory=set)

    async def in_force(self) -> Sequence[InForce]:
        names = [name for name in self.city.texts if name not in self.gone]
        found = [(name, (await self.city.templates.current(name)).plan) for name in names]
        return [InForce("local", name, plan) for name, plan in found]

    def retention(self) -> Retention:
        return Retention(
            journal=self.city.journal,
            templates=self,
            driver=self.city.driver,
            records=ArchiveRecords(database=self.database),
            objects=self.objects,
            leadership=self.city.leadership,
            dispatch=self.city.dispatch,
            clock=self.city.clock,
            settings=Settings(journey_retention_days=30),
        )

    async def run(self, template: str, file_id: str = "f1") -> str:
        """A run that has ended."""
        accepted = await self.city.engine.start(template, {"file_id": file_id})
        await self.city.dispatch.settle(until=self.city.clock.now() - BEGAN + timedelta(minutes=1))
        return accepted.run_id

    async def archive(self, *, days: float = 0) -> int:
        """So long later, what retention does in a pass."""
        self.city.clock.time += timedelta(days=days)
        retention = self.retention()
        async with retention.working():
            return await retention.archive()

    async def there(self) -> list[str]:
        rows = await self.city.journal.page(RunFilter("north"), limit=200)
        return [row.template for row in rows]

    def lines(self) -> list[dict[str, Any]]:
        kept = [d for key, d in sorted(self.objects.kept.items()) if key.startswith("archive/")]
        return [orjson.loads(line) for data in kept for line in data.splitlines()]


@pytest.fixture(params=["sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    texts = {"upload": UPLOAD, "brief": KEEP_A_WEEK, "outer": OUTER}
    async with any_database(request, tmp_path) as database:
        objects = FullStore()  # type: ignore[abstract]  # it defines what is used here
        journal = DatabaseJournal(database=database)
        async with JourneyCity(journal, texts=texts, objects=objects) as city:
            with bound(USER):
                yield World(city, database.across_tenants(), objects)


async def test_runs_are_kept_as_long_as_their_template_says(world: World) -> None:
    await world.run("upload")
    await world.run("brief")

    assert await world.archive(days=6) == 0
    assert await world.archive(days=2) == 1
    assert await world.there() == ["upload"]
    assert await world.archive(days=23) == 1
    assert await world.there() == []


async def test_runs_of_a_template_that_is_gone_are_kept_as_the_city_is_set(world: World) -> None:
    await world.run("brief")
    world.gone.add("brief")

    assert await world.archive(days=29) == 0
    assert await world.archive(days=2) == 1


async def test_what_is_archived_can_be_read_again(world: World) -> None:
    run_id = await world.run("upload")
    before = await world.city.engine.get(run_id)
    stored = (await world.city.journal.load([run_id]))[run_id]

    await world.archive(days=31)

    (line,) = world.lines()
    assert line["run"]["run_id"] == run_id
    assert line["run"]["status"] == "succeeded"
    entries = [orjson.dumps(entry) for entry in line["entries"]]
    assert entries == list(stored.entries)
    again = fold(run_id, map(decode, entries))
    assert again.results["stored"] == before.milestones[0].output
    with pytest.raises(UnknownRun):
        await world.city.engine.get(run_id)
    (key,) = [key for key in world.objects.kept if key.startswith("archive/")]
    assert key.startswith("archive/journeys/upload/20260201T")


async def test_large_payloads_go_into_the_archive_and_from_the_store(world: World) -> None:
    world.city.services.answers["process_client_file"] = lambda a: {
        "file_id": a["file_id"],
        "validation_status": "x" * 300_000,
        "storage_location": "",
    }
    await world.run("upload")
    (key,) = world.objects.kept

    await world.archive(days=31)

    assert key not in world.objects.kept
    (line,) = world.lines()
    assert len(line["payloads"][key]["validation_status"]) == 300_000


async def test_payloads_left_by_a_crash_are_deleted_in_the_next_pass(world: World) -> None:
    records = ArchiveRecords(database=world.database)
    run_id = await world.run("upload")
    await world.objects.put("journeys/large.json", b"{}")

    await records.remove({run_id: ["journeys/large.json"]}, before=BEGAN + timedelta(days=1))
    await world.archive()

    assert world.objects.kept == {}
    assert await records.leftovers(limit=10) == []


async def test_dead_letters_stay_until_somebody_settles_them(world: World) -> None:
    def fail(_: Any) -> Any:
        raise Faulty("no")

    world.city.services.answers["process_client_file"] = fail
    run_id = await world.run("brief")

    assert await world.archive(days=60) == 0
    row = (await world.city.journal.load([run_id]))[run_id].row
    assert row.status is RunStatus.FAILED


async def test_a_run_whose_parent_goes_on_stays_and_holds_up_no_other(world: World) -> None:
    await world.run("outer")
    for number in range(3):
        await world.run("brief", f"f{number}")

    assert await world.archive(days=8) == 3
    assert sorted(await world.there()) == ["brief", "outer"]


async def test_a_run_that_is_opened_again_meanwhile_stays(world: World) -> None:
    run_id = await world.run("upload")
    records = ArchiveRecords(database=world.database)
    row = (await world.city.journal.load([run_id]))[run_id].row

    assert await records.remove({run_id: []}, before=row.updated_at) == []
    async with world.city.driver.holding(run_id):
        assert await world.archive(days=31) == 0
    assert await world.there() == ["upload"]


async def test_nothing_is_removed_that_could_not_be_archived(world: World) -> None:
    await world.run("upload")
    world.objects.full = True
    with pytest.raises(StorageFull):
        await world.archive(days=31)
    assert await world.there() == ["upload"]

    world.objects.full = False
    assert await world.archive() == 1


async def test_many_runs_go_in_pages(world: World) -> None:
    run_id = await world.run("upload")
    stored = (await world.city.journal.load([run_id]))[run_id]
    values = [(f"copy-{number:04}", 0, stored.entries[0]) for number in range(450)]

    def copies(connection: Any) -> None:
        for copy, seq, data in values:
            connection.exec_driver_sql(
                "INSERT INTO journey_runs SELECT ?, tenant, alias, template, template_hash, status,"
                " reason, wake_at, created_at, updated_at, holder, lane, parent, settled, 0"
                " FROM journey_runs WHERE run_id = ?",
                (copy, run_id),
            )
            connection.exec_driver_sql(
                "INSERT INTO journey_facts VALUES (?, ?, ?)", (copy, seq, data)
            )

    await world.database.across_tenants().write(copies)

    assert await world.archive(days=31) == 451
    assert len(world.lines()) == 451
    assert len([key for key in world.objects.kept if key.startswith("archive/")]) == 5
    left = await world.database.across_tenants().read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM journey_facts").scalar_one()
    )
    assert left == 0


async def test_memos_go_when_runs_of_their_time_do(world: World) -> None:
    def remember(connection: Any) -> None:
        micros = int(BEGAN.timestamp() * 1_000_000)
        for key in ("brief:stored:1", "briefer:stored:1"):
            values = ("north", key, b"{}", micros)
            connection.exec_driver_sql("INSERT INTO journey_memos VALUES (?, ?, ?, ?)", values)

    await world.database.across_tenants().write(remember)
    await world.run("brief")
    await world.archive(days=8)

    assert await world.city.journal.memo("north", "brief:stored:1", since=None) is None
    assert await world.city.journal.memo("north", "briefer:stored:1", since=None) == b"{}"


async def test_it_looks_by_itself_every_hour(world: World) -> None:
    await world.run("brief")
    world.city.clock.time += timedelta(days=7, minutes=-30)
    async with world.retention().working():
        await world.city.dispatch.settle(until=timedelta(days=7))
        before = await world.there()
        await world.city.dispatch.settle(until=timedelta(days=7, hours=2))

    assert (before, await world.there()) == (["brief"], [])
    assert [w[2] for w in world.city.dispatch._wakes].count(QUEUE) == 1
