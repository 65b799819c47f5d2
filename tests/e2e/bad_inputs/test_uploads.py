"""Bad uploads, by their numbers in the list of bad inputs."""

import base64
import hashlib
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.oracle import check_problem
from tests.support.processes import Server

pytestmark = pytest.mark.slow

LIMIT = 2_000_000
BOUNDARY = "xyzzy"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def part(content: bytes, disposition: str = 'form-data; name="file"; filename="a.txt"') -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    return head + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(client: httpx2.Client, body: bytes | Iterator[bytes], **headers: str) -> httpx2.Response:
    return client.post("/api/files", content=body, headers={**FORM, **headers})


def upload(client: httpx2.Client, name: str, content: bytes) -> httpx2.Response:
    return client.post("/api/files", files={"file": (name, content)})


def listed(client: httpx2.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/files?limit=200").json()["result"]["files"]
    return found


def test_good_upload_is_stored_and_comes_back_the_same(client: httpx2.Client) -> None:
    answer = upload(client, "note.txt", b"The mill runs.")

    assert answer.status_code == 201
    record = answer.json()["result"]
    assert answer.headers["Location"] == f"/api/files/{record['file_id']}"
    assert client.get(answer.headers["Location"]).json()["result"] == record
    content = client.get(f"{answer.headers['Location']}/content")
    assert content.content == b"The mill runs."
    assert content.headers["Content-Disposition"].startswith('attachment; filename="note.txt"')
    assert content.headers["X-Content-Type-Options"] == "nosniff"


def test_u1_body_one_byte_over_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    head = (
        f"POST /api/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['Content-Type']}\r\n"
        f"Content-Length: {LIMIT + 1}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.sendall(head.encode())
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer
    assert b'"code":"body_too_large"' in answer


def test_u1_body_at_the_limit_is_taken(client: httpx2.Client) -> None:
    envelope = len(form(part(b"")))
    text = b"word " * (LIMIT // 5)

    assert post(client, form(part(text[: LIMIT - envelope]))).status_code == 201


def test_u2_endless_body_is_cut_at_the_limit(server: Server) -> None:
    head = (
        f"POST /api/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['Content-Type']}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    opening = part(b"")[:-2]
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.sendall(head.encode())
        connection.sendall(f"{len(opening):x}\r\n".encode() + opening + b"\r\n")
        sent = 0
        try:
            while sent < 50 * LIMIT:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        answer = read_all(connection)

    assert sent < 50 * LIMIT
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_u4_body_that_drips_is_given_up(server: Server) -> None:
    head = (
        f"POST /api/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['Content-Type']}\r\n"
        "Content-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(server.address, timeout=0.2) as connection:
        connection.sendall(head.encode())
        answer = b""
        for byte in form(part(b"a" * 700)):
            connection.sendall(bytes([byte]))
            try:
                answer = connection.recv(1) + read_all(connection)
            except TimeoutError:
                continue
            break

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_too_slow"' in answer


def test_u5_upload_that_is_aborted_leaves_nothing(server: Server, client: httpx2.Client) -> None:
    before = listed(client)
    body = form(part(b"a" * 500_000))
    head = (
        f"POST /api/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['Content-Type']}\r\n"
        f"Content-Length: {len(body)}\r\nX-Trace-ID: aborted-upload\r\n\r\n"
    )
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])

    (told,) = server.logged("aborted-upload", until="POST")
    assert "client_went_away" in told["message"]
    assert server.staged == []
    assert listed(client) == before


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\x", "C:\\x", "/abs", "a/../../b.txt"]
)
def test_u7_name_that_is_a_path_names_nothing_but_the_file(
    server: Server, client: httpx2.Client, name: str
) -> None:
    text = f"The name is {name}".encode()  # other bytes each time, for the same are stored once
    answer = post(client, form(part(text, f'form-data; name="file"; filename="{name}"')))

    assert answer.status_code == 201
    record = answer.json()["result"]
    assert "/" not in record["name"]
    assert "\\" not in record["name"]
    assert ".." not in record["name"]
    assert record["storage_location"].endswith(record["file_id"])
    kept = ("client/local/0", "quarantine/client/local/0")
    assert all(path.startswith(kept) for path in server.stored)


@pytest.mark.parametrize(
    "name",
    [
        "a\x00b.txt",
        "a%0D%0ASet-Cookie: x=1.txt",
        "in\u202evoice.txt",
        "x" * 5000 + ".txt",
        "....",
        "CON",
        'q"uo;te.txt',
        "naïve 日本.txt",
        "",
    ],
)
def test_u8_name_that_is_dangerous_to_show_is_made_safe(client: httpx2.Client, name: str) -> None:
    answer = post(client, form(part(b"text", f'form-data; name="file"; filename="{name}"')))

    assert answer.status_code == 201
    record = answer.json()["result"]
    assert 0 < len(record["name"]) <= 200
    assert record["name"].isprintable()
    content = client.get(f"/api/files/{record['file_id']}/content")
    assert content.headers["Content-Disposition"].startswith("attachment; filename=")
    assert content.headers["Content-Disposition"].isascii()
    assert "set-cookie" not in content.headers


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"\x7fELF\x02\x01\x01" + b"\0" * 200,
    ],
)
def test_u10_active_content_in_disguise_is_refused(client: httpx2.Client, content: bytes) -> None:
    answer = upload(client, "report.pdf", content)

    assert answer.status_code in {415, 422}
    check_problem(answer, answer.status_code)


def test_u11_malware_is_quarantined_and_never_stored(server: Server, client: httpx2.Client) -> None:
    before = server.stored

    check_problem(upload(client, "eicar.txt", EICAR), 422, "malware")

    [record, *_] = listed(client)
    assert record["status"] == "quarantined"
    assert server.stored == sorted([*before, f"quarantine/client/local/{record['file_id']}"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(form(*[part(b"a")] * 1001), id="1001-parts"),
        pytest.param(form(*[part(b"a", 'form-data; name="f"')] * 1001), id="1001-fields"),
        pytest.param(form(part(b"a" * 1_100_000, 'form-data; name="note"')), id="large-field"),
        pytest.param(b"\r\n" * 900_000 + form(part(b"a")), id="long-preamble"),
        pytest.param(form(part(b"a")) + b"e" * 1_500_000, id="long-epilogue"),
        pytest.param(form(part(b"a"))[:-10], id="no-end"),
        pytest.param(b"", id="empty"),
        pytest.param(form(), id="no-part"),
        pytest.param(b"--wrong\r\n\r\n", id="wrong-boundary"),
        pytest.param(form(part(b"a", "form-data; name=" + "x" * 20_000)), id="large-header"),
        pytest.param(form(part(b"a", 'form-data; name="file"')), id="no-filename"),
    ],
)
def test_u29_form_that_is_more_or_less_than_one_file_is_refused(
    client: httpx2.Client, body: bytes
) -> None:
    problem = check_problem(post(client, body), 400, "malformed_form")

    assert problem["title"] == "The form cannot be read."


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("multipart/mixed; boundary=x", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=" + "b" * 300, 400),
    ],
)
def test_u29_body_that_is_no_form_is_refused(
    client: httpx2.Client, content_type: str, status: int
) -> None:
    answer = client.post("/api/files", content=b"x", headers={"Content-Type": content_type})

    check_problem(answer, status)


def test_u31_body_unlike_its_digest_is_refused(client: httpx2.Client) -> None:
    before = listed(client)
    body = form(part(b"text"))
    sha256 = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()

    for headers in (
        {"X-Content-SHA256": hashlib.sha256(b"other").hexdigest()},
        {"Content-Digest": f"sha-256=:{sha256}:"},
        {"Content-MD5": md5},
    ):
        check_problem(post(client, body, **headers), 422, "digest_mismatch")
    assert listed(client) == before


def test_u31_body_like_its_digests_is_taken(client: httpx2.Client) -> None:
    body = form(part(b"text"))
    sha512 = base64.b64encode(hashlib.sha512(body).digest()).decode()

    answer = post(
        client,
        body,
        **{
            "X-Content-SHA256": hashlib.sha256(b"text").hexdigest(),
            "Content-Digest": f"sha-512=:{sha512}:, unknown=:x:",
            "Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode(),
        },
    )

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Content-SHA256", "abc"),
        ("Content-Digest", "sha-256=:not base64:"),
        ("Content-MD5", "!"),
    ],
)
def test_u31_digest_that_is_none_is_pointed_at(
    client: httpx2.Client, header: str, value: str
) -> None:
    problem = check_problem(post(client, form(part(b"text")), **{header: value}), 422)

    assert problem["errors"][0]["pointer"] == f"/header/{header.lower()}"


@pytest.mark.parametrize(
    ("header", "status", "content"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=6-", 206, b"6789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=-99", 200, b"0123456789"),
        ("bytes=0-", 200, b"0123456789"),
        ("bytes=8-100", 206, b"89"),
        ("bytes=5-2", 200, b"0123456789"),
        ("bytes=-", 200, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("bytes=" + ",".join(["0-1"] * 5_000), 200, b"0123456789"),
        ("bytes=" + "9" * 5_000 + "-", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_u32_range_gives_a_part_and_nonsense_the_whole(
    client: httpx2.Client, header: str, status: int, content: bytes
) -> None:
    file_id = upload(client, "digits.txt", b"0123456789").json()["result"]["file_id"]

    answer = client.get(f"/api/files/{file_id}/content", headers={"Range": header})

    assert (answer.status_code, answer.content) == (status, content)


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_u32_range_behind_the_end_is_not_satisfiable(client: httpx2.Client, header: str) -> None:
    file_id = upload(client, "digits.txt", b"0123456789").json()["result"]["file_id"]

    answer = client.get(f"/api/files/{file_id}/content", headers={"Range": header})

    check_problem(answer, 416)
    assert answer.headers["Content-Range"] == "bytes */10"


def test_u32_range_of_another_version_is_not_given(client: httpx2.Client) -> None:
    file_id = upload(client, "digits.txt", b"0123456789").json()["result"]["file_id"]
    path = f"/api/files/{file_id}/content"
    etag = client.get(path).headers["ETag"]

    same = client.get(path, headers={"Range": "bytes=0-1", "If-Range": etag})
    other = client.get(path, headers={"Range": "bytes=0-1", "If-Range": '"old"'})

    assert (same.status_code, other.status_code) == (206, 200)


def test_content_of_a_refused_file_is_not_served(client: httpx2.Client) -> None:
    upload(client, "eicar.txt", EICAR)
    [refused, *_] = listed(client)

    answer = client.get(f"/api/files/{refused['file_id']}/content")

    assert answer.status_code in {409, 422}
    check_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", ["/api/files/nope", "/api/files/nope/content", "/api/files/%00"])
def test_unknown_file_is_not_found(client: httpx2.Client, path: str) -> None:
    check_problem(client.get(path), 404)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except (ConnectionResetError, TimeoutError):
        pass
    return answer


def test_log_has_a_line_for_a_refused_upload(server: Server, client: httpx2.Client) -> None:
    answer = post(client, b"", **{"X-Trace-ID": "refused-one"})

    check_problem(answer, 400)
    told = server.logged("refused-one", until="POST")
    assert [line["message"].split(" in ")[0] for line in told] == [
        "POST /api/files 400 malformed_form"
    ]
