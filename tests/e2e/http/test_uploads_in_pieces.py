"""Uploads in pieces by tus 1.0: with a client that others wrote, and by hands doing it wrong."""

import base64
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed

from tests.support.oracle import check_problem
from tests.support.processes import Server, serving

pytestmark = pytest.mark.slow

TEXT = b"The wheel turns, and the mill grinds on. " * 5000
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
NO_MD5 = "md5 AAAAAAAAAAAAAAAAAAAAAA=="
CONVERT = "/api/business_enablement/content_analysis_orchestrator/convert_file"
LIMIT = 1_000_000
QUOTA = 1_500_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pieces") / "data"
    with serving(
        folder, max_upload_bytes=LIMIT, storage_quota_bytes=QUOTA, upload_idle_seconds=2
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_left(server: Server) -> Iterator[None]:
    """Whatever a test does, no piece and no temporary file is left, but what it says."""
    yield
    assert server.staged == []
    assert pieces_of(server) == []


def pieces_of(server: Server) -> list[str]:
    return sorted(path.name for path in (server.data_dir / "uploads").iterdir())


def metadata(**told: str) -> str:
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in told.items())


def begun(client: httpx2.Client, length: int, name: str = "mill.txt", **headers: str) -> str:
    answer = client.post(
        "/api/uploads",
        headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(filename=name),
                 **headers},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def send(
    client: httpx2.Client,
    path: str,
    data: bytes | Iterator[bytes],
    offset: int = 0,
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    told = {**PIECE, "Upload-Offset": str(offset), **(headers or {})}
    return client.patch(path, content=data, headers=told)


def offset_of(client: httpx2.Client, path: str) -> int:
    answer = client.head(path, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def dropped(client: httpx2.Client, path: str) -> None:
    assert client.delete(path, headers=TUS).status_code == 204


def record_at(client: httpx2.Client, answer: httpx2.Response) -> dict[str, Any]:
    found: dict[str, Any] = client.get(answer.headers["Content-Location"]).json()["result"]
    return found


# A client that others wrote


def test_client_of_others_sends_a_file_in_pieces(server: Server, client: httpx2.Client) -> None:
    uploader = TusClient(f"{server.url}/api/uploads").uploader(
        file_stream=BytesIO(TEXT), chunk_size=30_000, upload_checksum=True,
        metadata={"filename": "Mühle.txt", "filetype": "text/plain"},
    )  # fmt: skip

    uploader.upload()

    last = client.head(str(uploader.url), headers=TUS)
    record = record_at(client, last)
    assert (record["name"], record["size"]) == ("Mühle.txt", len(TEXT))
    assert record["sha256"] == hashlib.sha256(TEXT).hexdigest()
    content = client.get(f"/api/files/{record['file_id']}/content")
    assert content.content == TEXT
    digest = base64.b64encode(hashlib.sha256(TEXT).digest()).decode()
    assert content.headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_client_of_others_goes_on_where_it_was(server: Server, client: httpx2.Client) -> None:
    text = TEXT[::-1]
    city = TusClient(f"{server.url}/api/uploads")
    first = city.uploader(file_stream=BytesIO(text), chunk_size=50_000)
    first.upload(stop_at=50_000)

    again = city.uploader(file_stream=BytesIO(text), chunk_size=50_000, url=first.url)
    assert again.offset == 50_000
    again.upload()

    last = client.head(str(again.url), headers=TUS)
    assert client.get(f"{last.headers['Content-Location']}/content").content == text


def test_client_of_others_is_told_what_is_refused(server: Server) -> None:
    city = TusClient(f"{server.url}/api/uploads")

    with pytest.raises(TusUploadFailed) as refused:
        city.uploader(
            file_stream=BytesIO(EICAR), chunk_size=1000, metadata={"filename": "a.txt"}
        ).upload()

    assert refused.value.status_code == 422


# By hand


def test_options_tell_what_is_spoken(client: httpx2.Client) -> None:
    answer = client.options("/api/uploads")

    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation", "creation-with-upload", "expiration", "checksum", "termination",
    }  # fmt: skip
    assert answer.headers["Tus-Max-Size"] == str(LIMIT)
    assert "sha256" in answer.headers["Tus-Checksum-Algorithm"]


def test_pieces_make_the_file_and_the_last_answer_tells_where(client: httpx2.Client) -> None:
    data = b"first second"
    path = begun(client, len(data), Location="ignored")

    one = send(client, path, data[:6])
    assert (one.status_code, one.headers["Upload-Offset"]) == (204, "6")
    assert "Upload-Expires" in one.headers
    assert offset_of(client, path) == 6
    two = send(client, path, data[6:], 6)

    assert (two.status_code, two.headers["Upload-Offset"]) == (204, "12")
    record = record_at(client, two)
    assert record["name"] == "mill.txt"
    assert offset_of(client, path) == 12
    check_problem(send(client, path, b"more", 12), 409, "offset_mismatch")


def test_first_piece_may_come_with_the_beginning(client: httpx2.Client) -> None:
    data = b"all at once"
    answer = client.post(
        "/api/uploads",
        content=data,
        headers={**PIECE, "Upload-Length": "11", "Upload-Metadata": metadata(filename="a.txt")},
    )

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "11")
    assert record_at(client, answer)["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "4"}, 413, "body_too_large"),
        ({"Upload-Length": "11", "Upload-Checksum": NO_MD5}, 460, "checksum_mismatch"),
        ({"Upload-Length": "11", "Upload-Offset": "4"}, 409, "offset_mismatch"),
        ({"Upload-Length": "11", "Upload-Checksum": "crc32 AAAA"}, 400, "malformed_tus"),
    ],
)
def test_beginning_whose_first_piece_is_refused_leaves_nothing(
    client: httpx2.Client, headers: dict[str, str], status: int, code: str
) -> None:
    before = client.get("/api/files/usage").json()["result"]

    answer = client.post("/api/uploads", content=b"all at once", headers={**PIECE, **headers})

    check_problem(answer, status, code)
    assert client.get("/api/files/usage").json()["result"] == before


def test_empty_file_is_judged_like_any_other(client: httpx2.Client) -> None:
    answer = client.post("/api/uploads", headers={**TUS, "Upload-Length": "0"})

    check_problem(answer, 422, "empty_file")


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_piece_with_a_checksum_is_checked(client: httpx2.Client, algorithm: str) -> None:
    data = f"checked by {algorithm}".encode()
    path = begun(client, len(data) + 1)
    right = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
    wrong = base64.b64encode(hashlib.new(algorithm, b"x").digest()).decode()

    check_problem(
        send(client, path, data, headers={"Upload-Checksum": f"{algorithm} {wrong}"}),
        460,
        "checksum_mismatch",
    )
    assert offset_of(client, path) == 0
    assert send(client, path, data, headers={"Upload-Checksum": f"{algorithm} {right}"}).is_success
    assert offset_of(client, path) == len(data)
    dropped(client, path)


@pytest.mark.parametrize("by", ["Repr-Digest", "metadata"])
def test_whole_file_is_compared_with_its_digest(client: httpx2.Client, by: str) -> None:
    data, digest = f"digest by {by}".encode(), hashlib.sha256(b"other")
    told = f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    headers = {"Repr-Digest": told} if by == "Repr-Digest" else {
        "Upload-Metadata": metadata(filename="a.txt", sha256=digest.hexdigest())
    }  # fmt: skip
    path = begun(client, len(data), **headers)

    check_problem(send(client, path, data), 422, "digest_mismatch")
    check_problem(client.get("/api/uploads/none", headers=TUS), 405)
    assert client.head(path, headers=TUS).status_code == 404


def test_connection_that_breaks_keeps_what_has_come(server: Server, client: httpx2.Client) -> None:
    data = b"x" * 1000 + b" the rest"
    path = begun(client, len(data))
    half_sent(server, path, data[:600], length=len(data))

    assert offset_of(client, path) == 600
    assert send(client, path, data[600:], 600).status_code == 204


def test_connection_that_breaks_keeps_nothing_that_was_to_be_checked(
    server: Server, client: httpx2.Client
) -> None:
    path = begun(client, 1000)
    half_sent(
        server,
        path,
        b"x" * 600,
        length=1000,
        more=f"Upload-Checksum: {NO_MD5}\r\n",
    )

    assert offset_of(client, path) == 0
    dropped(client, path)


def half_sent(server: Server, path: str, data: bytes, *, length: int, more: str = "") -> None:
    """Send part of a piece, and break the connection off."""
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n{more}"
        "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    lines = server.log.count(f"PATCH {path}")
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.sendall(head.encode() + data)
        threading.Event().wait(0.3)  # what the city has not read when a connection breaks is lost
    for _ in range(100):
        if server.log.count(f"PATCH {path}") > lines:
            return
        threading.Event().wait(0.05)


def test_upload_of_which_pieces_came_survives_a_restart(tmp_path: Path) -> None:
    data = os.urandom(10).hex().encode()
    with serving(tmp_path) as one, one.client() as client:
        path = begun(client, len(data))
        send(client, path, data[:8])
        one.process.kill()
    with serving(tmp_path) as two, two.client() as client:
        assert offset_of(client, path) == 8
        assert send(client, path, data[8:], 8).status_code == 204
        assert pieces_of(two) == []


def test_two_pieces_at_once_are_one_too_many(server: Server, client: httpx2.Client) -> None:
    path = begun(client, 1000)
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n"
        "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
        "Content-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(server.address, timeout=5) as slow:
        slow.sendall(head.encode() + b"x" * 10)
        for _ in range(100):
            if pieces_of(server):
                break
            threading.Event().wait(0.02)
        problem = check_problem(send(client, path, b"y" * 10), 423, "piece_in_progress")
        check_problem(client.delete(path, headers=TUS), 423, "piece_in_progress")
    assert problem["hint"]
    while client.delete(path, headers=TUS).status_code == 423:
        threading.Event().wait(0.05)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "9"}, 412, "tus_version_needed"),
        ({"Upload-Length": "9", "Tus-Resumable": "0.2.2"}, 412, "tus_version_needed"),
        (TUS, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "-1"}, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "1e3"}, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "9" * 40}, 400, "malformed_tus"),
        ({**TUS, "Upload-Defer-Length": "1"}, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "9", "Upload-Metadata": "name !!"}, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "9", "Upload-Metadata": "a YQ==,a YQ=="}, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "9", "Upload-Metadata": "a" * 5000}, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "9", "Repr-Digest": "sha-256=:!:"}, 400, "malformed_tus"),
        ({**TUS, "Upload-Length": "9", "Repr-Digest": "sha-256=:AAAA:"}, 400, "malformed_tus"),
        (
            {**TUS, "Upload-Length": "9", "Upload-Metadata": metadata(sha256="ab")},
            400,
            "malformed_tus",
        ),
        ({**TUS, "Upload-Length": str(LIMIT + 1)}, 413, "never_fits"),
    ],
)
def test_beginning_that_is_none(
    client: httpx2.Client, headers: dict[str, str], status: int, code: str
) -> None:
    check_problem(client.post("/api/uploads", headers=headers), status, code)


def test_piece_that_does_not_say_where_it_begins_is_refused(client: httpx2.Client) -> None:
    path = client.post("/api/uploads", headers={**TUS, "Upload-Length": "4"}).headers["location"]

    check_problem(client.patch(path, headers=PIECE, content=b"more"), 400, "malformed_tus")

    assert client.head(path, headers=TUS).headers["upload-offset"] == "0"
    assert client.delete(path, headers=TUS).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, 415, "not_a_piece"),
        ({"Upload-Offset": "3"}, 409, "offset_mismatch"),
        ({"Upload-Offset": "x"}, 400, "malformed_tus"),
        ({"Upload-Checksum": "crc32 AAAA"}, 400, "malformed_tus"),
        ({"Upload-Checksum": "md5 !"}, 400, "malformed_tus"),
        ({"Tus-Resumable": "2.0.0"}, 412, "tus_version_needed"),
    ],
)
def test_piece_that_is_none(
    client: httpx2.Client, headers: dict[str, str], status: int, code: str
) -> None:
    path = begun(client, 10)

    check_problem(send(client, path, b"12345", headers=headers), status, code)
    assert offset_of(client, path) == 0
    dropped(client, path)
    check_problem(send(client, path, b"12345"), 404, "upload_unknown")


def test_piece_that_is_too_long_is_refused(client: httpx2.Client) -> None:
    path = begun(client, 10)

    check_problem(send(client, path, b"x" * 11), 413, "body_too_large")
    check_problem(send(client, path, iter([b"x" * 6, b"y" * 6])), 413, "body_too_large")
    assert offset_of(client, path) <= 10
    dropped(client, path)


def test_harmful_file_in_pieces_is_kept_apart_released_and_destroyed(client: httpx2.Client) -> None:
    path = begun(client, len(EICAR), "eicar.txt")
    check_problem(send(client, path, EICAR), 422, "malware")
    [record, *_] = client.get("/api/quarantine").json()["result"]["files"]
    here = f"/api/quarantine/{record['file_id']}"

    check_problem(client.post(f"{here}/release", json={"reason": "x"}), 422)
    check_problem(client.post(f"{here}/release", json={"reason": "\n \t\u2003\n"}), 422)
    check_problem(client.post(f"{here}/release", json={}), 422)
    asked = {"file_id": record["file_id"], "to": "csv"}
    check_problem(client.post(CONVERT, json=asked), 422, "file_refused")
    check_problem(client.post("/api/quarantine/none/release", json={"reason": "why"}), 404)
    released = client.post(f"{here}/release", json={"reason": "our own test file"})
    assert released.json()["result"]["status"] == "stored"
    check_problem(client.post(f"{here}/destroy", json={"reason": "late"}), 409, "not_in_quarantine")
    (decision,) = client.get(f"{here}/decisions").json()["result"]["decisions"]
    assert (decision["verdict"], decision["reason"]) == ("release", "our own test file")
    assert client.get(f"/api/files/{record['file_id']}/content").content == EICAR

    for waiting in client.get("/api/quarantine").json()["result"]["files"]:
        gone = client.post(
            f"/api/quarantine/{waiting['file_id']}/destroy", json={"reason": "cleaning up"}
        )
        assert gone.json()["result"]["status"] == "destroyed"
    assert client.get("/api/quarantine").json()["result"]["files"] == []


def test_versions_and_usage_are_told(client: httpx2.Client) -> None:
    first = client.post("/api/files", files={"file": ("log.txt", b"day one")}).json()["result"]
    second = client.post("/api/files", files={"file": ("log.txt", b"day two")}).json()["result"]
    before = client.get("/api/files/usage").json()["result"]
    client.post("/api/files", files={"file": ("copy.txt", b"day two")})

    assert (second["version"], second["previous"]) == (2, first["file_id"])
    versions = client.get(f"/api/files/{first['file_id']}/versions").json()["result"]["files"]
    assert [one["version"] for one in versions] == [2, 1]
    assert client.get("/api/files/usage").json()["result"] == before
    assert before["limit"] == QUOTA


def test_quota_is_told_with_what_is_used(client: httpx2.Client) -> None:
    used = client.get("/api/files/usage").json()["result"]["used"]
    reserved = begun(client, LIMIT - 100_000)

    problem = check_problem(
        client.post("/api/uploads", headers={**TUS, "Upload-Length": str(LIMIT - 50_000)}),
        507,
        "quota_exceeded",
    )
    assert f"{used + LIMIT - 100_000:,} of {QUOTA:,} bytes are in use" in problem["detail"]
    too_much = os.urandom(400_000).hex().encode()
    check_problem(
        client.post("/api/files", files={"file": ("a.txt", too_much)}), 507, "quota_exceeded"
    )
    dropped(client, reserved)
    assert client.post("/api/files", files={"file": ("a.txt", too_much)}).status_code == 201


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize("wrong", [False, True])
def test_digest_of_a_form_is_checked(client: httpx2.Client, header: str, wrong: bool) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="d.txt"'
    body = b"--b\r\n" + head + b"\r\n\r\nday\r\n--b--\r\n"
    digest = base64.b64encode(hashlib.sha256(b"x" if wrong else body).digest()).decode()

    answer = client.post(
        "/api/files",
        content=body,
        headers={"Content-Type": "multipart/form-data; boundary=b", header: f"sha-256=:{digest}:"},
    )

    if wrong:
        check_problem(answer, 422, "digest_mismatch")
    else:
        assert answer.status_code == 201
