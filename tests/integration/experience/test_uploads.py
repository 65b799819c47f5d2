"""A form streamed to disk, in process: what reaches the steward, and what is left on disk."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Request
from starlette.responses import Response

from foundations.experience import uploads
from foundations.experience.downloads import download, wanted
from foundations.experience.uploads import received
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from tests.support.small_city import SmallCity
from utilities.ids import TimeSortableIds

LIMIT = 3_000_000
BOUNDARY = "b0undary"


class Receiver:
    """The routes, and what they were given."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.router = APIRouter()
        self.router.post("/in")(self.take_in)
        self.router.get("/out")(self.give_out)
        self.content = b""
        self.upload: uploads.Upload | None = None

    async def take_in(self, request: Request) -> Response:
        async with received(request, folder=self.folder, limit=LIMIT) as upload:
            self.upload = upload
            self.content = (self.folder.staging / upload.spool).read_bytes()
        return Response(status_code=201)

    async def give_out(self, request: Request) -> Response:
        async def chunks() -> Any:
            part = wanted(request, size=len(self.content), etag='"e"')
            yield self.content[part.start : part.end]

        part = wanted(request, size=len(self.content), etag='"e"')
        return download(chunks(), part, name="a.csv", media_type="", etag='"e"')


@pytest.fixture
def receiver(city: SmallCity, tmp_path: Path) -> Iterator[Receiver]:
    settings = Settings(data_dir=tmp_path)
    made = Receiver(DataFolder(settings=settings, ids=TimeSortableIds()))
    made.folder.staging.mkdir()
    city.application.asgi.include_router(made.router)
    yield made
    assert list(made.folder.staging.iterdir()) == []


def form(
    content: bytes = b"text",
    disposition: str = 'form-data; name="file"; filename="a.txt"',
    *,
    media_type: str = "text/plain; charset=latin-1",
) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: {media_type}\r\n"
    return head.encode() + b"\r\n" + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def send(city: SmallCity, *pieces: bytes, **headers: str) -> Any:
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return city.client.post(
        "/in", content=iter(pieces), headers={"Content-Type": content_type, **headers}
    )


@pytest.mark.parametrize("step", [1, 7, 10_000_000])
def test_file_arrives_whole_however_its_form_is_cut(
    city: SmallCity, receiver: Receiver, step: int
) -> None:
    content = f"\r\n--{BOUNDARY[:-1]}".encode() + bytes(range(256)) * 4
    body = form(content)

    answer = send(city, *(body[i : i + step] for i in range(0, len(body), step)))

    assert answer.status_code == 201
    assert receiver.content == content
    assert receiver.upload is not None
    assert (receiver.upload.name, receiver.upload.declared_type) == ("a.txt", "text/plain")


def test_large_file_is_written_piece_by_piece(city: SmallCity, receiver: Receiver) -> None:
    content = b"0123456789abcdef" * 150_000
    body = form(content)

    answer = send(city, *(body[i : i + 65_536] for i in range(0, len(body), 65_536)))

    assert answer.status_code == 201
    assert receiver.content == content


def test_name_is_utf_8_with_escaped_quotes_and_line_ends(
    city: SmallCity, receiver: Receiver
) -> None:
    send(city, form(disposition='form-data; name="file"; filename="é%22%0D%0A.txt"'))

    assert receiver.upload is not None
    assert receiver.upload.name == 'é"\r\n.txt'


def test_announced_digest_goes_with_the_upload(city: SmallCity, receiver: Receiver) -> None:
    send(city, form(), **{"X-Content-SHA256": "AB" * 32})

    assert receiver.upload is not None
    assert receiver.upload.sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (form()[:-6], "malformed_form"),
        (f"--{BOUNDARY}--\r\n".encode(), "malformed_form"),
        (form(disposition='form-data; name="other"; filename="a"'), "malformed_form"),
        (form(disposition='form-data; name="file"'), "malformed_form"),
        (form()[:-4] + b"\r\n" + form(), "malformed_form"),
        (b"--other\r\n", "malformed_form"),
        (form() + b" " * 1_200_000, "malformed_form"),
        (form(b"x" * LIMIT), "body_too_large"),
    ],
)
def test_other_forms_are_refused_and_leave_nothing(
    city: SmallCity, receiver: Receiver, body: bytes, code: str
) -> None:
    answer = send(city, body)

    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/plain", 415),
        ("multipart/form-data", 400),
        (f"multipart/form-data; boundary={'b' * 400}", 400),
    ],
)
def test_body_that_is_no_form_is_refused(
    city: SmallCity, receiver: Receiver, content_type: str, status: int
) -> None:
    assert send(city, form(), **{"Content-Type": content_type}).status_code == status


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-Content-SHA256", "xyz", "invalid_request"),
        ("Content-MD5", "?", "invalid_request"),
        ("Content-MD5", "AAAA", "digest_mismatch"),
        ("Content-Digest", "sha-512=:AAAA:", "digest_mismatch"),
    ],
)
def test_digest_of_another_body_is_refused(
    city: SmallCity, receiver: Receiver, header: str, value: str, code: str
) -> None:
    answer = send(city, form(), **{header: value})

    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [(errno.ENOSPC, 507, "storage_full"), (errno.EIO, 500, "unexpected")],
)
def test_disk_that_fails_is_told_apart_from_a_full_one(
    city: SmallCity,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    status: int,
    code: str,
) -> None:
    def fail(_: Path) -> Any:
        raise OSError(number, "no")

    monkeypatch.setattr(uploads, "_opened", fail)

    answer = send(city, form())

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_download_is_to_be_saved_and_never_shown(city: SmallCity, receiver: Receiver) -> None:
    receiver.content = b"<script>"

    answer = city.client.get("/out")

    assert answer.content == b"<script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_range_is_given_as_a_part(city: SmallCity, receiver: Receiver) -> None:
    receiver.content = b"0123456789"

    answer = city.client.get("/out", headers={"Range": "bytes=2-4"})

    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["Content-Range"] == "bytes 2-4/10"
