"""The S3 adapter where the service is not as it should be: each fault has its word and remedy."""

import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.adapters.s3 import S3ObjectStore, s3_store
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import StorageFull
from foundations.public_works.object_store import ObjectStoreRefused, ObjectStoreUnreachable
from tests.support.stores import (
    bucket_keys,
    bucket_settings,
    bucket_variables,
    make_bucket,
    s3_server,
)
from utilities.errors import PlatformError
from utilities.ids import TimeSortableIds

pytestmark = pytest.mark.anyio


@contextmanager
def answering(
    status: int, body: str, heard: Callable[[str, bytes], None] = lambda _digest, _content: None
) -> Iterator[str]:
    """A server that gives one answer to everything; its address.

    `heard` is told the digest that a request announces, and its content.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heard(self.headers.get("x-amz-content-sha256", ""), content)
            self.send_response(status)
            if not body:
                self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def __getattr__(self, name: str) -> Any:
            return self.answer if name.startswith("do_") else super().__getattribute__(name)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[DataFolder]:
    settings = bucket_settings(tmp_path / "city", {})
    async with DataFolder(settings=settings, ids=TimeSortableIds()) as opened:
        yield opened


def store_at(endpoint: str, folder: DataFolder, bucket: str = "city") -> S3ObjectStore:
    """A store that gives up soon."""
    settings = bucket_settings(folder.path, bucket_variables(endpoint, bucket))
    objects = S3ObjectStore(settings=settings, folder=folder)
    objects._opened = s3_store(settings, patience=0.3)
    return objects


@pytest.mark.parametrize(
    ("status", "body", "wanted", "hint"),
    [
        (403, "<Code>AccessDenied</Code>", ObjectStoreRefused, "right to get, put"),
        (403, "<Code>InvalidAccessKeyId</Code>", ObjectStoreRefused, "CIVITAS_FILES_ACCESS_KEY"),
        (403, "<Code>SignatureDoesNotMatch</Code>", ObjectStoreRefused, "FILES_SECRET_KEY"),
        (403, "<Code>RequestTimeTooSkewed</Code>", ObjectStoreRefused, "clock"),
        (404, "<Code>NoSuchBucket</Code>", ObjectStoreRefused, "CIVITAS_FILES_URL"),
        (404, "<html>nginx</html>", ObjectStoreUnreachable, "city doctor"),
        (401, "", ObjectStoreRefused, "city doctor"),
        (301, "<Code>PermanentRedirect</Code>", ObjectStoreRefused, "CIVITAS_FILES_REGION"),
        (500, "oops", ObjectStoreUnreachable, "retry"),
        (503, "<Code>SlowDown</Code>", ObjectStoreUnreachable, "retry"),
        (507, "<Code>XMinioStorageFull</Code>", StorageFull, "room"),
        (200, "no store at all", ObjectStoreUnreachable, "retry"),
    ],
)
async def test_fault_of_the_service_has_its_word_and_remedy(
    folder: DataFolder, status: int, body: str, wanted: type[PlatformError], hint: str
) -> None:
    with answering(status, body) as endpoint, pytest.raises(wanted) as caught:
        await store_at(endpoint, folder).put("a", b"1")

    assert hint in caught.value.hint
    told = f"{caught.value.detail} {caught.value.hint}"
    assert "a-key-for-tests" not in told
    assert endpoint not in told


async def test_store_that_is_away_is_unreachable_for_each_call(
    folder: DataFolder, tmp_path: Path
) -> None:
    objects = store_at("http://127.0.0.1:9", folder)
    (tmp_path / "file").write_bytes(b"1")

    for call in (
        objects.put("a", b"1"),
        objects.put_file("a", tmp_path / "file"),
        objects.get("a"),
        anext(objects.stream("a")),
        objects.delete("a"),
    ):
        with pytest.raises(ObjectStoreUnreachable):
            await call
    with pytest.raises(ObjectStoreUnreachable):
        async with objects.local_copy("a"):
            pass
    assert list(folder.staging.iterdir()) == []


async def test_what_is_sent_is_signed_with_its_digest(folder: DataFolder) -> None:
    heard: list[tuple[str, bytes]] = []
    with answering(200, "", lambda digest, content: heard.append((digest, content))) as endpoint:
        await store_at(endpoint, folder).put("a", b"some content")

    assert heard == [(hashlib.sha256(b"some content").hexdigest(), b"some content")]


async def test_bucket_that_is_not_there_is_no_missing_object(folder: DataFolder) -> None:
    with s3_server() as endpoint:
        objects = store_at(endpoint, folder, "nobody")

        with pytest.raises(ObjectStoreRefused) as of_get:
            await objects.get("a")
        with pytest.raises(ObjectStoreRefused) as of_head:  # a HEAD is answered with no reason
            await anext(objects.stream("a"))

    assert "make the bucket" in of_get.value.hint
    assert "make the bucket" in of_head.value.hint


async def test_keys_stand_below_the_prefix_and_cannot_leave_it(folder: DataFolder) -> None:
    with s3_server() as endpoint:
        make_bucket(endpoint, "shared")
        variables = bucket_variables(endpoint, "shared", prefix="of/north")
        settings = bucket_settings(folder.path, variables)
        await S3ObjectStore(settings=settings, folder=folder).put("client/1", b"1")

        assert bucket_keys(endpoint, "shared") == ["of/north/client/1"]


async def test_secrets_are_in_no_text_of_the_settings(folder: DataFolder) -> None:
    settings = bucket_settings(folder.path, bucket_variables("http://127.0.0.1:9", "city"))
    objects = S3ObjectStore(settings=settings, folder=folder)

    shown = f"{settings!r} {settings.model_dump_json()} {objects._store!r} {objects!r}"
    assert "a-key-for-tests" not in shown
