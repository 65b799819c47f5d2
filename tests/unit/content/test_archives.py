"""Archives are judged before, and while, they are unpacked."""

import struct
import time
import zipfile
from pathlib import Path

import pytest

from foundations.public_works import archives
from foundations.public_works.archives import (
    ArchiveLimits,
    DamagedArchive,
    DecompressionLimit,
    Encrypted,
    Truncated,
    UnsafeMarkup,
    inspect,
)
from tests.support import hostile_files as hostile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def test_u13_single_entry_of_ten_gigabytes_is_refused_unopened(file: Path) -> None:
    whole = hostile.bomb(2**20)
    at = whole.index(b"PK\x01\x02") + 24
    file.write_bytes(whole[:at] + struct.pack("<I", 0xF0000000) + whole[at + 4 :])
    started = time.perf_counter()

    with pytest.raises(DecompressionLimit) as caught:
        inspect(file)

    assert caught.value.code == "decompression_limit"
    assert time.perf_counter() - started < 1


def test_u13_ratio_above_a_hundred_is_refused(file: Path) -> None:
    file.write_bytes(hostile.bomb(3 * 2**20))

    with pytest.raises(DecompressionLimit, match="grows more than 100 times"):
        inspect(file)


def test_small_entry_may_shrink_a_lot(file: Path) -> None:
    file.write_bytes(hostile.bomb(2**20))

    inspect(file)


def test_u13_archives_nested_too_deep_are_refused(file: Path) -> None:
    data = b"words"
    for _ in range(3):
        data = hostile.zipped({"inner.zip": data}, stored=True)
    file.write_bytes(data)

    with pytest.raises(DecompressionLimit, match="nested deeper than 2"):
        inspect(file)


def test_archive_in_an_archive_is_walked(file: Path) -> None:
    inner = hostile.zipped({"note.txt": b"words"})
    file.write_bytes(hostile.zipped({"inner.zip": inner}))

    assert [(piece.entry, piece.depth) for piece in archives.walk(file)] == [
        ("inner.zip", 1),
        ("note.txt", 2),
    ]


def test_entry_without_a_name_is_walked(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(zipfile.ZipInfo(""), b"words")

    assert [(piece.entry, piece.data) for piece in archives.walk(file)] == [("", b"words")]


def test_u13_bombs_side_by_side_share_one_budget(file: Path) -> None:
    file.write_bytes(hostile.zipped({str(n): bytes(range(256)) * 400 for n in range(20)}))

    with pytest.raises(DecompressionLimit, match="as it declares itself"):
        inspect(file, ArchiveLimits(total_bytes=1_000_000))


def test_budget_holds_across_nested_archives(file: Path) -> None:
    inner = hostile.zipped({"a": bytes(range(256)) * 2000})
    file.write_bytes(hostile.zipped({"1.zip": inner, "2.zip": inner}, stored=True))

    with pytest.raises(DecompressionLimit, match="unpacked"):
        inspect(file, ArchiveLimits(total_bytes=900_000))


def test_u13_too_many_entries_are_refused(file: Path) -> None:
    file.write_bytes(hostile.many_entries(10_001))

    with pytest.raises(DecompressionLimit, match="10,000 entries"):
        inspect(file)


def test_u13_directory_too_big_is_not_even_read(file: Path) -> None:
    file.write_bytes(hostile.many_entries(70_000))

    with pytest.raises(DecompressionLimit, match="10,000 entries"):
        archives.listing(file)


def test_entries_of_nested_archives_count_together(file: Path) -> None:
    inner = hostile.many_entries(6)
    file.write_bytes(hostile.zipped({"1.zip": inner, "2.zip": inner}))

    with pytest.raises(DecompressionLimit, match="10 entries"):
        inspect(file, ArchiveLimits(entries=10))


def test_u14_sizes_that_lie_are_caught(file: Path) -> None:
    file.write_bytes(hostile.lying(b"\0" * 5_000_000))

    with pytest.raises(DamagedArchive):
        inspect(file)


def test_u14_overlapping_entries_are_refused(file: Path) -> None:
    file.write_bytes(hostile.overlapping())

    with pytest.raises(DamagedArchive):
        inspect(file)


@pytest.mark.parametrize("cut", [30, 100])
def test_u26_archive_cut_off_says_so(file: Path, cut: int) -> None:
    file.write_bytes(hostile.zipped({"a": b"words" * 50})[:-cut])

    with pytest.raises(Truncated):
        inspect(file)


def test_flipped_byte_is_damage(file: Path) -> None:
    whole = bytearray(hostile.zipped({"a": b"words" * 50}, stored=True))
    whole[40] ^= 0xFF
    file.write_bytes(whole)

    with pytest.raises(DamagedArchive, match="CRC"):
        inspect(file)


@pytest.mark.parametrize(("flags", "method", "fault"), [(1, 0, Encrypted), (0, 99, DamagedArchive)])
def test_encrypted_or_unknown_entries_are_told_apart(
    file: Path, flags: int, method: int, fault: type[Exception]
) -> None:
    whole = bytearray(hostile.zipped({"a": b"words"}, stored=True))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<HH", whole, whole.index(mark) + at, flags, method)
    file.write_bytes(whole)

    with pytest.raises(fault):
        inspect(file)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("word/x.xml", hostile.BILLION_LAUGHS),
        ("word/x.xml", hostile.BILLION_LAUGHS.decode().encode("utf-16")),
        ("word/_rels/x.rels", hostile.FETCHES_A_TEMPLATE),
    ],
)
def test_u16_entities_and_outside_content_are_refused(file: Path, name: str, data: bytes) -> None:
    file.write_bytes(hostile.docx(extra={name: data}))

    with pytest.raises(UnsafeMarkup):
        inspect(file)


def test_u16_hyperlinks_and_folders_pass(file: Path) -> None:
    file.write_bytes(
        hostile.docx(extra={"word/_rels/x.rels": hostile.LINKS_TO_A_PAGE, "dir/": b""})
    )

    inspect(file)


def test_zip64_directory_is_read(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive, archive.open("a", "w", force_zip64=True) as entry:
        entry.write(b"words")

    assert archives.listing(file).names == ("a",)
