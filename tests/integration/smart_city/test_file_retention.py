"""Files go when their retention has ended, with all that was made of them, but not while in use."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from foundations.public_works.database import DatabaseBusy
from foundations.public_works.dispatch import Arrived, Dispatch, Handler
from foundations.public_works.hourly import PASS
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from realms.journey.api import JourneyRun, Journeys
from realms.solution.retention import FileRetentionService, NotTheirSweep
from smart_city.content_steward.api import (
    ContentSteward,
    FileInUse,
    FileRefused,
    FileStatus,
    FileUnknown,
    Track,
)
from smart_city.content_steward.forgetting import Forgetting
from smart_city.content_steward.records.files import FileRecords
from smart_city.data_steward.api import ContentSeen, DataSteward, PolicySubject
from tests.support.role_city import NORTH, SOUTH, RoleCity, as_user
from utilities.context import UserContext

pytestmark = pytest.mark.anyio

KEPT = timedelta(days=1825)
CSV = b"station,rain\nA,1.5\nB,2.5\n"
READER = UserContext(tenant="north", principal="third", roles=("reader",))


class RunsOf(Journeys):
    """Unfinished runs, each with the file it names; `later` are those that begin in between."""

    def __init__(self) -> None:
        self.runs: dict[str, list[str]] = {}
        self.later: dict[str, list[str]] = {}

    async def start(self, template: str, values: Any, **more: Any) -> JourneyRun:
        raise NotImplementedError

    async def wait(self, run_id: str, *, seconds: float) -> JourneyRun:
        raise NotImplementedError

    async def get(self, run_id: str) -> JourneyRun:
        raise NotImplementedError

    async def unfinished_naming(self, word: str) -> tuple[str, ...]:
        found = tuple(self.runs.get(word, ()))
        self.runs |= self.later
        return found


class Bell(Dispatch):
    """Remembers who is to be woken when, and rings only by hand."""

    def __init__(self) -> None:
        self.due: list[datetime] = []

    def handle(self, queue: str, handler: Handler, *, arrived: Arrived | None = None) -> None:
        self._handler = handler

    def wake(self, queue: str, key: str, *, at: datetime | None = None, **more: Any) -> None:
        assert at is not None
        self.due.append(at)

    def hand_on(self, queue: str, key: str, *, at: datetime) -> None:
        self.due.append(at)

    async def ring(self) -> None:
        await self._handler("")


@pytest.fixture
def journeys() -> RunsOf:
    return RunsOf()


@pytest.fixture
async def retention(city: RoleCity, journeys: RunsOf) -> AsyncIterator[FileRetentionService]:
    service = FileRetentionService(
        files=city.get(ContentSteward),
        data=city.get(DataSteward),
        journeys=journeys,
        dispatch=Bell(),
        clock=city.clock,
    )
    async with service.working():
        yield service


async def parsed(city: RoleCity, name: str = "rain.csv", content: bytes = CSV) -> str:
    """A file that came in and was looked at; its id."""
    record = await city.get(ContentSteward).register_upload(city.spool(content), name)
    text = Passage(number=1, place=Place.read("line 1"), text="write to anna@example.org")
    await city.get(DataSteward).enforce_client_data_policy(
        PolicySubject(
            file_id=record.file_id,
            name=name,
            media_type=record.media_type,
            size=record.size,
            content=ContentSeen(tables=(), passages=(text,)),
        )
    )
    return record.file_id


async def test_file_stays_until_its_retention_ends(
    city: RoleCity, retention: FileRetentionService
) -> None:
    file_id = await parsed(city)
    city.clock.move(KEPT - timedelta(seconds=1))

    assert await retention.sweep_all() == 0
    assert (await retention.preview_retention()).unused == ()
    assert (await city.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED


async def test_file_goes_with_everything_and_a_note_of_it_stays(
    city: RoleCity, retention: FileRetentionService
) -> None:
    file_id = await parsed(city)
    seen = await city.get(DataSteward).get_data_classes(file_id)
    city.clock.move(KEPT)

    assert await retention.sweep_all() == 1

    with pytest.raises(FileUnknown):
        await city.get(ContentSteward).get_file(file_id)
    assert city.objects() == []
    assert (await city.get(DataSteward).get_lineage(file_id)).links == ()
    [note] = (await city.get(DataSteward).list_removals()).removals
    assert (note.file_id, note.keep_until, note.classes) == (file_id, seen.keep_until, ("contact",))
    assert note.removed_at == city.clock.now()
    assert any(f"{file_id} was removed: its retention ended" in line for line in city.log)
    assert await retention.sweep_all() == 0


async def test_file_that_an_unfinished_run_uses_stays_until_the_run_ends(
    city: RoleCity, retention: FileRetentionService, journeys: RunsOf
) -> None:
    file_id = await parsed(city)
    journeys.runs[file_id] = ["run-1"]
    city.clock.move(KEPT)

    assert await retention.sweep_all() == 0
    [used] = (await retention.sweep_retention()).used
    assert (used.file_id, used.runs) == (file_id, ("run-1",))
    assert (await city.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED
    assert (await city.get(DataSteward).list_removals()).removals == ()
    del journeys.runs[file_id]
    assert await retention.sweep_all() == 1


async def test_file_that_a_run_begins_to_use_just_then_is_as_it_was(
    city: RoleCity, retention: FileRetentionService, journeys: RunsOf
) -> None:
    file_id = await parsed(city)
    before = await city.get(ContentSteward).get_file(file_id)
    journeys.later[file_id] = ["run-1"]
    city.clock.move(KEPT)

    assert await retention.sweep_all() == 0
    assert await city.get(ContentSteward).get_file(file_id) == before


async def test_preview_removes_nothing(
    city: RoleCity, retention: FileRetentionService, journeys: RunsOf
) -> None:
    gone, kept = await parsed(city), await parsed(city, "snow.csv", CSV + b"C,3\n")
    journeys.runs[kept] = ["run-1"]
    city.clock.move(KEPT)

    seen = await retention.preview_retention()

    assert not seen.removed
    assert [one.file_id for one in seen.unused] == [gone]
    assert [one.file_id for one in seen.used] == [kept]
    assert (await city.get(ContentSteward).get_file(gone)).status is FileStatus.STORED


async def test_sweep_on_request_is_the_callers_tenants(
    city: RoleCity, retention: FileRetentionService
) -> None:
    ours = await parsed(city)
    with as_user(SOUTH):
        theirs = await parsed(city)
    city.clock.move(KEPT)

    swept = await retention.sweep_retention()

    assert swept.removed
    assert [one.file_id for one in swept.unused] == [ours]
    with as_user(SOUTH):
        assert await city.get(ContentSteward).get_file(theirs)
        assert (await city.get(DataSteward).list_removals()).removals == ()


async def test_sweep_by_itself_is_of_every_tenant(
    city: RoleCity, retention: FileRetentionService
) -> None:
    await parsed(city)
    with as_user(SOUTH):
        await parsed(city)
    city.clock.move(KEPT)

    assert await retention.sweep_all() == 2


async def test_who_may_not_decide_sweeps_nothing(
    city: RoleCity, retention: FileRetentionService
) -> None:
    file_id = await parsed(city)
    city.clock.move(KEPT)

    with as_user(READER), pytest.raises(NotTheirSweep):
        await retention.sweep_retention()
    with as_user(NORTH):
        assert await city.get(ContentSteward).get_file(file_id)


async def test_person_deletes_a_file_whoever_uses_it(city: RoleCity, journeys: RunsOf) -> None:
    file_id = await parsed(city)
    journeys.runs[file_id] = ["run-1"]

    with pytest.raises(FileInUse, match="run-1"):
        await city.get(ContentSteward).delete_unused(
            file_id, lambda: journeys.unfinished_naming(file_id)
        )
    assert (await city.get(ContentSteward).delete_file(file_id)).existed


async def test_file_stays_where_nobody_can_say_whether_it_is_used(city: RoleCity) -> None:
    file_id = await parsed(city)
    answers = iter([()])

    async def users() -> tuple[str, ...]:
        try:
            return next(answers)
        except StopIteration:
            raise DatabaseBusy("locked") from None

    with pytest.raises(DatabaseBusy):
        await city.get(ContentSteward).delete_unused(file_id, users)

    assert (await city.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED


async def test_file_whose_deletion_was_cut_short_before_it_was_asked_again_is_put_back(
    city: RoleCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await parsed(city)
    forgetting, records = city.get(Forgetting), city.get(FileRecords)
    changed = FileRecords.changed

    async def users() -> tuple[str, ...]:
        """The second time the power fails."""
        if await records.find(NORTH.tenant, Track.CLIENT, file_id) is None:
            monkeypatch.setattr(FileRecords, "changed", power_cut)
            raise KeyboardInterrupt
        return ()

    async def power_cut(*_: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await city.get(ContentSteward).delete_unused(file_id, users)
    monkeypatch.setattr(FileRecords, "changed", changed)
    with pytest.raises(FileUnknown):
        await city.get(ContentSteward).get_file(file_id)

    async with forgetting.working():  # at the next start
        assert (await city.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED
        assert await city.get(DataSteward).get_data_classes(file_id)
        assert await records.leaving() == []


async def test_deletion_gives_way_to_a_process_that_puts_the_file_back(city: RoleCity) -> None:
    file_id = await parsed(city)
    asked = 0

    async def users() -> tuple[str, ...]:
        nonlocal asked
        asked += 1
        if asked == 2:
            async with city.get(Forgetting).working():  # another process starts
                pass
        return ()

    with pytest.raises(FileInUse, match="put it back"):
        await city.get(ContentSteward).delete_unused(file_id, users)

    assert (await city.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED


async def test_file_that_another_is_about_to_delete_is_not_forgotten(
    city: RoleCity, retention: FileRetentionService
) -> None:
    file_id = await parsed(city)
    city.clock.move(KEPT)
    swept: list[int] = []

    async def users() -> tuple[str, ...]:
        """Meanwhile another process sweeps; then a run turns out to use the file."""
        if await city.get(FileRecords).find(NORTH.tenant, Track.CLIENT, file_id) is None:
            swept.append(await retention.sweep_all())
            return ("run-1",)
        return ()

    with pytest.raises(FileInUse, match="run-1"):
        await city.get(ContentSteward).delete_unused(file_id, users)

    assert swept == [0]
    assert (await city.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED
    assert await city.get(DataSteward).get_data_classes(file_id)


async def test_file_that_is_put_back_has_its_bytes_though_its_twin_went_meanwhile(
    city: RoleCity,
) -> None:
    twin, file_id = await parsed(city), await parsed(city, "again.csv")
    steward = city.get(ContentSteward)
    asked = 0

    async def users() -> tuple[str, ...]:
        nonlocal asked
        asked += 1
        if asked == 2:
            await steward.delete_file(twin)
        return ("run-1",) * (asked - 1)

    with pytest.raises(FileInUse, match="run-1"):
        await steward.delete_unused(file_id, users)

    assert b"".join([chunk async for chunk in steward.stream_content(file_id)]) == CSV


async def test_file_that_is_gone_already_leaves_no_note(
    city: RoleCity, retention: FileRetentionService
) -> None:
    text = Passage(number=1, place=Place.read("line 1"), text="write to anna@example.org")
    gone = PolicySubject(
        file_id="01gone",
        name="a.txt",
        media_type="text/plain",
        size=9,
        content=ContentSeen(tables=(), passages=(text,)),
    )
    await city.get(DataSteward).enforce_client_data_policy(gone)
    city.clock.move(KEPT)

    await retention.sweep_all()

    assert (await city.get(DataSteward).list_retention()).files == ()
    assert (await city.get(DataSteward).list_removals()).removals == ()


async def test_city_looks_every_hour(city: RoleCity, journeys: RunsOf) -> None:
    bell = Bell()
    service = FileRetentionService(
        files=city.get(ContentSteward),
        data=city.get(DataSteward),
        journeys=journeys,
        dispatch=bell,
        clock=city.clock,
    )
    file_id = await parsed(city)
    began = city.clock.now()
    async with service.working():
        city.clock.move(KEPT)
        await bell.ring()
    await bell.ring()  # one that comes late changes nothing

    assert bell.due == [began + timedelta(minutes=1), city.clock.now() + PASS]
    with pytest.raises(FileUnknown):
        await city.get(ContentSteward).get_file(file_id)


async def test_file_in_quarantine_is_left_to_who_decides_there(
    city: RoleCity, retention: FileRetentionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await parsed(city)

    async def refused(*_: Any) -> None:
        raise FileRefused("it is in quarantine")

    monkeypatch.setattr(city.get(ContentSteward), "delete_unused", refused)
    city.clock.move(KEPT)

    assert await retention.sweep_all() == 0
    assert (await city.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED
