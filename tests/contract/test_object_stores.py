"""What every store for files promises; one suite for the local folder and for S3."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from foundations.public_works.adapters.local_objects import LocalObjectStore
from foundations.public_works.adapters.s3 import S3ObjectStore
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from tests.support.stores import bucket_settings, bucket_variables, make_bucket, s3_server
from utilities.ids import TimeSortableIds

pytestmark = pytest.mark.anyio

BOTH = ("local", "s3", "s3 with a prefix")
SIZES = (0, 1, 1024 * 1024, 3 * 1024 * 1024 + 7, 12 * 1024 * 1024 + 1)
"""Empty, tiny, a chunk of a stream, beyond it, and more than one part of an upload."""
KEYS = ("a", "client/local/01jd3k2m", "client/tenant with space/ümlaut+plus%25~()*", "a.b/c..d")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        make_bucket(address, "city")
        yield address


@pytest.fixture(params=BOTH)
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path, endpoint: str
) -> AsyncIterator[tuple[ObjectStore, DataFolder]]:
    prefix = "of/this city" if "prefix" in request.param else ""
    variables = bucket_variables(endpoint, "city", prefix=prefix)
    settings = bucket_settings(tmp_path / "city", variables)
    async with DataFolder(settings=settings, ids=TimeSortableIds()) as folder:
        if request.param == "local":
            yield LocalObjectStore(folder=folder), folder
        else:
            yield S3ObjectStore(settings=settings, folder=folder), folder


@pytest.fixture
def objects(opened: tuple[ObjectStore, DataFolder]) -> ObjectStore:
    return opened[0]


async def streamed(
    objects: ObjectStore, key: str, *, start: int = 0, end: int | None = None
) -> bytes:
    return b"".join([chunk async for chunk in objects.stream(key, start=start, end=end)])


@pytest.mark.parametrize("size", SIZES)
async def test_object_comes_back_whole_and_identical(
    objects: ObjectStore, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)

    await objects.put_file("a/file", tmp_path / "source")
    await objects.put("a/bytes", content)

    for key in ("a/file", "a/bytes"):
        assert await objects.get(key) == content
        assert await streamed(objects, key) == content
        async with objects.local_copy(key) as path:
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()


async def test_part_of_an_object_is_streamed_in_chunks(objects: ObjectStore) -> None:
    content = os.urandom(3 * 1024 * 1024)
    await objects.put("a", content)

    assert await streamed(objects, "a", start=10, end=2_000_000) == content[10:2_000_000]
    assert await streamed(objects, "a", start=len(content) - 1) == content[-1:]
    assert await streamed(objects, "a", start=5, end=5) == b""
    assert await streamed(objects, "a", end=10**9) == content
    chunks = [len(chunk) async for chunk in objects.stream("a")]
    assert chunks == [1024 * 1024] * 3


@pytest.mark.parametrize("key", KEYS)
async def test_key_of_any_characters_keeps_its_own_object(objects: ObjectStore, key: str) -> None:
    await objects.put("other", b"other")
    await objects.put(key, key.encode())

    assert await objects.get(key) == key.encode()
    await objects.delete(key)
    with pytest.raises(ObjectNotFound):
        await objects.get(key)
    assert await objects.get("other") == b"other"


async def test_several_files_are_put_below_a_folder_and_removed_with_it(
    objects: ObjectStore, tmp_path: Path
) -> None:
    paths = {name: tmp_path / f"{name}.source" for name in ("a", "b.txt", "c")}
    for name, path in paths.items():
        path.write_bytes(name.encode())
    await objects.put("derived/north/file-10/a", b"of another folder")

    await objects.put_files("derived/north/file-1", paths, last={"d": b"last"})

    told = await objects.get_files("derived/north/file-1", ["d", *paths])
    assert told == [b"last", *(name.encode() for name in paths)]
    with pytest.raises(ObjectNotFound):
        await objects.get_files("derived/north/file-1", ["a", "e"])
    for name in paths:
        assert await objects.get(f"derived/north/file-1/{name}") == name.encode()
    assert await objects.delete_below("derived/north/file-1") == 4
    assert await objects.delete_below("derived/north/file-1") == 0
    with pytest.raises(ObjectNotFound):
        await objects.get("derived/north/file-1/a")
    assert await objects.get("derived/north/file-10/a") == b"of another folder"


async def test_later_put_replaces_the_whole_object(objects: ObjectStore) -> None:
    await objects.put("a", b"a long first text")
    await objects.put("a", b"short")

    assert await objects.get("a") == b"short"


async def test_missing_object_is_not_found_and_may_be_deleted(objects: ObjectStore) -> None:
    await objects.put("a", b"1")
    await objects.delete("a")
    await objects.delete("a")

    with pytest.raises(ObjectNotFound):
        await objects.get("a")
    with pytest.raises(ObjectNotFound):
        async with objects.local_copy("a"):
            pass
    with pytest.raises(ObjectNotFound):
        await anext(objects.stream("a"))


async def test_many_objects_at_once_do_not_mix(objects: ObjectStore) -> None:
    await asyncio.gather(*(objects.put(f"many/{n}", str(n).encode() * 1000) for n in range(40)))

    found = await asyncio.gather(*(objects.get(f"many/{n}") for n in range(40)))

    assert found == [str(n).encode() * 1000 for n in range(40)]


async def test_local_copy_leaves_nothing_in_the_staging_folder(
    opened: tuple[ObjectStore, DataFolder],
) -> None:
    objects, folder = opened
    await objects.put("a", b"1")

    async def fail() -> None:
        async with objects.local_copy("a") as path:
            raise LookupError(path.read_bytes())

    with pytest.raises(LookupError, match="b'1'"):
        await fail()

    assert list(folder.staging.iterdir()) == []
    assert await objects.get("a") == b"1"


async def test_object_outlives_the_one_who_put_it(
    opened: tuple[ObjectStore, DataFolder],
) -> None:
    objects, folder = opened
    await objects.put("kept", b"1")
    again: ObjectStore = LocalObjectStore(folder=folder)
    if isinstance(objects, S3ObjectStore):
        again = S3ObjectStore(settings=objects._settings, folder=folder)

    assert await again.get("kept") == b"1"
