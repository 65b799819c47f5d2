"""Files on two tracks: stored whole or refused with nothing left, and never mixed."""

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import StorageFull, TextRefused
from foundations.public_works.media_types import EmptyFile, UnsupportedFile
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.scanner import Malware
from smart_city.content_steward.api import (
    ContentSteward,
    FileNotStored,
    FileRecord,
    FileRefused,
    FileStatus,
    FileUnknown,
    Track,
)
from smart_city.content_steward.intake import (
    DigestMismatch,
    Intake,
    StoredFileCorrupt,
    UnknownUpload,
)
from smart_city.content_steward.pages import BadPage
from smart_city.content_steward.records.files import FileRecords
from smart_city.data_steward.api import DataSteward, DataTrack, KindOfDataRefused, PolicyRefused
from smart_city.post_office.api import PostOffice
from smart_city.post_office.records import PostRecords
from tests.support.role_city import NORTH_SECOND, SOUTH, RoleCity, as_user, role_city
from utilities.context import UserContext
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

CSV = b"station,rain\nA,1.5\nB,2.5\n"
HARMFUL = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture
def steward(city: RoleCity) -> ContentSteward:
    return city.get(ContentSteward)


async def test_upload_is_judged_stored_and_known(city: RoleCity, steward: ContentSteward) -> None:
    with as_user(SOUTH, "trace-of-upload"):
        record = await steward.register_upload(city.spool(CSV), "rain.csv")

        assert await steward.get_file(record.file_id) == record
    assert record.status is FileStatus.STORED
    assert (record.tenant, record.name, record.trace_id) == ("south", "rain.csv", "trace-of-upload")
    assert (record.media_type, record.size) == ("text/csv", len(CSV))
    assert record.sha256 == hashlib.sha256(CSV).hexdigest()
    assert record.storage_location == f"client/south/{record.file_id}"
    assert record.created_at == city.clock.now()
    assert (record.warnings, record.reason) == ((), "")
    assert city.objects() == [record.storage_location]
    assert city.staged() == []


async def test_processing_a_stored_file_answers_the_same_every_time(
    city: RoleCity, steward: ContentSteward
) -> None:
    record = await steward.register_upload(city.spool(CSV), "rain.csv")

    answers = [await steward.process_client_file(record.file_id) for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0].model_dump() == {
        "file_id": record.file_id,
        "validation_status": "valid",
        "storage_location": record.storage_location,
    }


async def test_stored_file_that_changed_is_found_out(
    city: RoleCity, steward: ContentSteward
) -> None:
    record = await steward.register_upload(city.spool(CSV), "rain.csv")
    stored = city.folder.objects / record.storage_location
    stored.write_bytes(CSV.replace(b"1.5", b"9.5"))

    with pytest.raises(StoredFileCorrupt) as changed:
        await steward.process_client_file(record.file_id)
    stored.unlink()
    with pytest.raises(StoredFileCorrupt) as missing:
        await steward.process_client_file(record.file_id)

    assert "changed" in changed.value.detail
    assert "missing" in missing.value.detail
    assert changed.value.code == "stored_file_corrupt"


async def test_upload_that_is_registered_again_gives_the_first_answer(
    city: RoleCity, steward: ContentSteward
) -> None:
    spool = city.spool(CSV)
    record = await steward.register_upload(spool, "rain.csv")

    assert await steward.register_upload(spool, "rain.csv") == record
    assert len((await steward.list_files()).files) == 1


@pytest.mark.parametrize(
    "spool",
    ["", ".", "..", "../city.lock", "/etc/passwd", "nothing", "sub/file", "nul\0byte", "link"],
)
async def test_only_a_plain_file_directly_in_staging_can_be_registered(
    city: RoleCity, steward: ContentSteward, spool: str
) -> None:
    staging = city.folder.staging
    (staging / "sub").mkdir()
    (staging / "sub" / "file").write_bytes(CSV)
    (staging / "link").symlink_to(city.folder.path / "city.lock")

    with pytest.raises((UnknownUpload, TextRefused)):
        await steward.register_upload(spool, "rain.csv")

    assert (city.folder.path / "city.lock").exists()
    assert (staging / "sub" / "file").exists()


@pytest.mark.parametrize("announced", [{"sha256": "0" * 64}, {"size": len(CSV) + 1}])
async def test_other_bytes_than_announced_leave_nothing(
    city: RoleCity, steward: ContentSteward, announced: dict[str, object]
) -> None:
    with pytest.raises(DigestMismatch) as refused:
        await steward.register_upload(city.spool(CSV), "rain.csv", **announced)  # type: ignore[arg-type]  # one of two types

    assert refused.value.code == "digest_mismatch"
    assert (city.objects(), city.staged()) == ([], [])
    assert (await steward.list_files()).files == ()


async def test_announced_digest_may_be_written_in_capitals(
    city: RoleCity, steward: ContentSteward
) -> None:
    digest = hashlib.sha256(CSV).hexdigest().upper()

    record = await steward.register_upload(
        city.spool(CSV), "rain.csv", sha256=digest, size=len(CSV)
    )

    assert record.status is FileStatus.STORED


@pytest.mark.parametrize(
    ("content", "name", "error", "kind", "status"),
    [
        (HARMFUL, "note.txt", Malware, ErrorKind.INVALID, FileStatus.QUARANTINED),
        (
            b"\x7fELF" + bytes(100),
            "a.csv",
            UnsupportedFile,
            ErrorKind.UNSUPPORTED,
            FileStatus.REFUSED,
        ),
        (b"", "empty.csv", EmptyFile, ErrorKind.INVALID, FileStatus.REFUSED),
        (CSV, "id_rsa", PolicyRefused, ErrorKind.INVALID, FileStatus.REFUSED),
    ],
)
async def test_unfit_file_is_refused_and_only_its_record_stays(
    city: RoleCity,
    steward: ContentSteward,
    content: bytes,
    name: str,
    error: type[PlatformError],
    kind: ErrorKind,
    status: FileStatus,
) -> None:
    with pytest.raises(error) as refused:
        await steward.register_upload(city.spool(content), name)

    assert refused.value.kind is kind
    (record,) = (await steward.list_files()).files
    assert record.status is status
    assert record.reason.startswith(f"{refused.value.code}: ")
    assert record.storage_location == ""
    apart = [f"quarantine/client/north/{record.file_id}"] if error is Malware else []
    assert (city.objects(), city.staged()) == (apart, [])
    assert any(line.startswith("WARNING") and record.file_id in line for line in city.log)
    with pytest.raises(FileRefused):
        await steward.process_client_file(record.file_id)


async def test_refused_upload_that_is_registered_again_is_refused_again(
    city: RoleCity, steward: ContentSteward
) -> None:
    spool = city.spool(HARMFUL)
    with pytest.raises(Malware):
        await steward.register_upload(spool, "note.txt")

    with pytest.raises(FileRefused):
        await steward.register_upload(spool, "note.txt")


async def test_name_and_declared_type_that_lie_are_warned_about(
    city: RoleCity, steward: ContentSteward
) -> None:
    record = await steward.register_upload(
        city.spool(b'{"a": [1, 2]}'), "report.pdf", declared_type="application/pdf; q=1"
    )

    assert record.media_type == "application/json"
    assert len(record.warnings) == 2
    assert "'application/pdf'" in record.warnings[1]


async def test_display_name_is_made_safe(city: RoleCity, steward: ContentSteward) -> None:
    record = await steward.register_upload(city.spool(CSV), "../../etc/\u202eevil\r\n.csv")

    assert record.name == "evil.csv"


class FullStore:
    """Lets an object store run out of room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, objects: ObjectStore) -> None:
        self._monkeypatch = monkeypatch
        self._objects = objects

    def fill(self) -> None:
        async def put_file(key: str, path: Path) -> None:
            raise StorageFull("the disk is full")

        self._monkeypatch.setattr(self._objects, "put_file", put_file)


async def test_full_disk_passes_through_and_later_uploads_succeed(
    city: RoleCity, steward: ContentSteward
) -> None:
    spool = city.spool(CSV)
    with pytest.MonkeyPatch.context() as patched:
        FullStore(patched, city.get(ObjectStore)).fill()
        with pytest.raises(StorageFull):
            await steward.register_upload(spool, "rain.csv")
        assert (city.objects(), city.staged()) == ([], [])
        assert (await steward.list_files()).files == ()

    record = await steward.register_upload(city.spool(CSV), "rain.csv")

    assert record.status is FileStatus.STORED


async def test_upload_that_is_cancelled_leaves_nothing(
    city: RoleCity, steward: ContentSteward, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_door = asyncio.Event()
    objects = city.get(ObjectStore)
    put_file = objects.put_file

    async def slow(key: str, path: Path) -> None:
        await put_file(key, path)
        at_the_door.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(objects, "put_file", slow)
    async with asyncio.TaskGroup() as tasks:
        upload = tasks.create_task(steward.register_upload(city.spool(CSV), "rain.csv"))
        await at_the_door.wait()
        upload.cancel()

    assert upload.cancelled()
    assert (city.objects(), city.staged()) == ([], [])
    assert await city.get(FileRecords).staged() == []


async def test_file_on_its_way_in_is_not_given_out(
    city: RoleCity, steward: ContentSteward, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = city.get(Intake)
    store = intake.store
    seen: list[str] = []

    async def watched(track: Track, record: FileRecord, path: Path, **more: Any) -> object:
        seen.append(record.file_id)
        with pytest.raises(FileNotStored):
            await steward.process_client_file(record.file_id)
        assert (await steward.list_files()).files == ()
        return await store(track, record, path, **more)

    monkeypatch.setattr(intake, "store", watched)
    record = await steward.register_upload(city.spool(CSV), "rain.csv")

    assert seen == [record.file_id]


async def test_upload_a_crash_cut_short_is_undone_at_the_next_boot(tmp_path: Path) -> None:
    async with role_city(tmp_path) as before:
        steward = before.get(ContentSteward)
        record = await steward.register_upload(before.spool(CSV), "rain.csv")
        staged = record.model_copy(update={"file_id": "cut-short", "status": FileStatus.STAGED})
        await before.get(FileRecords).add(Track.CLIENT, staged, spool="lost")
        await before.get(ObjectStore).put("client/north/cut-short", CSV)

    async with role_city(tmp_path, clock=before.clock) as after:
        with pytest.raises(FileUnknown):
            await after.get(ContentSteward).get_file("cut-short")
        assert after.objects() == [record.storage_location]
        assert await after.get(ContentSteward).get_file(record.file_id) == record


class PowerCut(BaseException):
    """The process ends here."""


async def test_stored_file_nobody_was_told_of_is_told_of_at_the_next_boot(
    tmp_path: Path,
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        async with role_city(tmp_path) as before:
            async with before.get(PostOffice).subscribe("files.stored", "reader"):
                pass
            _cut_power_at(before, patched)
            with as_user(NORTH_SECOND, "trace-of-upload"), pytest.raises(PowerCut):
                await before.get(ContentSteward).register_upload(before.spool(CSV), "rain.csv")

    async with role_city(tmp_path, clock=before.clock) as after:
        async with after.get(PostOffice).subscribe("files.stored", "reader") as deliveries:
            delivery = await anext(deliveries)
        assert delivery.context.trace_id == "trace-of-upload"
        assert delivery.context.tenant == "north"
        file_id = delivery.event.data["file_id"]
        assert (await after.get(ContentSteward).get_file(file_id)).status is FileStatus.STORED
        assert await after.get(FileRecords).unannounced() == []


def _cut_power_at(city: RoleCity, patched: pytest.MonkeyPatch) -> None:
    """Fail between "stored" and the event, and keep the clean-up from running, as a cut would."""

    async def fails(*_: object, **__: object) -> None:
        raise PowerCut

    patched.setattr(city.get(PostRecords), "post", fails)
    patched.setattr(city.get(FileRecords), "remove", fails)


async def test_event_and_lineage_tell_of_a_stored_file(
    city: RoleCity, steward: ContentSteward
) -> None:
    async with city.get(PostOffice).subscribe("files.stored", "reader") as deliveries:
        record = await steward.register_upload(city.spool(CSV), "rain.csv")
        delivery = await anext(deliveries)
    lineage = await city.get(DataSteward).get_lineage(record.file_id)

    assert delivery.event.key == record.file_id
    assert delivery.event.data["sha256"] == record.sha256
    assert [(link.subject, link.predicate) for link in lineage.links] == [
        (record.storage_location, "stores")
    ]


async def test_tracks_never_mix(city: RoleCity, steward: ContentSteward) -> None:
    client = await steward.register_upload(city.spool(CSV), "rain.csv")
    internal = await steward.register_internal(city.spool(CSV), "settings.csv")

    assert internal.storage_location == f"internal/north/{internal.file_id}"
    assert (await steward.process_internal_file(internal.file_id)).validation_status == "valid"
    assert await steward.get_internal_file(internal.file_id) == internal
    for crossed in (
        steward.process_client_file(internal.file_id),
        steward.get_file(internal.file_id),
        steward.process_internal_file(client.file_id),
        steward.get_internal_file(client.file_id),
        anext(steward.stream_content(internal.file_id)),
        steward.local_copy(internal.file_id).__aenter__(),
    ):
        with pytest.raises(FileUnknown):
            await crossed
    assert (await steward.list_files()).files == (client,)
    with pytest.raises(BadPage):
        await steward.list_files(cursor=internal.file_id)


async def test_each_track_is_judged_and_traced_by_its_own_policy(
    city: RoleCity, steward: ContentSteward
) -> None:
    data = city.get(DataSteward)
    pdf = (Path(__file__).parents[2] / "data" / "declaration.pdf").read_bytes()
    with pytest.raises(KindOfDataRefused):
        await steward.register_internal(city.spool(pdf), "declaration.pdf")
    client = await steward.register_upload(city.spool(pdf), "declaration.pdf")
    internal = await steward.register_internal(city.spool(CSV), "settings.csv")

    (decision,) = (await data.get_decisions(client.file_id)).decisions
    assert (decision.track, decision.allowed) == (DataTrack.CLIENT, True)
    assert (await data.get_decisions(internal.file_id)).decisions == ()
    assert (await data.get_lineage(internal.file_id)).links == ()
    assert len((await data.get_platform_lineage(internal.file_id)).links) == 1


async def test_event_of_an_internal_file_is_not_published(
    city: RoleCity, steward: ContentSteward
) -> None:
    async with city.get(PostOffice).subscribe("files.*", "reader") as deliveries:
        await steward.register_internal(city.spool(CSV), "settings.csv")
        client = await steward.register_upload(city.spool(CSV), "rain.csv")

        assert (await anext(deliveries)).event.key == client.file_id


@pytest.mark.parametrize("stranger", [SOUTH])
async def test_file_of_another_tenant_is_unknown(
    city: RoleCity, steward: ContentSteward, stranger: UserContext
) -> None:
    record = await steward.register_upload(city.spool(CSV), "rain.csv")

    with as_user(stranger):
        for call in (
            steward.get_file(record.file_id),
            steward.process_client_file(record.file_id),
            anext(steward.stream_content(record.file_id)),
            steward.local_copy(record.file_id).__aenter__(),
        ):
            with pytest.raises(FileUnknown):
                await call
        assert (await steward.list_files()).files == ()
        with pytest.raises(BadPage):
            await steward.list_files(cursor=record.file_id)


async def test_list_is_newest_first_and_goes_on_by_cursor(
    city: RoleCity, steward: ContentSteward
) -> None:
    made = []
    for number in range(5):
        city.clock.move(timedelta(seconds=1))
        made.append(await steward.register_upload(city.spool(CSV), f"{number}.csv"))

    first = await steward.list_files(limit=2)
    second = await steward.list_files(limit=2, cursor=first.next_cursor)
    third = await steward.list_files(limit=2, cursor=second.next_cursor)

    listed = [*first.files, *second.files, *third.files]
    assert [record.name for record in listed] == ["4.csv", "3.csv", "2.csv", "1.csv", "0.csv"]
    assert third.next_cursor == ""


@pytest.mark.parametrize(("limit", "cursor"), [(0, ""), (-1, ""), (201, ""), (10, "forged")])
async def test_page_that_cannot_be_is_refused(
    steward: ContentSteward, limit: int, cursor: str
) -> None:
    with pytest.raises(BadPage):
        await steward.list_files(limit=limit, cursor=cursor)


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_content_can_be_read_whole_in_part_and_from_a_path(
    city: RoleCity, steward: ContentSteward
) -> None:
    record = await steward.register_upload(city.spool(CSV), "rain.csv")

    assert await whole(steward.stream_content(record.file_id)) == CSV
    assert await whole(steward.stream_content(record.file_id, start=3, end=7)) == CSV[3:7]
    async with steward.local_copy(record.file_id) as copy:
        assert copy.path.read_bytes() == CSV


async def test_content_of_a_refused_file_is_not_there(
    city: RoleCity, steward: ContentSteward
) -> None:
    with pytest.raises(Malware):
        await steward.register_upload(city.spool(HARMFUL), "note.txt")
    (record,) = (await steward.list_files()).files

    with pytest.raises(FileRefused):
        await whole(steward.stream_content(record.file_id))


async def test_harm_inside_an_archive_is_found(city: RoleCity, steward: ContentSteward) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<document/>")
        archive.writestr("word/embedded.bin", HARMFUL)

    with pytest.raises(Malware):
        await steward.register_upload(city.spool(packed.getvalue()), "letter.docx")

    assert city.objects("client") == []


async def test_tenant_whose_name_is_a_path_stays_below_its_own_key(
    city: RoleCity, steward: ContentSteward
) -> None:
    odd = UserContext(tenant="../north", principal="first", roles=("owner",))
    with as_user(odd):
        record = await steward.register_upload(city.spool(CSV), "rain.csv")
        assert (await steward.process_client_file(record.file_id)).validation_status == "valid"

    assert city.objects() == [record.storage_location]
    assert record.storage_location.startswith("client/x.")
    assert (city.get(DataFolder).path / "city.lock").exists()
