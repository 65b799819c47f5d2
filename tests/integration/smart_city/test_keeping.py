"""Files are kept once, by version, within their quota; harmful ones apart until one decides."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from foundations.public_works.database import Database
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.scanner import Malware
from smart_city.content_steward.api import (
    ContentSteward,
    FileRecord,
    FileRefused,
    FileStatus,
    FileUnknown,
    NeverFits,
    NotInQuarantine,
    NotTheirDecision,
    Quarantine,
    QuotaExceeded,
    Track,
    Uploads,
    UploadUnknown,
    Verdict,
)
from smart_city.content_steward.intake import DigestMismatch, Intake, StoredFileCorrupt
from smart_city.content_steward.records.files import FileRecords
from smart_city.content_steward.records.uploads import UploadRecords
from smart_city.content_steward.uploading import PiecesMissing
from tests.support.role_city import NORTH, NORTH_SECOND, SOUTH, RoleCity, as_user, role_city
from utilities.context import UserContext

pytestmark = pytest.mark.anyio

CSV = b"station,rain\nA,1.5\nB,2.5\n"
OTHER = b"station,rain\nA,9.5\nB,2.5\n"
HARMFUL = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
MEMBER = UserContext(tenant="north", principal="third", roles=("member",))
STEWARD = UserContext(tenant="north", principal="fourth", roles=("data_steward",))


@pytest.fixture
def steward(city: RoleCity) -> ContentSteward:
    return city.get(ContentSteward)


@pytest.fixture
def quarantine(city: RoleCity) -> Quarantine:
    return city.get(Quarantine)


@pytest.fixture
def uploads(city: RoleCity) -> Uploads:
    return city.get(Uploads)


async def content(steward: ContentSteward, file_id: str) -> bytes:
    return b"".join([chunk async for chunk in steward.stream_content(file_id)])


# The same bytes


async def test_same_bytes_are_stored_once_in_a_tenant(
    city: RoleCity, steward: ContentSteward
) -> None:
    one = await steward.register_upload(city.spool(CSV), "rain.csv")
    two = await steward.register_upload(city.spool(CSV), "regen.csv")

    assert one.file_id != two.file_id
    assert one.storage_location == two.storage_location
    assert city.objects() == [one.storage_location]
    assert await content(steward, two.file_id) == CSV
    assert (await steward.get_usage()).used == len(CSV)


async def test_same_bytes_sent_at_once_are_stored_once(
    city: RoleCity, steward: ContentSteward
) -> None:
    records = await asyncio.gather(
        *(steward.register_upload(city.spool(CSV), f"{at}.csv") for at in range(5))
    )

    assert len({record.storage_location for record in records}) == 1
    assert len(city.objects()) == 1


async def test_same_bytes_of_another_tenant_are_its_own(
    city: RoleCity, steward: ContentSteward
) -> None:
    await steward.register_upload(city.spool(CSV), "rain.csv")
    with as_user(SOUTH):
        theirs = await steward.register_upload(city.spool(CSV), "rain.csv")

        assert theirs.storage_location == f"client/south/{theirs.file_id}"
        assert (theirs.version, theirs.previous) == (1, "")
    assert len(city.objects()) == 2


async def test_same_bytes_of_the_platform_are_its_own(
    city: RoleCity, steward: ContentSteward
) -> None:
    ours = await steward.register_internal(city.spool(CSV), "rain.csv")
    theirs = await steward.register_upload(city.spool(CSV), "rain.csv")

    assert ours.storage_location.startswith("internal/")
    assert theirs.storage_location.startswith("client/")
    assert theirs.version == 1
    assert (await steward.get_usage()).used == len(CSV)


async def test_same_bytes_that_another_process_stored_meanwhile_are_shared(
    city: RoleCity, steward: ContentSteward, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none_yet(*_: object) -> None:
        """What this process saw when it looked."""

    first = await steward.register_upload(city.spool(CSV), "first.csv")
    monkeypatch.setattr(FileRecords, "twin", none_yet)

    second = await steward.register_upload(city.spool(CSV), "second.csv")

    assert second.storage_location == first.storage_location
    assert city.objects() == [first.storage_location]


async def test_file_whose_twin_another_process_removes_has_bytes_of_its_own(
    city: RoleCity, steward: ContentSteward, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await steward.register_upload(city.spool(CSV), "first.csv")
    records, store = city.get(FileRecords), Intake.store

    async def removed_meanwhile(intake: Intake, *call: Any, **more: Any) -> FileRecord:
        stored = await store(intake, *call, **more)
        going = first.model_copy(update={"status": FileStatus.DELETING})
        await records.judged(Track.CLIENT, going)
        await city.get(ObjectStore).delete(first.storage_location)
        return stored

    monkeypatch.setattr(Intake, "store", removed_meanwhile)
    second = await steward.register_upload(city.spool(CSV), "second.csv")

    assert second.storage_location != first.storage_location
    assert await content(steward, second.file_id) == CSV


async def test_bytes_whose_twin_is_spoilt_are_stored_anew(
    city: RoleCity, steward: ContentSteward
) -> None:
    one = await steward.register_upload(city.spool(CSV), "rain.csv")
    (city.folder.objects / one.storage_location).write_bytes(OTHER)

    two = await steward.register_upload(city.spool(CSV), "rain.csv")

    assert two.storage_location != one.storage_location
    assert await content(steward, two.file_id) == CSV
    with pytest.raises(StoredFileCorrupt):
        await steward.process_client_file(one.file_id)


# Versions


async def test_same_name_again_is_the_next_version_and_the_old_one_stays(
    city: RoleCity, steward: ContentSteward
) -> None:
    one = await steward.register_upload(city.spool(CSV), "rain.csv")
    two = await steward.register_upload(city.spool(OTHER), "rain.csv")
    other_name = await steward.register_upload(city.spool(OTHER), "snow.csv")
    with as_user(NORTH_SECOND):
        other_owner = await steward.register_upload(city.spool(OTHER), "rain.csv")

    assert [(r.version, r.previous) for r in (one, two)] == [(1, ""), (2, one.file_id)]
    assert (other_name.version, other_owner.version) == (1, 1)
    assert (await steward.list_versions(one.file_id)).files == (two, one)
    assert await content(steward, one.file_id) == CSV


async def test_file_that_was_refused_is_no_version(city: RoleCity, steward: ContentSteward) -> None:
    with pytest.raises(Malware):
        await steward.register_upload(city.spool(HARMFUL), "rain.csv")
    record = await steward.register_upload(city.spool(CSV), "rain.csv")

    assert record.version == 1


async def test_versions_of_another_tenants_file_are_unknown(
    city: RoleCity, steward: ContentSteward
) -> None:
    record = await steward.register_upload(city.spool(CSV), "rain.csv")

    with as_user(SOUTH), pytest.raises(FileUnknown):
        await steward.list_versions(record.file_id)


# Quarantine


async def quarantined(city: RoleCity, steward: ContentSteward, name: str = "note.txt") -> str:
    with pytest.raises(Malware):
        await steward.register_upload(city.spool(HARMFUL), name)
    return (await steward.list_files()).files[0].file_id


async def test_harmful_file_waits_apart(
    city: RoleCity, steward: ContentSteward, quarantine: Quarantine
) -> None:
    file_id = await quarantined(city, steward)

    (record,) = (await quarantine.list_quarantine()).files
    assert (record.file_id, record.status) == (file_id, FileStatus.QUARANTINED)
    assert record.storage_location == ""
    assert city.objects() == [f"quarantine/client/north/{file_id}"]
    with pytest.raises(FileRefused, match="in quarantine"):
        await content(steward, file_id)
    usage = await steward.get_usage()
    assert (usage.used, usage.quarantined) == (len(HARMFUL), len(HARMFUL))


async def test_released_file_is_stored_like_any_other(
    city: RoleCity, steward: ContentSteward, quarantine: Quarantine
) -> None:
    file_id = await quarantined(city, steward)

    with as_user(STEWARD, "trace-of-release"):
        released = await quarantine.release_file(file_id, "the test file of our scanner")

        (decision,) = (await quarantine.get_quarantine_decisions(file_id)).decisions
    assert (decision.verdict, decision.decided_by) == (Verdict.RELEASE, "fourth")
    assert (decision.reason, decision.trace_id) == (
        "the test file of our scanner",
        "trace-of-release",
    )
    assert (released.status, released.version) == (FileStatus.STORED, 1)
    assert "released from quarantine by fourth: the test file of our scanner" in released.warnings
    assert city.objects() == [released.storage_location] == [f"client/north/{file_id}"]
    assert await content(steward, file_id) == HARMFUL
    assert (await quarantine.list_quarantine()).files == ()
    with pytest.raises(NotInQuarantine):
        await quarantine.release_file(file_id, "again")
    assert any("quarantine: release" in line and "fourth" in line for line in city.log)


async def test_destroyed_file_leaves_its_record_and_the_reason(
    city: RoleCity, steward: ContentSteward, quarantine: Quarantine
) -> None:
    file_id = await quarantined(city, steward)

    destroyed = await quarantine.destroy_file(file_id, "a real virus")

    assert destroyed.status is FileStatus.DESTROYED
    assert city.objects() == []
    assert (await steward.get_file(file_id)) == destroyed
    (decision,) = (await quarantine.get_quarantine_decisions(file_id)).decisions
    assert (decision.verdict, decision.reason) == (Verdict.DESTROY, "a real virus")
    assert (await steward.get_usage()).used == 0
    with pytest.raises(NotInQuarantine):
        await quarantine.release_file(file_id, "too late")


async def test_only_owners_and_stewards_decide(
    city: RoleCity, steward: ContentSteward, quarantine: Quarantine
) -> None:
    file_id = await quarantined(city, steward)

    with as_user(MEMBER):
        for asked in (
            quarantine.list_quarantine(),
            quarantine.get_quarantine_decisions(file_id),
            quarantine.release_file(file_id, "let me"),
            quarantine.destroy_file(file_id, "let me"),
        ):
            with pytest.raises(NotTheirDecision):
                await asked
    with as_user(SOUTH):
        assert (await quarantine.list_quarantine()).files == ()
        for asked in (
            quarantine.release_file(file_id, "not mine"),
            quarantine.destroy_file(file_id, "not mine"),
        ):
            with pytest.raises(FileUnknown):
                await asked
    assert city.objects() == [f"quarantine/client/north/{file_id}"]


async def test_released_and_destroyed_at_once_is_one_of_both(
    city: RoleCity, steward: ContentSteward, quarantine: Quarantine
) -> None:
    file_id = await quarantined(city, steward)

    outcomes = await asyncio.gather(
        quarantine.release_file(file_id, "release"),
        quarantine.destroy_file(file_id, "destroy"),
        return_exceptions=True,
    )

    assert sum(isinstance(one, NotInQuarantine) for one in outcomes) == 1
    assert len((await quarantine.get_quarantine_decisions(file_id)).decisions) == 1


async def test_quarantine_of_the_platforms_own_files_is_apart(
    city: RoleCity, steward: ContentSteward, quarantine: Quarantine
) -> None:
    with pytest.raises(Malware):
        await steward.register_internal(city.spool(HARMFUL), "note.txt")

    assert (await quarantine.list_quarantine()).files == ()
    (record,) = (await quarantine.list_quarantine(track=Track.INTERNAL)).files
    assert city.objects() == [f"quarantine/internal/north/{record.file_id}"]
    with pytest.raises(FileUnknown):
        await quarantine.destroy_file(record.file_id, "another track")
    await quarantine.destroy_file(record.file_id, "seen to", track=Track.INTERNAL)
    assert city.objects() == []


async def test_destruction_that_a_crash_cut_short_is_done_at_the_next_boot(tmp_path: Path) -> None:
    async with role_city(tmp_path) as before:
        file_id = await quarantined(before, before.get(ContentSteward))
        await before.get(Quarantine).destroy_file(file_id, "a real virus")
        record = await before.get(ContentSteward).get_file(file_id)
        await before.get(ObjectStore).put(f"quarantine/client/north/{file_id}", HARMFUL)
        await before.get(Database).write(
            lambda c: c.execute(sa.text("UPDATE files SET announced = 0")).rowcount
        )
    assert record.status is FileStatus.DESTROYED

    async with role_city(tmp_path, clock=before.clock) as after:
        assert after.objects() == []


# Quota


async def test_quota_refuses_what_does_not_fit_and_says_how_much_there_is(tmp_path: Path) -> None:
    async with role_city(tmp_path, storage_quota_bytes=55) as city:
        steward = city.get(ContentSteward)
        await steward.register_upload(city.spool(CSV), "one.csv")
        await steward.register_upload(city.spool(CSV), "twin.csv")
        await steward.register_upload(city.spool(OTHER), "two.csv")
        before = city.objects()

        with pytest.raises(QuotaExceeded, match=r"50 of 55 bytes are in use, and the file has 9"):
            await steward.register_upload(city.spool(b"a,b\n1,22\n"), "three.csv")
        with pytest.raises(NeverFits, match="all files together may have 55"):
            await steward.register_upload(city.spool(b"a,b\n" + b"1,2\n" * 99), "four.csv")

        assert len((await steward.list_files()).files) == 3
        assert (city.objects(), city.staged()) == (before, [])
        usage = await steward.get_usage()
        assert (usage.used, usage.limit, usage.stored) == (50, 55, 50)
        with as_user(SOUTH):
            await steward.register_upload(city.spool(CSV), "theirs.csv")
        await steward.register_internal(city.spool(OTHER + CSV), "platform.csv")


async def test_quota_holds_for_files_that_come_at_once(tmp_path: Path) -> None:
    async with role_city(tmp_path, storage_quota_bytes=30) as city:
        steward = city.get(ContentSteward)
        outcomes = await asyncio.gather(
            *(
                steward.register_upload(city.spool(CSV + b"C,%d\n" % at), f"{at}.csv")
                for at in range(1, 6)
            ),
            return_exceptions=True,
        )

        kept = [one for one in outcomes if not isinstance(one, BaseException)]
        assert len(kept) <= 1
        assert all(isinstance(one, QuotaExceeded) for one in outcomes if one not in kept)


# Uploads in pieces


async def test_upload_in_pieces_becomes_a_file(
    city: RoleCity, steward: ContentSteward, uploads: Uploads
) -> None:
    begun = await uploads.begin_upload(len(CSV), "../rain.csv", declared_type="text/csv")
    assert begun.name == "rain.csv"
    assert (await steward.get_usage()).arriving == len(CSV)
    pieces = uploads.pieces(begun.upload_id)
    pieces.write_bytes(CSV[:5])
    with pytest.raises(PiecesMissing, match="5 of 25"):
        await uploads.finish_upload(begun.upload_id)
    pieces.write_bytes(CSV)

    record = await uploads.finish_upload(begun.upload_id)

    assert await uploads.finish_upload(begun.upload_id) == record
    assert (await uploads.open_upload(begun.upload_id)).file_id == record.file_id
    assert await content(steward, record.file_id) == CSV
    assert (city.staged(), list(city.folder.uploads.iterdir())) == ([], [])
    assert (await steward.get_usage()).arriving == 0


@pytest.mark.parametrize(
    ("sent", "error"), [(HARMFUL, Malware), (CSV, DigestMismatch)], ids=["harmful", "other digest"]
)
async def test_upload_that_is_judged_unfit_is_forgotten(
    city: RoleCity, uploads: Uploads, sent: bytes, error: type[Exception]
) -> None:
    begun = await uploads.begin_upload(
        len(sent), "note.txt", sha256="0" * 64 if sent is CSV else ""
    )
    uploads.pieces(begun.upload_id).write_bytes(sent)

    with pytest.raises(error):
        await uploads.finish_upload(begun.upload_id)

    with pytest.raises(UploadUnknown):
        await uploads.open_upload(begun.upload_id)
    assert (city.staged(), list(city.folder.uploads.iterdir())) == ([], [])


async def test_upload_is_its_owners_and_expires(city: RoleCity, uploads: Uploads) -> None:
    begun = await uploads.begin_upload(9, "rain.csv")
    uploads.pieces(begun.upload_id).write_bytes(b"1234")

    for other in (SOUTH, NORTH_SECOND):
        with as_user(other), pytest.raises(UploadUnknown):
            await uploads.open_upload(begun.upload_id)
    city.clock.move(timedelta(days=1, seconds=1))
    with pytest.raises(UploadUnknown):
        await uploads.open_upload(begun.upload_id)
    await uploads.begin_upload(9, "next.csv")
    assert list(city.folder.uploads.iterdir()) == []


async def test_room_of_an_upload_that_has_expired_is_free(tmp_path: Path) -> None:
    async with role_city(tmp_path, storage_quota_bytes=60) as city:
        steward = city.get(ContentSteward)
        await city.get(Uploads).begin_upload(50, "rain.csv")
        city.clock.move(timedelta(days=1, seconds=1))

        assert (await steward.get_usage()).used == 0
        assert (await steward.register_upload(city.spool(CSV), "rain.csv")).size == len(CSV)


async def test_pieces_of_an_upload_that_begins_meanwhile_stay(
    city: RoleCity, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear = UploadRecords.clear

    async def and_another_begins(records: UploadRecords, *, now: datetime) -> frozenset[str]:
        left = await clear(records, now=now)
        monkeypatch.undo()
        other = await uploads.begin_upload(9, "rain.csv")
        uploads.pieces(other.upload_id).write_bytes(b"1234")
        return left

    monkeypatch.setattr(UploadRecords, "clear", and_another_begins)
    await uploads.begin_upload(9, "next.csv")

    assert [path.read_bytes() for path in city.folder.uploads.iterdir()] == [b"1234"]


async def test_upload_survives_a_restart_and_pieces_of_none_do_not(tmp_path: Path) -> None:
    async with role_city(tmp_path) as before:
        with as_user(NORTH):
            begun = await before.get(Uploads).begin_upload(len(CSV), "rain.csv")
        before.get(Uploads).pieces(begun.upload_id).write_bytes(CSV)
        (before.folder.uploads / "nobodys").write_bytes(b"x")

    async with role_city(tmp_path, clock=before.clock) as after:
        assert [path.name for path in after.folder.uploads.iterdir()] == [begun.upload_id]
        record = await after.get(Uploads).finish_upload(begun.upload_id)

    assert record.size == len(CSV)


async def test_dropped_upload_is_gone(city: RoleCity, uploads: Uploads) -> None:
    begun = await uploads.begin_upload(9, "rain.csv")
    uploads.pieces(begun.upload_id).write_bytes(b"1234")

    await uploads.drop_upload(begun.upload_id)

    assert list(city.folder.uploads.iterdir()) == []
    with pytest.raises(UploadUnknown):
        await uploads.open_upload(begun.upload_id)


async def test_room_is_set_aside_for_uploads(tmp_path: Path) -> None:
    async with role_city(tmp_path, storage_quota_bytes=60, max_upload_bytes=100) as city:
        uploads = city.get(Uploads)
        await uploads.begin_upload(50, "rain.csv")

        with pytest.raises(QuotaExceeded, match="50 of 60"):
            await uploads.begin_upload(11, "snow.csv")
        with pytest.raises(NeverFits, match="60"):
            await uploads.begin_upload(61, "hail.csv")
        with pytest.raises(NeverFits, match="100 are accepted"):
            await uploads.begin_upload(101, "hail.csv")
